"""Webhooks that replicas on standby forward to the holder of the lease.

One document in `meta`, {_id: "hints"}: `told` is the number of all that were ever forwarded, `list` has the
last of them. The number shows a reader which are new. It is written by compare-and-set on the number and not
by $push: FerretDB ignores its $slice without an error, so the list would grow without limit.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from typing import Any, Final

from pymongo.errors import DuplicateKeyError

from controller.errors import StoreError
from controller.logs import get_logger
from controller.records.mongo_client import Documents, translate_errors
from controller.records.ports import ForwardedEvent

EVENTS_DOCUMENT: Final = "hints"
MAX_QUEUED_EVENTS: Final = 256
"""Entries in the document, and in memory in each direction; beyond that the oldest are dropped."""
FLUSH_INTERVAL_SECONDS: Final = 0.25
"""Seconds between two writes."""
MAX_WRITE_ATTEMPTS: Final = 4
"""How often a batch is tried when other writers are faster."""

log = get_logger()


class MongoRelay:
    """Relay on MongoDB; the port says what each call does. The store reads its document."""

    def __init__(self, meta: Documents, where: str) -> None:
        self._meta, self._where = meta, where
        self._waiting: dict[ForwardedEvent, None] = {}
        self._queued = asyncio.Event()
        self._count: int | None = None  # the count when the document was last read
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
        """The filter for reading the document only if it has changed; other documents match it."""
        return {"told": {"$ne": -1 if self._count is None else self._count}}

    def read_document(self, document: Mapping[str, Any] | None) -> None:
        """Process the document; None if there is none, or nothing new in it.

        The entries of the first read are ignored. A lower count than before means another database: the old
        one was lost or restored.
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
        """Add them to `document`; False if another writer was faster."""
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
    """Equal ones are kept once; beyond the limit the oldest are dropped."""
    hints.update(dict.fromkeys(more))
    for eldest in list(hints)[:-MAX_QUEUED_EVENTS]:
        del hints[eldest]


def _count(document: Mapping[str, Any] | None) -> int:
    count = (document or {}).get("told")
    return count if isinstance(count, int) and count > 0 else 0


def _listed(document: Mapping[str, Any] | None) -> list[ForwardedEvent]:
    """The entries in the document; values of another type, which people may have written, are skipped."""
    listed = (document or {}).get("list")
    entries = listed if isinstance(listed, list) else []
    return [_decoded(entry) for entry in entries if isinstance(entry, dict)]


def _decoded(entry: Mapping[str, Any]) -> ForwardedEvent:
    return ForwardedEvent(*(str(entry.get(each.name, "")) for each in fields(ForwardedEvent)))
