"""What went wrong with a recording stays said of an empty room, whoever looks after it next."""

from dataclasses import replace

import pytest

from controller.errors import LiveKitUnavailableError, NoEgressServiceError
from controller.live.egress import EgressStatus
from tests.support.fake_live import FakeLive
from tests.support.inprocess import InProcess
from tests.unit.reconcile.test_recordings import (
    SPEAKER,
    harness,
    live,
    look,
    recorded,
    recording_condition,
    running,
)

REFUSED = "could not write the output"


async def failed(controller: InProcess) -> None:
    """All have left, and the recording failed at its end."""
    egress = await recorded(controller)
    controller.live.becomes(egress.id, EgressStatus.FAILED, error=REFUSED)
    controller.live.go(egress.room, "ann")
    await look(controller)
    assert (recording_condition(controller).reason, recording_condition(controller).message) == (
        "Failed",
        REFUSED,
    )


async def lost(controller: InProcess) -> None:
    """All have left, and so has its worker, without a word."""
    egress = await recorded(controller)
    controller.live.fail["stop_recording"] = LiveKitUnavailableError("no answer")
    for one in (egress.id, "ann"):
        controller.live.go(egress.room, one)
    controller.time.seconds += 61
    await look(controller, 8)
    controller.live.fail.clear()
    assert recording_condition(controller).reason == "WorkerLost"


def next_one(controller: InProcess) -> InProcess:
    """The controller after a restart, or on another host."""
    return harness(live=controller.live, database=controller.store.database, time=controller.time)


async def test_a_failure_outlives_the_controller_that_saw_it() -> None:
    first = harness()
    await failed(first)
    before, other = recording_condition(first), next_one(first)
    await look(other)
    assert recording_condition(other) == before


async def test_so_does_the_loss_of_a_worker() -> None:
    first = harness()
    await lost(first)
    before, other = recording_condition(first), next_one(first)
    await look(other)
    assert recording_condition(other) == before


async def test_and_it_outlives_each_restart_after() -> None:
    controller = harness()
    await failed(controller)
    for _ in range(3):
        controller = next_one(controller)
        await look(controller)
    assert (recording_condition(controller).reason, recording_condition(controller).message) == (
        "Failed",
        REFUSED,
    )


async def test_the_next_recording_that_ends_well_is_the_end_of_it() -> None:
    first = harness()
    await failed(first)
    other = next_one(first)
    other.time.seconds += 61
    egress = await recorded(other)
    assert recording_condition(other).status == "True"
    other.live.go(egress.room, "ann")
    await look(other)
    other.time.seconds += 61
    await look(other)
    assert recording_condition(other).reason == "Idle"


async def test_also_where_nobody_said_that_it_was_under_way() -> None:
    """The controller was away from before it began until after it had ended, and it may be a short one."""
    first = harness()
    await failed(first)
    before = first.record("stage").status
    first.time.seconds += 61
    egress = await recorded(first)
    first.live.becomes(egress.id, EgressStatus.COMPLETE)
    first.live.go(egress.room, "ann")
    rooms, room = first.store.database.rooms, first.store.database.rooms[first.record("stage").id]
    rooms[room.id] = replace(room, status=before)
    other = next_one(first)
    await look(other)
    assert recording_condition(other).reason == "Idle"


async def test_whoever_is_back_repeats_nothing_that_is_over() -> None:
    """It saw the failure, another was at work meanwhile, and recorded the room well."""
    first = harness()
    await failed(first)
    first.lease.held = False
    assert await first.reconciler.reconcile(read_files=True) is None, "it stands by"
    other = next_one(first)
    other.time.seconds += 61
    egress = await recorded(other)
    other.live.becomes(egress.id, EgressStatus.COMPLETE)
    other.live.go(egress.room, "ann")
    await look(other)
    assert recording_condition(other).reason == "Idle"
    first.lease.held = True
    await look(first)
    assert recording_condition(first).reason == "Idle"


async def test_a_livekit_that_tells_nothing_at_the_start_makes_nobody_forget(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The condition says so meanwhile, in the place of what it said before."""
    first = harness()
    await failed(first)
    other = next_one(first)
    with monkeypatch.context() as patched:
        patched.setattr(FakeLive, "recordings", _no_service)
        await look(other)
        assert recording_condition(other).reason == "NoEgressService"
    await look(other)
    assert (recording_condition(other).reason, recording_condition(other).message) == ("Failed", REFUSED)


async def test_nor_a_livekit_that_is_away_while_the_next_recording_begins() -> None:
    first = harness()
    await failed(first)
    first.time.seconds += 61
    first.live.enter(first.name("stage"), "ann", SPEAKER)
    await look(first)
    assert running(first)
    other = next_one(first)
    other.live.fail["rooms"] = LiveKitUnavailableError("no answer")
    with pytest.raises(LiveKitUnavailableError):
        await other.reconcile()
    await other.task_runner.wait_until_idle()
    assert recording_condition(other).reason == "NoEgressService"
    other.live.fail.clear()
    await look(other)
    assert (recording_condition(other).reason, recording_condition(other).message) == ("Failed", REFUSED)


async def _no_service(_: FakeLive) -> list[object]:
    raise NoEgressServiceError("it runs without Redis")


async def test_that_there_was_no_service_is_not_said_again_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = harness()
    await live(first)
    with monkeypatch.context() as patched:
        patched.setattr(FakeLive, "recordings", _no_service)
        await look(first)
    assert recording_condition(first).reason == "NoEgressService"
    other = next_one(first)
    await look(other)
    assert recording_condition(other).reason == "Idle"


async def test_a_failure_before_the_restart_does_not_delay_the_next_recording() -> None:
    first = harness()
    await failed(first)
    other = next_one(first)
    other.live.enter(other.name("stage"), "ann", SPEAKER)
    await look(other)
    assert len(running(other)) == 1
