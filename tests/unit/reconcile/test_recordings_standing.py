"""A recording that failed is named until one succeeds, whatever attempts come between."""

from controller.errors import LiveKitUnavailableError, NoEgressWorkerError
from controller.live.egress import Egress, EgressStatus
from tests.support.inprocess import InProcess
from tests.unit.reconcile.test_recordings import (
    SPEAKER,
    harness,
    live,
    look,
    recorded,
    recording_condition,
    recording_of,
    rows,
    running,
)
from tests.unit.reconcile.test_recordings_kept import REFUSED, failed, next_one

SUFFIX = f"; the previous recording failed: {REFUSED}"


async def starting(controller: InProcess) -> Egress:
    """Somebody came in again, and the next recording is starting."""
    controller.time.seconds += 61
    controller.live.enter(controller.name("stage"), "ann", SPEAKER)
    await look(controller)
    (egress,) = running(controller)
    return egress


async def still_failed(controller: InProcess) -> None:
    await look(controller)
    condition = recording_condition(controller)
    assert (condition.reason, condition.message) == ("Failed", REFUSED)


async def test_one_that_we_stop_before_it_starts_leaves_it_named() -> None:
    controller = harness()
    await failed(controller)
    egress = await starting(controller)
    recording_of(controller)._tracker.record_stop_requested(egress.id, controller.time.seconds)
    controller.live.becomes(egress.id, EgressStatus.ABORTED, error="page did not load")
    controller.live.go(egress.room, "ann")
    await still_failed(controller)
    assert {row.egress_id: row.error for row in await rows(controller)}[egress.id] == (
        "stopped before it started"
    )


async def test_one_that_something_else_aborts_leaves_it_failed() -> None:
    controller = harness()
    await failed(controller)
    egress = await starting(controller)
    controller.live.becomes(egress.id, EgressStatus.ABORTED, error="page did not load")
    controller.live.go(egress.room, "ann")
    await look(controller)
    condition = recording_condition(controller)
    assert (condition.reason, condition.message) == ("Failed", f"page did not load{SUFFIX}")


async def test_a_start_without_an_answer_leaves_it_named() -> None:
    controller = harness()
    await failed(controller)
    controller.live.fail["start_recording"] = LiveKitUnavailableError("no answer")
    controller.time.seconds += 61
    controller.live.enter(controller.name("stage"), "ann", SPEAKER)
    await still_failed(controller)


async def test_a_start_that_no_worker_took_leaves_it_named() -> None:
    controller = harness()
    await failed(controller)
    controller.live.fail["start_recording"] = NoEgressWorkerError("no egress worker")
    controller.time.seconds += 61
    controller.live.enter(controller.name("stage"), "ann", SPEAKER)
    await look(controller)
    condition = recording_condition(controller)
    assert (condition.reason, condition.message) == ("NoWorker", f"no egress worker{SUFFIX}")
    controller.live.fail.clear()
    controller.time.seconds += 61
    await look(controller)
    assert running(controller)
    await still_failed(controller)


async def test_it_is_said_while_the_next_one_runs_and_after_a_restart() -> None:
    controller = harness()
    await failed(controller)
    controller.time.seconds += 61
    egress = await recorded(controller)
    for one in (controller, next_one(controller), next_one(controller)):
        await look(one)
        condition = recording_condition(one)
        assert (condition.status, condition.reason) == ("True", "Recording")
        assert condition.message.startswith(egress.file)
        assert condition.message.endswith(SUFFIX)
    controller.live.becomes(egress.id, EgressStatus.COMPLETE)
    controller.live.go(egress.room, "ann")
    await look(controller)
    assert (recording_condition(controller).reason, recording_condition(controller).message) == (
        "Idle",
        "no participants",
    )


async def test_one_that_was_lost_leaves_it_named() -> None:
    controller = harness()
    await failed(controller)
    controller.time.seconds += 61
    egress = await recorded(controller)
    controller.live.fail[f"stop_recording {egress.id}"] = LiveKitUnavailableError("no answer")
    for one in (egress.id, "ann"):
        controller.live.go(egress.room, one)
    controller.time.seconds += 61
    await look(controller, 8)
    condition = recording_condition(controller)
    assert condition.reason == "WorkerLost"
    assert f"/home/egress/tmp/{egress.id}" in condition.message
    assert condition.message.endswith(SUFFIX)


async def test_an_attempt_that_we_stopped_changes_no_delay() -> None:
    controller = harness()
    await failed(controller)
    egress = await starting(controller)
    backoff = recording_of(controller)._failures.backoff
    before = backoff.count(controller.record("stage").id)
    recording_of(controller)._tracker.record_stop_requested(egress.id, controller.time.seconds)
    controller.live.becomes(egress.id, EgressStatus.ABORTED)
    await look(controller, 1)
    assert backoff.count(controller.record("stage").id) == before > 0


async def test_time_of_a_recording_that_is_still_starting_does_not_count() -> None:
    controller = harness()
    controller.live.enter(await live(controller), "ann", SPEAKER)
    await look(controller)
    (egress,) = running(controller)
    assert [row.recorded_from for row in await rows(controller)] == [None]
    controller.live.becomes(egress.id, EgressStatus.ACTIVE)
    await look(controller)
    assert [row.recorded_from for row in await rows(controller)] == [egress.started]


async def test_a_start_that_fails_after_a_minute_is_not_repeated_at_once() -> None:
    """It recorded nothing in that minute."""
    controller = harness()
    controller.live.enter(await live(controller), "ann", SPEAKER)
    await look(controller)
    (egress,) = running(controller)
    room_id = controller.record("stage").id
    backoff = recording_of(controller)._failures.backoff
    backoff.failed(room_id, controller.time.seconds, 1.0)
    controller.time.seconds += 90
    controller.live.becomes(egress.id, EgressStatus.FAILED, error="page did not load")
    await look(controller, 1)
    assert backoff.count(room_id) == 2


async def test_a_lost_one_is_as_long_as_its_recorder_was_seen() -> None:
    controller = harness()
    egress = await recorded(controller)
    tracker = recording_of(controller)._tracker
    first = tracker.last_seen[egress.id]
    controller.time.seconds += 40
    await look(controller)
    assert (tracker.last_seen[egress.id] - first).total_seconds() == 40
    controller.live.fail[f"stop_recording {egress.id}"] = LiveKitUnavailableError("no answer")
    controller.live.go(egress.room, egress.id)
    controller.time.seconds += 61
    await look(controller, 8)
    (lost,) = [row for row in await rows(controller) if row.egress_id == egress.id]
    assert lost.recorded_from is not None
    assert lost.seconds == (first - lost.recorded_from).total_seconds() + 40
    assert egress.id not in tracker.last_seen
