"""The records of an embedded store that does not run: until a controller starts it, away, or empty if new."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

from controller.errors import StoreAway, StoreRefused
from controller.records.embedded import embedded_uri, served_port
from controller.records.ports import Holder, RelayedHint, RemovalLeave, StoreIdentity
from controller.records.record import RoomRecord
from controller.records.recordings import RecordingRow
from controller.records.store import SCHEMA, MongoStore


class LateStore:
    """RoomStore for reading. It makes no folder, starts no server, and finds a `run` that starts later."""

    def __init__(self, folder: Path, store_at: Callable[[str], MongoStore], instance: str) -> None:
        self._folder, self._store_at = folder, store_at
        self._nobody = StoreIdentity("", instance, SCHEMA, "")
        self._store: MongoStore | None = None
        self._port = 0
        self._come = asyncio.Event()  # the news of a store that is not there yet
        self.recordings = LateRecordings(self)
        self.relay = NoRelay()

    @property
    def by_id(self) -> Mapping[str, RoomRecord]:
        return self._store.by_id if self._store is not None else {}

    @property
    def by_key(self) -> Mapping[str, RoomRecord]:
        return self._store.by_key if self._store is not None else {}

    @property
    def damaged(self) -> Mapping[str, str]:
        return self._store.damaged if self._store is not None else {}

    @property
    def identity(self) -> StoreIdentity:
        return self._store.identity if self._store is not None else self._nobody

    @property
    def secret_changed(self) -> bool:
        return self._store is not None and self._store.secret_changed

    @property
    def found(self) -> MongoStore | None:
        """The store as the last refresh found it; None while there is none."""
        return self._store

    async def refresh(self) -> bool:
        port = served_port(self._folder)
        if port is not None and port != self._port:
            told = self.news()
            self._port, self._store = port, self._store_at(embedded_uri(port))
            told.set()
        return self._nothing_yet() if self._store is None else await self._store.refresh()

    def _nothing_yet(self) -> bool:
        if (self._folder / "store").is_dir():
            raise StoreAway(f"no controller runs the embedded store in {self._folder}")
        return False

    def reread(self) -> None:
        if self._store is not None:
            self._store.reread()

    async def moved(self) -> bool:
        return self._store is not None and await self._store.moved()

    def news(self) -> asyncio.Event:
        return self._come if self._store is None else self._store.news()

    async def removal_leave(self) -> RemovalLeave | None:
        return None if self._store is None else await self._store.removal_leave()

    async def holder(self) -> Holder | None:
        return None if self._store is None else await self._store.holder()

    async def insert(self, record: RoomRecord) -> NoReturn:
        self._refuse(record)

    async def save(self, before: RoomRecord, after: RoomRecord) -> NoReturn:
        self._refuse(before, after)

    async def forget(self, record: RoomRecord) -> NoReturn:
        self._refuse(record)

    async def grant_removal_leave(self, leave: RemovalLeave) -> NoReturn:
        self._refuse(leave)

    async def spend_removal_leave(self) -> NoReturn:
        self._refuse()

    def _refuse(self, *_: object) -> NoReturn:
        raise StoreRefused("the records were opened for reading only")


class LateRecordings:
    """RecordingStore for reading: nothing, until a refresh has found the store."""

    def __init__(self, late: LateStore) -> None:
        self._late = late

    async def put(self, row: RecordingRow) -> NoReturn:
        raise StoreRefused(f"{row.egress_id[:32]}: the records were opened for reading only")

    async def unsettled(self) -> list[RecordingRow]:
        store = self._late.found
        return [] if store is None else await store.recordings.unsettled()

    async def lost(self) -> frozenset[str]:
        store = self._late.found
        return frozenset() if store is None else await store.recordings.lost()

    async def find(self, room_ids: frozenset[str] | None = None) -> list[RecordingRow]:
        store = self._late.found
        return [] if store is None else await store.recordings.find(room_ids)

    async def called(self, names: frozenset[str]) -> list[RecordingRow]:
        store = self._late.found
        return [] if store is None else await store.recordings.called(names)


class NoRelay:
    """Relay for whoever only reads: nobody is told anything."""

    def tell(self, hint: RelayedHint) -> None:
        """It is lost."""

    async def hand_on(self) -> None:
        """Nothing was told."""

    def take(self) -> list[RelayedHint]:
        return []
