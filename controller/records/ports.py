"""The interfaces of the records: a port for each purpose, so that each part shows what it uses."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from controller.records.events import EventStore
from controller.records.record import Hold, RoomRecord, UnusableRecord
from controller.records.recordings import RecordingStore
from controller.records.replicas import Replica


@dataclass(frozen=True, slots=True)
class StoreAccess:
    """Which records are opened, by which instance and verb, and for what.

    `uri` is MongoDB's, '' for the embedded server in `data_dir`. `fingerprint` shows a change of
    ROOMCTL_SECRET; it is '' if the verb does not know the secret. `read_only` creates nothing: no database,
    no index, no `data_dir`. If `starts` is False, only a `run` starts the embedded server. `embedded`: the
    `uri` is the embedded server's.
    """

    uri: str = field(repr=False)
    database: str
    data_dir: Path
    instance: str
    fingerprint: str = ""
    verb: str = "run"
    read_only: bool = False
    starts: bool = True
    embedded: bool = False


@dataclass(frozen=True, slots=True)
class StoreIdentity:
    """The identity of the database: `store` is its random id (written into live rooms' metadata)."""

    store: str
    instance: str
    schema: int
    secret_fingerprint: str


@dataclass(frozen=True, slots=True)
class RemovalApproval:
    """Permission to remove these rooms although a guard blocks it; valid once, until `expires`."""

    keys: frozenset[str]
    expires: datetime


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds, or last held, the lease; `renewed` by the holder's wall clock, `verb` is run or apply."""

    id: str
    host: str
    pid: int
    verb: str
    renewed: datetime
    released: bool = False

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Holder":
        """The holder in the lease's document; values of another type are read as unknown."""
        return cls(
            id=str(document.get("holder")),
            host=str(document.get("host")),
            pid=int(document.get("pid", 0)),
            verb=str(document.get("verb")),
            renewed=document["renewed"],
            released=bool(document.get("released")),
        )

    def __str__(self) -> str:
        return f"`roomctl {self.verb}`, pid {self.pid} on {self.host}"


@dataclass(frozen=True, slots=True)
class ForwardedEvent:
    """What one replica forwards of a webhook: what may need work, and nothing about people."""

    event: str
    room: str
    sid: str
    kind: str


class Relay(Protocol):
    """Forwards webhooks from replicas on standby to the holder of the lease, through the database.

    Any may be lost; the next resync then finds what it was about.
    """

    def enqueue(self, event: ForwardedEvent) -> None:
        """Queue it. Does not wait and never fails; equal events in the queue are forwarded once."""

    async def flush_forever(self) -> None:
        """Write the entries in batches until cancelled. An unavailable database is not an error."""

    def pop_all(self) -> list[ForwardedEvent]:
        """What any replica forwarded and `has_remote_changes` has read; each is returned once.

        Excludes all that was forwarded before the first call of `has_remote_changes`.
        """


class Records(Protocol):
    """The records as this process knows them, tombstones included. They are read from memory.

    Each mapping is of one moment: when a record changes, the whole mapping is replaced.
    """

    @property
    def by_id(self) -> Mapping[str, RoomRecord]: ...

    @property
    def by_key(self) -> Mapping[str, RoomRecord]: ...

    @property
    def by_live(self) -> Mapping[str, RoomRecord]:
        """The records with a live room, by its current LiveKit name."""

    @property
    def unusable(self) -> Mapping[str, UnusableRecord]:
        """The records that this release must not act on, by id; `by_id` keeps their last good version."""

    @property
    def hold_all(self) -> Hold | None:
        """The hold on all rooms, over or not, as of the last refresh."""


class StoredRecords(Records, Protocol):
    """The records, and the identity of their database."""

    @property
    def identity(self) -> StoreIdentity:
        """`store` is '' before the first refresh, and for an empty database that was opened for reading."""

    @property
    def secret_changed(self) -> bool:
        """Whether the database was made with another ROOMCTL_SECRET."""


class RecordReader(StoredRecords, Protocol):
    """Reads what others wrote. Raises only StoreError's kinds, as all the ports below."""

    @property
    def changes_read(self) -> int:
        """The number of the last change that the memory accounts for: each batch of writes raises it."""

    async def refresh(self) -> bool:
        """Read what others wrote (primary, majority); True if anything changed.

        A full read at the first call and after another's write, otherwise one small read.
        """

    def invalidate(self) -> None:
        """Make the next refresh a full read: a writer may have died half way."""

    def next_change(self) -> asyncio.Event:
        """Set when the records in memory are replaced. Get it before you read them."""


class RecordWriter(StoredRecords, Protocol):
    """Changes rooms.

    Writes of concurrent callers are sent together (group commit), are acknowledged by a majority with
    journal, and are in `by_id` before the caller goes on. After a lost reply the record is read.
    """

    async def insert(self, record: RoomRecord) -> RoomRecord:
        """A new record. StoreConflictError if its id or its key is taken (a lost reply is not a conflict)."""

    async def save(self, before: RoomRecord, after: RoomRecord) -> RoomRecord:
        """Write what differs between the two. StoreConflictError if another writer was faster.

        The desired half is compared on `generation` (and key), the live half on `live.name`; a status
        older than the stored one (`observed_generation`) is refused. If nothing differs, nothing is sent.
        The other half of the result may be newer than `after`'s.
        """

    async def restore(self, before: UnusableRecord, after: RoomRecord) -> RoomRecord:
        """Write a damaged record again. StoreConflictError if its damage is no longer the same.

        Readable fields that this release does not know stay in the document.
        """

    async def forget(self, record: RoomRecord) -> None:
        """Delete a tombstone; one that was revived meanwhile stays (StoreConflictError)."""


class RecordStore(RecordReader, RecordWriter, Protocol):
    """Reads and changes rooms."""


class Replicas(Protocol):
    """What each `run` on these records reports. Read and written each time, not kept in memory."""

    async def put(self, replica: Replica) -> None:
        """Write its document in place of the previous one."""

    async def all(self) -> list[Replica]:
        """All replicas, the oldest first; one that was killed stays for an hour."""

    async def remove(self, replica_id: str) -> None: ...

    async def forget_old(self, now: datetime) -> None:
        """Delete the documents of replicas that were killed an hour ago."""


class HeldRecords(RecordReader, Protocol):
    """The records, and which controller acts on them."""

    async def holder(self) -> Holder | None:
        """Who holds or last held the lease, read now."""

    @property
    def replicas(self) -> Replicas: ...


class Holds(Protocol):
    """The hold on all rooms."""

    async def put_hold_all(self, hold: Hold | None) -> None:
        """Hold changes of all rooms, also of later ones; None: no longer. Others see it as any write."""


class RemovalApprovals(Protocol):
    """Permissions to remove rooms although a guard blocks it."""

    async def removal_approval(self) -> RemovalApproval | None: ...

    async def grant_removal_approval(self, approval: RemovalApproval) -> None: ...

    async def consume_removal_approval(self) -> None: ...


class StoredEvents(StoredRecords, Protocol):
    """The events, and the identity of their database."""

    @property
    def events(self) -> EventStore:
        """The events, in a collection of their own; read and written each time, not kept in memory."""


class RoomStore(RecordStore, HeldRecords, Holds, RemovalApprovals, StoredEvents, Protocol):
    """All of these ports on one database."""

    async def has_remote_changes(self) -> bool:
        """Whether another wrote since the last refresh: one small read, made to be called often.

        It also reads what was forwarded, which `relay` then returns.
        """

    @property
    def relay(self) -> Relay:
        """What replicas on these records forward to each other."""

    @property
    def recordings(self) -> RecordingStore:
        """The recordings, in a collection of their own; read and written each time, not kept in memory."""


class Lease(Protocol):
    """The right to write to LiveKit. Held only while renewals succeed; `lost`: another took it."""

    lost: asyncio.Event

    @property
    def held(self) -> bool:
        """Whether writing is allowed now: the last renewal is under 8 s old by our monotonic clock."""

    def check(self) -> None:
        """LeaseLostError if it is not held."""

    async def acquire(self, wait: float | None) -> None:
        """Take it when it is free, ours by folder, or its number has not changed for 12 s.

        LeaseHeldError after `wait` seconds, or at once if the number changes: its holder runs. None: wait
        without limit.
        """

    async def release(self) -> None: ...

    async def give_up(self) -> None:
        """Release it for another to take, and set `lost`: it is requested again as if it had been lost."""
