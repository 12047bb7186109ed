"""The collection `events` in MongoDB."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import bson
import structlog
from bson.codec_options import CodecOptions
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.cursor import AsyncCursor
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import BulkWriteError

from controller.errors import StoreError, StoreRefusedError
from controller.records.events import (
    EVENT_TTL,
    Event,
    decode_event,
    encode_event,
    newest_last,
)
from controller.records.mongo_client import MONGO_TIMEOUT_SECONDS, Documents, translate_errors
from controller.room import redact_key

FETCH_BATCH_SIZE: Final = 5_000
"""Events that travel together."""
_DUPLICATE: Final = 11000
_RAW: Final = CodecOptions(document_class=RawBSONDocument)
_AWARE: Final[CodecOptions[Mapping[str, Any]]] = CodecOptions(tz_aware=True)
_NEWEST_FIRST: Final = (("at", -1), ("_id", -1))

log = structlog.get_logger()


class MongoEvents:
    """EventStore on MongoDB; the port says what each call does."""

    def __init__(self, base: AsyncDatabase[dict[str, Any]], where: str, *, read_only: bool) -> None:
        self._events: Documents = base.get_collection("events")
        self._raw: AsyncCollection[Any] = base.get_collection("events", codec_options=_RAW)
        self._where, self._read_only = where, read_only

    async def make_indexes(self) -> None:
        """Without them all is as right, and slower. FerretDB knows no TTL index: `purge` does the same."""
        try:
            await self._index("at", expireAfterSeconds=int(EVENT_TTL.total_seconds()))
        except StoreError:
            await self._try_index("at")
        for field in ("room_id", "key"):
            await self._try_index(field)
        await self._try_index("pending", sparse=True)

    async def _index(self, field: str, **options: Any) -> None:
        with translate_errors(self._where, 3 * MONGO_TIMEOUT_SECONDS):
            await self._events.create_index(field, **options)

    async def _try_index(self, field: str, **options: Any) -> None:
        try:
            await self._index(field, **options)
        except StoreError as error:
            log.warning("index creation failed", collection="events", error=str(error))

    async def append(self, batch: Sequence[Event], *, pending: bool = False) -> None:
        self._check_writable()
        if not batch:
            return
        documents = [encode_event(event, pending=pending) for event in batch]
        with translate_errors(self._where, MONGO_TIMEOUT_SECONDS + len(batch) / 200):
            try:
                await self._events.insert_many(documents, ordered=False)
            except BulkWriteError as error:
                if not _only_duplicates(error):
                    raise

    async def find(
        self,
        rooms: Collection[str] | None = None,
        since: datetime | None = None,
        types: Collection[str] | None = None,
        limit: int | None = None,
    ) -> list[Event]:
        query: dict[str, Any] = {}
        if rooms is not None:
            query["room_id"] = {"$in": sorted(rooms)}
        if since is not None:
            query["at"] = {"$gte": since}
        if types is not None:
            query["type"] = {"$in": sorted(types)}
        cursor = self._raw.find(query, batch_size=FETCH_BATCH_SIZE)
        if limit is not None:
            cursor = cursor.sort(_NEWEST_FIRST).limit(limit)
        return newest_last(await self._read(cursor))

    async def room_ids(self, name: str) -> frozenset[str]:
        """Asked one after the other: SecantusDB uses no index for an $or."""
        queries: list[dict[str, Any]] = [{"key": name}, {"room_id": name}]
        if redact_key(name + "0") == name:  # cut short: the key goes on with an id's digits
            queries.append({"key": {"$gte": name, "$lt": name + "g"}})
        ids: set[Any] = set()
        for query in queries:
            with translate_errors(self._where):
                found = await self._events.find(query, {"room_id": True}).to_list()
            ids.update(one.get("room_id") for one in found)
        return frozenset(one for one in ids if isinstance(one, str))

    async def pending(self, limit: int) -> list[Event]:
        oldest = self._raw.find({"pending": True}).sort([("at", 1), ("_id", 1)]).limit(limit)
        return newest_last(await self._read(oldest))

    async def mark_sent(self, ids: Collection[str]) -> None:
        await self._end_pending({"_id": {"$in": sorted(ids)}})

    async def drop_pending(self, before: datetime) -> int:
        return await self._end_pending({"pending": True, "at": {"$lt": before}})

    async def _end_pending(self, query: Mapping[str, Any]) -> int:
        self._check_writable()
        with translate_errors(self._where):
            result = await self._events.update_many(query, {"$unset": {"pending": ""}})
        return result.modified_count

    async def purge(self, before: datetime) -> int:
        self._check_writable()
        with translate_errors(self._where, 3 * MONGO_TIMEOUT_SECONDS):
            return (await self._events.delete_many({"at": {"$lt": before}})).deleted_count

    async def _read(self, cursor: AsyncCursor[Any]) -> list[Event]:
        """Each document is decoded by itself: pymongo gives up the whole read where one is no BSON."""
        events: list[Event] = []
        while documents := await self._batch(cursor):
            events.extend(filter(None, (_decoded(bytes(document.raw)) for document in documents)))
        return events

    async def _batch(self, cursor: AsyncCursor[Any]) -> list[Any]:
        with translate_errors(self._where):
            return await cursor.to_list(FETCH_BATCH_SIZE)

    def _check_writable(self) -> None:
        if self._read_only:
            raise StoreRefusedError("the records were opened for reading only")


def _decoded(raw: bytes) -> Event | None:
    try:
        return decode_event(bson.decode(raw, _AWARE))
    except BSONError:
        return None


def _only_duplicates(error: BulkWriteError) -> bool:
    """Whether all that was not written is stored already."""
    details = error.details or {}
    failed = details.get("writeErrors", ())
    return not details.get("writeConcernErrors") and all(one.get("code") == _DUPLICATE for one in failed)
