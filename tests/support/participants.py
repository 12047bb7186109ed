"""People in rooms: canaries that cost almost nothing, and guests with real media."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import cache
from http import HTTPStatus
from typing import Any, Final, Protocol

import aiohttp
from livekit import rtc
from livekit.api import AccessToken, VideoGrants
from livekit.protocol.models import DisconnectReason, ParticipantPermission
from livekit.protocol.rtc import (
    LeaveRequest,
    SignalRequest,
    SignalResponse,
    UpdateParticipantMetadata,
)
from livekit.rtc._ffi_client import FfiClient, ffi_event_callback

CLOSED: Final = "CLOSED"
DROPPED: Final = "JOIN_FAILURE"
"""The reason for somebody who has brought no media for a minute."""


class Server(Protocol):
    """What is needed of a livekit-server to walk in."""

    key: str
    secret: str

    @property
    def ws_url(self) -> str: ...


def token(
    server: Server, room: str, identity: str, *, attributes: Mapping[str, str] | None = None, **grants: Any
) -> str:
    """A join token as LiveKit's own library mints it; `grants` are fields of VideoGrants."""
    minted = AccessToken(server.key, server.secret).with_identity(identity)
    minted = minted.with_grants(VideoGrants(**{"room_join": True, "room": room, **grants}))
    return minted.with_attributes(dict(attributes or {})).to_jwt()


class JoinRefusedError(Exception):
    """The server let nobody in; `status` is that of its HTTP answer, 101 where it hung up after it."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(f"the server refused the join with {status}")


class Canary:
    """Somebody inside who notices everything: a raw signalling connection without media.

    LiveKit lists it at once, and drops it after 60 s without media. `left` is done when it is out, with
    the reason (`ROOM_DELETED`, `PARTICIPANT_REMOVED`, `CLOSED` without one); `metadata` and `permission`
    are the last ones it was told.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._told = asyncio.Condition()
        self.left: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.identity = ""
        self._answered = False
        self.metadata = ""
        self.permission = ParticipantPermission()
        self._history: list[tuple[str, ParticipantPermission]] = []

    @property
    def inside(self) -> bool:
        return not self.left.done()

    @property
    def undisturbed(self) -> bool:
        """Whether nobody has put it out; that LiveKit drops it in the end is its own doing."""
        return self.inside or self.left.result() == DROPPED

    async def until_metadata(self, wanted: str) -> None:
        """Return when the room's metadata is `wanted`, as this participant was told."""
        await self._until(lambda: self.metadata == wanted)

    async def until_permission(self, **wanted: Any) -> None:
        """Return when each field of its own permission is as `wanted`."""
        await self._until(
            lambda: all(getattr(self.permission, field) == value for field, value in wanted.items())
        )

    async def was_told(self, metadata: str | None = None, **permission: Any) -> None:
        """Return when it was ever told of such a state, though it may have passed since."""

        def is_told() -> bool:
            return any(
                metadata in (None, then)
                and all(getattr(may, field) == permission[field] for field in permission)
                for then, may in self._history
            )

        await self._until(is_told)

    async def _until(self, holds: Callable[[], bool]) -> None:
        """Who is out is told nothing more: that ends the wait, too."""
        async with self._told:
            await self._told.wait_for(lambda: holds() or not self.inside)
        assert holds(), f"{self.identity} is out ({self.left.result()}) and was told {self._history[-1:]}"

    async def listen(self) -> None:
        """Take in what the server says until it says goodbye, or hangs up."""
        reason = CLOSED
        async for frame in self._socket:
            if frame.type is aiohttp.WSMsgType.BINARY:
                message = SignalResponse.FromString(frame.data)
                if message.WhichOneof("message") == "leave":
                    reason = DisconnectReason.Name(message.leave.reason)
                    break
                async with self._told:
                    self._take_in(message)
                    self._history.append((self.metadata, self.permission))
                    self._told.notify_all()
        async with self._told:
            if not self.left.done():
                self.left.set_result(reason)
            self._told.notify_all()

    def _take_in(self, message: SignalResponse) -> None:
        match message.WhichOneof("message"):
            case "join":
                self.identity = message.join.participant.identity
                self.permission = message.join.participant.permission
                self.metadata = message.join.room.metadata
            case "request_response":
                self._answered = True
            case "room_update":
                self.metadata = message.room_update.room.metadata
            case "update":
                for participant in message.update.participants:
                    if participant.identity == self.identity:
                        self.permission = participant.permission
            case _:
                pass

    async def joined(self) -> None:
        """Return when it is inside, and listed. Raises JoinRefusedError where the server hangs up instead.

        LiveKit says that somebody is inside before it lists them, and takes their requests only after. So it
        is asked for a change that is none.
        """
        nothing = SignalRequest(update_metadata=UpdateParticipantMetadata(request_id=1))
        with suppress(ConnectionError):
            await self._socket.send_bytes(nothing.SerializeToString())
        async with self._told:
            await self._told.wait_for(lambda: self._answered or not self.inside)
        if not self._answered:
            raise JoinRefusedError(HTTPStatus.SWITCHING_PROTOCOLS)

    async def leave(self) -> None:
        """Go as a closed tab does not: the server forgets it at once."""
        if self.inside and not self._socket.closed:
            request = SignalRequest(leave=LeaveRequest(reason=DisconnectReason.CLIENT_INITIATED))
            await self._socket.send_bytes(request.SerializeToString())


@asynccontextmanager
async def canary(ws_url: str, join_token: str) -> AsyncIterator[Canary]:
    """A canary that is inside; it leaves at the end. Raises JoinRefusedError."""
    async with aiohttp.ClientSession() as session:
        query = {"access_token": join_token, "protocol": "16", "sdk": "python", "auto_subscribe": "0"}
        try:
            socket = await session.ws_connect(f"{ws_url}/rtc", params=query)
        except aiohttp.WSServerHandshakeError as error:
            raise JoinRefusedError(error.status) from None
        bird = Canary(socket)
        listening = asyncio.create_task(bird.listen())
        try:
            await bird.joined()
            yield bird
        finally:
            with suppress(ConnectionError):
                await bird.leave()
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            await socket.close()


class Guest:
    """A real participant with LiveKit's client: publishes, receives, notices being thrown out."""

    def __init__(self) -> None:
        self.room = rtc.Room()
        self.left: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._heard: asyncio.Queue[bytes] = asyncio.Queue()
        self._tracks: asyncio.Queue[rtc.RemoteTrackPublication] = asyncio.Queue()
        self._ended: asyncio.Queue[rtc.RemoteTrackPublication] = asyncio.Queue()
        self.room.on("data_received", lambda packet: self._heard.put_nowait(packet.data))
        self.room.on("track_published", lambda track, _: self._tracks.put_nowait(track))
        self.room.on("track_unpublished", lambda track, _: self._ended.put_nowait(track))
        self.room.on("disconnected", self._out)

    def _out(self, reason: int) -> None:
        if not self.left.done():
            self.left.set_result(DisconnectReason.Name(DisconnectReason.ValueType(reason)))

    async def until(self, **wanted: Any) -> None:
        """Return when each field of its own permission is as `wanted`."""
        changed = asyncio.Event()
        self.room.on("participant_permissions_changed", lambda *_: changed.set())
        while any(
            getattr(self.room.local_participant.permissions, field) != value
            for field, value in wanted.items()
        ):
            changed.clear()
            await changed.wait()

    async def say(self, data: bytes) -> None:
        """Send a chat packet. One who may not send is told nothing: assert on the receiver."""
        await self.room.local_participant.publish_data(data)

    async def hear(self) -> bytes:
        """The next packet of somebody else."""
        return await self._heard.get()

    async def see(self) -> rtc.RemoteTrackPublication:
        """The next track that somebody else publishes."""
        return await self._tracks.get()

    async def see_end(self) -> rtc.RemoteTrackPublication:
        """The next track of somebody else that ends."""
        return await self._ended.get()

    async def show_camera(
        self, called: rtc.TrackSource.ValueType = rtc.TrackSource.SOURCE_CAMERA
    ) -> rtc.LocalTrackPublication:
        """Publish one grey frame as a camera; `called` is the source it claims to be."""
        source = rtc.VideoSource(64, 48)
        track = rtc.LocalVideoTrack.create_video_track("camera", source)
        options = rtc.TrackPublishOptions(source=called)
        published = await self.room.local_participant.publish_track(track, options)
        grey = bytes([128]) * (64 * 48 * 4)
        source.capture_frame(rtc.VideoFrame(64, 48, rtc.VideoBufferType.RGBA, grey))
        return published

    async def open_microphone(
        self, called: rtc.TrackSource.ValueType = rtc.TrackSource.SOURCE_MICROPHONE
    ) -> rtc.LocalTrackPublication:
        """Publish silence as a microphone; `called` is the source it claims to be."""
        track = rtc.LocalAudioTrack.create_audio_track("microphone", rtc.AudioSource(48_000, 1))
        options = rtc.TrackPublishOptions(source=called)
        return await self.room.local_participant.publish_track(track, options)


@asynccontextmanager
async def guest(ws_url: str, join_token: str) -> AsyncIterator[Guest]:
    """A guest who is inside with media connected; leaves at the end."""
    _keep_the_clients_log_to_itself()
    someone = Guest()
    connecting = asyncio.ensure_future(someone.room.connect(ws_url, join_token))
    try:
        await asyncio.shield(connecting)
        yield someone
    finally:
        await asyncio.wait([connecting])  # one that is called off has its client end this process
        await someone.room.disconnect()


@cache
def _keep_the_clients_log_to_itself() -> None:
    """It calls Python for each line, a thousand at a join and some whenever a room is collected.

    A thread of its own does, and Python ends that thread where the interpreter ends meanwhile: unwinding
    through Rust aborts the process ("panic in a function that cannot unwind").
    """
    version = rtc.__version__.encode()
    FfiClient.instance._ffi_lib.livekit_ffi_initialize(ffi_event_callback, False, b"python", version)
