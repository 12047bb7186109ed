"""What fails is that one room's affair, is tried again later, and is forgotten when it went well."""

import asyncio

import pytest
from structlog.testing import capture_logs

from controller.errors import (
    LiveKitRejectedError,
    LiveKitUnavailableError,
    StoreConflictError,
    StoreUnavailableError,
)
from controller.live.room import EMPTY_TIMEOUT_SECONDS, LiveRoom
from controller.live.webhook import WebhookEvent
from controller.manifests.snapshot import Desired
from controller.reconcile.task_runner import MAX_CONFLICT_RETRIES
from controller.reconcile.trackers import FLAP_HEAL_INTERVAL_SECONDS, FLAP_THRESHOLD, FLAP_WINDOW_SECONDS
from controller.records.record import RoomRecord
from tests.support.fake_live import FakeLive
from tests.support.fake_store import FakeStore
from tests.support.inprocess import InProcess
from tests.support.wait import until
from tests.support.worlds import NOW, by_api, desired, manifest, record

THREE = desired(manifest("a", name="slow"), manifest("b"), manifest("c"))


class HangingLive(FakeLive):
    """CreateRoom of the room called `slow` waits until `go` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.free = asyncio.Event()

    async def create_room(
        self,
        name: str,
        metadata: str,
        max_participants: int,
        empty_timeout: int = EMPTY_TIMEOUT_SECONDS,
        *,
        calls_agents: bool = False,
    ) -> LiveRoom:
        if '"name":"slow"' in metadata:
            self._called("create_room", name)
            await self.free.wait()
        return await super().create_room(
            name, metadata, max_participants, empty_timeout, calls_agents=calls_agents
        )


def ready(process: InProcess, key: str) -> str:
    condition = process.record(key).status.condition("Ready")
    return f"{condition.status} {condition.reason}" if condition is not None else ""


async def test_a_room_that_hangs_delays_no_other_and_is_begun_once() -> None:
    live = HangingLive()
    process = InProcess(live)
    process.manifests = THREE
    await process.reconciler.reconcile(read_files=True)

    async def others_ready() -> bool:
        rooms = process.store.by_key
        return all(key in rooms and ready(process, key) == "True AsSpecified" for key in "bc")

    await until(others_ready)
    for _ in range(3):
        await process.reconciler.reconcile(read_files=True)
    assert process.record("a").id in process.task_runner.busy
    live.free.set()
    await process.run_until_stable()
    assert ready(process, "a") == "True AsSpecified"
    assert len(await process.listed()) == 3
    assert live.calls["create_room"] == 4  # the one that hung is counted by both halves of the fake


async def test_an_edit_that_meets_work_under_way_wakes_the_loop_when_that_is_done() -> None:
    live = HangingLive()
    process = InProcess(live)
    process.manifests = THREE
    await process.reconciler.reconcile(read_files=True)
    await until(lambda: _asked(live))
    process.manifests = desired(manifest("a", name="slow", allow_chat=True), manifest("b"), manifest("c"))
    await process.reconciler.reconcile(read_files=True)
    assert not process.triggers.woken
    live.free.set()
    await process.task_runner.wait_until_idle()
    assert process.triggers.woken
    await process.reconcile()
    assert process.record("a").spec.allow_chat


async def test_work_that_is_merely_under_way_wakes_nobody() -> None:
    live = HangingLive()
    process = InProcess(live)
    process.manifests = THREE
    await process.reconciler.reconcile(read_files=True)
    await until(lambda: _asked(live))
    await process.reconciler.reconcile(read_files=True)
    live.free.set()
    await process.task_runner.wait_until_idle()
    assert not process.triggers.woken


async def _asked(live: HangingLive) -> bool:
    return live.calls["create_room"] >= 3


async def test_what_waits_its_turn_at_livekit_is_not_sent_without_the_lease() -> None:
    live = HangingLive()
    process = InProcess(live)
    process.manifests = desired(*(manifest(f"r{number:02}", name="slow") for number in range(25)))
    await process.reconciler.reconcile(read_files=True)
    await until(lambda: _in_flight(live, 20))
    process.lease.held = False
    live.free.set()
    await process.task_runner.wait_until_idle()
    assert len(await process.listed()) == 20


async def _in_flight(live: HangingLive, count: int) -> bool:
    return live.calls["create_room"] >= count


async def one_failing(error: Exception) -> tuple[InProcess, str]:
    """Two live rooms, of which `a` vanished and cannot be made."""
    process = InProcess()
    process.manifests = desired(manifest("a"), manifest("b"))
    await process.run_until_stable()
    name = process.name("a")
    process.live.vanish(name)
    process.live.fail[f"create_room {name}"] = error  # type: ignore[assignment]
    process.calls()
    process.time.chance = 1.0
    await process.reconcile()
    return process, name


async def test_a_room_that_failed_waits_twice_as_long_each_time() -> None:
    process, _ = await one_failing(LiveKitUnavailableError("LiveKit is slow"))
    waits = [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    for wait in waits:
        process.calls()
        process.time.seconds += wait - 0.01
        await process.reconcile()
        assert process.calls()["create_room"] == 0
        process.time.seconds += 0.02
        await process.reconcile()
        assert process.calls()["create_room"] == 1
    assert process.triggers.delays[-7:] == pytest.approx([1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0])


async def test_success_makes_it_forget() -> None:
    process, name = await one_failing(LiveKitUnavailableError("LiveKit is slow"))
    process.time.seconds += 20
    await process.reconcile()
    del process.live.fail[f"create_room {name}"]
    process.time.seconds += 20
    await process.reconcile()
    assert name in await process.listed()
    process.live.vanish(name)
    process.live.fail[f"create_room {name}"] = LiveKitUnavailableError("LiveKit is slow")
    process.triggers.delays.clear()
    await process.reconcile()
    assert process.triggers.delays == [0.5]


async def test_what_is_away_for_all_is_no_fault_of_the_room_and_a_refusal_is() -> None:
    away, _ = await one_failing(LiveKitUnavailableError("LiveKit is slow"))
    await away.reconcile()
    assert ready(away, "a") == "False NotLive"
    refused, name = await one_failing(LiveKitRejectedError("LiveKit refused the name"))
    await refused.reconcile()
    assert ready(refused, "a") == "False Failed"
    assert ready(refused, "b") == "True AsSpecified"
    del refused.live.fail[f"create_room {name}"]
    await refused.run_until_stable()
    assert ready(refused, "a") == "True AsSpecified"


async def test_a_failure_whose_cause_went_away_by_itself_is_told_no_more() -> None:
    process, name = await one_failing(LiveKitRejectedError("LiveKit refused the name"))
    await process.reconcile()
    assert ready(process, "a") == "False Failed"
    del process.live.fail[f"create_room {name}"]
    room = process.record("a")
    await process.live.create_room(name, process.applier._metadata(room), room.spec.max_participants)
    await process.reconcile()
    assert ready(process, "a") == "True AsSpecified"


async def test_what_was_away_is_back_and_nobody_waits() -> None:
    process, name = await one_failing(LiveKitUnavailableError("LiveKit is slow"))
    del process.live.fail[f"create_room {name}"]
    process.task_runner.reset_backoff()
    await process.reconcile()
    assert name in await process.listed()


async def test_a_fault_of_ours_is_one_rooms_alone_and_shows_no_locals() -> None:
    process = InProcess()
    process.manifests = desired(manifest("a"), manifest("b"))
    await process.run_until_stable()
    process.live.vanish(process.name("a"))
    process.live.vanish(process.name("b"))
    process.live.fail[f"create_room {process.name('a')}"] = ZeroDivisionError()  # type: ignore[assignment]
    with capture_logs() as logs:
        await process.reconcile()
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["task crashed"]
    assert await process.listed() == {process.name("b")}


async def test_another_writers_change_is_planned_again_and_nothing_is_made_twice() -> None:
    process = InProcess()
    process.manifests = desired(manifest("a"))
    await process.run_until_stable()
    process.manifests = desired(manifest("a", max_participants=3))
    plan = await process.planner.plan(await process.planner.observer.observe(None))
    other = FakeStore(process.store.database)
    await other.refresh()
    room = process.record("a")
    await other.save(room, room.with_spec(manifest("a", name="Faster").spec, "a", "a.yaml", NOW))
    process.calls()
    process.task_runner.start_changes(plan)
    await process.task_runner.wait_until_idle()
    assert process.acts() == 0
    assert process.progress[-1][2] == "done"  # a lost comparison is no failure
    process.time.seconds += 1
    await process.run_until_stable()
    assert process.record("a").spec == manifest("a", max_participants=3).spec
    assert await process.listed() == {process.name("a")}


class Occupied(FakeStore):
    """Something that cannot be read stands where the record should."""

    async def insert(self, record: RoomRecord) -> RoomRecord:
        del record
        raise StoreConflictError(
            "conflict: the record was modified by another process, or the id or the key is taken"
        )


async def test_a_write_that_loses_again_and_again_is_no_race_any_more() -> None:
    process = InProcess(store=Occupied())
    process.manifests = desired(manifest("a"))
    for _ in range(MAX_CONFLICT_RETRIES - 1):
        await process.reconcile()
        process.time.seconds += 31.0
    assert process.progress == []
    await process.reconcile()
    assert [key for key, _, _ in process.progress] == ["a"]


async def test_without_the_lease_nothing_is_planned_or_written() -> None:
    process = InProcess()
    process.manifests = desired(manifest("a"))
    process.lease.held = False
    assert await process.reconciler.reconcile(read_files=True) is None
    await process.task_runner.wait_until_idle()
    assert (process.acts(), process.store.writes) == (0, 0)
    assert process.state.started


async def test_a_lease_that_is_lost_between_plan_and_act_stops_every_write_to_livekit() -> None:
    process = InProcess()
    process.manifests = desired(manifest("a"), manifest("b"), manifest("c", active=False))
    await process.run_until_stable()
    process.live.vanish(process.name("a"))
    process.manifests = desired(
        manifest("a"), manifest("b", allow_chat=True, max_participants=2), manifest("c")
    )
    before = await process.listed()
    plan = await process.planner.plan(await process.planner.observer.observe(None))
    process.calls()
    process.lease.held = False
    process.task_runner.start_changes(plan)
    await process.task_runner.wait_until_idle()
    assert (process.acts(), await process.listed()) == (0, before)
    process.lease.held = True
    await process.run_until_stable()
    assert await process.listed() == {process.name(key) for key in "abc"}


async def test_hints_wake_nobody_who_stands_by() -> None:
    process = InProcess()
    process.manifests = desired(manifest("a"))
    await process.run_until_stable()
    await process.triggers.wait(0)
    process.lease.held = False
    sid = process.record("a").sid or ""
    process.reconciler.on_webhook(WebhookEvent("room_finished", room=process.name("a"), sid=sid))
    assert not process.triggers.woken


async def flap(process: InProcess, times: int) -> None:
    for _ in range(times):
        process.live.vanish(process.name("a"))
        await process.reconcile()
        process.time.seconds += 1


async def test_a_room_that_vanishes_again_and_again_is_healed_once_a_minute_until_it_lives() -> None:
    process = InProcess()
    process.manifests = desired(manifest("a"))
    await process.run_until_stable()
    await flap(process, FLAP_THRESHOLD)
    stalled = process.record("a").status.condition("Stalled")
    assert stalled is not None
    assert stalled.reason == "Flapping"
    await flap(process, 1)
    assert await process.listed() == set()
    process.time.seconds += FLAP_HEAL_INTERVAL_SECONDS
    await process.reconcile()
    assert await process.listed() == {process.name("a")}
    process.time.seconds += FLAP_WINDOW_SECONDS
    await process.reconcile()
    assert process.record("a").status.condition("Stalled") is None


async def test_a_room_that_cannot_be_made_again_has_not_vanished_again() -> None:
    process, name = await one_failing(LiveKitUnavailableError("LiveKit is slow"))
    for _ in range(FLAP_THRESHOLD):
        process.time.seconds += 20
        await process.reconcile()
    del process.live.fail[f"create_room {name}"]
    process.time.seconds += 20
    await process.reconcile()
    assert name in await process.listed()
    assert process.record("a").status.condition("Stalled") is None


async def test_mongodb_away_in_the_middle_is_put_right_later() -> None:
    process = InProcess()
    process.manifests = THREE
    await process.reconciler.reconcile(read_files=True)
    process.store.fail = StoreUnavailableError("MongoDB is away")
    await process.task_runner.wait_until_idle()
    process.store.fail = None
    process.time.seconds += 20
    await process.run_until_stable()
    assert await process.listed() == {process.name(key) for key in "abc"}


async def test_an_api_rooms_id_is_in_no_log() -> None:
    process = InProcess()
    process.manifests = Desired({}, (), "")
    room = by_api(record("a"))
    await process.store.insert(room)
    with capture_logs() as logs:
        await process.run_until_stable()
    assert logs
    assert room.id not in repr(logs)
