"""LiveKit over the wire: one connection, and two faces of it, one that reads and one that writes."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Final, Self, TypeVar
from urllib.parse import urlsplit

import aiohttp
from livekit.api import LiveKitAPI
from livekit.protocol.egress import ListEgressRequest, StopEgressRequest
from livekit.protocol.models import ParticipantInfo
from livekit.protocol.room import (
    CreateRoomRequest,
    DeleteRoomRequest,
    ListParticipantsRequest,
    ListRoomsRequest,
    UpdateParticipantRequest,
    UpdateRoomMetadataRequest,
)

from controller.errors import LiveKitNodeUnavailableError, LiveKitNotFoundError, LiveKitUnavailableError
from controller.live.egress import Egress, RecordingRequest
from controller.live.failures import FOREIGN, START_RECORDING, to_livekit_error
from controller.live.presence import Presence
from controller.live.room import EMPTY_TIMEOUT_SECONDS, LiveRoom, Participant, Permission
from controller.live.server_clock import ServerClock
from controller.live.wire import (
    read_egress,
    read_participant,
    read_room,
    write_permission,
    write_recording,
)

LIVEKIT_TIMEOUT_SECONDS: Final = 5.0
"""Seconds a call may take once it is on its way."""

START_TIMEOUT_SECONDS: Final = 30.0
STOP_TIMEOUT_SECONDS: Final = 10.0
"""Seconds that a recording's Start and Stop may take: LiveKit itself looks 23 and 5 s for a worker."""

MAX_CONCURRENT_WRITES: Final = 20
MAX_CONCURRENT_READS: Final = 8
MAX_CONCURRENT_GUEST_READS: Final = 4
MAX_CONCURRENT_RECORDING_CALLS: Final = 32
"""Calls in flight, in lanes: a guest's look never queues behind a thousand creations, and neither waits for
egress workers, which may be silent for half a minute."""

T = TypeVar("T")


class LiveKitConnection:
    """A session with one LiveKit server; `url` is http(s) or ws(s). Made and closed inside a running loop.

    Opening it contacts nobody: a server that is away shows at the first call.
    """

    def __init__(
        self,
        url: str,
        key: str,
        secret: str,
        *,
        deadline: float = LIVEKIT_TIMEOUT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        on_presence_change: Callable[[str], None] | None = None,
    ) -> None:
        self.address = _address(url)
        self.deadline = deadline
        self.presence = Presence(self.is_connected, clock, on_change=on_presence_change)
        self.write_limit = asyncio.Semaphore(MAX_CONCURRENT_WRITES)
        self.read_limit = asyncio.Semaphore(MAX_CONCURRENT_READS)
        self.guest_limit = asyncio.Semaphore(MAX_CONCURRENT_GUEST_READS)
        self.server_clock = ServerClock()
        self._session = aiohttp.ClientSession(
            trace_configs=[self.server_clock.trace()],
            connector=aiohttp.TCPConnector(
                limit=MAX_CONCURRENT_WRITES
                + MAX_CONCURRENT_READS
                + MAX_CONCURRENT_GUEST_READS
                + MAX_CONCURRENT_RECORDING_CALLS
            ),
            # every call has its own deadline: the library switches the session's off
            timeout=aiohttp.ClientTimeout(total=None),
        )
        self._api = LiveKitAPI(url, key, secret, session=self._session, failover=False)
        self.service = self._api.room
        self.egress = self._api.egress

    async def call(self, name: str, answer: Awaitable[T], within: float | None = None) -> T:
        """Await LiveKit's `answer` to the call `name` for at most `within` seconds (default: the deadline).

        Raises LiveKitError's kinds and nothing else.
        """
        try:
            async with asyncio.timeout(self.deadline if within is None else within):
                return await answer
        except FOREIGN as error:
            failure = to_livekit_error(error, self.address, name)
            if isinstance(failure, LiveKitUnavailableError) and not isinstance(
                failure, LiveKitNodeUnavailableError
            ):
                self.presence.invalidate()
            raise failure from None

    async def is_connected(self, room: str, identity: str) -> bool:
        """Whether a server answers for somebody. A list may be Redis's, an answer to an update is not."""
        request = UpdateParticipantRequest(room=room, identity=identity)
        try:
            await self.call("UpdateParticipant", self.service.update_participant(request))
        except (LiveKitNotFoundError, LiveKitNodeUnavailableError):
            return False
        return True

    async def close(self) -> None:
        await self.presence.close()
        await self._session.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _address(url: str) -> str:
    """host:port, and nothing else of `url`: what errors and logs may name."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme in ("https", "wss") else 80)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class ApiReader:
    """Reads: a LiveKitReader."""

    def __init__(self, connection: LiveKitConnection) -> None:
        self._connection = connection
        self._seen: dict[str, LiveRoom] = {}
        self._recorded: dict[str, Egress] = {}

    async def rooms(self) -> list[LiveRoom]:
        """All live rooms; one that has not changed since the last call is the same object again."""
        connection = self._connection
        async with connection.read_limit:
            answer = await connection.call("ListRooms", connection.service.list_rooms(ListRoomsRequest()))
        before = self._seen
        self._seen = {room.name: read_room(room, before.get(room.name)) for room in answer.rooms}
        return list(self._seen.values())

    @property
    def clock_ahead_s(self) -> float | None:
        return self._connection.server_clock.ahead_s

    async def participants(self, name: str, within: float | None = None) -> list[Participant]:
        """Who is inside `name`; [] where it is not live. Who is gone is marked.

        `within` is for a caller that cannot wait: seconds for everything, the wait for a free slot
        included, and a lane of its own.
        """
        if within is None:
            async with self._connection.read_limit:
                return await self._participants(name, None)
        try:
            async with asyncio.timeout(within), self._connection.guest_limit:
                return await self._participants(name, within)
        except TimeoutError as error:
            raise to_livekit_error(error, self._connection.address, "ListParticipants") from None

    async def _participants(self, name: str, within: float | None) -> list[Participant]:
        request = ListParticipantsRequest(room=name)
        answer = self._connection.service.list_participants(request)
        try:
            listed = (await self._connection.call("ListParticipants", answer, within)).participants
        except LiveKitNotFoundError:
            return []
        people = [read_participant(info) for info in listed if info.state != ParticipantInfo.DISCONNECTED]
        return self._connection.presence.mark_gone(name, people)

    async def is_connected(self, name: str, identity: str) -> bool:
        """Whether a server answers for somebody. No takes 3 s, for which no other read is kept waiting."""
        return await self._connection.is_connected(name, identity)

    async def recordings(self) -> list[Egress]:
        """All egresses that have not ended; one that has not changed since last time is the same object."""
        before = self._recorded
        listed = await self._egresses(ListEgressRequest(active=True))
        same = (before.get(egress.id) for egress in listed)
        egresses = [old if old == new else new for old, new in zip(same, listed, strict=True)]
        self._recorded = {egress.id: egress for egress in egresses}
        return egresses

    async def recording(self, egress_id: str) -> Egress:
        """One egress, ended or not. LiveKitNotFoundError where LiveKit knows it no more."""
        egresses = await self._egresses(ListEgressRequest(egress_id=egress_id))
        if not egresses:
            raise LiveKitNotFoundError(
                f"LiveKit at {self._connection.address} knows no such egress (ListEgress)"
            )
        return egresses[0]

    async def recordings_of(self, name: str) -> list[Egress]:
        """All egresses of a live room that LiveKit remembers."""
        return await self._egresses(ListEgressRequest(room_name=name))

    async def _egresses(self, request: ListEgressRequest) -> list[Egress]:
        connection = self._connection
        async with connection.read_limit:
            answer = await connection.call("ListEgress", connection.egress.list_egress(request))
        return [read_egress(info) for info in answer.items]


class ApiWriter:
    """Writes: a LiveKitWriter."""

    def __init__(self, connection: LiveKitConnection) -> None:
        self._connection = connection

    async def create_room(self, name: str, metadata: str, max_participants: int) -> LiveRoom:
        """Make the room, to stay when it is empty; one that is live is answered as it is."""
        request = CreateRoomRequest(
            name=name,
            metadata=metadata,
            max_participants=max_participants,
            empty_timeout=EMPTY_TIMEOUT_SECONDS,
            departure_timeout=EMPTY_TIMEOUT_SECONDS,
        )
        connection = self._connection
        async with connection.write_limit:
            room = await connection.call("CreateRoom", connection.service.create_room(request))
        if room.name != name or not room.sid:
            raise LiveKitUnavailableError(f"what answers at {connection.address} is not LiveKit (CreateRoom)")
        return read_room(room)

    async def delete_room(self, name: str) -> None:
        """Disconnect everybody and delete the room; one that is not there is done already.

        With Redis a room whose server was restarted stays listed, and nobody can delete it until a server has
        it again, which CreateRoom brings about.
        """
        async with self._connection.write_limit:
            try:
                await self._delete(name)
            except LiveKitNotFoundError:
                return
            except LiveKitNodeUnavailableError:
                service = self._connection.service
                await self._connection.call("CreateRoom", service.create_room(CreateRoomRequest(name=name)))
                await self._delete(name)

    async def _delete(self, name: str) -> None:
        answer = self._connection.service.delete_room(DeleteRoomRequest(room=name))
        await self._connection.call("DeleteRoom", answer)

    async def update_metadata(self, name: str, metadata: str) -> None:
        """Replace the room's metadata, "" clears it. LiveKitNotFoundError where it is not live."""
        connection = self._connection
        async with connection.write_limit:
            request = UpdateRoomMetadataRequest(room=name, metadata=metadata)
            await connection.call("UpdateRoomMetadata", connection.service.update_room_metadata(request))

    async def update_permission(
        self, name: str, identity: str, permission: Permission, attributes: Mapping[str, str] | None = None
    ) -> None:
        """Replace a participant's permission as a whole. LiveKitNotFoundError where they have left.

        `attributes` are set beside it, and the others stay; "" takes one away.
        """
        request = UpdateParticipantRequest(
            room=name, identity=identity, permission=write_permission(permission), attributes=attributes
        )
        connection = self._connection
        async with connection.write_limit:
            await connection.call("UpdateParticipant", connection.service.update_participant(request))

    async def start_recording(self, request: RecordingRequest) -> Egress:
        """Start recording a room; never repeated by the client."""
        connection = self._connection
        answer = connection.egress.start_room_composite_egress(write_recording(request))
        info = await connection.call(START_RECORDING, answer, START_TIMEOUT_SECONDS)
        if not info.egress_id:
            raise LiveKitUnavailableError(
                f"what answers at {connection.address} is not LiveKit ({START_RECORDING})"
            )
        return read_egress(info)

    async def stop_recording(self, egress_id: str) -> None:
        """Ask for its end."""
        connection = self._connection
        answer = connection.egress.stop_egress(StopEgressRequest(egress_id=egress_id))
        await connection.call("StopEgress", answer, STOP_TIMEOUT_SECONDS)
