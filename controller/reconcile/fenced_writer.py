"""The actor that writes only while the lease is held (rule 4 of docs/records.md#rules)."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from controller.live.egress import Egress, RecordingRequest
from controller.live.ports import LiveKitWriter
from controller.live.room import LiveRoom, Permission
from controller.records.ports import Lease


@dataclass(frozen=True, slots=True)
class FencedWriter:
    """A LiveKitWriter; every call raises LeaseLostError instead where the lease is not held.

    Calls queue in `limit`, those for recordings in `recording_limit`, and the lease is looked at when their
    turn has come: while LiveKit hangs a thousand may wait for minutes, and another controller may be at work
    by then.
    """

    writer: LiveKitWriter
    lease: Lease
    limit: asyncio.Semaphore
    recording_limit: asyncio.Semaphore

    @asynccontextmanager
    async def _lease_checked(self, limit: asyncio.Semaphore | None = None) -> AsyncIterator[None]:
        async with limit or self.limit:
            self.lease.check()
            yield

    async def create_room(self, name: str, metadata: str, max_participants: int) -> LiveRoom:
        async with self._lease_checked():
            return await self.writer.create_room(name, metadata, max_participants)

    async def delete_room(self, name: str) -> None:
        async with self._lease_checked():
            await self.writer.delete_room(name)

    async def update_metadata(self, name: str, metadata: str) -> None:
        async with self._lease_checked():
            await self.writer.update_metadata(name, metadata)

    async def update_permission(
        self, name: str, identity: str, permission: Permission, attributes: Mapping[str, str] | None = None
    ) -> None:
        async with self._lease_checked():
            await self.writer.update_permission(name, identity, permission, attributes)

    async def start_recording(self, request: RecordingRequest) -> Egress:
        async with self._lease_checked(self.recording_limit):
            return await self.writer.start_recording(request)

    async def stop_recording(self, egress_id: str) -> None:
        async with self._lease_checked(self.recording_limit):
            await self.writer.stop_recording(egress_id)
