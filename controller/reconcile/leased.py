"""The actor that writes only while the lease is held (architecture, rule 4)."""

from dataclasses import dataclass

from controller.live.ports import LiveActor
from controller.live.room import LiveRoom, Permission
from controller.records.ports import Lease


@dataclass(frozen=True, slots=True)
class Leased:
    """A LiveActor; every call raises LeaseLost instead where the lease is not held."""

    actor: LiveActor
    lease: Lease

    async def create_room(self, name: str, metadata: str, max_participants: int) -> LiveRoom:
        self.lease.check()
        return await self.actor.create_room(name, metadata, max_participants)

    async def delete_room(self, name: str) -> None:
        self.lease.check()
        await self.actor.delete_room(name)

    async def update_metadata(self, name: str, metadata: str) -> None:
        self.lease.check()
        await self.actor.update_metadata(name, metadata)

    async def update_permission(self, name: str, identity: str, permission: Permission) -> None:
        self.lease.check()
        await self.actor.update_permission(name, identity, permission)
