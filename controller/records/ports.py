"""What others may ask of the records: a port for each purpose, so that parts show what they use."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from controller.records.events import EventStore
from controller.records.record import RoomRecord, UnusableRecord
from controller.records.recordings import RecordingStore
from controller.records.replicas import Replica


@dataclass(frozen=True, slots=True)
class StoreAccess:
    """Which records are opened, by whom, and for what.

    `uri` is MongoDB's, '' for the embedded server in `data_dir`. By `fingerprint` a change of ROOMCTL_SECRET
    is noticed; it is '' where the verb does not know the secret. `read_only` changes nothing at all: no
    database, no index, no `data_dir`. `starts` False leaves the start of the embedded server to a `run`.
    `embedded`: it is the embedded server's `uri`.
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
    """Whose database this is: `store` is its random id (written into live rooms' metadata)."""

    store: str
    instance: str
    schema: int
    secret_fingerprint: str


@dataclass(frozen=True, slots=True)
class RemovalApproval:
    """Leave to remove these rooms although a guard would refuse; good once, until `expires`."""

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
        """The holder in the lease's document; what a stranger wrote there reads as unknown."""
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
    """A webhook's hint as one replica hands it on to another: all that may mean work, nothing of people."""

    event: str
    room: str
    sid: str
    kind: str


class Relay(Protocol):
    """Hints on their way from replicas that stand by to the holder of the lease, through the database.

    Any may be lost, and costs a resync then.
    """

    def enqueue(self, event: ForwardedEvent) -> None:
        """Have it handed on. Waits for nothing and never fails; equal ones that wait are handed on once."""
        ...

    async def flush_forever(self) -> None:
        """Write the entries in batches until cancelled. An unavailable database is no error."""
        ...

    def pop_all(self) -> list[ForwardedEvent]:
        """What was handed on, by whomever, as far as `has_remote_changes` has read it; each is
        given once.

        Nothing that was handed on before `has_remote_changes` was first asked.
        """
        ...


class Records(Protocol):
    """The records as this process knows them, tombstones included. Reading costs nothing.

    Each mapping is of one moment: where a record changes it is replaced as a whole.
    """

    @property
    def by_id(self) -> Mapping[str, RoomRecord]: ...

    @property
    def by_key(self) -> Mapping[str, RoomRecord]: ...

    @property
    def unusable(self) -> Mapping[str, UnusableRecord]:
        """The records that this release must not act on, by id; a damaged one's last good stays above."""
        ...


class StoredRecords(Records, Protocol):
    """The records, and whose database they are in."""

    @property
    def identity(self) -> StoreIdentity:
        """`store` is '' before the first refresh, and on an empty database that was opened for reading."""
        ...

    @property
    def secret_changed(self) -> bool:
        """Whether the database was made under another ROOMCTL_SECRET."""
        ...


class RecordReader(StoredRecords, Protocol):
    """Takes in what others wrote. Raises only StoreError's kinds, as all the ports below."""

    async def refresh(self) -> bool:
        """Take in what others wrote (primary, majority); True where anything changed.

        One small read while nobody else has written; a full read at the first call and after that.
        """
        ...

    def invalidate(self) -> None:
        """Trust nothing in memory: the next refresh is a full read. A writer may have died half way."""
        ...

    def next_change(self) -> asyncio.Event:
        """Set once the records in memory are no longer those of now; ask for it before looking at them."""
        ...


class RecordWriter(StoredRecords, Protocol):
    """Changes rooms.

    Writes of concurrent callers travel together (group commit), are acknowledged by a majority with
    journal, and stand in `by_id` before the caller goes on. A reply that was lost is settled by reading.
    """

    async def insert(self, record: RoomRecord) -> RoomRecord:
        """A new record. StoreConflictError where its id or its key is taken (a lost reply is no conflict)."""
        ...

    async def save(self, before: RoomRecord, after: RoomRecord) -> RoomRecord:
        """Write what differs between the two. StoreConflictError where another writer was faster.

        The desired half is compared on `generation` (and key), the live half on `live.name`; a status
        older than the stored one (`observed_generation`) is refused. Nothing differs: nothing is sent.
        The answer's other half may be newer than `after`'s.
        """
        ...

    async def restore(self, before: UnusableRecord, after: RoomRecord) -> RoomRecord:
        """Write a damaged record again. StoreConflict where it is not damaged any more as it was seen.

        What can be read of it and is not this release's stays in its document.
        """
        ...

    async def forget(self, record: RoomRecord) -> None:
        """Drop a tombstone for good; one that was revived meanwhile stays (StoreConflictError)."""
        ...


class RecordStore(RecordReader, RecordWriter, Protocol):
    """Reads and changes rooms."""


class Replicas(Protocol):
    """What each `run` on these records says of itself. Read and written each time, not kept in memory."""

    async def put(self, replica: Replica) -> None:
        """Its document, in the place of the one before."""
        ...

    async def all(self) -> list[Replica]:
        """All of them, the oldest first; one that was killed stays for an hour."""
        ...

    async def remove(self, replica_id: str) -> None: ...

    async def forget_old(self, now: datetime) -> None:
        """Drop the documents of replicas that were killed an hour ago."""
        ...


class HeldRecords(RecordReader, Protocol):
    """The records, and which controller acts on them."""

    async def holder(self) -> Holder | None:
        """Who holds or last held the lease, read now."""
        ...

    @property
    def replicas(self) -> Replicas: ...


class RemovalApprovals(Protocol):
    """Leave to remove rooms although a guard would refuse."""

    async def removal_approval(self) -> RemovalApproval | None: ...

    async def grant_removal_approval(self, approval: RemovalApproval) -> None: ...

    async def consume_removal_approval(self) -> None: ...


class StoredEvents(StoredRecords, Protocol):
    """What was done, and whose database it is in."""

    @property
    def events(self) -> EventStore:
        """The events, in a collection of their own; read and written each time, not kept in memory."""
        ...


class RoomStore(RecordStore, HeldRecords, RemovalApprovals, StoredEvents, Protocol):
    """All of it on one database, as it is opened."""

    async def has_remote_changes(self) -> bool:
        """Whether another wrote since the last refresh: one small read, for asking often.

        It brings along what was handed on, for `relay` to give.
        """
        ...

    @property
    def relay(self) -> Relay:
        """What replicas on these records tell each other."""
        ...

    @property
    def recordings(self) -> RecordingStore:
        """The recordings, in a collection of their own; read and written each time, not kept in memory."""
        ...


class Lease(Protocol):
    """The right to write to LiveKit. Held only while renewals succeed; `lost` is set when another took it."""

    lost: asyncio.Event

    @property
    def held(self) -> bool:
        """Whether writing is allowed now: the last renewal is under 8 s old by our monotonic clock."""
        ...

    def check(self) -> None:
        """LeaseLostError where it is not held."""
        ...

    async def acquire(self, wait: float | None) -> None:
        """Take it when it is free, ours by folder, or its number stood still for 12 s.

        LeaseHeldError after `wait` seconds, or at once when the number moves: its holder lives. None: for
        ever.
        """
        ...

    async def release(self) -> None: ...

    async def give_up(self) -> None:
        """Release it for another to take, and set `lost`: it is asked for again as if it had been lost."""
        ...
