"""How a recording ended, how long it is, and which failures remain. Pure (docs/recording.md)."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from controller.companions.companion import NewCondition
from controller.live.egress import Egress, EgressStatus
from controller.records.record import Condition
from controller.records.recordings import RecordingRow, RecordingState, seconds_between

LOST: Final = "egress worker stopped responding; a partial file may be in its {folder} until it restarts"
WORK_FOLDER: Final = "/home/egress/tmp/{egress_id}"
"""The folder of a worker for unfinished recordings. Its image empties the folder at each start."""
STOPPED_EARLY: Final = "stopped before it started"
PREVIOUS: Final = "; the previous recording failed: "
"""Joins a condition's message and the last failure; a new process splits them again."""
_OF_STARTS: Final = frozenset({"NoEgressService", "NoWorker", "Starting"})
_KEPT: Final = frozenset({"NoWorker", "Failed", "WorkerLost"})


@dataclass(frozen=True, slots=True)
class RecordingFailure:
    """A failure as in the condition: `reason` is one of docs/conditions.md#recording."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class StandingFailures:
    """The failures of a room's recording until the next one succeeds.

    `current` is why there is none, or how its worker was lost. `failed` is how the last one that had begun
    to record failed: only a successful one clears it.
    """

    current: RecordingFailure | None = None
    failed: RecordingFailure | None = None

    def with_current(self, failure: RecordingFailure) -> "StandingFailures":
        return replace(self, current=failure)

    def after_start(self) -> "StandingFailures":
        """A worker has started it: what prevented that is over."""
        if self.current is None or self.current.reason not in _OF_STARTS:
            return self
        return replace(self, current=None)

    def after_failed(self, row: RecordingRow) -> "StandingFailures":
        """A recording without any content proves nothing about the output."""
        failure = RecordingFailure("Failed", row.error)
        return StandingFailures(failed=failure) if row.seconds else self.with_current(failure)


def failures_in(condition: Condition) -> StandingFailures:
    """The failures in a condition of an earlier process; those of the service come from each listing."""
    message, _, previous = condition.message.partition(PREVIOUS)
    failed = RecordingFailure("Failed", previous) if previous else None
    current = RecordingFailure(condition.reason, message) if condition.reason in _KEPT else None
    if failed is None and current is not None and current.reason == "Failed":
        return StandingFailures(failed=current)
    return StandingFailures(current, failed)


def with_previous(condition: NewCondition, failed: RecordingFailure | None) -> NewCondition:
    """The condition, and how the last recording failed, unless it already contains that."""
    if failed is None or condition.message == failed.message:
        return condition
    return replace(condition, message=f"{condition.message}{PREVIOUS}{failed.message}")


def is_stopped_early(egress: Egress, stop_requested: bool) -> bool:
    """Whether we stopped it before it began to record: this is neither a success nor a failure."""
    return egress.status is EgressStatus.ABORTED and stop_requested


def ended_row(row: RecordingRow, egress: Egress, stop_requested: bool, now: datetime) -> RecordingRow:
    """The row of an egress that has ended; at `now` if LiveKit does not know when."""
    fine = egress.status in (EgressStatus.COMPLETE, EgressStatus.LIMIT_REACHED)
    ended, recorded_from = egress.ended or now, egress.recorded_from or row.recorded_from
    return replace(
        row,
        started=egress.started or row.started,
        ended=ended,
        seconds=egress.seconds or seconds_between(recorded_from, ended),
        size=egress.size,
        state=RecordingState.COMPLETE if fine else RecordingState.FAILED,
        error=STOPPED_EARLY if is_stopped_early(egress, stop_requested) else egress.error,
        recorded_from=recorded_from,
    )


def lost_row(row: RecordingRow, why: str, last_seen: datetime | None, now: datetime) -> RecordingRow:
    """The row of an egress with unknown end; its recorder was last inside at `last_seen`."""
    seconds = seconds_between(row.recorded_from, last_seen)
    return replace(row, ended=now, seconds=seconds, state=RecordingState.LOST, error=why)


def worker_lost(egress_id: str) -> str:
    return LOST.format(folder=WORK_FOLDER.format(egress_id=egress_id))
