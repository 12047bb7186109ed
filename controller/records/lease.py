"""The lease: who may write to LiveKit (rule 4 of the record).

One document, {_id: "lease"}. Its holder raises `number` every 2 s and stops acting when its last success
is 8 s old, counted from before that renewal was sent. Another takes over once it has seen the number
unchanged for 12 s, so the two never act at once, even if their wall clocks differ.
"""

import asyncio
import contextlib
import os
import secrets
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from controller.errors import LeaseHeldError, LeaseLostError, StoreError
from controller.logs import get_logger
from controller.records.mongo_client import Documents, translate_errors
from controller.records.ports import Holder

RENEW_INTERVAL_SECONDS: Final = 2.0
RENEW_DEADLINE_SECONDS: Final = 8.0
LEASE_DURATION_SECONDS: Final = 12.0
RETRY_PERIOD_SECONDS: Final = 0.5
"""Seconds: between renewals, how long one is valid, when a holder counts as dead, between reads."""

RENEW_TIMEOUT_SECONDS: Final = 2.0
"""Seconds that one renewal may take: several fit into RENEW_DEADLINE_SECONDS."""

RELEASE_TIMEOUT_SECONDS: Final = 1.5

log = get_logger()


def steady_clock() -> float:
    """A clock in seconds that includes the time while the machine sleeps, if the system has one."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


@dataclass(frozen=True, slots=True)
class Candidate:
    """This process as others see it. `exclusive`: `id` is the data folder's, which only we use."""

    id: str
    host: str
    pid: int
    verb: str
    exclusive: bool = False

    @classmethod
    def here(cls, folder_id: str | None, verb: str) -> "Candidate":
        """This process; without a folder of its own (None) it is known by a random id."""
        identity = folder_id or secrets.token_hex(12)
        return cls(identity, socket.gethostname(), os.getpid(), verb, folder_id is not None)


@dataclass(frozen=True, slots=True)
class ObservedLease:
    """What was last read of another's lease: its holder, its number, and since when that has not changed."""

    session: str
    number: int
    since: float

    def same(self, document: dict[str, Any]) -> bool:
        return (document["session"], document["number"]) == (self.session, self.number)


class MongoLease:
    """Lease on MongoDB. `lost` is set when another took it or its document is gone.

    While renewals fail `held` is False after 8 s, and True again when one succeeds. `on_change` is called
    with True when it is held and with False when it no longer is. It is not taken while `may_lead` is false.
    """

    def __init__(
        self,
        meta: Documents,
        where: str,
        me: Candidate,
        *,
        clock: Callable[[], float] = steady_clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        on_change: Callable[[bool], None] = lambda _: None,
        may_lead: Callable[[], bool] = lambda: True,
    ) -> None:
        self._meta, self._where, self.me = meta, where, me
        self._may_lead = may_lead
        self._clock, self._sleep, self._on_change = clock, sleep, on_change
        self._session: str | None = None  # names one acquisition
        self._renewed = 0.0
        self._task: asyncio.Task[None] | None = None
        self.lost = asyncio.Event()

    @property
    def held(self) -> bool:
        return self._session is not None and self._clock() - self._renewed < RENEW_DEADLINE_SECONDS

    def check(self) -> None:
        if not self.held:
            raise LeaseLostError(
                "this controller does not hold the lease on these records: it writes nothing to LiveKit"
            )

    async def acquire(self, wait: float | None) -> None:
        """As the port says. With None it also waits for a store that is unreachable or refuses us."""
        began, observed, claim = self._clock(), None, secrets.token_hex(12)
        while self._session is None:
            try:
                observed = await self._attempt(claim, observed, wait is None)
            except StoreError:
                if wait is not None:
                    raise
            if self._session is not None:
                return
            if wait is not None and self._clock() - began >= wait:
                document = await self._read()
                raise LeaseHeldError(str(Holder.from_document(document)) if document else "unknown")
            await self._sleep(RETRY_PERIOD_SECONDS)

    async def release(self) -> None:
        """Release it, so that another can take it at once; within 1.5 s, reachable or not."""
        session, self._session = self._session, None
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None
        if session is None:
            return
        with contextlib.suppress(StoreError), translate_errors(self._where, RELEASE_TIMEOUT_SECONDS):
            await self._meta.update_one({"_id": "lease", "session": session}, {"$set": {"released": True}})
        self._on_change(False)

    async def give_up(self) -> None:
        await self.release()
        self.lost.set()

    # Taking it

    async def _attempt(
        self, claim: str, observed: ObservedLease | None, patient: bool
    ) -> ObservedLease | None:
        """Read it once, and take it if it is free; otherwise return what was read."""
        if not self._may_lead():
            return observed
        now = self._clock()
        document = await self._read()
        if document is None and observed is not None and now - observed.since < LEASE_DURATION_SECONDS:
            return observed  # the database is new, and its last holder has not noticed yet
        if document is None or self._free(document, claim, observed, now):
            await self._try_take(claim, document)
            return None
        if observed is not None and observed.same(document):
            return observed
        if observed is not None and not patient:
            raise LeaseHeldError(str(Holder.from_document(document)))
        if observed is None and patient:
            log.info("lease held by another controller", holder=str(Holder.from_document(document)))
        return ObservedLease(document["session"], document["number"], self._clock())

    def _free(self, document: dict[str, Any], claim: str, observed: ObservedLease | None, now: float) -> bool:
        """Whether it can be taken. It already contains our claim if the reply to our write was lost."""
        if document["released"] or document["session"] == claim or self._is_left_behind(document):
            return True
        return (
            observed is not None
            and observed.same(document)
            and now - observed.since >= LEASE_DURATION_SECONDS
        )

    def _is_left_behind(self, document: dict[str, Any]) -> bool:
        """Whether an earlier process on our data folder left it: only we use the folder, so it has ended."""
        me = self.me
        return me.exclusive and (document["holder"], document["host"]) == (me.id, me.host)

    async def _read(self) -> dict[str, Any] | None:
        with translate_errors(self._where, RENEW_TIMEOUT_SECONDS):
            return await self._meta.find_one({"_id": "lease"})

    async def _try_take(self, session: str, document: dict[str, Any] | None) -> None:
        """Take it unless the document has changed since it was read."""
        sent = self._clock()
        fields = {
            "holder": self.me.id,
            "host": self.me.host,
            "pid": self.me.pid,
            "verb": self.me.verb,
            "session": session,
            "renewed": datetime.now(UTC),
            "released": False,
        }
        if await self._write_mine(document, fields):
            self._session, self._renewed = session, sent
            self.lost.clear()
            self._task = asyncio.create_task(self._renew_until_lost(session))
            self._on_change(True)

    async def _write_mine(self, document: dict[str, Any] | None, fields: dict[str, Any]) -> bool:
        with translate_errors(self._where, RENEW_TIMEOUT_SECONDS):
            if document is not None:
                query = {"_id": "lease", "number": document["number"], "session": document["session"]}
                update = {"$set": fields, "$inc": {"number": 1}}
                return await self._meta.find_one_and_update(query, update) is not None
            try:
                await self._meta.insert_one({"_id": "lease", "number": 1, **fields})
            except DuplicateKeyError:
                return False
            return True

    # Keeping it

    async def _renew_until_lost(self, session: str) -> None:
        """Renew until another has it; a failed renewal is retried at once, with a short backoff."""
        pause, reported = RENEW_INTERVAL_SECONDS, True
        while self._session == session:  # changes on release: a cancellation may get lost
            await self._sleep(pause)
            sent = self._clock()
            try:
                ours = await self._renew(session)
            except StoreError as error:
                log.debug("lease renewal failed", error=str(error))  # the loop logs the outage
                reported, pause = self._report_lapse(reported=reported), RETRY_PERIOD_SECONDS
                continue
            if not ours:
                self._lose()
                return
            lapsed = not self.held
            self._renewed, pause, reported = sent, RENEW_INTERVAL_SECONDS, True
            if lapsed:  # passes in the meantime did nothing
                self._on_change(True)

    def _report_lapse(self, *, reported: bool) -> bool:
        """Call `on_change` once when it has run out; whether it is still reported as held."""
        if reported and not self.held:
            self._on_change(False)
        return reported and self.held

    async def _renew(self, session: str) -> bool:
        with translate_errors(self._where, RENEW_TIMEOUT_SECONDS):
            document = await self._meta.find_one_and_update(
                {"_id": "lease", "session": session},
                {"$inc": {"number": 1}, "$set": {"renewed": datetime.now(UTC)}},
                return_document=ReturnDocument.AFTER,
            )
        return document is not None

    def _lose(self) -> None:
        self._session = None
        self.lost.set()
        self._on_change(False)
