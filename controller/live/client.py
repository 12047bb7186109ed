"""Calls to LiveKit: one connection, a reader and a writer on it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, TypeAlias, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

import aiohttp
from livekit.api import AccessToken, LiveKitAPI, VideoGrants
from livekit.protocol.agent_dispatch import (
    AgentDispatch,
    CreateAgentDispatchRequest,
    DeleteAgentDispatchRequest,
    RoomAgentDispatch,
)
from livekit.protocol.egress import ListEgressRequest, StopEgressRequest
from livekit.protocol.models import ParticipantInfo
from livekit.protocol.room import (
    CreateRoomRequest,
    DeleteRoomRequest,
    ListParticipantsRequest,
    ListRoomsRequest,
    RoomParticipantIdentity,
    UpdateParticipantRequest,
    UpdateRoomMetadataRequest,
)

from controller.agents import NO_AGENT
from controller.errors import LiveKitNodeUnavailableError, LiveKitNotFoundError, LiveKitUnavailableError
from controller.live.egress import Egress, RecordingRequest
from controller.live.failures import FOREIGN, START_RECORDING, to_livekit_error
from controller.live.presence import Presence
from controller.live.room import EMPTY_TIMEOUT_SECONDS, Dispatch, LiveRoom, Participant, Permission
from controller.live.server_clock import ServerClock
from controller.live.wire import (
    read_dispatch,
    read_egress,
    read_participant,
    read_room,
    write_permission,
    write_recording,
)

LIVEKIT_TIMEOUT_SECONDS: Final = 5.0
"""Seconds a call may take after it was sent."""

START_TIMEOUT_SECONDS: Final = 30.0
STOP_TIMEOUT_SECONDS: Final = 10.0
"""Seconds for Start and Stop of a recording: LiveKit searches 23 and 5 s for a worker."""

MAX_CONCURRENT_WRITES: Final = 20
MAX_CONCURRENT_READS: Final = 8
MAX_CONCURRENT_GUEST_READS: Final = 4
MAX_CONCURRENT_AGENT_CALLS: Final = 8
MAX_CONCURRENT_COMPANION_CALLS: Final = 32
"""Concurrent calls per kind: a guest's read never waits for a thousand creations, and neither waits for
egress workers, which may take half a minute to respond."""

_AUTO_CREATES: Final[Mapping[int, bool]] = {HTTPStatus.OK: True, HTTPStatus.NOT_FOUND: False}
"""Shows whether LiveKit creates rooms, by its answer to a request to join a missing one."""

_NO_AGENTS: Final = (RoomAgentDispatch(agent_name=NO_AGENT),)
"""LiveKit sends agents by itself into a new room, unless it is created with some."""

T = TypeVar("T")
R = TypeVar("R")
Method: TypeAlias = Callable[[R], Awaitable[T]]
"""A method of LiveKit's client; its name is the name of the call."""


@dataclass(frozen=True, slots=True)
class LiveKitAccess:
    """Where a LiveKit server is (`url` is http(s) or ws(s)), our API key, and the seconds a call may take."""

    url: str
    key: str
    secret: str = field(repr=False)
    deadline: float = LIVEKIT_TIMEOUT_SECONDS


class LiveKitConnection(AbstractAsyncContextManager["LiveKitConnection"]):
    """A session with one LiveKit server. Made and closed inside a running loop.

    Opening it does not connect: an unavailable server fails the first call.
    """

    def __init__(
        self,
        access: LiveKitAccess,
        *,
        clock: Callable[[], float] = time.monotonic,
        on_presence_change: Callable[[str], None] | None = None,
        on_unavailable: Callable[[], None] = lambda: None,
    ) -> None:
        self._on_unavailable = on_unavailable
        self._access, self.address = access, _address(access.url)
        self.presence = Presence(self.is_connected, clock, on_change=on_presence_change)
        self.write_limit = asyncio.Semaphore(MAX_CONCURRENT_WRITES)
        self.read_limit = asyncio.Semaphore(MAX_CONCURRENT_READS)
        self.guest_limit = asyncio.Semaphore(MAX_CONCURRENT_GUEST_READS)
        self.agent_limit = asyncio.Semaphore(MAX_CONCURRENT_AGENT_CALLS)
        self.server_clock = ServerClock()
        self._session = aiohttp.ClientSession(
            trace_configs=[self.server_clock.trace()],
            connector=aiohttp.TCPConnector(
                limit=MAX_CONCURRENT_WRITES
                + MAX_CONCURRENT_READS
                + MAX_CONCURRENT_GUEST_READS
                + 2 * MAX_CONCURRENT_COMPANION_CALLS
                + MAX_CONCURRENT_AGENT_CALLS
            ),
            # every call has its own deadline; the library disables the session's
            timeout=aiohttp.ClientTimeout(total=None),
        )
        self._api = LiveKitAPI(access.url, access.key, access.secret, session=self._session, failover=False)
        self.service = self._api.room
        self.egress = self._api.egress
        self.agents = self._api.agent_dispatch

    async def read(self, method: Method[R, T], request: R) -> T:
        async with self.read_limit:
            return await self.call(method, request)

    async def write(self, method: Method[R, T], request: R) -> T:
        async with self.write_limit:
            return await self.call(method, request)

    async def call(self, method: Method[R, T], request: R, within: float | None = None) -> T:
        """LiveKit's answer to `request`, for at most `within` seconds (default: the deadline).

        Raises LiveKitError's kinds and nothing else.
        """
        name = method.__name__.title().replace("_", "")  # LiveKit's name of the call
        try:
            async with asyncio.timeout(self._access.deadline if within is None else within):
                return await method(request)
        except FOREIGN as error:
            failure = to_livekit_error(error, self.address, name)
            if isinstance(failure, LiveKitUnavailableError) and not isinstance(
                failure, LiveKitNodeUnavailableError
            ):
                self.presence.invalidate()
                self._on_unavailable()
            raise failure from None

    async def delete_dispatch(self, request: DeleteAgentDispatchRequest) -> AgentDispatch:
        """As a method of LiveKit's client for `call`."""
        return await self.agents.delete_dispatch(request.dispatch_id, request.room)

    async def is_connected(self, room: str, identity: str) -> bool:
        """Whether a server has the participant. A list may be Redis's, the answer to an update is not."""
        request = UpdateParticipantRequest(room=room, identity=identity)
        try:
            await self.call(self.service.update_participant, request)
        except (LiveKitNotFoundError, LiveKitNodeUnavailableError):
            return False
        return True

    async def auto_creates(self) -> bool | None:
        """Whether LiveKit creates a missing room when a participant joins; None: unknown."""
        access, grants = self._access, VideoGrants(room_join=True, room=f"roomctl-{uuid4()}")
        token = AccessToken(access.key, access.secret).with_identity("roomctl").with_grants(grants).to_jwt()
        url = f"{access.url}/rtc/validate"
        try:
            async with (
                asyncio.timeout(access.deadline),
                self._session.get(url, params={"access_token": token}) as answer,
            ):
                return _AUTO_CREATES.get(answer.status)
        except FOREIGN:
            return None

    def reader(self) -> "ApiReader":
        """A reader on this connection."""
        return ApiReader(self)

    async def close(self) -> None:
        await self.presence.close()
        await self._session.close()

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _address(url: str) -> str:
    """Only host:port of `url`: errors and logs may show it."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme in ("https", "wss") else 80)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class ApiReader:
    """EgressReader; the port says what each call does. Unchanged data is returned as the same object."""

    def __init__(self, connection: LiveKitConnection) -> None:
        self._connection = connection
        self._seen: dict[str, LiveRoom] = {}
        self._recorded: dict[str, Egress] = {}

    async def rooms(self) -> list[LiveRoom]:
        answer = await self._connection.read(self._connection.service.list_rooms, ListRoomsRequest())
        self._seen = {room.name: read_room(room, self._seen.get(room.name)) for room in answer.rooms}
        return list(self._seen.values())

    async def is_listed(self, name: str) -> bool:
        request = ListRoomsRequest(names=[name])
        answer = await self._connection.read(self._connection.service.list_rooms, request)
        return bool(answer.rooms)

    @property
    def clock_ahead_s(self) -> float | None:
        return self._connection.server_clock.ahead_s

    async def participants(self, name: str, within: float | None = None) -> list[Participant]:
        """As the port says; `within` includes the wait for a free slot of its kind."""
        if within is None:
            async with self._connection.read_limit:
                return await self._participants(name, None)
        try:
            async with asyncio.timeout(within), self._connection.guest_limit:
                return await self._participants(name, within)
        except TimeoutError as error:
            raise to_livekit_error(error, self._connection.address, "ListParticipants") from None

    async def _participants(self, name: str, within: float | None) -> list[Participant]:
        connection, request = self._connection, ListParticipantsRequest(room=name)
        try:
            answer = await connection.call(connection.service.list_participants, request, within)
        except LiveKitNotFoundError:
            return []
        listed = (info for info in answer.participants if info.state != ParticipantInfo.DISCONNECTED)
        return connection.presence.mark_gone(name, [read_participant(info) for info in listed])

    async def is_connected(self, name: str, identity: str) -> bool:
        """As the port says. False takes 3 s, during which other reads do not wait."""
        return await self._connection.is_connected(name, identity)

    async def recordings(self) -> list[Egress]:
        before = self._recorded
        listed = await self._egresses(ListEgressRequest(active=True))
        same = (before.get(egress.id) for egress in listed)
        egresses = [old if old == new else new for old, new in zip(same, listed, strict=True)]
        self._recorded = {egress.id: egress for egress in egresses}
        return egresses

    async def recording(self, egress_id: str) -> Egress:
        egresses = await self._egresses(ListEgressRequest(egress_id=egress_id))
        if not egresses:
            raise LiveKitNotFoundError(
                f"LiveKit at {self._connection.address} knows no such egress (ListEgress)"
            )
        return egresses[0]

    async def recordings_of(self, name: str) -> list[Egress]:
        return await self._egresses(ListEgressRequest(room_name=name))

    async def dispatches(self, name: str) -> list[Dispatch]:
        """As the port says, in a lane of its own: a room that is missing takes LiveKit three seconds."""
        async with self._connection.agent_limit:
            listed = await self._connection.call(self._connection.agents.list_dispatch, name)
        return [read_dispatch(each) for each in listed]

    async def _egresses(self, request: ListEgressRequest) -> list[Egress]:
        answer = await self._connection.read(self._connection.egress.list_egress, request)
        return [read_egress(info) for info in answer.items]


class ApiWriter:
    """LiveKitWriter; the port says what each call does."""

    def __init__(self, connection: LiveKitConnection) -> None:
        self._connection = connection
        self._service, self._egress = connection.service, connection.egress

    async def create_room(
        self,
        name: str,
        metadata: str,
        max_participants: int,
        empty_timeout: int = EMPTY_TIMEOUT_SECONDS,
        *,
        calls_agents: bool = False,
    ) -> LiveRoom:
        request = CreateRoomRequest(
            name=name,
            metadata=metadata,
            max_participants=max_participants,
            empty_timeout=empty_timeout,
            departure_timeout=empty_timeout,
            agents=_NO_AGENTS if calls_agents else (),
        )
        room = await self._connection.write(self._service.create_room, request)
        if room.name != name or not room.sid:
            raise self._no_livekit("CreateRoom")
        return read_room(room)

    async def delete_room(self, name: str) -> None:
        """As the port says.

        With Redis a room whose server was restarted stays listed, and cannot be deleted until a server has it
        again, which CreateRoom achieves.
        """
        call, request = self._connection.call, DeleteRoomRequest(room=name)
        async with self._connection.write_limit:
            try:
                await call(self._service.delete_room, request)
            except LiveKitNotFoundError:
                return
            except LiveKitNodeUnavailableError:
                await call(self._service.create_room, CreateRoomRequest(name=name, agents=_NO_AGENTS))
                await call(self._service.delete_room, request)

    async def update_metadata(self, name: str, metadata: str) -> None:
        """As the port says; "" clears it."""
        request = UpdateRoomMetadataRequest(room=name, metadata=metadata)
        await self._connection.write(self._service.update_room_metadata, request)

    async def update_permission(
        self, name: str, identity: str, permission: Permission, attributes: Mapping[str, str] | None = None
    ) -> None:
        request = UpdateParticipantRequest(
            room=name, identity=identity, permission=write_permission(permission), attributes=attributes
        )
        await self._connection.write(self._service.update_participant, request)

    async def remove_participant(self, name: str, identity: str) -> None:
        request = RoomParticipantIdentity(room=name, identity=identity)
        await self._connection.write(self._service.remove_participant, request)

    async def start_recording(self, request: RecordingRequest) -> Egress:
        start = self._egress.start_room_composite_egress
        info = await self._connection.call(start, write_recording(request), START_TIMEOUT_SECONDS)
        if not info.egress_id:
            raise self._no_livekit(START_RECORDING)
        return read_egress(info)

    async def stop_recording(self, egress_id: str) -> None:
        request = StopEgressRequest(egress_id=egress_id)
        await self._connection.call(self._egress.stop_egress, request, STOP_TIMEOUT_SECONDS)

    async def call_agent(self, name: str, agent: str, metadata: str) -> None:
        request = CreateAgentDispatchRequest(room=name, agent_name=agent, metadata=metadata)
        await self._connection.call(self._connection.agents.create_dispatch, request)

    async def delete_dispatch(self, name: str, dispatch_id: str) -> None:
        request = DeleteAgentDispatchRequest(room=name, dispatch_id=dispatch_id)
        with suppress(LiveKitNotFoundError):
            await self._connection.call(self._connection.delete_dispatch, request)

    def _no_livekit(self, call: str) -> LiveKitUnavailableError:
        return LiveKitUnavailableError(f"what answers at {self._connection.address} is not LiveKit ({call})")
