"""The records of an embedded store that does not run: until a controller starts it, away, or empty if new."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import NoReturn

from controller.errors import StoreRefusedError, StoreUnavailableError
from controller.records.embedded import embedded_uri, served_port
from controller.records.ports import ForwardedEvent, Holder, RemovalApproval, StoreIdentity
from controller.records.record import RoomRecord, UnusableRecord
from controller.records.recordings import RecordingRow
from controller.records.replicas import Replica
from controller.records.store import SCHEMA, MongoStore


class OfflineStore:
    """RoomStore for reading. It makes no folder, starts no server, and finds a `run` that starts later."""

    def __init__(self, folder: Path, store_at: Callable[[str], MongoStore], instance: str) -> None:
        self._folder, self._store_at = folder, store_at
        self._no_identity = StoreIdentity("", instance, SCHEMA, "")
        self._store: MongoStore | None = None
        self._port = 0
        self._opened = asyncio.Event()  # the news of a store that is not there yet
        self.recordings = OfflineRecordings(self)
        self.relay = NullRelay()
        self.replicas = OfflineReplicas(self)

    @property
    def by_id(self) -> Mapping[str, RoomRecord]:
        return self._store.by_id if self._store is not None else {}

    @property
    def by_key(self) -> Mapping[str, RoomRecord]:
        return self._store.by_key if self._store is not None else {}

    @property
    def unusable(self) -> Mapping[str, UnusableRecord]:
        return self._store.unusable if self._store is not None else {}

    @property
    def identity(self) -> StoreIdentity:
        return self._store.identity if self._store is not None else self._no_identity

    @property
    def secret_changed(self) -> bool:
        return self._store is not None and self._store.secret_changed

    @property
    def store(self) -> MongoStore | None:
        """The store as the last refresh found it; None while there is none."""
        return self._store

    async def refresh(self) -> bool:
        port = served_port(self._folder)
        if port is not None and port != self._port:
            previous = self.next_change()
            self._port, self._store = port, self._store_at(embedded_uri(port))
            previous.set()
        return self._nothing_yet() if self._store is None else await self._store.refresh()

    def _nothing_yet(self) -> bool:
        if (self._folder / "store").is_dir():
            raise StoreUnavailableError(
                f"the embedded store in {self._folder} is not running; it starts with `roomctl run`"
            )
        return False

    def invalidate(self) -> None:
        if self._store is not None:
            self._store.invalidate()

    async def has_remote_changes(self) -> bool:
        return self._store is not None and await self._store.has_remote_changes()

    def next_change(self) -> asyncio.Event:
        return self._opened if self._store is None else self._store.next_change()

    async def removal_approval(self) -> RemovalApproval | None:
        return None if self._store is None else await self._store.removal_approval()

    async def holder(self) -> Holder | None:
        return None if self._store is None else await self._store.holder()

    async def insert(self, record: RoomRecord) -> NoReturn:
        self._refuse(record)

    async def save(self, before: RoomRecord, after: RoomRecord) -> NoReturn:
        self._refuse(before, after)

    async def restore(self, before: UnusableRecord, after: RoomRecord) -> NoReturn:
        self._refuse(before, after)

    async def forget(self, record: RoomRecord) -> NoReturn:
        self._refuse(record)

    async def grant_removal_approval(self, approval: RemovalApproval) -> NoReturn:
        self._refuse(approval)

    async def consume_removal_approval(self) -> NoReturn:
        self._refuse()

    def _refuse(self, *_: object) -> NoReturn:
        raise StoreRefusedError("the records were opened for reading only")


class OfflineRecordings:
    """RecordingStore for reading: nothing, until a refresh has found the store."""

    def __init__(self, offline: OfflineStore) -> None:
        self._offline = offline

    async def put(self, row: RecordingRow) -> NoReturn:
        raise StoreRefusedError(f"{row.egress_id[:32]}: the records were opened for reading only")

    async def unfinished(self) -> list[RecordingRow]:
        store = self._offline.store
        return [] if store is None else await store.recordings.unfinished()

    async def lost(self) -> frozenset[str]:
        store = self._offline.store
        return frozenset() if store is None else await store.recordings.lost()

    async def find(self, room_ids: frozenset[str] | None = None) -> list[RecordingRow]:
        store = self._offline.store
        return [] if store is None else await store.recordings.find(room_ids)

    async def find_by_names(self, names: frozenset[str]) -> list[RecordingRow]:
        store = self._offline.store
        return [] if store is None else await store.recordings.find_by_names(names)


class OfflineReplicas:
    """Replicas for reading: none, until a refresh has found the store."""

    def __init__(self, offline: OfflineStore) -> None:
        self._offline = offline

    async def all(self) -> list[Replica]:
        store = self._offline.store
        return [] if store is None else await store.replicas.all()

    async def put(self, replica: Replica) -> NoReturn:
        raise StoreRefusedError(f"{replica}: the records were opened for reading only")

    async def remove(self, replica_id: str) -> NoReturn:
        raise StoreRefusedError(f"{replica_id[:32]}: the records were opened for reading only")

    async def forget_old(self, now: datetime) -> NoReturn:
        raise StoreRefusedError(f"{now}: the records were opened for reading only")


class NullRelay:
    """Relay for whoever only reads: nobody is told anything."""

    def enqueue(self, event: ForwardedEvent) -> None:
        """It is lost."""

    async def flush_forever(self) -> None:
        """Nothing was told."""

    def pop_all(self) -> list[ForwardedEvent]:
        return []
