"""The interfaces of LiveKit: a reader and a writer. A part that only observes gets no writer."""

from collections.abc import Mapping
from typing import Protocol

from controller.live.egress import Egress, RecordingRequest
from controller.live.room import EMPTY_TIMEOUT_SECONDS, Dispatch, LiveRoom, Participant, Permission


class RoomReader(Protocol):
    """Reads rooms and who is inside. Every call has a deadline and raises only LiveKitError's kinds."""

    async def rooms(self) -> list[LiveRoom]:
        """All live rooms, ours or not: one ListRooms."""

    async def participants(self, name: str, within: float | None = None) -> list[Participant]:
        """The participants in `name` now; [] if the room is not live.

        Those whom a crashed server left listed are marked as gone, within a minute of the crash.
        `within`: the deadline in seconds, for a guest who waits (default: the deadline of every call).
        """


class LiveKitReader(RoomReader, Protocol):
    """Also compares the clocks, and reads one room."""

    @property
    def clock_ahead_s(self) -> float | None:
        """How far our clock is ahead of LiveKit's, in seconds; None while unknown."""

    async def is_listed(self, name: str) -> bool:
        """Whether the room `name` is live now: one ListRooms of that name."""


class EgressReader(LiveKitReader, Protocol):
    """Also reads recordings."""

    async def is_connected(self, name: str, identity: str) -> bool:
        """Whether a server has this participant of the room `name` now; False takes some seconds."""

    async def recordings(self) -> list[Egress]:
        """All unended egresses, ours or not: one ListEgress. NoEgressServiceError without Redis."""

    async def recording(self, egress_id: str) -> Egress:
        """One egress, ended or not.

        LiveKitNotFoundError if LiveKit no longer knows it (24 h after its end).
        """

    async def recordings_of(self, name: str) -> list[Egress]:
        """All egresses of the live room `name` that LiveKit remembers, ended ones too."""


class CompanionReader(EgressReader, Protocol):
    """Also reads which agents were called."""

    async def dispatches(self, name: str) -> list[Dispatch]:
        """The calls of agents in the live room `name`.

        LiveKitNodeUnavailableError, after three seconds, if it is not live.
        """


class LiveKitWriter(Protocol):
    """Writes. Every call has a deadline and raises only LiveKitError's kinds.

    All but Start and the call of an agent may be repeated.
    """

    async def create_room(
        self,
        name: str,
        metadata: str,
        max_participants: int,
        empty_timeout: int = EMPTY_TIMEOUT_SECONDS,
        *,
        calls_agents: bool = False,
    ) -> LiveRoom:
        """Create the room, or return it unchanged if it is live: compare the result with the request.

        `empty_timeout`: after how many seconds LiveKit closes it while nobody is inside. `calls_agents`:
        LiveKit sends no agent by itself into a room that is created.
        """

    async def delete_room(self, name: str) -> None:
        """Disconnect everybody and delete the room; a missing room is not an error."""

    async def update_metadata(self, name: str, metadata: str) -> None:
        """Replace the room's metadata. LiveKitNotFoundError if it is not live."""

    async def update_permission(
        self, name: str, identity: str, permission: Permission, attributes: Mapping[str, str] | None = None
    ) -> None:
        """Replace a participant's permission as a whole. LiveKitNotFoundError if they have left.

        `attributes` are set too, others stay; "" removes one.
        """

    async def remove_participant(self, name: str, identity: str) -> None:
        """Disconnect a participant; a valid token lets them back in.

        LiveKitNotFoundError if they have left.
        """

    async def start_recording(self, request: RecordingRequest) -> Egress:
        """Start recording a room. Do not repeat it without a check: each call starts a recording.

        LiveKitNotFoundError (the room is not live), LiveKitRejectedError, NoEgressServiceError and
        NoEgressWorkerError: nothing was started. LiveKitUnavailableError: unknown, search for it by its
        path.
        """

    async def stop_recording(self, egress_id: str) -> None:
        """Request its end. LiveKitRejectedError if it has already ended, LiveKitNotFoundError if it is
        unknown.

        LiveKitUnavailableError, after some seconds, if its worker does not respond.
        """

    async def call_agent(self, name: str, agent: str, metadata: str) -> None:
        """Have a worker send the agent into the live room `name`. Each call brings one more.

        LiveKitNodeUnavailableError, after three seconds, if the room is not live. An agent of that name that
        no worker has is no error.
        """

    async def delete_dispatch(self, name: str, dispatch_id: str) -> None:
        """Take back the call of an agent, and put it out. One that is unknown is no error."""
