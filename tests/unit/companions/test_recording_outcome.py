"""How a recording ended, how long it is, and what stays wrong until one succeeds."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import pytest

from controller.companions.recording.decision import RecordingInputs, condition, not_recorded
from controller.companions.recording.outcome import (
    PREVIOUS,
    RecordingFailure,
    StandingFailures,
    ended_row,
    failures_in,
    lost_row,
    with_previous,
    worker_lost,
)
from controller.live.egress import EgressStatus
from controller.records.record import Condition
from controller.records.recordings import RecordingRow, RecordingState
from tests.support.worlds import NOW
from tests.unit.companions.test_recording_decision import (
    EGRESS,
    EMPTY,
    ENDING,
    OUTPUT,
    STARTING,
    inputs,
    noted,
)

BEGAN: Final = NOW - timedelta(seconds=90)
ROW: Final = RecordingRow("EG_1", "stage", "room", "/recordings/stage/1.mp4", NOW - timedelta(seconds=95))
RUNNING: Final = replace(ROW, recorded_from=BEGAN)
REFUSED: Final = RecordingFailure("Failed", "no such bucket")
NO_WORKER: Final = RecordingFailure("NoWorker", "no egress worker is available")
UNANSWERED: Final = RecordingFailure("Starting", "no response")
LOST: Final = RecordingFailure("WorkerLost", "EG_1: gone")
STANDING: Final = StandingFailures(failed=REFUSED)


@pytest.mark.parametrize(
    ("status", "stop_requested", "state", "error"),
    [
        (EgressStatus.COMPLETE, True, RecordingState.COMPLETE, "said"),
        (EgressStatus.LIMIT_REACHED, False, RecordingState.COMPLETE, "said"),
        (EgressStatus.FAILED, True, RecordingState.FAILED, "said"),
        (EgressStatus.ABORTED, False, RecordingState.FAILED, "said"),
        (EgressStatus.ABORTED, True, RecordingState.FAILED, "stopped before it started"),
    ],
)
def test_state_and_error_follow_from_status(
    status: EgressStatus, stop_requested: bool, state: RecordingState, error: str
) -> None:
    row = ended_row(ROW, replace(EGRESS, status=status, error="said"), stop_requested, NOW)
    assert (row.state, row.error) == (state, error)


FAILED: Final = replace(EGRESS, status=EgressStatus.FAILED, ended=NOW)


@pytest.mark.parametrize(
    ("row", "reported", "recorded_from", "seconds"),
    [
        pytest.param(RUNNING, 12.5, BEGAN, 12.5, id="LiveKit says how long it is"),
        pytest.param(RUNNING, 0.0, None, 90.0, id="its handler died, and we saw when it began"),
        pytest.param(ROW, 0.0, NOW - timedelta(seconds=7), 7.0, id="LiveKit says when it began"),
        pytest.param(ROW, 0.0, None, 0.0, id="it never began"),
        pytest.param(ROW, 0.0, NOW + timedelta(seconds=7), 0.0, id="its clock is ahead"),
    ],
)
def test_failed_recording_has_the_length_that_is_known(
    row: RecordingRow, reported: float, recorded_from: datetime | None, seconds: float
) -> None:
    assert (
        ended_row(row, replace(FAILED, seconds=reported, recorded_from=recorded_from), False, NOW).seconds
        == seconds
    )


@pytest.mark.parametrize(
    ("row", "last_seen", "seconds"),
    [
        (RUNNING, NOW - timedelta(seconds=30), 60.0),
        (RUNNING, None, 0.0),
        (ROW, NOW, 0.0),
    ],
)
def test_lost_recording_is_as_long_as_its_recorder_was_seen(
    row: RecordingRow, last_seen: datetime | None, seconds: float
) -> None:
    lost = lost_row(row, "gone", last_seen, NOW)
    assert (lost.seconds, lost.state, lost.error, lost.ended) == (seconds, RecordingState.LOST, "gone", NOW)


def test_text_of_a_lost_recording_names_the_folder_of_the_worker() -> None:
    assert "/home/egress/tmp/EG_1 " in worker_lost("EG_1")


def test_recording_that_recorded_nothing_replaces_no_failure_of_an_output() -> None:
    after = STANDING.after_failed(replace(ROW, error="page did not load"))
    assert after == StandingFailures(RecordingFailure("Failed", "page did not load"), REFUSED)


def test_recording_that_failed_replaces_all_before() -> None:
    before = StandingFailures(LOST, REFUSED)
    after = before.after_failed(replace(ROW, error="disk full", seconds=1.0))
    assert after == StandingFailures(failed=RecordingFailure("Failed", "disk full"))


@pytest.mark.parametrize(("current", "left"), [(NO_WORKER, None), (UNANSWERED, None), (LOST, LOST)])
def test_start_that_a_worker_took_ends_what_prevented_it(
    current: RecordingFailure, left: RecordingFailure | None
) -> None:
    assert STANDING.with_current(current).after_start() == replace(STANDING, current=left)


@pytest.mark.parametrize(
    ("facts", "standing", "reason"),
    [
        pytest.param(inputs(noted(), EGRESS), STANDING, "Recording", id="the next one runs"),
        pytest.param(inputs(noted(), ENDING, occupancy=EMPTY), STANDING, "Stopping", id="it ends"),
        pytest.param(inputs(), STANDING.with_current(NO_WORKER), "NoWorker", id="no worker takes the next"),
        pytest.param(
            inputs(), STANDING.with_current(LOST), "WorkerLost", id="the worker of the next is lost"
        ),
    ],
)
def test_condition_says_that_the_last_output_was_refused_whatever_else_it_says(
    facts: RecordingInputs, standing: StandingFailures, reason: str
) -> None:
    said = condition(facts, OUTPUT, standing)
    assert said.reason == reason
    assert said.message.endswith("; the previous recording failed: no such bucket")


@pytest.mark.parametrize("facts", [inputs(), inputs(occupancy=EMPTY), inputs(noted(), STARTING)])
@pytest.mark.parametrize("standing", [STANDING, STANDING.with_current(UNANSWERED)])
def test_attempt_that_has_proved_nothing_hides_no_failed_recording(
    facts: RecordingInputs, standing: StandingFailures
) -> None:
    said = condition(facts, OUTPUT, standing)
    assert (said.reason, said.message) == ("Failed", "no such bucket")


@pytest.mark.parametrize(
    "standing",
    [
        StandingFailures(),
        STANDING,
        StandingFailures(LOST),
        StandingFailures(NO_WORKER, REFUSED),
        StandingFailures(RecordingFailure("Failed", "page did not load"), REFUSED),
    ],
)
def test_what_stands_is_read_from_the_condition_again(standing: StandingFailures) -> None:
    shown = standing.current or standing.failed or RecordingFailure("Idle", "no participants")
    said = with_previous(not_recorded(shown.reason, shown.message), standing.failed)
    assert failures_in(Condition(said.type, said.status, said.reason, said.message, NOW)) == standing


def test_it_is_read_from_the_condition_of_the_next_recording_too() -> None:
    said = condition(inputs(noted(), EGRESS), OUTPUT, STANDING)
    assert failures_in(Condition("Recording", "True", said.reason, said.message, NOW)) == STANDING
    assert PREVIOUS not in condition(inputs(noted(), EGRESS), OUTPUT, StandingFailures()).message
