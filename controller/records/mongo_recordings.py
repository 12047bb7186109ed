"""The collection `recordings` in MongoDB."""

from collections.abc import Mapping
from typing import Any, Final

import bson
import structlog
from bson.codec_options import CodecOptions
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase

from controller.errors import StoreRefused
from controller.records.codec import Damaged
from controller.records.edge import DEADLINE, Documents, translated
from controller.records.recordings import (
    RecordingRow,
    RecordingState,
    decode_row,
    encode_row,
    latest_first,
)

_RAW: Final = CodecOptions(document_class=RawBSONDocument)
_AWARE: Final[CodecOptions[Mapping[str, Any]]] = CodecOptions(tz_aware=True)

log = structlog.get_logger()


class MongoRecordings:
    """RecordingStore on MongoDB; the port says what each call does. A put may be repeated.

    There is no index beside that of the ids: a row is some 300 bytes, and the collection is read seldom.
    """

    def __init__(self, base: AsyncDatabase[dict[str, Any]], where: str, *, read_only: bool) -> None:
        self._rows: Documents = base.get_collection("recordings")
        self._raw: AsyncCollection[Any] = base.get_collection("recordings", codec_options=_RAW)
        self._where, self._read_only = where, read_only
        self._damaged: set[str] = set()

    async def put(self, row: RecordingRow) -> None:
        if self._read_only:
            raise StoreRefused("the records were opened for reading only")
        with translated(self._where):
            await self._rows.replace_one({"_id": row.egress_id}, encode_row(row), upsert=True)

    async def unsettled(self) -> list[RecordingRow]:
        return await self._find({"state": str(RecordingState.RECORDING)})

    async def lost(self) -> frozenset[str]:
        return frozenset(row.egress_id for row in await self._find({"state": str(RecordingState.LOST)}))

    async def find(self, room_ids: frozenset[str] | None = None) -> list[RecordingRow]:
        return await self._find({} if room_ids is None else {"room_id": {"$in": sorted(room_ids)}})

    async def _find(self, query: dict[str, Any]) -> list[RecordingRow]:
        """Each document is decoded by itself: pymongo gives up the whole read where one is no BSON."""
        with translated(self._where, 3 * DEADLINE):
            documents = await self._raw.find(query, batch_size=10_000).to_list()
        rows = (self._decoded(bytes(document.raw)) for document in documents)
        return latest_first(row for row in rows if row is not None)

    def _decoded(self, raw: bytes) -> RecordingRow | None:
        document: Mapping[str, Any] = {}
        try:
            document = bson.decode(raw, _AWARE)
            return decode_row(document)
        except (Damaged, BSONError) as error:
            reason = str(error) if isinstance(error, Damaged) else "it is no BSON"
            self._report(str(document.get("_id", ""))[:32], reason)
            return None

    def _report(self, egress: str, reason: str) -> None:
        """Once for each: the collection is read again and again."""
        if egress not in self._damaged:
            self._damaged.add(egress)
            log.error("a recording's row is damaged and left alone", egress=egress, reason=reason)
