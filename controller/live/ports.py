"""The two faces of LiveKit: one reads and one writes. What only observes is handed no way to write."""

from collections.abc import Mapping
from typing import Protocol

from controller.live.egress import Egress, RecordingRequest
from controller.live.room import LiveRoom, Participant, Permission


class LiveKitReader(Protocol):
    """Reads. Every call has a deadline and raises only LiveKitError's kinds."""

    @property
    def clock_ahead_s(self) -> float | None:
        """How far our clock is ahead of LiveKit's, in seconds; None while that is not known."""

    async def rooms(self) -> list[LiveRoom]:
        """All live rooms, ours or not: one ListRooms."""

    async def participants(self, name: str, within: float | None = None) -> list[Participant]:
        """Who is inside `name` right now; [] where the room is not live.

        Whom a crashed server left listed is marked as gone, within a minute of the crash.
        `within`: at most so many seconds, for a guest who waits (default: the deadline of every call).
        """


class EgressReader(LiveKitReader, Protocol):
    """Reads what is recorded, too."""

    async def is_connected(self, name: str, identity: str) -> bool:
        """Whether a server answers now for somebody in the room `name`; no takes some seconds."""

    async def recordings(self) -> list[Egress]:
        """All egresses that have not ended, whoever's: one ListEgress. NoEgressServiceError without Redis."""

    async def recording(self, egress_id: str) -> Egress:
        """One egress, ended or not.

        LiveKitNotFoundError where LiveKit knows it no more (24 h after its end).
        """

    async def recordings_of(self, name: str) -> list[Egress]:
        """All egresses of the live room `name` that LiveKit remembers, ended ones too."""


class LiveKitWriter(Protocol):
    """Writes. Every call has a deadline and raises only LiveKitError's kinds.

    All but Start may be repeated.
    """

    async def create_room(self, name: str, metadata: str, max_participants: int) -> LiveRoom:
        """Make the room, or get it untouched where it is live: compare the answer with what was asked."""

    async def delete_room(self, name: str) -> None:
        """Disconnect everybody and delete the room; one that is not there is done already."""

    async def update_metadata(self, name: str, metadata: str) -> None:
        """Replace the room's metadata. LiveKitNotFoundError where it is not live."""

    async def update_permission(
        self, name: str, identity: str, permission: Permission, attributes: Mapping[str, str] | None = None
    ) -> None:
        """Replace a participant's permission as a whole. LiveKitNotFoundError where they have left.

        `attributes` are set beside it, and the others stay; "" takes one away.
        """

    async def start_recording(self, request: RecordingRequest) -> Egress:
        """Start recording a room. The one call that must not be repeated blindly: each makes a recording.

        LiveKitNotFoundError (the room is not live), LiveKitRejectedError, NoEgressServiceError and
        NoEgressWorkerError: nothing was started. LiveKitUnavailableError: nobody knows, look for it by its
        path.
        """

    async def stop_recording(self, egress_id: str) -> None:
        """Ask for its end. LiveKitRejectedError where it has ended already, LiveKitNotFoundError where nobody
        knows it.

        LiveKitUnavailableError where its worker does not answer, after some seconds.
        """
