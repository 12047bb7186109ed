"""What went wrong last with each room's recording, and when another is tried."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final

import structlog

from controller.metrics import Metrics
from controller.plan.recording import Trouble
from controller.reconcile.clock import Clock
from controller.reconcile.trackers import Backoff
from controller.records.record import RoomRecord
from controller.room import redact_key

_OUTLIVE: Final = frozenset({"NoWorker", "Failed", "WorkerLost"})
_IN_THE_WAY: Final = frozenset({"NoEgressService", "NoWorker", "Starting"})

log = structlog.get_logger()


@dataclass(slots=True)
class Troubles:
    """By room id; `later` wakes the loop.

    What somebody should find in the morning stands in the room's record as its condition, and is taken from
    there where nothing else is known: so it outlives this process, and the one that had the lease before.
    """

    clock: Clock
    metrics: Metrics
    later: Callable[[float], None]
    _last: dict[str, Trouble | None] = field(default_factory=dict)
    _backoff: Backoff = field(default_factory=lambda: Backoff(first=1.0, cap=60.0))

    def of(self, record: RoomRecord) -> Trouble | None:
        if record.id not in self._last and (said := _said(record)) is not None:
            self._last[record.id] = said  # the next condition may say something else first
        return self._last.get(record.id)

    def put(self, room_id: str, trouble: Trouble | None) -> None:
        """None: it is over, whatever the record says."""
        self._last[room_id] = trouble

    def met(self, record: RoomRecord, trouble: Trouble) -> None:
        """Said once while it stays the same."""
        if self.of(record) != trouble:
            log.warning("recording", key=redact_key(record.key), reason=trouble.reason, error=trouble.message)
        self.put(record.id, trouble)

    def failed(self, record: RoomRecord, trouble: Trouble) -> None:
        """Try again, later."""
        self.met(record, trouble)
        self.metrics.recording_failures.labels(trouble.reason).inc()
        self.later(self._backoff.failed(record.id, self.clock.monotonic(), self.clock.chance()))

    def waits(self, room_id: str) -> bool:
        """Whether it failed not long ago."""
        return self._backoff.waits(room_id, self.clock.monotonic())

    def try_at_once(self, room_id: str) -> None:
        """The next may begin without waiting."""
        self._backoff.succeeded(room_id)

    def taken(self, room_id: str) -> None:
        """A worker took it: what was in the way of that is in the way no more."""
        trouble = self._last.get(room_id)
        if trouble is not None and trouble.reason in _IN_THE_WAY:
            self.put(room_id, None)

    def keep(self, room_ids: Collection[str]) -> None:
        """Forget all other rooms."""
        for room_id in [one for one in self._last if one not in room_ids]:
            del self._last[room_id]

    def forget(self) -> None:
        """Another says from now on what is wrong."""
        self._last.clear()


def _said(record: RoomRecord) -> Trouble | None:
    """What its condition says went wrong with a recording; of the service each listing tells anew."""
    said = record.status.condition("Recording")
    return Trouble(said.reason, said.message) if said is not None and said.reason in _OUTLIVE else None
