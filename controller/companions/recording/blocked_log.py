"""Says what keeps all rooms from being recorded, while somebody is in one of them or wants it to be."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import structlog

from controller.errors import LiveKitError
from controller.metrics import Metrics
from controller.plan.model import Observed
from controller.records.record import RoomRecord
from controller.room import redact_key

FIX: Final = "set ROOMCTL_RECORDING_OUTPUT"

log = structlog.get_logger()


@dataclass(slots=True)
class RecordingBlockedLog:
    """Each room is told of once while it lasts. `configured`: recordings have somewhere to go."""

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
            self._logged = {record.id for record in observed.records.values() if _asks(record)}
            if self._logged:
                log.warning("recording disabled", room_count=len(self._logged), hint=FIX)

    def _log(self, record: RoomRecord, failure: LiveKitError) -> None:
        log.warning(
            "recording failed", key=redact_key(record.key), reason="NoEgressService", error=str(failure)
        )
        self.metrics.recording_failures.labels("NoEgressService").inc()


def _asks(record: RoomRecord) -> bool:
    return record.spec.record and record.should_be_live


def _has_people(record: RoomRecord, observed: Observed) -> bool:
    """As far as the listing tells: it is good enough for a line in the log."""
    room = observed.live.get(record.live.name) if _asks(record) and record.live is not None else None
    return room is not None and room.num_participants > 0
