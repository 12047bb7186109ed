"""A process that takes API calls and has no lease: what it writes is desire, and others make it so."""

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from controller.records import open_store
from controller.records.ports import RecordStore
from controller.records.record import Origin, RoomRecord
from controller.room import RoomSpec, truncate_to_millis
from tests.support.controller import Site
from tests.support.wait import until

SOON = 30.0
"""Far less than the resync of who uses this, and far more than the five seconds that callers wait for."""


class Api:
    """It writes to the records alone, and reads in them what came of it."""

    def __init__(self, store: RecordStore) -> None:
        self._store = store

    async def create(self, name: str, **fields: Any) -> RoomRecord:
        room_id, now = secrets.token_hex(12), truncate_to_millis(datetime.now(UTC))
        wanted = RoomSpec.model_validate({"name": name, "max_participants": 10, "user_id": "anna", **fields})
        await self._store.refresh()
        return await self._store.insert(
            RoomRecord(room_id, f"api/{room_id}", Origin.API, None, wanted, now, now)
        )

    async def write(self, room: RoomRecord, change: Callable[[RoomRecord], RoomRecord]) -> None:
        await self._store.refresh()
        stored = self._store.by_id[room.id]
        await self._store.save(stored, change(stored))

    async def set(self, room: RoomRecord, **fields: Any) -> None:
        wanted = RoomSpec.model_validate(room.spec.as_dict() | fields)
        await self.write(room, lambda r: r.with_spec(wanted, r.key, None, datetime.now(UTC)))

    async def remove(self, room: RoomRecord) -> None:
        await self.write(room, lambda r: r.with_api_removal(truncate_to_millis(datetime.now(UTC))))

    async def until(self, room: RoomRecord, holds: Callable[[RoomRecord], bool]) -> RoomRecord:
        """The record once it is as `holds` says, and its status is about its newest generation."""

        async def seen() -> bool:
            await self._store.refresh()
            now = self._store.by_id[room.id]
            return holds(now) and now.status.observed_generation == now.generation

        await until(seen, SOON)
        return self._store.by_id[room.id]

    async def until_live(self, room: RoomRecord) -> str:
        """Its LiveKit name, once the room is live."""
        now = await self.until(room, lambda r: r.live is not None and r.live.sid is not None)
        assert now.live is not None
        return now.live.name

    async def until_gone(self, room: RoomRecord) -> RoomRecord:
        return await self.until(room, lambda r: r.live is None)


@asynccontextmanager
async def api_of(site: Site) -> AsyncIterator[Api]:
    async with open_store(site.access) as store:
        await store.refresh()
        yield Api(store)
