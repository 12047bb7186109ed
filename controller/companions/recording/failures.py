"""What went wrong last with each room's recording, and when another is tried."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

import structlog

from controller.backoff import Backoff
from controller.clock import Clock
from controller.companions.companion import Waker
from controller.companions.recording.decision import RecordingFailure
from controller.metrics import Metrics
from controller.records.record import RoomRecord
from controller.room import redact_key

_PERSISTENT: Final = frozenset({"NoWorker", "Failed", "WorkerLost"})
_START_FAILURES: Final = frozenset({"NoEgressService", "NoWorker", "Starting"})

log = structlog.get_logger()


@dataclass(slots=True)
class RecordingFailures:
    """By room id.

    What somebody should find in the morning stands in the room's record as its condition, and is taken from
    there where nothing else is known: so it outlives this process, and the one that had the lease before.
    """

    clock: Clock
    metrics: Metrics
    waker: Waker
    _last: dict[str, RecordingFailure | None] = field(default_factory=dict)
    _backoff: Backoff = field(default_factory=lambda: Backoff(first=1.0, cap=60.0))

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
        self.waker.later(self._backoff.failed(record.id, self.clock.monotonic(), self.clock.chance()))

    def is_backing_off(self, room_id: str) -> bool:
        """Whether it failed not long ago."""
        return self._backoff.is_backing_off(room_id, self.clock.monotonic())

    def try_at_once(self, room_id: str) -> None:
        """The next may begin without waiting."""
        self._backoff.succeeded(room_id)

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
    return (
        RecordingFailure(condition.reason, condition.message)
        if condition is not None and condition.reason in _PERSISTENT
        else None
    )
