"""Joins a room as a guest: both public calls, then a join on the server. For `deploy/quickstart --check`.

    python deploy/demo/guest.py http://127.0.0.1:8080 ROOM_ID [recorded]

With LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET it lists who is inside. With `recorded` the guest
stays until LiveKit lists a recording of the room. Exits with 0, or 1 and the reason.
Run by the environment that roomctl is installed in.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any, Final

import aiohttp
from livekit.protocol.models import DisconnectReason
from livekit.protocol.rtc import LeaveRequest, SignalRequest, SignalResponse

from controller.connect import connection
from controller.errors import RoomctlError
from controller.live.client import ApiReader
from controller.live.egress import EgressStatus
from controller.settings import SettingGroup, Settings, check_settings

WITHIN: Final = aiohttp.ClientTimeout(total=10)
LISTED_SECONDS: Final = 5.0
RECORDED_SECONDS: Final = 30.0
"""LiveKit searches for a worker for up to 23 s."""

WHO: Final = "quickstart-guest"


class GuestRefusedError(Exception):
    """The guest could not join; the message is the reason."""


async def join_as_guest(helpers: str, room_id: str, settings: Settings, *, recorded: bool) -> None:
    async with aiohttp.ClientSession(timeout=WITHIN) as session:
        room = await _ask(session, f"{helpers}/api/conferences-public/findLKRoomNameById", {"id": room_id})
        name = room["LKRoomName"]
        print_info(f"findLKRoomNameById: the room is {name}")
        wish = {"room_id": room_id, "LKRoomName": name, "participant_id": WHO}
        granted = await _ask(session, f"{helpers}/api/conferences-public/createToken", wish)
        print_info(f"createToken: a token for {WHO}")
        await _open_page(session, f"{helpers}/join/{room_id}")
        await _join(session, settings, name, granted["participant_token"], recorded=recorded)


async def _ask(session: aiohttp.ClientSession, url: str, body: dict[str, str]) -> dict[str, Any]:
    async with session.post(url, json=body) as answer:
        content: dict[str, Any] = await answer.json()
    if answer.status != HTTPStatus.OK or content.get("success") is not True:
        raise GuestRefusedError(f"{url.rsplit('/', 1)[-1]} answered {answer.status}: {content.get('error')}")
    return content


async def _open_page(session: aiohttp.ClientSession, url: str) -> None:
    async with session.get(url) as answer:
        if answer.status != HTTPStatus.OK:
            raise GuestRefusedError(f"the join page answered {answer.status}")
    print_info("/join: the page is there")


async def _join(
    session: aiohttp.ClientSession, settings: Settings, name: str, token: str, *, recorded: bool
) -> None:
    """Join as a browser does, find ourselves in LiveKit's list, and leave."""
    query = {"access_token": token, "protocol": "16", "sdk": "python", "auto_subscribe": "0"}
    try:
        socket = await session.ws_connect(f"{settings.livekit_public_url}/rtc", params=query)
    except aiohttp.WSServerHandshakeError as error:
        raise GuestRefusedError(f"LiveKit refused the token with {error.status}") from None
    async with socket:
        joined = SignalResponse.FromString(await socket.receive_bytes(timeout=10)).join
        if joined.participant.identity != WHO or joined.room.name != name:
            raise GuestRefusedError("LiveKit answered the join with something else than the room")
        await _see_inside(settings, name)
        if recorded:
            async with _listening(socket):
                await _see_recorded(settings, name)
        leave = SignalRequest(leave=LeaveRequest(reason=DisconnectReason.CLIENT_INITIATED))
        await socket.send_bytes(leave.SerializeToString())


async def _see_inside(settings: Settings, name: str) -> None:
    """Wait until LiveKit lists the guest, which is shortly after it has answered the join."""
    try:
        async with connection(settings) as opened, asyncio.timeout(LISTED_SECONDS):
            await _listed(opened.reader(), name)
    except TimeoutError:
        raise GuestRefusedError(f"LiveKit does not list {WHO} in the room") from None
    print_info(f"joined: LiveKit lists {WHO} in the room")


async def _listed(reader: ApiReader, name: str) -> None:
    while True:
        if WHO in {participant.identity for participant in await reader.participants(name)}:
            return
        await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def _listening(socket: aiohttp.ClientWebSocketResponse) -> AsyncIterator[None]:
    """Keep reading: LiveKit disconnects a client that does not answer pings."""

    async def listen() -> None:
        async for _ in socket:
            pass

    task = asyncio.create_task(listen())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _see_recorded(settings: Settings, name: str) -> None:
    """Stay until LiveKit lists a running egress of the room."""
    try:
        async with connection(settings) as opened, asyncio.timeout(RECORDED_SECONDS):
            await _recorded(opened.reader(), name)
    except TimeoutError:
        late = f"the room is not recorded, {RECORDED_SECONDS:.0f} s after somebody came"
        raise GuestRefusedError(f"{late}; is an egress worker there, and free?") from None
    print_info("recorded: LiveKit lists an egress of the room")


async def _recorded(reader: ApiReader, name: str) -> None:
    while True:
        listed = await reader.recordings()
        if any((one.room, one.status) == (name, EgressStatus.ACTIVE) for one in listed):
            return
        await asyncio.sleep(0.5)


def print_info(text: str) -> None:
    print(f"ok  {text}", flush=True)  # noqa: T201


def main() -> int:
    helpers, room_id, *wishes = sys.argv[1:]
    settings, problems = check_settings({}, os.environ, SettingGroup.LIVEKIT)
    if problems:
        return print_error("; ".join(problems.values()))
    try:
        asyncio.run(join_as_guest(helpers, room_id, settings, recorded=wishes == ["recorded"]))
    except (GuestRefusedError, RoomctlError) as error:
        return print_error(str(error))
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return print_error(f"no answer: {type(error).__name__}")  # its text may contain the token
    return 0


def print_error(reason: str) -> int:
    print(reason, file=sys.stderr)  # noqa: T201
    return 1


if __name__ == "__main__":
    sys.exit(main())
