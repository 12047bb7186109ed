"""Hints that replicas which stand by hand on to the holder of the lease.

One document in `meta`, {_id: "hints"}: `told` counts all that were ever handed on, `list` has the last of
them. Whoever reads it knows by the count what is new. It is written by compare-and-set on the count and not
by $push, whose $slice FerretDB passes over without a word: there the list would grow for ever.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final

import structlog
from pymongo.errors import DuplicateKeyError

from controller.errors import StoreError
from controller.records.mongo_client import Documents, translated
from controller.records.ports import RelayedHint

HINTS: Final = "hints"
KEPT: Final = 256
"""Hints in the document, and in memory in either direction; those beyond it are lost, the eldest first."""
PAUSE: Final = 0.25
"""Seconds between two writes."""
ATTEMPTS: Final = 4
"""How often a batch is tried beside other writers."""

_FIELDS: Final = ("event", "room", "sid", "kind")

log = structlog.get_logger()


class MongoRelay:
    """Relay on MongoDB; the port says what each call does. The store reads the document for it."""

    def __init__(self, meta: Documents, where: str) -> None:
        self._meta, self._where = meta, where
        self._waiting: dict[RelayedHint, None] = {}
        self._told = asyncio.Event()
        self._count: int | None = None  # how many had been told when the document was last read
        self._fresh: dict[RelayedHint, None] = {}

    def tell(self, hint: RelayedHint) -> None:
        _add(self._waiting, [hint])
        self._told.set()

    async def hand_on(self) -> None:
        while True:
            await self._told.wait()
            self._told.clear()
            batch, self._waiting = list(self._waiting), {}
            try:
                await self._write(batch)
            except StoreError as error:
                log.debug("hints could not be handed on", count=len(batch), reason=str(error))
            await asyncio.sleep(PAUSE)

    def take(self) -> list[RelayedHint]:
        fresh, self._fresh = list(self._fresh), {}
        return fresh

    # Reading, for the store

    @property
    def unread(self) -> Mapping[str, Any]:
        """The condition on which the document has to be read at all; other documents fulfil it."""
        return {"told": {"$ne": -1 if self._count is None else self._count}}

    def saw(self, document: Mapping[str, Any] | None) -> None:
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
            _add(self._fresh, listed[max(0, len(listed) - new) :])

    # Writing

    async def _write(self, batch: list[RelayedHint]) -> None:
        with translated(self._where):
            for _ in range(ATTEMPTS):
                if await self._put(await self._meta.find_one({"_id": HINTS}), batch):
                    return
        log.debug("hints were not handed on: others were faster", count=len(batch))

    async def _put(self, found: Mapping[str, Any] | None, batch: list[RelayedHint]) -> bool:
        """Add them to what was `found`; False where another was faster."""
        hints = [*_listed(found), *batch][-KEPT:]
        fields = {"told": _count(found) + len(batch), "list": [_encoded(hint) for hint in hints]}
        if found is not None:
            query = {"_id": HINTS, "told": found.get("told")}
            return (await self._meta.update_one(query, {"$set": fields})).matched_count == 1
        try:
            await self._meta.insert_one({"_id": HINTS, **fields})
        except DuplicateKeyError:
            return False
        return True


def _add(hints: dict[RelayedHint, None], more: Iterable[RelayedHint]) -> None:
    """An equal one counts once; the eldest go where there are too many."""
    hints.update(dict.fromkeys(more))
    for eldest in list(hints)[:-KEPT]:
        del hints[eldest]


def _count(document: Mapping[str, Any] | None) -> int:
    told = (document or {}).get("told")
    return told if isinstance(told, int) and told > 0 else 0


def _listed(document: Mapping[str, Any] | None) -> list[RelayedHint]:
    """The hints in the document; what a hand made of it otherwise is passed over."""
    listed = (document or {}).get("list")
    entries = listed if isinstance(listed, list) else []
    return [_decoded(entry) for entry in entries if isinstance(entry, dict)]


def _encoded(hint: RelayedHint) -> dict[str, str]:
    return {name: getattr(hint, name) for name in _FIELDS}


def _decoded(entry: Mapping[str, Any]) -> RelayedHint:
    return RelayedHint(*(str(entry.get(name, "")) for name in _FIELDS))
