"""Rooms made by API, on LiveKit, MongoDB and the lease in memory: others write desire, we make it so."""

import asyncio
import contextlib
from collections import Counter
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from controller.errors import LiveKitRejectedError, LiveKitUnavailableError
from controller.live.room import EMPTY_TIMEOUT_SECONDS, LiveRoom, Permission
from controller.records.record import LiveName, Origin, RoomRecord, Status
from tests.support.crash import Died, Fuse, fused
from tests.support.fake_live import FakeLive
from tests.support.fake_store import FakeDatabase, FakeStore
from tests.support.inprocess import InProcess
from tests.support.worlds import by_api, desired, manifest, record, spec

MANIFESTS = desired(manifest("theirs"))
ANN = Permission(True, True, True, ("CAMERA",))


def api_room(name: str, **fields: Any) -> RoomRecord:
    """As create writes it: nothing is said of it yet."""
    return replace(by_api(record(name, **fields)), status=Status())


async def with_rooms(*rooms: RoomRecord, live: FakeLive | None = None) -> InProcess:
    """A controller that made these, beside one room of a manifest."""
    process = InProcess(live)
    process.manifests = MANIFESTS
    for room in rooms:
        await process.store.insert(room)
    await process.run_until_stable()
    process.calls()
    return process


def now(process: InProcess, room: RoomRecord) -> RoomRecord:
    return process.store.database.rooms[room.id]


async def dismiss(process: InProcess, room: RoomRecord, store: FakeStore | None = None) -> None:
    """What remove writes, in this process or in another."""
    writer = store or process.store
    await writer.refresh()
    stored = writer.by_id[room.id]
    await writer.save(stored, stored.with_api_removal(process.time.wall()))


def is_done(room: RoomRecord) -> bool:
    return room.live is None and room.status.observed_generation == room.generation


async def test_it_is_made_and_said_to_be_ready_with_no_word_of_a_manifest() -> None:
    process = await with_rooms(api_room("a"))
    room = now(process, api_room("a"))
    assert room.live is not None
    assert room.sid == room.live.sid is not None
    assert {c.type: c.status for c in room.status.conditions} == {"Ready": "True", "Live": "True"}


async def test_it_comes_back_under_its_name_and_is_pruned_by_nothing() -> None:
    process = await with_rooms(api_room("a"))
    name = process.name(api_room("a").key)
    process.live.vanish(name)
    process.manifests = desired()
    for _ in range(3):
        await process.reconcile()
        process.time.seconds += 31.0
    assert name in await process.listed()


async def test_stop_and_start_by_another_process_are_made_so() -> None:
    process, room = await with_rooms(api_room("a")), api_room("a")
    other, name = FakeStore(process.store.database), process.name(room.key)
    for active in (False, True):
        await other.refresh()
        stored = other.by_id[room.id]
        wanted = stored.with_spec(spec(active=active), stored.key, None, process.time.wall())
        await other.save(stored, wanted)
        await process.reconcile()
        after = now(process, room)
        assert after.status.observed_generation == wanted.generation
        assert (after.live is not None) == active
    assert name not in await process.listed()
    assert process.name(room.key) in await process.listed()


@pytest.mark.parametrize("elsewhere", [False, True], ids=["in this process", "in another"])
async def test_removed_in_the_next_pass_whoever_is_inside(elsewhere: bool) -> None:
    process, room = await with_rooms(api_room("a"), api_room("b")), api_room("a")
    name, kept = process.name(room.key), process.name(api_room("b").key)
    for inside in (name, kept):
        process.live.enter(inside, "ann", ANN, {"role": "speaker"})
    await dismiss(process, room, FakeStore(process.store.database) if elsewhere else None)
    plan = await process.reconcile()
    assert plan.empty
    assert await process.listed() == {kept, process.name("theirs")}
    assert [old.name for old in now(process, room).retired] == [name]
    assert is_done(now(process, room))
    assert [p.identity for p in await process.live.participants(kept)] == ["ann"]


async def test_the_name_is_retired_before_the_live_room_goes() -> None:
    process, room = await with_rooms(api_room("a")), api_room("a")
    name = process.name(room.key)
    process.live.fail["delete_room"] = LiveKitUnavailableError("LiveKit is away")
    await dismiss(process, room)
    await process.reconcile()
    assert now(process, room).live is None
    assert [old.name for old in now(process, room).retired] == [name]
    assert not is_done(now(process, room)), "it still stands"
    process.live.fail.clear()
    process.time.seconds += 31.0
    await process.reconcile()
    assert is_done(now(process, room))
    assert name not in await process.listed()


class Held(FakeLive):
    """CreateRoom is answered once `go_on` is set, and the room comes to be only then."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.go_on = asyncio.Event(), asyncio.Event()

    async def create_room(
        self,
        name: str,
        metadata: str,
        max_participants: int,
        empty_timeout: int = EMPTY_TIMEOUT_SECONDS,
        *,
        calls_agents: bool = False,
    ) -> LiveRoom:
        self.asked.set()
        await self.go_on.wait()
        return await super().create_room(
            name, metadata, max_participants, empty_timeout, calls_agents=calls_agents
        )


async def test_one_removed_while_it_is_being_made_leaves_no_live_room() -> None:
    live, room = Held(), api_room("a")
    process = InProcess(live)
    await process.store.insert(room)
    await process.reconciler.reconcile(read_files=True)
    await live.asked.wait()
    await dismiss(process, room)
    await process.reconciler.reconcile(read_files=False)
    assert not is_done(now(process, room)), "CreateRoom may still come about"
    live.go_on.set()
    await process.task_runner.wait_until_idle()
    assert process.triggers.woken
    await process.reconcile()
    assert await process.listed() == set()
    assert is_done(now(process, room))


async def test_one_removed_between_the_plan_and_its_write_is_not_made() -> None:
    process, room = InProcess(), api_room("a")
    await process.store.insert(room)
    plan = await process.planner.plan(await process.planner.observer.observe(None))
    await dismiss(process, room)
    process.task_runner.start_changes(plan)
    await process.task_runner.wait_until_idle()
    assert process.live.calls["create_room"] == 0
    await process.reconcile()
    assert is_done(now(process, room))


async def test_one_that_livekit_refuses_is_removed_without_waiting_for_the_next_try() -> None:
    process, room = InProcess(), api_room("a")
    process.live.fail["create_room"] = LiveKitRejectedError("LiveKit refuses")
    await process.store.insert(room)
    await process.reconcile()
    await dismiss(process, room)
    await process.reconcile()
    assert is_done(now(process, room))


async def test_a_removed_one_is_forgotten_after_an_hour_and_its_name_buried_until_then() -> None:
    process, room = await with_rooms(api_room("a")), api_room("a")
    name = process.name(room.key)
    await dismiss(process, room)
    await process.reconcile()
    await process.live.create_room(name, "", 0)  # by a client that was thrown out
    await process.reconcile()
    assert name not in await process.listed()
    process.time.seconds += 3600.0
    await process.reconcile()
    assert room.id not in process.store.database.rooms


GONE = (
    api_room("occupied"),
    replace(api_room("being made"), live=LiveName("being-made")),
    api_room("off", active=False),
    api_room("vanished"),
)
KEPT, STOPPED, STARTED = api_room("kept"), api_room("stopped"), api_room("started", active=False)


async def before_the_crash(live: FakeLive, database: FakeDatabase) -> str:
    """Every intent of the API is written and nothing of it done; the name of the room that stays."""
    process = InProcess(live, database)
    process.manifests = MANIFESTS
    for room in (*GONE, KEPT, STOPPED, STARTED):
        await process.store.insert(replace(room, live=None))
    await process.run_until_stable()
    for name in (process.name(GONE[0].key), process.name(KEPT.key)):
        live.enter(name, "ann", ANN, {"role": "speaker"})
    live.vanish(process.name(GONE[3].key))
    live.vanish(process.name(GONE[1].key))
    database.rooms[GONE[1].id] = GONE[1]
    for room in GONE:
        await dismiss(process, room)
    for room in (STOPPED, STARTED):
        stored = now(process, room)
        wanted = spec(active=not room.spec.active)
        await process.store.save(stored, stored.with_spec(wanted, stored.key, None, process.time.wall()))
    return process.name(KEPT.key)


@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
async def test_after_a_crash_at_any_call_every_intent_of_the_api_is_made_so(after: bool) -> None:
    died_at: Counter[str] = Counter()
    for calls in count():
        fuse = Fuse(calls, after=after)
        live, database = FakeLive(), FakeDatabase()
        kept = await before_the_crash(live, database)
        dying = InProcess(fused(live, fuse), store=fused(FakeStore(database), fuse))
        dying.manifests = MANIFESTS
        for _ in range(3):
            with contextlib.suppress(Died):
                await dying.reconciler.reconcile(read_files=True)
            await asyncio.gather(*dying.task_runner._tasks.values(), return_exceptions=True)
            dying.time.seconds += 31.0
        if not fuse.burnt:
            break
        died_at[fuse.last] += 1
        process = InProcess(live, database)
        process.manifests = MANIFESTS
        await process.run_until_stable()
        assert all(is_done(now(process, room)) for room in (*GONE, STOPPED))
        current = {room.live.name for room in database.rooms.values() if room.live is not None}
        assert await process.listed() == current
        assert current == {process.name(room.key) for room in (KEPT, STARTED)} | {process.name("theirs")}
        assert process.name(KEPT.key) == kept
        assert [p.identity for p in await live.participants(kept)] == ["ann"]
        assert {r.key for r in database.rooms.values() if r.removed} == {room.key for room in GONE}
        assert {r.origin for r in database.rooms.values()} == {Origin.API, Origin.MANIFEST}
    assert died_at.keys() >= {"rooms", "refresh", "save", "create_room", "delete_room"}
