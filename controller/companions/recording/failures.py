"""The last failure of each room's recording, when the next is tried, and what prevents all of them."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from controller.backoff import Backoff
from controller.clock import Clock
from controller.companions.recording.decision import asks
from controller.companions.recording.outcome import RecordingFailure, StandingFailures, failures_in
from controller.errors import LiveKitError
from controller.logs import get_logger
from controller.metrics import Metrics
from controller.plan.model import Observed
from controller.records.record import RoomRecord
from controller.records.recordings import RecordingRow
from controller.room import redact_key

NO_BACKOFF_AFTER_SECONDS: Final = 60.0
"""A recording that failed after this many seconds does not delay the next one."""
FIX: Final = "set ROOMCTL_RECORDING_OUTPUT"

log = get_logger()


@dataclass(slots=True)
class RecordingFailures:
    """By room id; `later` requests another pass after a number of seconds, `backoff` delays attempts.

    Failures are also in the condition of the room's record, and are read from there if they are not known.
    So they survive a restart and a change of the lease's holder.
    """

    clock: Clock
    metrics: Metrics
    later: Callable[[float], None]
    backoff: Backoff = field(default_factory=lambda: Backoff(first=1.0, cap=60.0))
    _standing: dict[str, StandingFailures] = field(default_factory=dict)

    def get(self, record: RoomRecord) -> StandingFailures:
        condition = record.status.condition("Recording")
        if record.id not in self._standing and condition is not None:
            standing = failures_in(condition)
            if standing != StandingFailures():
                self._standing[record.id] = standing  # before the condition is replaced
        return self._standing.get(record.id, StandingFailures())

    def record_reason(self, record: RoomRecord, failure: RecordingFailure) -> None:
        """Logged once while it stays the same."""
        self._change(record, self.get(record).with_current(failure), failure)

    def failed(self, record: RoomRecord, failure: RecordingFailure) -> None:
        """No recording started: try again later."""
        self.record_reason(record, failure)
        self._retry_later(record, failure.reason)

    def recording_failed(self, record: RoomRecord, row: RecordingRow) -> None:
        """It ended as in `row`: try again, soon if it had run for long."""
        if row.seconds >= NO_BACKOFF_AFTER_SECONDS:
            self.backoff.succeeded(record.id)
        self._change(record, self.get(record).after_failed(row), RecordingFailure("Failed", row.error))
        self._retry_later(record, "Failed")

    def succeeded(self, room_id: str) -> None:
        """No failure any more, even if the record still has one."""
        self.backoff.succeeded(room_id)
        self._standing[room_id] = StandingFailures()

    def worker_lost(self, record: RoomRecord, message: str) -> None:
        """The next one may start at once."""
        self._standing[record.id] = self.get(record).with_current(RecordingFailure("WorkerLost", message))

    def started(self, record: RoomRecord) -> None:
        """A worker has started it."""
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
        """Another controller reports failures from now on."""
        self._standing.clear()


@dataclass(slots=True)
class RecordingBlockedLog:
    """Logs what prevents all recordings.

    Each room is logged once while it lasts. `configured`: an output for recordings is set.
    """

    configured: bool
    metrics: Metrics
    _logged: set[str] = field(default_factory=set)
    _counted: Mapping[str, RoomRecord] | None = None

    def report(self, observed: Observed, failure: LiveKitError | None) -> None:
        """`failure` is why LiveKit does not list recordings; None if it does."""
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
        """Once, and for all rooms together: it cannot change before the next start."""
        if not self._logged and observed.records is not self._counted:
            self._counted = observed.records  # the mapping is replaced when a record changes
            self._logged = {record.id for record in observed.records.values() if asks(record)}
            if self._logged:
                log.warning("recording disabled", room_count=len(self._logged), hint=FIX)

    def _log(self, record: RoomRecord, failure: LiveKitError) -> None:
        log.warning(
            "recording failed", key=redact_key(record.key), reason="NoEgressService", error=str(failure)
        )
        self.metrics.recording_failures.labels("NoEgressService").inc()


def _has_people(record: RoomRecord, observed: Observed) -> bool:
    """By the listing, which is precise enough for the log."""
    room = observed.live.get(record.live.name) if asks(record) and record.live is not None else None
    return room is not None and room.num_participants > 0
