"""What went wrong last with each room's recording, when another is tried, and what keeps all from it."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

import structlog

from controller.backoff import Backoff
from controller.clock import Clock
from controller.companions.recording.decision import RecordingFailure, asks
from controller.errors import LiveKitError
from controller.metrics import Metrics
from controller.plan.model import Observed
from controller.records.record import RoomRecord
from controller.room import redact_key

_PERSISTENT: Final = frozenset({"NoWorker", "Failed", "WorkerLost"})
_START_FAILURES: Final = frozenset({"NoEgressService", "NoWorker", "Starting"})

FIX: Final = "set ROOMCTL_RECORDING_OUTPUT"

log = structlog.get_logger()


@dataclass(slots=True)
class RecordingFailures:
    """By room id; `later` asks for another pass in so many seconds, `backoff` says when one may be tried.

    What somebody should find in the morning stands in the room's record as its condition, and is taken from
    there where nothing else is known: so it outlives this process, and the one that had the lease before.
    """

    clock: Clock
    metrics: Metrics
    later: Callable[[float], None]
    backoff: Backoff = field(default_factory=lambda: Backoff(first=1.0, cap=60.0))
    _last: dict[str, RecordingFailure | None] = field(default_factory=dict)

    def get(self, record: RoomRecord) -> RecordingFailure | None:
        if record.id not in self._last and (condition := _from_condition(record)) is not None:
            self._last[record.id] = condition  # the next condition may say something else first
        return self._last.get(record.id)

    def set_failure(self, room_id: str, failure: RecordingFailure | None) -> None:
        """None: it is over, whatever the record says."""
        self._last[room_id] = failure

    def record_reason(self, record: RoomRecord, failure: RecordingFailure) -> None:
        """Said once while it stays the same."""
        if self.get(record) != failure:
            log.warning(
                "recording failed", key=redact_key(record.key), reason=failure.reason, error=failure.message
            )
        self.set_failure(record.id, failure)

    def failed(self, record: RoomRecord, failure: RecordingFailure) -> None:
        """Try again, later."""
        self.record_reason(record, failure)
        self.metrics.recording_failures.labels(failure.reason).inc()
        self.later(self.backoff.failed(record.id, self.clock.monotonic(), self.clock.chance()))

    def clear_start_failures(self, room_id: str) -> None:
        """A worker took it: what was in the way of that is in the way no more."""
        failure = self._last.get(room_id)
        if failure is not None and failure.reason in _START_FAILURES:
            self.set_failure(room_id, None)

    def keep(self, room_ids: Collection[str]) -> None:
        """Forget all other rooms."""
        for room_id in [one for one in self._last if one not in room_ids]:
            del self._last[room_id]

    def forget(self) -> None:
        """Another says from now on what is wrong."""
        self._last.clear()


def _from_condition(record: RoomRecord) -> RecordingFailure | None:
    """What its condition says went wrong with a recording; of the service each listing tells anew."""
    condition = record.status.condition("Recording")
    if condition is None or condition.reason not in _PERSISTENT:
        return None
    return RecordingFailure(condition.reason, condition.message)


@dataclass(slots=True)
class RecordingBlockedLog:
    """Says what keeps all rooms from being recorded, while somebody is in one of them or wants it to be.

    Each room is told of once while it lasts. `configured`: recordings have somewhere to go.
    """

    configured: bool
    metrics: Metrics
    _logged: set[str] = field(default_factory=set)
    _counted: Mapping[str, RoomRecord] | None = None

    def report(self, observed: Observed, failure: LiveKitError | None) -> None:
        """`failure` is why LiveKit does not say what is recorded; None where it does."""
        if not self.configured:
            self._report_missing_output(observed)
        elif failure is None:
            self._logged.clear()
        else:
            for record in observed.records.values():
                if record.id not in self._logged and _has_people(record, observed):
                    self._logged.add(record.id)
                    self._log(record, failure)

    def _report_missing_output(self, observed: Observed) -> None:
        """Once, and for all rooms together: nothing of it changes before the next start."""
        if not self._logged and observed.records is not self._counted:
            self._counted = observed.records  # replaced as a whole where one of them changes
            self._logged = {record.id for record in observed.records.values() if asks(record)}
            if self._logged:
                log.warning("recording disabled", room_count=len(self._logged), hint=FIX)

    def _log(self, record: RoomRecord, failure: LiveKitError) -> None:
        log.warning(
            "recording failed", key=redact_key(record.key), reason="NoEgressService", error=str(failure)
        )
        self.metrics.recording_failures.labels("NoEgressService").inc()


def _has_people(record: RoomRecord, observed: Observed) -> bool:
    """As far as the listing tells: it is good enough for a line in the log."""
    room = observed.live.get(record.live.name) if asks(record) and record.live is not None else None
    return room is not None and room.num_participants > 0
