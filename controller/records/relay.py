"""Hints that replicas which stand by hand on to the holder of the lease.

One document in `meta`, {_id: "hints"}: `count` counts all that were ever handed on, `list` has the last of
them. Whoever reads it knows by the count what is new. It is written by compare-and-set on the count and not
by $push, whose $slice FerretDB passes over without a word: there the list would grow for ever.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from typing import Any, Final

import structlog
from pymongo.errors import DuplicateKeyError

from controller.errors import StoreError
from controller.records.mongo_client import Documents, translate_errors
from controller.records.ports import ForwardedEvent

EVENTS_DOCUMENT: Final = "hints"
MAX_QUEUED_EVENTS: Final = 256
"""Hints in the document, and in memory in either direction; those beyond it are lost, the eldest first."""
FLUSH_INTERVAL_SECONDS: Final = 0.25
"""Seconds between two writes."""
MAX_WRITE_ATTEMPTS: Final = 4
"""How often a batch is tried beside other writers."""

log = structlog.get_logger()


class MongoRelay:
    """Relay on MongoDB; the port says what each call does. The store reads the document for it."""

    def __init__(self, meta: Documents, where: str) -> None:
        self._meta, self._where = meta, where
        self._waiting: dict[ForwardedEvent, None] = {}
        self._queued = asyncio.Event()
        self._count: int | None = None  # how many had been told when the document was last read
        self._received: dict[ForwardedEvent, None] = {}

    def enqueue(self, event: ForwardedEvent) -> None:
        _add(self._waiting, [event])
        self._queued.set()

    async def flush_forever(self) -> None:
        while True:
            await self._queued.wait()
            self._queued.clear()
            batch, self._waiting = list(self._waiting), {}
            try:
                await self._write(batch)
            except StoreError as error:
                log.debug("webhook relay failed", count=len(batch), error=str(error))
            await asyncio.sleep(FLUSH_INTERVAL_SECONDS)

    def pop_all(self) -> list[ForwardedEvent]:
        received, self._received = list(self._received), {}
        return received

    # Reading, for the store

    @property
    def unread_filter(self) -> Mapping[str, Any]:
        """The condition on which the document has to be read at all; other documents fulfil it."""
        return {"told": {"$ne": -1 if self._count is None else self._count}}

    def read_document(self, document: Mapping[str, Any] | None) -> None:
        """The document where it was read; None where there is none, or nothing new in it.

        What stood in it at first is not ours to act on. A count below the last one is of another database:
        lost, or put back.
        """
        before, count = self._count, _count(document)
        if document is None:
            self._count = before or 0
            return
        self._count = count
        if before is not None:
            listed = _listed(document)
            new = count - before if count >= before else count
            _add(self._received, listed[max(0, len(listed) - new) :])

    # Writing

    async def _write(self, batch: list[ForwardedEvent]) -> None:
        with translate_errors(self._where):
            for _ in range(MAX_WRITE_ATTEMPTS):
                if await self._put(await self._meta.find_one({"_id": EVENTS_DOCUMENT}), batch):
                    return
        log.debug("webhook relay conflict", count=len(batch))

    async def _put(self, document: Mapping[str, Any] | None, batch: list[ForwardedEvent]) -> bool:
        """Add them to what was `document`; False where another was faster."""
        hints = [*_listed(document), *batch][-MAX_QUEUED_EVENTS:]
        fields = {"told": _count(document) + len(batch), "list": [asdict(event) for event in hints]}
        if document is not None:
            query = {"_id": EVENTS_DOCUMENT, "told": document.get("told")}
            return (await self._meta.update_one(query, {"$set": fields})).matched_count == 1
        try:
            await self._meta.insert_one({"_id": EVENTS_DOCUMENT, **fields})
        except DuplicateKeyError:
            return False
        return True


def _add(hints: dict[ForwardedEvent, None], more: Iterable[ForwardedEvent]) -> None:
    """An equal one counts once; the eldest go where there are too many."""
    hints.update(dict.fromkeys(more))
    for eldest in list(hints)[:-MAX_QUEUED_EVENTS]:
        del hints[eldest]


def _count(document: Mapping[str, Any] | None) -> int:
    count = (document or {}).get("told")
    return count if isinstance(count, int) and count > 0 else 0


def _listed(document: Mapping[str, Any] | None) -> list[ForwardedEvent]:
    """The hints in the document; what a hand made of it otherwise is passed over."""
    listed = (document or {}).get("list")
    entries = listed if isinstance(listed, list) else []
    return [_decoded(entry) for entry in entries if isinstance(entry, dict)]


def _decoded(entry: Mapping[str, Any]) -> ForwardedEvent:
    return ForwardedEvent(*(str(entry.get(each.name, "")) for each in fields(ForwardedEvent)))
