"""What went wrong last with each room's recording, when another is tried, and what keeps all from it."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

import structlog

from controller.backoff import Backoff
from controller.clock import Clock
from controller.companions.recording.decision import asks
from controller.companions.recording.outcome import RecordingFailure, StandingFailures, standing_in
from controller.errors import LiveKitError
from controller.metrics import Metrics
from controller.plan.model import Observed
from controller.records.record import RoomRecord
from controller.records.recordings import RecordingRow
from controller.room import redact_key

NO_BACKOFF_AFTER_SECONDS: Final = 60.0
"""A recording that failed after so many seconds is no reason to wait before the next."""
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
    _standing: dict[str, StandingFailures] = field(default_factory=dict)

    def get(self, record: RoomRecord) -> StandingFailures:
        condition = record.status.condition("Recording")
        if record.id not in self._standing and condition is not None:
            standing = standing_in(condition)
            if standing != StandingFailures():
                self._standing[record.id] = standing  # the next condition may say something else first
        return self._standing.get(record.id, StandingFailures())

    def record_reason(self, record: RoomRecord, failure: RecordingFailure) -> None:
        """Said once while it stays the same."""
        self._change(record, self.get(record).with_current(failure), failure)

    def failed(self, record: RoomRecord, failure: RecordingFailure) -> None:
        """None began: try again, later."""
        self.record_reason(record, failure)
        self._retry_later(record, failure.reason)

    def recording_failed(self, record: RoomRecord, row: RecordingRow) -> None:
        """It ended as `row` says: try again, soon where it had gone on for long."""
        if row.seconds >= NO_BACKOFF_AFTER_SECONDS:
            self.backoff.succeeded(record.id)
        self._change(record, self.get(record).after_failed(row), RecordingFailure("Failed", row.error))
        self._retry_later(record, "Failed")

    def succeeded(self, room_id: str) -> None:
        """Nothing is wrong any more, whatever the record says."""
        self.backoff.succeeded(room_id)
        self._standing[room_id] = StandingFailures()

    def worker_lost(self, record: RoomRecord, message: str) -> None:
        """Another may begin at once."""
        self._standing[record.id] = self.get(record).with_current(RecordingFailure("WorkerLost", message))

    def started(self, record: RoomRecord) -> None:
        """A worker took it."""
        before = self.get(record)
        if (standing := before.after_start()) != before:
            self._standing[record.id] = standing

    def _change(self, record: RoomRecord, standing: StandingFailures, news: RecordingFailure) -> None:
        before = self.get(record)
        if news not in (before.current, before.failed):
            log.warning(
                "recording failed", key=redact_key(record.key), reason=news.reason, error=news.message
            )
        self._standing[record.id] = standing

    def _retry_later(self, record: RoomRecord, reason: str) -> None:
        self.metrics.recording_failures.labels(reason).inc()
        self.later(self.backoff.failed(record.id, self.clock.monotonic(), self.clock.chance()))

    def keep(self, room_ids: Collection[str]) -> None:
        """Forget all other rooms."""
        for room_id in [one for one in self._standing if one not in room_ids]:
            del self._standing[room_id]

    def forget(self) -> None:
        """Another says from now on what is wrong."""
        self._standing.clear()


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
