"""The recordings that have not ended, in memory and in the collection `recordings`; an end is reported once.

A row is inserted before anything else reports its egress, and stays open until LiveKit reports how it ended.
So a lost recording is always reported, whatever crashes.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from controller.clock import Clock
from controller.events.log import EventLog
from controller.live.egress import Egress
from controller.logs import get_logger
from controller.metrics import Metrics
from controller.records.events import Event, EventType
from controller.records.recordings import RecordingRow, RecordingState, RecordingStore
from controller.room import redact_key, redact_room_id

STOP_RETRY_SECONDS: Final = 5.0
"""Seconds after which Stop is called again for an egress that has not ended."""

STARTED: Final = "started"

log = get_logger()


@dataclass(slots=True)
class EgressTracker:
    """How long each egress has had no update, by our clock: the worker's may be wrong.

    By egress id, `stop_requested_at` is when Stop was called, `last_seen` when its recorder was last in the
    room.
    """

    stop_requested_at: dict[str, float] = field(default_factory=dict)
    last_seen: dict[str, datetime] = field(default_factory=dict)
    _since: dict[str, tuple[object, float]] = field(default_factory=dict)

    def observe(self, reports: Mapping[str, object], now: float) -> None:
        """The current updates of all listed egresses, by id; others are forgotten."""
        before = self._since
        self._since = {
            key: before[key] if key in before and before[key][0] == word else (word, now)
            for key, word in reports.items()
        }

    def record_seen(self, egress_ids: Iterable[str], at: datetime) -> None:
        """Their recorders are in the room."""
        self.last_seen |= dict.fromkeys(egress_ids, at)

    def heard_from(self, key: str, now: float) -> None:
        """It has responded."""
        if key in self._since:
            self._since[key] = self._since[key][0], now

    def silent_seconds(self, key: str, now: float) -> float:
        return now - self._since[key][1] if key in self._since else 0.0

    def record_stop_requested(self, egress_id: str, now: float) -> bool:
        """It is asked to end; whether that is the first time."""
        first = egress_id not in self.stop_requested_at
        self.stop_requested_at[egress_id] = now
        return first

    def forget(self, key: str) -> None:
        """It has ended."""
        self.stop_requested_at.pop(key, None)
        self.last_seen.pop(key, None)

    def is_stop_requested(self, egress_id: str, now: float) -> bool:
        return now - self.stop_requested_at.get(egress_id, -STOP_RETRY_SECONDS) < STOP_RETRY_SECONDS


@dataclass(slots=True)
class Ledger:
    """`open` by egress id, with the monotonic time when we learned of it; `lost` are egress ids."""

    store: RecordingStore
    clock: Clock
    metrics: Metrics
    events: EventLog
    open: dict[str, tuple[RecordingRow, float]] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    _loaded: bool = False

    async def load(self) -> None:
        """Read what an earlier holder of the lease left open. StoreError's kinds."""
        if self._loaded:
            return
        rows = await self.store.unfinished()
        self.lost = set(await self.store.lost())
        now = self.clock.monotonic()
        known = self.open
        self.open = {row.egress_id: known.get(row.egress_id, (row, now)) for row in rows}
        self._loaded = True

    def forget(self) -> None:
        """Another controller writes from now on."""
        self._loaded = False

    async def enter(self, row: RecordingRow) -> None:
        """Open a row for a new egress; a lost one stays lost, even while LiveKit lists it."""
        if row.egress_id in self.open or row.egress_id in self.lost:
            return
        await self.store.put(row)
        self.open[row.egress_id] = row, self.clock.monotonic()
        self._record(row, STARTED)

    async def resume(self, row: RecordingRow) -> None:
        """A lost recording still runs."""
        self.lost.discard(row.egress_id)
        await self.enter(row)

    def seen(self, egress_id: str) -> None:
        """It has not ended yet; older listings do not count."""
        row, _ = self.open[egress_id]
        self.open[egress_id] = row, self.clock.monotonic()

    def begun(self, listed: Iterable[Egress]) -> Iterator[RecordingRow]:
        """The open rows of those that have begun to record since, with the time when they did."""
        for egress in listed:
            row, _ = self.open.get(egress.id, (None, 0.0))
            if row is not None and row.recorded_from is None and egress.recorded_from is not None:
                yield replace(row, recorded_from=egress.recorded_from)

    async def enter_begun(self, row: RecordingRow) -> None:
        """It has begun to record, as in `row`."""
        await self.store.put(row)
        self.open[row.egress_id] = row, self.open[row.egress_id][1]

    async def close_row(self, row: RecordingRow) -> None:
        """It has ended, as in `row`: write, count and report it."""
        await self.store.put(row)
        self.open.pop(row.egress_id, None)
        if row.state is RecordingState.LOST:
            self.lost.add(row.egress_id)
        self.metrics.recordings.labels(str(row.state)).inc()
        if row.state is RecordingState.COMPLETE:
            self.metrics.recorded_seconds.inc(row.seconds)
        _log_closed(row)
        self._record(row, str(row.state))

    def _record(self, row: RecordingRow, what: str) -> None:
        self.events.record(
            Event(
                at=self.clock.wall(),
                type=EventType.RECORDING,
                key=row.key,
                room_id=row.room_id,
                reason=what,
                seconds=None if what == STARTED else row.seconds,
                error=row.error or None,
            )
        )

    def unlisted(self, listed: frozenset[str], asked: float) -> list[RecordingRow]:
        """The open rows that are missing in a listing requested at `asked`."""
        return [row for key, (row, since) in self.open.items() if key not in listed and since < asked]


def _log_closed(row: RecordingRow) -> None:
    write_line = log.info if row.state is RecordingState.COMPLETE else log.warning
    write_line(
        "recording finished",
        state=str(row.state),
        key=redact_key(row.key),
        egress_id=row.egress_id,
        file=redact_room_id(row.file, row.room_id),
        duration_seconds=round(row.seconds, 1),
        size_bytes=row.size,
        error=row.error,
    )
