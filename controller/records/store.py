"""The records in MongoDB, kept in memory and written by compare-and-set.

How others' writes are noticed: `meta` has a number that every batch raises after it was written. A refresh
reads the number, and the rooms after it only if the number is not the one that this process knows. So it
reads a room that was written in between, and a room that is written later raises the number again.
"""

import asyncio
import contextlib
import gc
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import AsyncMongoClient, ReturnDocument
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import BulkWriteError

from controller.errors import (
    StoreConflictError,
    StoreError,
    StoreMismatchError,
    StoreRefusedError,
    StoreUnavailableError,
)
from controller.logs import get_logger
from controller.records.batch import (
    GroupCommit,
    Pending,
    fail,
    resolve_write,
    to_request,
    unconfirmed_writes,
)
from controller.records.change import Delete, Insert, Rewrite, Stored, Write, change
from controller.records.codec import UnreadablePartError, decode, decode_bson, read_hold, write_hold
from controller.records.mongo_client import (
    MONGO_TIMEOUT_SECONDS,
    Documents,
    ServerRespondedError,
    address,
    database,
    translate_errors,
)
from controller.records.mongo_events import MongoEvents
from controller.records.mongo_recordings import MongoRecordings
from controller.records.mongo_replicas import MongoReplicas
from controller.records.ports import Holder, RemovalApproval, StoreAccess, StoreIdentity
from controller.records.record import Hold, RoomRecord, UnusableRecord
from controller.records.record_cache import RecordCache
from controller.records.relay import EVENTS_DOCUMENT, MongoRelay
from controller.room import redact_key

_FOR_EVER: Final = datetime(2100, 1, 1, tzinfo=UTC)

SCHEMA: Final = 1
"""The layout of the database, in `meta`: a database with a higher number is refused. A record that older
releases must not touch has a `reader` instead (codec.py)."""

READ_BACK_TIMEOUT_SECONDS: Final = 1.5
"""Seconds for reading back the result of a write whose reply was lost."""

FULL_READ_SECONDS: Final = (4.0, 60.0)
MAX_FULL_READ_FRACTION: Final = 0.01
"""A full read is repeated at this interval, and takes at most a hundredth of the time: a writer may have
died before it raised the number, and people who edit the database do not raise it."""

_RAW: Final = CodecOptions(document_class=RawBSONDocument)

log = get_logger()


class MongoStore:
    """RoomStore on MongoDB; the port says what each call does.

    The first `refresh` connects, and claims the database for this instance.
    """

    def __init__(
        self,
        client: AsyncMongoClient[dict[str, Any]],
        access: StoreAccess,
        *,
        clock: Callable[[], float] = time.monotonic,
        cache: RecordCache | None = None,
    ) -> None:
        self.access, self._clock = access, clock
        self._use(client, address(access.uri))
        self._identity = self._no_identity = StoreIdentity("", access.instance, SCHEMA, access.fingerprint)
        self._cache = cache or RecordCache()
        self._decoded: dict[int, RoomRecord] = {}  # by the hash of the document's bytes
        self._number: int | None = None  # the number of changes that the memory accounts for
        self.changes_read = 0
        self._unpublished = False  # a batch was written, but the number was not raised
        self._invalidated = False
        self._read_at = 0.0
        self._full_read_interval = 0.0  # seconds until the next full read
        self._lock = asyncio.Lock()  # full reads and batches take turns
        self._commits = GroupCommit(self._flush)

    def _use(self, client: AsyncMongoClient[dict[str, Any]], where: str) -> None:
        """Use this client; `where` is the server's address, for messages."""
        base = database(client, self.access.database)
        self.where = where
        self.meta: Documents = base.get_collection("meta")
        self._rooms: Documents = base.get_collection("rooms")
        self._raw: AsyncCollection[Any] = base.get_collection("rooms", codec_options=_RAW)
        self.recordings = MongoRecordings(base, where, read_only=self.access.read_only)
        self.events = MongoEvents(
            base, where, read_only=self.access.read_only, expires=not self.access.embedded
        )
        self.relay = MongoRelay(self.meta, where)
        self.replicas = MongoReplicas(self.meta, where)

    @property
    def by_id(self) -> Mapping[str, RoomRecord]:
        return self._cache.by_id

    @property
    def by_key(self) -> Mapping[str, RoomRecord]:
        return self._cache.by_key

    @property
    def by_live(self) -> Mapping[str, RoomRecord]:
        return self._cache.by_live

    @property
    def unusable(self) -> Mapping[str, UnusableRecord]:
        return self._cache.unusable

    @property
    def hold_all(self) -> Hold | None:
        return self._cache.hold_all

    @property
    def identity(self) -> StoreIdentity:
        return self._identity

    @property
    def secret_changed(self) -> bool:
        ours = self.access.fingerprint
        return ours != "" and self._identity.secret_fingerprint not in ("", ours)

    # Reading

    async def refresh(self) -> bool:
        async with self._lock:
            await self._publish_change_number()
            documents = await self._read_meta("store", "changes", "hold")
            if documents["store"] is None or not self._identity.store:
                documents["store"] = await self._initialize(documents["store"])
            self._identify(documents["store"])
            number = (documents["changes"] or {}).get("n", 0)
            trusted = number == self._number and not self._invalidated
            held = self._cache.put_hold_all(_read_hold(documents["hold"]))
            if trusted and self._clock() - self._read_at < self._full_read_interval:
                return held
            return await self._read_all(number) or held

    def invalidate(self) -> None:
        self._invalidated = True

    async def has_remote_changes(self) -> bool:
        busy = self._lock.locked()  # we are writing or reading: the next call decides
        documents = await self._read_meta("changes", EVENTS_DOCUMENT, **self.relay.unread_filter)
        self.relay.read_document(documents[EVENTS_DOCUMENT])
        return (
            not busy and not self._lock.locked() and (documents["changes"] or {}).get("n", 0) != self._number
        )

    def next_change(self) -> asyncio.Event:
        return self._cache.next_change

    async def _read_meta(self, *ids: str, **conditions: Any) -> dict[str, dict[str, Any] | None]:
        """These documents of `meta`, on those conditions; they show whether anything is new."""
        with translate_errors(self.where):
            found = await self.meta.find({"_id": {"$in": list(ids)}, **conditions}).to_list()
        return {**dict.fromkeys(ids), **{document["_id"]: document for document in found}}

    async def _initialize(self, document: dict[str, Any] | None) -> dict[str, Any] | None:
        """Claim a new database for this instance, if no other has claimed it, and make the index."""
        if self.access.read_only:
            return document
        if document is None:
            document = await self._create_identity()
        self._identify(document)
        with translate_errors(self.where):
            await self._rooms.create_index("key", unique=True)
        await self.recordings.make_indexes()
        await self.events.make_indexes()
        return document

    async def _create_identity(self) -> dict[str, Any] | None:
        mine = {
            "_id": "store",
            "store": secrets.token_hex(12),
            "instance": self.access.instance,
            "schema": SCHEMA,
            "secret_fingerprint": self.access.fingerprint,
        }
        try:
            with translate_errors(self.where):
                await self.meta.insert_one(mine)
        except StoreConflictError:  # another controller was faster
            return (await self._read_meta("store"))["store"]
        return mine

    def _identify(self, document: dict[str, Any] | None) -> None:
        """Store the database's identity, and refuse one that is not ours. None: it is empty."""
        if document is None:
            self._identity = self._no_identity
            return
        stored = StoreIdentity(
            str(document.get("store")),
            str(document.get("instance")),
            int(document.get("schema", 0)),
            str(document.get("secret_fingerprint", "")),
        )
        ours, base = self.access.instance, f"database {self.access.database} at {self.where}"
        if stored.schema > SCHEMA:
            raise StoreMismatchError(
                f"{base} uses schema version {stored.schema}; this roomctl supports version {SCHEMA}; "
                "upgrade roomctl"
            )
        if stored.instance != ours:
            raise StoreMismatchError(
                f"{base} belongs to the instance {stored.instance[:64]!r}, not {ours!r}: "
                "set ROOMCTL_INSTANCE to that, or MONGODB_DATABASE to another; to rename it, "
                "stop its controllers and set `instance` in the document {_id: 'store'} of its `meta`"
            )
        if stored.store != self._identity.store:
            self._number, self.changes_read = None, 0  # another database: the old one was lost or restored
        self._identity = stored

    async def _read_all(self, number: int) -> bool:
        """Read every document; unchanged bytes are not decoded again."""
        decoded: dict[int, RoomRecord] = {}
        unusable: list[UnusableRecord] = []
        self._number, self._invalidated, began = None, False, self._clock()
        with translate_errors(self.where, 3 * MONGO_TIMEOUT_SECONDS):
            documents = await self._raw.find(batch_size=10_000).to_list()
        with _without_gc():
            for raw in (bytes(document.raw) for document in documents):
                record = self._decoded.get(hash(raw)) or decode_bson(raw)
                if isinstance(record, UnusableRecord):
                    unusable.append(record)
                else:
                    decoded[hash(raw)] = record
        self._report(unusable)
        self._number = self.changes_read = number
        self._read_at = self._clock()
        changed = self._cache.replace(decoded.values(), unusable)
        self._decoded = {seen: self._cache.by_id[record.id] for seen, record in decoded.items()}
        self._full_read_interval = _interval_after(self._clock() - began)
        return changed

    def _report(self, unusable: Iterable[UnusableRecord]) -> None:
        """Log each once, until it changes."""
        for each in unusable:
            if self.unusable.get(each.record.id) != each:
                log.error(
                    "record unusable",
                    key=redact_key(each.record.key),
                    reason=str(each.reason),
                    error=each.problem,
                )

    # Writing

    async def insert(self, record: RoomRecord) -> RoomRecord:
        return _existing(await self._write(Insert(record)))

    async def save(self, before: RoomRecord, after: RoomRecord) -> RoomRecord:
        difference = change(before, after)
        if not difference.fields:
            return self.by_id.get(after.id, after)
        return _existing(await self._write(difference))

    async def restore(self, before: UnusableRecord, after: RoomRecord) -> RoomRecord:
        return _existing(await self._write(Rewrite(before, after)))

    async def forget(self, record: RoomRecord) -> None:
        await self._write(Delete(record))

    async def _write(self, write: Write) -> Stored:
        if self.access.read_only:
            raise StoreRefusedError("the records were opened for reading only")
        return await self._commits.write(write)

    async def _flush(self, batch: list[Pending]) -> None:
        """One batch, from the bulk write to the callers' results. Callers go on once others can see it."""
        writes = {pending.write.id: pending.write for pending in batch}
        async with self._lock:
            stored, failed = await self._send(writes)
            self._cache.put(stored)
            self._unpublished = True
            try:
                if stored:  # else the server is unavailable, and the number is raised later
                    await self._publish_change_number()
            except StoreError as error:
                log.warning("change notification failed", error=str(error))
        for pending in batch:
            failure = failed.get(pending.write.id)
            if failure is not None:
                fail([pending], failure)
            elif not pending.done.done():
                pending.done.set_result(stored[pending.write.id])

    async def _send(self, writes: dict[str, Write]) -> tuple[dict[str, Stored], dict[str, StoreError]]:
        """Write, and read back what the reply does not prove; after a lost reply send missing writes again.

        That is harmless: a write that arrived meanwhile fails its comparison, and is read back. If the server
        did reply, each write is then sent alone, so that a bad one does not block the others.
        """
        stored, failed, lost = await self._attempt(writes)
        if lost is None or not failed or not stored:
            return stored, failed
        left = {room_id: writes[room_id] for room_id in failed}
        groups = (
            [{i: w} for i, w in left.items()]
            if isinstance(lost, ServerRespondedError | StoreRefusedError)
            else [left]
        )
        failed = {}
        for group in groups:
            again = await self._attempt(group)
            stored |= again[0]
            failed |= again[1]
        return stored, failed

    async def _attempt(
        self, writes: dict[str, Write]
    ) -> tuple[dict[str, Stored], dict[str, StoreError], StoreError | None]:
        """One bulk write: what is stored, what failed, and the error if the reply was lost."""
        doubts, lost = await self._bulk(list(writes.values()))
        stored = {i: w.result(self.by_id.get(i)) for i, w in writes.items() if i not in doubts}
        try:
            read_back = await self._read(
                list(doubts), MONGO_TIMEOUT_SECONDS if lost is None else READ_BACK_TIMEOUT_SECONDS
            )
        except StoreError as error:
            return stored, dict.fromkeys(doubts, lost or error), lost
        missed = {i: e for i, code in doubts.items() if (e := resolve_write(writes[i], code, read_back[i]))}
        return stored | read_back, {i: lost or e for i, e in missed.items()}, lost

    async def _bulk(self, writes: list[Write]) -> tuple[dict[str, int], StoreError | None]:
        """One bulk write: the writes in doubt, and the error if the whole reply was lost."""
        try:
            with translate_errors(self.where, MONGO_TIMEOUT_SECONDS + len(writes) / 200):
                try:
                    result = await self._rooms.bulk_write([to_request(w) for w in writes], ordered=False)
                    details: Mapping[str, Any] = result.bulk_api_result
                except BulkWriteError as error:
                    details = error.details or {}
        except StoreError as error:
            return dict.fromkeys([write.id for write in writes], 0), error
        if details.get("writeConcernErrors"):
            away = StoreUnavailableError(f"MongoDB at {self.where} has no majority that keeps a write")
            return dict.fromkeys([write.id for write in writes], 0), away
        return unconfirmed_writes(writes, details), None

    async def _read(self, ids: list[str], deadline: float) -> dict[str, Stored]:
        """What is now stored under these ids; None: nothing."""
        stored: dict[str, Stored] = dict.fromkeys(ids)
        if not ids:
            return stored
        with translate_errors(self.where, deadline):
            async for document in self._rooms.find({"_id": {"$in": ids}}):
                room_id, record = document["_id"], decode(document)
                if isinstance(record, RoomRecord):
                    stored[room_id] = record
                else:
                    stored[room_id], self._invalidated = self.by_id.get(room_id), True
        return stored

    async def _publish_change_number(self) -> None:
        """Raise the number by which others notice our batches. One step from ours: no other has written."""
        if not self._unpublished:
            return
        try:
            with translate_errors(self.where):
                document = await self.meta.find_one_and_update(
                    {"_id": "changes"}, {"$inc": {"n": 1}}, upsert=True, return_document=ReturnDocument.AFTER
                )
        except StoreError:
            self._number = None  # it may or may not have been raised: the next refresh reads everything
            raise
        self._unpublished = False
        number: int = document["n"] if document is not None else 0
        alone = self._number is not None and number == self._number + 1
        self._number = number if alone else None
        if alone:
            self.changes_read = number

    # Permission to remove, and the holder of the lease

    async def removal_approval(self) -> RemovalApproval | None:
        document = (await self._read_meta("leave"))["leave"]
        return None if document is None else RemovalApproval(frozenset(document["keys"]), document["expires"])

    async def grant_removal_approval(self, approval: RemovalApproval) -> None:
        document = {"keys": sorted(approval.keys), "expires": approval.expires}
        with translate_errors(self.where):
            await self.meta.replace_one({"_id": "leave"}, document, upsert=True)

    async def consume_removal_approval(self) -> None:
        with translate_errors(self.where):
            await self.meta.delete_one({"_id": "leave"})

    async def put_hold_all(self, hold: Hold | None) -> None:
        with translate_errors(self.where):
            if hold is None:
                await self.meta.delete_one({"_id": "hold"})
            else:
                await self.meta.replace_one({"_id": "hold"}, write_hold(hold) or {}, upsert=True)
        self._unpublished = True
        await self.refresh()

    async def holder(self) -> Holder | None:
        document = (await self._read_meta("lease"))["lease"]
        return None if document is None else Holder.from_document(document)

    async def drain(self) -> None:
        """Wait until the results of all requested writes are known; 1.5 s at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(READ_BACK_TIMEOUT_SECONDS):
                await self._commits.drain()


@contextlib.contextmanager
def _without_gc() -> Iterator[None]:
    """Without the garbage collector, which would scan thousands of new records again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _interval_after(cost: float) -> float:
    """Seconds until the next full read, after one that took `cost` seconds."""
    least, most = FULL_READ_SECONDS
    return min(max(least, cost / MAX_FULL_READ_FRACTION), most)


def _read_hold(document: dict[str, Any] | None) -> Hold | None:
    """A hold that cannot be read still holds: somebody wanted that nothing changes."""
    if document is None:
        return None
    try:
        return read_hold({name: value for name, value in document.items() if name != "_id"})
    except (KeyError, TypeError, UnreadablePartError):
        return Hold("unknown", "this hold cannot be read; to end it: roomctl release --all", _FOR_EVER)


def _existing(stored: Stored) -> RoomRecord:
    if stored is None:
        raise StoreConflictError("the record is gone")
    return stored
