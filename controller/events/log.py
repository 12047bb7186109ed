"""Keeps events until they are written to the database: recording an event never waits and never fails."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Final

from controller.clock import Clock
from controller.errors import StoreError
from controller.logs import get_logger
from controller.metrics import Metrics
from controller.records.events import EVENT_TTL, Event, EventType
from controller.records.ports import Lease, StoredEvents
from controller.records.record import RoomRecord

MAX_WAITING: Final = 10_000
"""Events kept in memory while MongoDB is unavailable; beyond that the oldest are dropped, and counted."""
MAX_BATCH: Final = 1_000
"""Events in one write."""
FLUSH_INTERVAL_SECONDS: Final = 0.5
PURGE_INTERVAL_SECONDS: Final = 600.0
LAST_FLUSH_SECONDS: Final = 1.0
"""Seconds to wait for the last batch when the process ends."""

log = get_logger()


class EventLog:
    """The events of one process. `send_out`: they are marked to be sent to a receiver."""

    def __init__(self, metrics: Metrics, clock: Clock, *, send_out: bool = False) -> None:
        self._lost, self._wall, self._send_out = metrics.events_lost, clock.wall, send_out
        self._waiting: deque[Event] = deque(maxlen=MAX_WAITING)
        self._batch: list[Event] = []  # what is being written
        self._refusals: Counter[tuple[str, str, str]] = Counter()  # by room id, key and code
        self._minute: datetime | None = None  # the minute of these refusals

    def record(self, event: Event) -> None:
        """Queue it for writing."""
        if len(self._waiting) == MAX_WAITING:
            self._lost.inc()
        self._waiting.append(event)

    def record_refusal(self, room: RoomRecord, code: str) -> None:
        """Count a refused request: one event per room, code and minute."""
        self._end_minute()
        self._refusals[room.id, room.key, code] += 1

    @asynccontextmanager
    async def written_to(self, store: StoredEvents) -> AsyncIterator[None]:
        """Write recorded events to the store, in batches, until the block ends."""
        writing = asyncio.create_task(self._flush_forever(store))
        try:
            yield
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            self._record_refusals()
            with suppress(StoreError, TimeoutError):
                async with asyncio.timeout(LAST_FLUSH_SECONDS):
                    await self.flush(store)

    async def flush(self, store: StoredEvents) -> None:
        """Write all queued events. Raises StoreError's kinds; events that could not be written are kept.

        Writes nothing to a database before it is known to be ours.
        """
        while store.identity.store and (self._batch or self._waiting):
            while self._waiting and len(self._batch) < MAX_BATCH:
                self._batch.append(self._waiting.popleft())
            await store.events.append(self._batch, pending=self._send_out)
            self._batch.clear()

    async def _flush_forever(self, store: StoredEvents) -> None:
        while True:
            await asyncio.sleep(FLUSH_INTERVAL_SECONDS)
            self._end_minute()
            try:
                await self.flush(store)
            except StoreError as error:
                log.debug("event write failed", error=str(error))  # the loop logs the outage
            except Exception:
                log.exception("events lost", count=len(self._batch))
                self._lost.inc(len(self._batch))
                self._batch.clear()

    def _end_minute(self) -> None:
        minute = self._wall().replace(second=0, microsecond=0)
        if minute != self._minute:
            self._record_refusals()
            self._minute = minute

    def _record_refusals(self) -> None:
        refusals, self._refusals = self._refusals, Counter()
        for (room_id, key, code), count in refusals.items():
            self.record(
                Event(
                    at=self._wall(),
                    type=EventType.REFUSE,
                    key=key,
                    room_id=room_id,
                    reason=code,
                    count=count,
                )
            )


async def purge_forever(store: StoredEvents, lease: Lease, clock: Clock) -> None:
    """Delete old events while this process holds the lease, if no TTL index does."""
    while True:
        await asyncio.sleep(PURGE_INTERVAL_SECONDS)
        if lease.held:
            with suppress(StoreError):  # the loop logs the outage
                await store.events.purge(clock.wall() - EVENT_TTL)
