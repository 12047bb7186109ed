"""Sends events to a receiver (docs/events.md#receiving-events): at least once, oldest first."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from importlib import metadata
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from controller.backoff import Backoff
from controller.clock import Clock
from controller.errors import StoreError
from controller.events.cloud import encode_cloud_event, signed_headers
from controller.logs import get_logger
from controller.metrics import Metrics
from controller.records.events import Event, EventStore
from controller.records.ports import Lease

MAX_AGE: Final = timedelta(hours=24)
"""How long sending an event is retried."""
REQUEST_TIMEOUT_SECONDS: Final = 10.0
POLL_INTERVAL_SECONDS: Final = 1.0
"""Seconds between two reads of events to send."""
MAX_LOOKED_AT: Final = 100
MAX_UNMARKED: Final = 10
"""Events that are read together and sent before they are marked: after a crash at most this many are sent
again."""
MAX_BACKOFF_SECONDS: Final = 60.0
_ABOUT_THE_EVENT: Final = frozenset({400, 413, 422})
"""Responses that concern only one event: the others need not wait."""
_RECEIVER: Final = "receiver"
"""The backoff key of the receiver itself."""

log = get_logger()


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where events are sent. `key` signs them; `instance` is their source."""

    url: str
    key: bytes = field(repr=False)
    instance: str

    @property
    def host(self) -> str:
        """The part of the URL that logs may show."""
        return urlsplit(self.url).netloc


class EventSender:
    """Sends pending events while this process holds the lease. No error of the receiver ends it."""

    def __init__(
        self, receiver: Receiver, store: EventStore, lease: Lease, metrics: Metrics, clock: Clock
    ) -> None:
        self._receiver, self._store, self._lease, self._clock = receiver, store, lease, clock
        self._count = metrics.event_deliveries
        self._backoff = Backoff(first=1.0, cap=MAX_BACKOFF_SECONDS)
        self._sent: set[str] = set()  # received, but still pending in the database
        self._failing = ""  # the last failure

    async def run(self) -> None:
        """Send until cancelled."""
        timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_SECONDS)
        agent = {"User-Agent": f"roomctl/{metadata.version('roomctl')}"}
        async with aiohttp.ClientSession(timeout=timeout, headers=agent) as session:
            while True:
                try:
                    if self._lease.held:
                        await self._send_pending(session)
                except StoreError as error:
                    log.debug("event sending paused", error=str(error))  # the loop logs the outage
                await asyncio.sleep(POLL_INTERVAL_SECONDS)

    async def _send_pending(self, session: aiohttp.ClientSession) -> None:
        """Send all events that are due."""
        while batch := await self._due():
            for event in batch:
                if not self._lease.held:
                    return
                if not await self._deliver(session, event):
                    break
            await self._mark_sent()

    async def _due(self) -> list[Event]:
        """The next events to send; none during the receiver's backoff."""
        await self._mark_sent()
        now = self._clock.monotonic()
        if self._backoff.is_backing_off(_RECEIVER, now):
            return []
        pending = await self._store.pending(MAX_LOOKED_AT)
        if pending and pending[0].at < self._clock.wall() - MAX_AGE:
            await self._drop_old()
            pending = await self._store.pending(MAX_LOOKED_AT)
        return [one for one in pending if not self._backoff.is_backing_off(one.id, now)][:MAX_UNMARKED]

    async def _deliver(self, session: aiohttp.ClientSession, event: Event) -> bool:
        """Send one event; whether the next may be sent at once."""
        problem, status = await self._post(session, event)
        if not problem:
            self._sent.add(event.id)
            self._count.labels("sent").inc()
            self._backoff.succeeded(_RECEIVER)
            self._backoff.succeeded(event.id)
            self._say_recovered()
            return True
        self._count.labels("failed").inc()
        about_event = status in _ABOUT_THE_EVENT
        key = event.id if about_event else _RECEIVER
        self._backoff.failed(key, self._clock.monotonic(), self._clock.chance())
        self._log_failure(event, problem)
        return about_event

    async def _post(self, session: aiohttp.ClientSession, event: Event) -> tuple[str, int]:
        """The failure, '' for none, and the status. The response body is not read."""
        body = encode_cloud_event(event, self._receiver.instance)
        headers = signed_headers(event.id, body, self._receiver.key, self._clock.wall().timestamp())
        try:
            async with session.post(
                self._receiver.url, data=body, headers=headers, allow_redirects=False
            ) as response:
                return ("" if 200 <= response.status < 300 else f"status {response.status}"), response.status  # noqa: PLR2004
        except TimeoutError:
            return f"no answer within {REQUEST_TIMEOUT_SECONDS:g} seconds", 0
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return type(error).__name__, 0

    async def _mark_sent(self) -> None:
        if sent := frozenset(self._sent):
            await self._store.mark_sent(sent)
            self._sent -= sent

    async def _drop_old(self) -> None:
        count = await self._store.drop_pending(self._clock.wall() - MAX_AGE)
        self._count.labels("dropped").inc(count)
        log.warning("events dropped", receiver=self._receiver.host, count=count, reason="older than 24 hours")

    def _log_failure(self, event: Event, problem: str) -> None:
        """Logged once while it stays the same."""
        if problem != self._failing:
            self._failing = problem
            log.warning(
                "event not delivered",
                receiver=self._receiver.host,
                event_id=event.id,
                error=problem,
                retrying=True,
            )

    def _say_recovered(self) -> None:
        if self._failing:
            self._failing = ""
            log.info("event delivery recovered", receiver=self._receiver.host)
