"""The collection `recordings` in MongoDB."""

from collections.abc import Mapping
from typing import Any, Final

import bson
from bson.codec_options import CodecOptions
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.cursor import AsyncCursor
from pymongo.asynchronous.database import AsyncDatabase

from controller.errors import StoreError, StoreRefusedError
from controller.logs import get_logger
from controller.records.mongo_client import MONGO_TIMEOUT_SECONDS, Documents, translate_errors
from controller.records.recordings import (
    DamagedRowError,
    RecordingRow,
    RecordingState,
    decode_row,
    encode_row,
    latest_first,
)
from controller.room import redact_key

FETCH_BATCH_SIZE: Final = 2_000
"""Rows in one write."""
_RAW: Final = CodecOptions(document_class=RawBSONDocument)
_AWARE: Final[CodecOptions[Mapping[str, Any]]] = CodecOptions(tz_aware=True)

log = get_logger()


class MongoRecordings:
    """RecordingStore on MongoDB; the port says what each call does. A put may be repeated."""

    def __init__(self, base: AsyncDatabase[dict[str, Any]], where: str, *, read_only: bool) -> None:
        self._rows: Documents = base.get_collection("recordings")
        self._raw: AsyncCollection[Any] = base.get_collection("recordings", codec_options=_RAW)
        self._where, self._read_only = where, read_only
        self._damaged: set[str] = set()

    async def make_indexes(self) -> None:
        """They only make reads faster: without them each search reads every row."""
        try:
            for field in ("state", "room_id", "key"):
                with translate_errors(self._where, 3 * MONGO_TIMEOUT_SECONDS):
                    await self._rows.create_index(field)
        except StoreError as error:
            log.warning("index creation failed", collection="recordings", error=str(error))

    async def put(self, row: RecordingRow) -> None:
        if self._read_only:
            raise StoreRefusedError("the records were opened for reading only")
        with translate_errors(self._where):
            await self._rows.replace_one({"_id": row.egress_id}, encode_row(row), upsert=True)

    async def unfinished(self) -> list[RecordingRow]:
        return await self._find({"state": str(RecordingState.RECORDING)})

    async def lost(self) -> frozenset[str]:
        with translate_errors(self._where, 3 * MONGO_TIMEOUT_SECONDS):
            documents = await self._rows.find({"state": str(RecordingState.LOST)}, {"_id": True}).to_list()
        return frozenset(document["_id"] for document in documents)

    async def find(self, room_ids: frozenset[str] | None = None) -> list[RecordingRow]:
        return await self._find({} if room_ids is None else {"room_id": {"$in": sorted(room_ids)}})

    async def find_by_names(self, names: frozenset[str]) -> list[RecordingRow]:
        """One query after the other: SecantusDB uses no index for an $or."""
        exact = {"$in": sorted(names)}
        redacted = [name for name in sorted(names) if redact_key(name + "0") == name]
        queries: list[dict[str, Any]] = [{"key": exact}, {"room_id": exact}]
        queries += [{"key": {"$gte": name, "$lt": name + "g"}} for name in redacted]  # and an id's digits
        rows: dict[str, RecordingRow] = {}
        for query in queries:
            rows |= {row.egress_id: row for row in await self._find(query)}
        return latest_first(rows.values())

    async def _find(self, query: dict[str, Any]) -> list[RecordingRow]:
        """Decodes each document by itself: pymongo aborts the whole read if one is invalid BSON."""
        rows: list[RecordingRow] = []
        cursor = self._raw.find(query, batch_size=FETCH_BATCH_SIZE)
        while documents := await self._batch(cursor):
            decoded = (self._decoded(bytes(document.raw)) for document in documents)
            rows.extend(row for row in decoded if row is not None)
        return latest_first(rows)

    async def _batch(self, cursor: AsyncCursor[Any]) -> list[Any]:
        with translate_errors(self._where):
            return await cursor.to_list(FETCH_BATCH_SIZE)

    def _decoded(self, raw: bytes) -> RecordingRow | None:
        document: Mapping[str, Any] = {}
        try:
            document = bson.decode(raw, _AWARE)
            return decode_row(document)
        except (DamagedRowError, BSONError) as error:
            reason = str(error) if isinstance(error, DamagedRowError) else "it is invalid BSON"
            self._report(str(document.get("_id", ""))[:32], reason)
            return None

    def _report(self, egress: str, reason: str) -> None:
        """Log each only once: the collection is read again and again."""
        if egress not in self._damaged:
            self._damaged.add(egress)
            log.error("recording row unreadable", egress_id=egress, error=reason)
