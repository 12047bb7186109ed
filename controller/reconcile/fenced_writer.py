"""The actor that writes only while the lease is held (rule 4 of docs/records.md#rules)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from controller.live.egress import Egress, RecordingRequest
from controller.live.ports import LiveKitWriter
from controller.live.room import LiveRoom, Permission
from controller.records.ports import Lease

_P = ParamSpec("_P")
_T = TypeVar("_T")


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

    async def _fenced(
        self, limit: asyncio.Semaphore, call: Callable[_P, Awaitable[_T]], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        async with limit:
            self.lease.check()
            return await call(*args, **kwargs)

    async def create_room(self, name: str, metadata: str, max_participants: int) -> LiveRoom:
        return await self._fenced(self.limit, self.writer.create_room, name, metadata, max_participants)

    async def delete_room(self, name: str) -> None:
        await self._fenced(self.limit, self.writer.delete_room, name)

    async def update_metadata(self, name: str, metadata: str) -> None:
        await self._fenced(self.limit, self.writer.update_metadata, name, metadata)

    async def update_permission(
        self, name: str, identity: str, permission: Permission, attributes: Mapping[str, str] | None = None
    ) -> None:
        update = self.writer.update_permission
        await self._fenced(self.limit, update, name, identity, permission, attributes)

    async def start_recording(self, request: RecordingRequest) -> Egress:
        return await self._fenced(self.recording_limit, self.writer.start_recording, request)

    async def stop_recording(self, egress_id: str) -> None:
        await self._fenced(self.recording_limit, self.writer.stop_recording, egress_id)
