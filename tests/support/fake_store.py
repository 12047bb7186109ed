"""The records in memory, under the same rules as MongoStore; held to the same contract tests."""

import asyncio
import operator
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from controller.errors import StoreConflictError
from controller.records.change import DESIRED, HELD, LIVE, Change, change
from controller.records.events import Event, newest_last
from controller.records.ports import ForwardedEvent, Holder, RemovalApproval, StoreIdentity
from controller.records.record import Hold, RoomRecord, UnusableRecord
from controller.records.record_cache import RecordCache
from controller.records.recordings import RecordingRow, RecordingState, latest_first
from controller.records.relay import MAX_QUEUED_EVENTS
from controller.records.replicas import FORGET_AFTER, Replica
from controller.room import redact_key

IDENTITY = StoreIdentity("feedfeedfeedfeedfeedfeed", "default", 1, "")


@dataclass(slots=True)
class FakeDatabase:
    """What several FakeStores share."""

    rooms: dict[str, RoomRecord] = field(default_factory=dict)
    unusable: dict[str, UnusableRecord] = field(default_factory=dict)
    recordings: dict[str, RecordingRow] = field(default_factory=dict)
    events: dict[str, Event] = field(default_factory=dict)
    pending: set[str] = field(default_factory=set)
    hints: list[ForwardedEvent] = field(default_factory=list)
    approval: RemovalApproval | None = None
    holder: Holder | None = None
    replicas: dict[str, Replica] = field(default_factory=dict)
    identity: StoreIdentity = IDENTITY
    changes: int = 0
    hold_all: Hold | None = None


class FakeStore:
    """RoomStore on a FakeDatabase. `writes` counts changes; `fail`, while set, is raised by each call."""

    def __init__(self, database: FakeDatabase | None = None) -> None:
        self.database = database or FakeDatabase()
        self.fail: Exception | None = None
        self.writes = self.changes_read = 0
        self.secret_changed = False
        self._cache = RecordCache()
        self.recordings = FakeRecordings(self.database, self._reached)
        self.events = FakeEvents(self.database, self._reached)
        self.relay = FakeRelay(self.database)
        self.replicas = FakeReplicas(self.database, self._reached)

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
        return self.database.identity

    async def refresh(self) -> bool:
        self._reached()
        held = self._cache.put_hold_all(self.database.hold_all)
        self.changes_read = self.database.changes
        changed = self._cache.replace(self.database.rooms.values(), self.database.unusable.values())
        return changed or held

    def invalidate(self) -> None:
        """Every refresh is a full read."""

    async def has_remote_changes(self) -> bool:
        self._reached()
        self.relay.poll()
        return self.database.rooms != self.by_id or self.hold_all != self.database.hold_all

    def next_change(self) -> asyncio.Event:
        return self._cache.next_change

    async def insert(self, record: RoomRecord) -> RoomRecord:
        self._reached()
        stored = self.database.rooms.get(record.id)
        if stored == record:
            return record
        if stored is not None or self._owner(record.key) is not None:
            raise StoreConflictError("the id or the key is taken")
        return self._put(record)

    async def save(self, before: RoomRecord, after: RoomRecord) -> RoomRecord:
        difference = change(before, after)
        if not difference.fields:
            return self.by_id.get(after.id, after)
        self._reached()
        stored = self.database.rooms.get(after.id)
        if stored is not None and difference.is_applied(stored):
            return self._put(stored)
        owner = self._owner(after.key)
        if stored is None or not is_expected(difference, stored) or owner not in (None, after.id):
            self._cache.put({after.id: stored})
            raise StoreConflictError("conflict: the record was modified by another process")
        return self._put(difference.onto(stored))

    async def restore(self, before: UnusableRecord, after: RoomRecord) -> RoomRecord:
        self._reached()
        stored = self.database.unusable.get(after.id)
        if stored is None or stored.damage != before.damage:
            raise StoreConflictError("conflict: the record was modified by another process")
        del self.database.unusable[after.id]
        return self._put(after)

    async def forget(self, record: RoomRecord) -> None:
        self._reached()
        stored = self.database.rooms.get(record.id)
        if stored is not None and (not stored.removed or stored.generation != record.generation):
            self._cache.put({record.id: stored})
            raise StoreConflictError("it was revived")
        self.database.rooms.pop(record.id, None)
        self._count()
        self._cache.put({record.id: None})

    async def removal_approval(self) -> RemovalApproval | None:
        self._reached()
        return self.database.approval

    async def grant_removal_approval(self, approval: RemovalApproval) -> None:
        self._reached()
        self.database.approval = approval

    async def consume_removal_approval(self) -> None:
        self._reached()
        self.database.approval = None

    async def put_hold_all(self, hold: Hold | None) -> None:
        self._reached()
        self.database.hold_all = hold
        self._cache.put_hold_all(hold)
        self._count()

    async def holder(self) -> Holder | None:
        self._reached()
        return self.database.holder

    def _put(self, record: RoomRecord) -> RoomRecord:
        self.database.rooms[record.id] = record
        self._count()
        self._cache.put({record.id: record})
        return record

    def _count(self) -> None:
        self.writes += 1
        self.database.changes += 1
        if self.changes_read == self.database.changes - 1:
            self.changes_read += 1

    def _owner(self, key: str) -> str | None:
        return next((r.id for r in self.database.rooms.values() if r.key == key), None)

    def _reached(self) -> None:
        if self.fail is not None:
            raise self.fail


class FakeRecordings:
    """RecordingStore on a FakeDatabase; `reached` raises while the database is to be away."""

    def __init__(self, database: FakeDatabase, reached: Callable[[], None]) -> None:
        self._database, self._reached = database, reached

    async def put(self, row: RecordingRow) -> None:
        self._reached()
        self._database.recordings[row.egress_id] = row

    async def unfinished(self) -> list[RecordingRow]:
        return self._in(RecordingState.RECORDING)

    async def lost(self) -> frozenset[str]:
        return frozenset(row.egress_id for row in self._in(RecordingState.LOST))

    async def find(self, room_ids: frozenset[str] | None = None) -> list[RecordingRow]:
        self._reached()
        rows = self._database.recordings.values()
        return latest_first(row for row in rows if room_ids is None or row.room_id in room_ids)

    async def find_by_names(self, names: frozenset[str]) -> list[RecordingRow]:
        return [row for row in await self.find() if names & {row.key, row.room_id, redact_key(row.key)}]

    def _in(self, state: RecordingState) -> list[RecordingRow]:
        self._reached()
        return latest_first(row for row in self._database.recordings.values() if row.state is state)


class FakeEvents:
    """EventStore on a FakeDatabase; `reached` raises while the database is to be away."""

    def __init__(self, database: FakeDatabase, reached: Callable[[], None]) -> None:
        self._database, self._reached = database, reached

    async def append(self, batch: Sequence[Event], *, pending: bool = False) -> None:
        self._reached()
        fresh = [event for event in batch if event.id not in self._database.events]
        self._database.events |= {event.id: event for event in fresh}
        self._database.pending |= {event.id for event in fresh if pending}

    async def find(
        self,
        keys: Collection[str] | None = None,
        since: datetime | None = None,
        types: Collection[str] | None = None,
        limit: int | None = None,
    ) -> list[Event]:
        self._reached()
        found = [
            event
            for event in self._database.events.values()
            if (keys is None or event.key in keys)
            and (since is None or event.at >= since)
            and (types is None or event.type in types)
        ]
        return newest_last(found)[-limit if limit is not None else 0 :]

    async def keys(self, name: str) -> frozenset[str]:
        self._reached()
        return frozenset(
            event.key
            for event in self._database.events.values()
            if event.key is not None and name in (event.key, event.room_id, redact_key(event.key))
        )

    async def pending(self, limit: int) -> list[Event]:
        self._reached()
        return newest_last([self._database.events[one] for one in self._database.pending])[:limit]

    async def mark_sent(self, ids: Collection[str]) -> None:
        self._reached()
        self._database.pending -= set(ids)

    async def drop_pending(self, before: datetime) -> int:
        self._reached()
        old = {one for one in self._database.pending if self._database.events[one].at < before}
        self._database.pending -= old
        return len(old)

    async def purge(self, before: datetime) -> int:
        self._reached()
        old = {one for one, event in self._database.events.items() if event.at < before}
        for one in old:
            del self._database.events[one]
        self._database.pending -= old
        return len(old)


class FakeRelay:
    """Relay on a FakeDatabase, which keeps all hints; `queued` are those that wait to be handed on."""

    def __init__(self, database: FakeDatabase) -> None:
        self._database = database
        self.queued: dict[ForwardedEvent, None] = {}
        self._seen: int | None = None
        self._received: list[ForwardedEvent] = []

    def enqueue(self, event: ForwardedEvent) -> None:
        self.queued[event] = None

    async def flush_forever(self) -> None:
        while True:
            self._database.hints += list(self.queued)[-MAX_QUEUED_EVENTS:]
            self.queued.clear()
            await asyncio.sleep(0)

    def pop_all(self) -> list[ForwardedEvent]:
        received, self._received = list(dict.fromkeys(self._received)), []
        return received

    def poll(self) -> None:
        """The store has read."""
        hints, seen = self._database.hints, self._seen
        if seen is not None:
            self._received += hints[seen if seen <= len(hints) else 0 :][-MAX_QUEUED_EVENTS:]
        self._seen = len(hints)


def is_expected(change: Change, stored: RoomRecord) -> bool:
    """Whether `stored` is what the writer thought it was: what `Change.query` says to MongoDB."""
    before, fields = change.before, change.fields
    compared: list[Callable[[RoomRecord], object]] = []
    if DESIRED & fields.keys():
        compared.append(lambda r: (r.generation, r.key))
    if "invite_epoch" in fields:
        compared.append(lambda r: r.invite_epoch)
    if LIVE & fields.keys():
        compared.append(lambda r: r.live and r.live.name)
    if "retired" in fields:
        compared.append(lambda r: [old.name for old in r.retired])
    if HELD & fields.keys():
        compared.append(lambda r: r.hold)
    compared += (operator.attrgetter(name) for name in ("bound", "kicked") if name in fields)
    if "recording" in fields:
        compared.append(lambda r: r.recording and (r.recording.attempt_at, r.recording.egress_id))
    if "agents" in fields:
        compared.append(lambda r: r.agents and r.agents.version)
    newest = fields["status"].observed_generation if "status" in fields else stored.status.observed_generation
    return stored.status.observed_generation <= newest and all(get(stored) == get(before) for get in compared)


class FakeReplicas:
    """Replicas on a FakeDatabase."""

    def __init__(self, database: FakeDatabase, reached: Callable[[], None]) -> None:
        self._database, self._reached = database, reached

    async def put(self, replica: Replica) -> None:
        self._reached()
        self._database.replicas[replica.id] = replica

    async def remove(self, replica_id: str) -> None:
        self._reached()
        self._database.replicas.pop(replica_id, None)

    async def all(self) -> list[Replica]:
        self._reached()
        return sorted(self._database.replicas.values(), key=lambda each: (each.started, each.id))

    async def forget_old(self, now: datetime) -> None:
        self._reached()
        kept = {i: r for i, r in self._database.replicas.items() if now - r.written <= FORGET_AFTER}
        self._database.replicas = kept
