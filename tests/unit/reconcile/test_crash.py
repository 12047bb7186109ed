"""A crash before or after each call to LiveKit and MongoDB, in turn: the next start puts everything right."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import count

import pytest

from controller.live.room import Permission
from controller.manifests.snapshot import Desired
from controller.plan.metadata import owner_mark
from controller.records.record import Origin
from tests.support.crash import Died, Fuse, fused
from tests.support.fake_live import FakeLive
from tests.support.fake_store import FakeDatabase, FakeStore
from tests.support.inprocess import InProcess
from tests.support.worlds import desired, live_room, manifest

BEFORE = desired(
    *(manifest(f"k{number}", name=f"Keep {number}") for number in range(2)),
    manifest("edit", allow_chat=True),
    manifest("stop"),
    manifest("start", active=False),
    manifest("recreate"),
    manifest("recreate-occupied"),
    manifest("heal"),
    manifest("remove"),
    manifest("remove-occupied"),
    manifest("remove-inactive", active=False),
    manifest("moves"),
)
AFTER = desired(
    *(manifest(f"k{number}", name=f"Keep {number}") for number in range(2)),
    manifest("edit"),
    manifest("stop", active=False),
    manifest("start"),
    manifest("recreate", max_participants=5),
    manifest("recreate-occupied", max_participants=5),
    manifest("heal"),
    manifest("new"),
    manifest("new-inactive", active=False),
    manifest("moves", file="elsewhere/moves.yaml"),
)
INSIDE = ("k0", "edit", "recreate-occupied", "remove-occupied", "moves")
"""The rooms with somebody inside whom no crash may cut off."""

ANN = Permission(True, True, True, ("CAMERA",))


async def start(live: FakeLive, database: FakeDatabase, manifests: Desired) -> InProcess:
    process = InProcess(live, database)
    process.manifests = manifests
    await process.run_until_stable()
    return process


async def until_it_dies(live: FakeLive, database: FakeDatabase, fuse: Fuse) -> None:
    """A controller works on AFTER until the fuse is burnt, or everything is done."""
    process = InProcess(fused(live, fuse), store=fused(FakeStore(database), fuse))
    process.manifests = AFTER
    for _ in range(4):
        with contextlib.suppress(Died):
            await process.reconciler.reconcile(read_files=True)
        tasks = list(process.task_runner._tasks.values())
        died = [e for e in await asyncio.gather(*tasks, return_exceptions=True) if e is not None]
        assert all(isinstance(error, Died) for error in died)
        process.time.seconds += 31.0


def steps(*, after: bool) -> Iterator[Fuse]:
    return (Fuse(calls, after=after) for calls in count())


@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
async def test_after_a_crash_at_any_call_the_next_start_puts_everything_right(
    after: bool,
) -> None:
    died_at: Counter[str] = Counter()
    for fuse in steps(after=after):
        live, database = FakeLive(), FakeDatabase()
        first = await start(live, database, BEFORE)
        names = {key: first.name(key) for key in INSIDE}
        for name in names.values():
            live.enter(name, "ann", ANN, {"role": "speaker"})
        live.vanish(first.name("heal"))
        ids = {room.key: (room.id, room.created) for room in database.rooms.values()}
        await until_it_dies(live, database, fuse)
        if not fuse.burnt:
            break
        died_at[fuse.last] += 1
        await settled_right(await start(live, database, AFTER), names, ids)
    assert died_at.keys() >= {"rooms", "refresh", "participants", "insert", "save"}
    assert died_at.keys() >= {"create_room", "delete_room", "update_metadata", "update_permission"}


async def settled_right(process: InProcess, names: Mapping[str, str], ids: Mapping[str, object]) -> None:
    rooms = {room.key: room for room in process.store.database.rooms.values()}
    assert len(rooms) == len(process.store.database.rooms)
    kept = {key: (room.id, room.created) for key, room in rooms.items() if key in ids}
    assert kept == ids
    for key, wanted in AFTER.rooms.items():
        assert (rooms[key].spec, rooms[key].file) == (wanted.spec, wanted.file)
        assert (rooms[key].live is not None) == wanted.spec.active
    assert {key for key, room in rooms.items() if room.removed} == {"remove", "remove-inactive"}
    current = {room.live.name for room in rooms.values() if room.live is not None}
    listed = await process.listed()
    assert listed == current
    marks = Counter(mark.room for r in await process.live.rooms() if (mark := owner_mark(r.metadata)))
    assert set(marks.values()) == {1}
    for key, name in names.items():
        assert process.name(key) == name
        assert [p.identity for p in await process.live.participants(name)] == ["ann"]
    (ann,) = await process.live.participants(names["edit"])
    assert not ann.permission.can_publish_data
    for room in rooms.values():
        ready = room.status.condition("Ready")
        assert room.removed or (ready is not None and ready.status == "True")
        assert room.live is None or room.sid == room.live.sid is not None


@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
async def test_a_crash_while_a_lost_database_adopts_cuts_nobody_off(after: bool) -> None:
    for fuse in steps(after=after):
        live = FakeLive()
        first = await start(live, FakeDatabase(), AFTER)
        before = {r.key: (r.id, r.live and r.live.name) for r in first.store.database.rooms.values()}
        for key in ("k0", "edit", "moves"):
            live.enter(first.name(key), "ann", ANN, {"role": "speaker"})
        live.put(live_room(first.record("k1"), "an orphan"))
        database = FakeDatabase()
        await until_it_dies(live, database, fuse)
        if not fuse.burnt:
            break
        again = await start(live, database, AFTER)
        for _ in range(3):  # the orphan is looked at twice, and goes
            await again.reconcile()
            again.time.seconds += 31.0
        rooms = database.rooms.values()
        assert all(room.origin is Origin.MANIFEST for room in rooms)
        adopted = {r.key: (r.id, r.live and r.live.name) for r in rooms if r.key != "k1"}
        assert adopted == {key: value for key, value in before.items() if key != "k1"}
        assert again.record("k1").id == before["k1"][0]
        assert len(await again.listed()) == sum(room.live is not None for room in rooms)
        for key in ("k0", "edit", "moves"):
            assert len(await live.participants(again.name(key))) == 1


async def test_a_crash_in_between_a_tombstones_end_leaves_no_room() -> None:
    for fuse in steps(after=True):
        live, database = FakeLive(), FakeDatabase()
        await start(live, database, BEFORE)
        process = InProcess(fused(live, fuse), store=fused(FakeStore(database), fuse))
        process.manifests = AFTER
        for _ in range(4):
            with contextlib.suppress(Died):
                await process.reconciler.reconcile(read_files=True)
            await asyncio.gather(*process.task_runner._tasks.values(), return_exceptions=True)
            process.time.seconds += 3600.0
        if not fuse.burnt:
            break
        last = InProcess(live, database, time=process.time)
        last.manifests = AFTER
        await last.run_until_stable()
        last.time.seconds += 3700.0
        await last.run_until_stable()
        assert {room.key for room in database.rooms.values()} == AFTER.rooms.keys()
        assert not any(room.retired for room in database.rooms.values())
        assert len(await last.listed()) == sum(room.spec.active for room in AFTER.rooms.values())


@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
async def test_a_crash_while_a_room_is_woken_or_falls_asleep_leaves_one_room_or_none(after: bool) -> None:
    manifests = desired(manifest("woken", live="on-demand"), manifest("ended", live="on-demand"))
    died_at: Counter[str] = Counter()
    for fuse in steps(after=after):
        live, database = FakeLive(), FakeDatabase()
        first = await start(live, database, manifests)
        first.reconciler.want(first.record("ended").id)
        await first.run_until_stable()
        ended = first.name("ended")
        live.vanish(ended)
        process = InProcess(fused(live, fuse), store=fused(FakeStore(database), fuse))
        process.manifests = manifests
        process.reconciler.want(first.record("woken").id)
        with contextlib.suppress(Died):
            await process.reconciler.reconcile(read_files=True)
        await asyncio.gather(*process.task_runner._tasks.values(), return_exceptions=True)
        again = await start(live, database, manifests)
        rooms = {room.key: room for room in database.rooms.values()}
        names = {room.live.name for room in rooms.values() if room.live is not None}
        assert await again.listed() == names
        assert ended not in names
        again.reconciler.want(rooms["woken"].id)
        await again.run_until_stable()
        assert await again.listed() == {again.name("woken")}
        if not fuse.burnt:
            break
        died_at[fuse.last] += 1
    assert died_at.keys() >= {"save", "create_room"}
