"""The collection `events` in MongoDB."""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import bson
from bson.codec_options import CodecOptions
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.cursor import AsyncCursor
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import BulkWriteError

from controller.errors import StoreError, StoreRefusedError
from controller.logs import get_logger
from controller.records.events import (
    EVENT_TTL,
    Event,
    decode_event,
    encode_event,
    newest_last,
)
from controller.records.mongo_client import MONGO_TIMEOUT_SECONDS, Documents, translate_errors
from controller.room import ID_PATTERN, api_key, redact_key

FETCH_BATCH_SIZE: Final = 5_000
"""Events in one write."""
SECOND: Final = timedelta(seconds=1)
_DUPLICATE: Final = 11000
_RAW: Final = CodecOptions(document_class=RawBSONDocument)
_AWARE: Final[CodecOptions[Mapping[str, Any]]] = CodecOptions(tz_aware=True)
_NEWEST_FIRST: Final = (("at", -1), ("_id", -1))

log = get_logger()


class MongoEvents:
    """EventStore on MongoDB; the port says what each call does.

    `expires`: the server deletes old events by a TTL index. SecantusDB would read the whole collection for it
    each minute, under a lock (2 s of 100,000 events), and FerretDB knows none.
    """

    def __init__(
        self, base: AsyncDatabase[dict[str, Any]], where: str, *, read_only: bool, expires: bool
    ) -> None:
        self._events: Documents = base.get_collection("events")
        self._raw: AsyncCollection[Any] = base.get_collection("events", codec_options=_RAW)
        self._where, self._read_only, self._expires = where, read_only, expires
        self._asked_for_pending = False

    async def make_indexes(self) -> None:
        """They only make reads faster. They are few: each costs as much as storing the event."""
        if not self._expires or not await self._index("at", expireAfterSeconds=EVENT_TTL // SECOND):
            await self._index("at")  # otherwise only `purge` deletes old events
        await self._index("key")

    async def _index(self, field: str, **options: Any) -> bool:
        """Whether there is such an index now."""
        try:
            with translate_errors(self._where, 3 * MONGO_TIMEOUT_SECONDS):
                await self._events.create_index(field, **options)
        except StoreError as error:
            log.warning("index creation failed", collection="events", index=field, error=str(error))
            return False
        return True

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
        keys: Collection[str] | None = None,
        since: datetime | None = None,
        types: Collection[str] | None = None,
        limit: int | None = None,
    ) -> list[Event]:
        query: dict[str, Any] = {}
        if keys is not None:
            query["key"] = {"$in": sorted(keys)}
        if since is not None:
            query["at"] = {"$gte": since}
        if types is not None:
            query["type"] = {"$in": sorted(types)}
        cursor = self._raw.find(query, batch_size=FETCH_BATCH_SIZE)
        if limit is not None:
            cursor = cursor.sort(_NEWEST_FIRST).limit(limit)
        return newest_last(await self._read(cursor))

    async def keys(self, name: str) -> frozenset[str]:
        """Only the id of a room that is not an API room is searched without an index."""
        queries: list[dict[str, Any]] = [{"key": {"$in": [name, api_key(name)]}}]
        if redact_key(name + "0") == name:  # cut: the rest of the key is the digits of an id
            queries.append({"key": {"$gte": name, "$lt": name + "g"}})
        elif re.match(ID_PATTERN, name):
            queries.append({"room_id": name})
        found: set[Any] = set()
        for query in queries:
            with translate_errors(self._where, 3 * MONGO_TIMEOUT_SECONDS):
                documents = await self._events.find(query, {"key": True}).to_list()
            found.update(document.get("key") for document in documents)
            if found:
                break
        return frozenset(key for key in found if isinstance(key, str))

    async def pending(self, limit: int) -> list[Event]:
        if not self._asked_for_pending and not self._read_only:  # an index only for those who send events
            self._asked_for_pending = True
            await self._index("pending", sparse=True)
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
        """Decodes each document by itself: pymongo aborts the whole read if one is invalid BSON."""
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
    """Whether all events that were not written are already stored."""
    details = error.details or {}
    failed = details.get("writeErrors", ())
    return not details.get("writeConcernErrors") and all(one.get("code") == _DUPLICATE for one in failed)
