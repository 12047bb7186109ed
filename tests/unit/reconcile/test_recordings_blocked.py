"""An event that nothing records is told of: in the log, in a metric, and of its room when all have left."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from controller.companions.recording.config import RecordingConfig
from controller.errors import LiveKitUnavailableError, NoEgressServiceError, NoEgressWorkerError
from controller.live.egress import EgressStatus
from tests.support.inprocess import InProcess
from tests.support.worlds import desired, manifest
from tests.unit.reconcile.test_recordings import (
    SPEAKER,
    harness,
    live,
    look,
    recorded,
    recording_condition,
    running,
)


def failures(controller: InProcess, reason: str) -> float:
    failures = controller.metrics.recording_failures.labels(reason)
    return float(failures._value.get())


def lines(logs: list[Any], event: str) -> list[Any]:
    return [line for line in logs if line["event"] == event and line["log_level"] == "warning"]


async def test_without_a_service_each_event_is_told_of_once() -> None:
    controller = harness()
    name = await live(controller)
    controller.live.fail["recordings"] = NoEgressServiceError("no Redis")
    with capture_logs() as logs:
        await look(controller)
        assert not lines(logs, "recording failed")
        controller.live.enter(name, "ann", SPEAKER)
        await look(controller)
    (line,) = lines(logs, "recording failed")
    assert (line["key"], line["reason"]) == ("stage", "NoEgressService")
    assert failures(controller, "NoEgressService") == 1
    del controller.live.fail["recordings"]
    await look(controller)
    assert len(running(controller)) == 1


async def test_without_an_output_it_is_told_once_for_all_rooms() -> None:
    controller = harness(RecordingConfig())
    controller.manifests = desired(
        manifest("stage", record=True), manifest("hall", record=True), manifest("x")
    )
    with capture_logs() as logs:
        await controller.run_until_stable()
        await look(controller)
    (line,) = lines(logs, "recording disabled")
    assert line["room_count"] == 2


async def test_that_no_worker_took_it_is_said_when_all_have_left() -> None:
    controller = harness()
    name = await live(controller)
    controller.live.fail["start_recording"] = NoEgressWorkerError("none is there")
    controller.live.enter(name, "ann", SPEAKER)
    await look(controller)
    controller.live.go(name, "ann")
    await look(controller)
    assert recording_condition(controller).reason == "NoWorker"
    del controller.live.fail["start_recording"]
    controller.time.seconds += 61
    await recorded(controller)
    assert recording_condition(controller).status == "True"


async def test_record_switched_on_with_people_inside_waits_for_no_resync() -> None:
    controller = harness()
    controller.manifests = desired(manifest("stage"))
    controller.live.enter(await live(controller), "ann", SPEAKER)
    controller.manifests = desired(manifest("stage", record=True))
    for _ in range(6):
        await controller.reconcile(audit=False)
    assert len(running(controller)) == 1


async def test_that_nobody_answers_to_a_stop_is_told_once() -> None:
    controller = harness()
    await recorded(controller)
    controller.live.fail["stop_recording"] = LiveKitUnavailableError("nobody answers")
    controller.manifests = desired(manifest("stage", record=False))
    with capture_logs() as logs:
        for _ in range(4):
            await look(controller)
            controller.time.seconds += 6
    assert len(lines(logs, "recording stop failed")) == 1
    assert len([line for line in logs if line["event"] == "recording stopping"]) == 1


@pytest.mark.parametrize("works", [True, False])
async def test_the_seconds_of_what_was_written_are_counted(works: bool) -> None:
    controller = harness()
    egress = await recorded(controller)
    status = EgressStatus.COMPLETE if works else EgressStatus.FAILED
    controller.live.becomes(egress.id, status, seconds=12.0)
    await look(controller, 2)
    assert (controller.metrics.recorded_seconds._value.get() == 12.0) is works
