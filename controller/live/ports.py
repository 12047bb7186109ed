"""The two faces of LiveKit: one reads and one writes. What only observes is handed no way to write."""

from collections.abc import Mapping
from typing import Protocol

from controller.live.room import LiveRoom, Participant, Permission


class LiveObserver(Protocol):
    """Reads. Every call has a deadline and raises only LiveError's kinds."""

    async def rooms(self) -> list[LiveRoom]:
        """All live rooms, ours or not: one ListRooms."""
        ...

    async def participants(self, name: str, within: float | None = None) -> list[Participant]:
        """Who is inside `name` right now; [] where the room is not live.

        `within`: at most so many seconds, for a guest who waits (default: the deadline of every call).
        """
        ...


class LiveActor(Protocol):
    """Writes. Every call has a deadline, raises only LiveError's kinds, and may be repeated."""

    async def create_room(self, name: str, metadata: str, max_participants: int) -> LiveRoom:
        """Make the room, or get it untouched where it is live: compare the answer with what was asked."""
        ...

    async def delete_room(self, name: str) -> None:
        """Disconnect everybody and delete the room; one that is not there is done already."""
        ...

    async def update_metadata(self, name: str, metadata: str) -> None:
        """Replace the room's metadata. LiveNotFound where it is not live."""
        ...

    async def update_permission(
        self, name: str, identity: str, permission: Permission, attributes: Mapping[str, str] | None = None
    ) -> None:
        """Replace a participant's permission as a whole. LiveNotFound where they have left.

        `attributes` are set beside it, and the others stay; "" takes one away.
        """
        ...
