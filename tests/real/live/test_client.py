"""The client on bad days: each failure is of one kind, in time, and tells no secret."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from livekit.protocol.room import CreateRoomRequest

from controller.errors import LiveKitAuthError, LiveKitError, LiveKitUnavailableError
from controller.live.client import (
    MAX_CONCURRENT_GUEST_READS,
    MAX_CONCURRENT_READS,
    MAX_CONCURRENT_WRITES,
    ApiReader,
    ApiWriter,
    LiveKitAccess,
    LiveKitConnection,
)
from controller.live.room import Permission
from tests.support.livekit import KEY, SECRET, LiveKitServer
from tests.support.participants import canary, token
from tests.support.ports import free_ports
from tests.support.proxy import Fate, Message, Proxy, drop, hold, http, reset
from tests.support.wait import PATIENCE, until

Call = Callable[[LiveKitConnection], Awaitable[object]]

CALLS: dict[str, Call] = {
    "ListRooms": lambda c: ApiReader(c).rooms(),
    "ListParticipants": lambda c: ApiReader(c).participants("room"),
    "CreateRoom": lambda c: ApiWriter(c).create_room("room", "", 5),
    "DeleteRoom": lambda c: ApiWriter(c).delete_room("room"),
    "UpdateRoomMetadata": lambda c: ApiWriter(c).update_metadata("room", "x"),
    "UpdateParticipant": lambda c: ApiWriter(c).update_permission("room", "ada", Permission()),
}


@pytest.fixture
async def proxy(livekit: LiveKitServer) -> AsyncIterator[Proxy]:
    async with Proxy(livekit.port, http) as between:
        yield between


async def failure(
    url: str, name: str, *, key: str = KEY, secret: str = SECRET, deadline: float = 30
) -> LiveKitError:
    """How the call `name` fails; only where nobody answers is it the deadline that ends it."""
    async with LiveKitConnection(LiveKitAccess(url, key, secret, deadline=deadline)) as connection:
        with pytest.raises(LiveKitError) as failed:
            await CALLS[name](connection)
        assert secret not in str(failed.value)
        assert failed.value.__cause__ is None
        assert failed.value.__suppress_context__
        return failed.value


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    ("key", "secret"), [("nobody", SECRET), (KEY, "a-wrong-secret-of-32-characters-and-more")]
)
async def test_wrong_credentials_are_denied(livekit: LiveKitServer, name: str, key: str, secret: str) -> None:
    denied = await failure(livekit.url, name, key=key, secret=secret)
    assert type(denied) is LiveKitAuthError
    assert f"127.0.0.1:{livekit.port}" in str(denied)
    assert "LIVEKIT_API_SECRET" in str(denied)


@pytest.mark.parametrize("name", CALLS)
async def test_a_server_that_is_down_is_away(name: str) -> None:
    (port,) = free_ports(1)
    away = await failure(f"http://127.0.0.1:{port}", name)
    assert type(away) is LiveKitUnavailableError
    assert f"127.0.0.1:{port}" in str(away)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("side", ["request", "reply"])
async def test_a_black_hole_and_a_link_of_one_way_are_away(proxy: Proxy, name: str, side: str) -> None:
    setattr(proxy, side, drop)
    away = await failure(proxy.url, name, deadline=0.1)
    assert type(away) is LiveKitUnavailableError
    assert "did not respond in time" in str(away)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("side", ["request", "reply"])
async def test_a_link_that_breaks_is_away(proxy: Proxy, name: str, side: str) -> None:
    setattr(proxy, side, reset)
    away = await failure(proxy.url, name)
    assert type(away) is LiveKitUnavailableError
    assert "closed the connection" in str(away)


async def test_a_frozen_server_is_away_within_the_deadline_and_back_when_it_thaws(tmp_path: Path) -> None:
    """What was given up may be carried out all the same, when it thaws: so another room is looked at."""
    async with (
        LiveKitServer(tmp_path) as server,
        LiveKitConnection(replace(server.access, deadline=0.1)) as hasty,
        LiveKitConnection(server.access) as connection,
    ):
        await ApiReader(connection).rooms()
        server.pause()
        for call in CALLS.values():
            with pytest.raises(LiveKitUnavailableError, match="did not respond in time"):
                await call(hasty)
        with pytest.raises(LiveKitUnavailableError, match="did not respond in time"):
            await ApiReader(connection).participants("room", within=0.05)
        server.resume()
        thawed = await ApiWriter(connection).create_room("another", "", 5)
        assert thawed in await ApiReader(connection).rooms()


async def test_a_restarted_server_is_met_again_without_a_new_connection(tmp_path: Path) -> None:
    async with (
        LiveKitServer(tmp_path) as server,
        LiveKitConnection(server.access) as connection,
    ):
        reader, writer = ApiReader(connection), ApiWriter(connection)
        await writer.create_room("room", "", 5)
        server.kill()
        with pytest.raises(LiveKitUnavailableError):
            await reader.rooms()
        await server.start()
        assert await reader.rooms() == []


async def test_something_else_at_the_address_is_no_empty_livekit(proxy: Proxy) -> None:
    """A proxy's 404 page must not read as 'this room is gone, nobody is inside'."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\nConnection: close\r\n\r\nnot here\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as other:
        proxy.target = other.sockets[0].getsockname()[1]
        for name in CALLS:
            away = await failure(proxy.url, name)
            assert type(away) is LiveKitUnavailableError
            assert "not LiveKit" in str(away)


@pytest.mark.parametrize("scheme", ["http", "ws"])
async def test_http_and_ws_are_the_same(livekit: LiveKitServer, scheme: str) -> None:
    access = replace(livekit.access, url=f"{scheme}://127.0.0.1:{livekit.port}/")
    async with LiveKitConnection(access) as connection:
        await ApiReader(connection).rooms()


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://user:pass@livekit.test/base?x=y", "livekit.test:443"),
        ("wss://livekit.test:7443", "livekit.test:7443"),
        ("ws://livekit.test", "livekit.test:80"),
        ("http://[::1]:7880", "[::1]:7880"),
    ],
)
async def test_the_address_is_host_and_port_and_nothing_else(url: str, address: str) -> None:
    async with LiveKitConnection(LiveKitAccess(url, "key", SECRET)) as connection:
        assert connection.address == address


async def test_calls_in_flight_are_bounded_in_lanes(proxy: Proxy, livekit: LiveKitServer) -> None:
    """Forty of each kind: never more than 32 at once, and a guest's look passes by the writes."""
    released, on_the_way, most = asyncio.Event(), 0, 0
    held = hold(released)

    async def counted(message: Message) -> Fate:
        nonlocal on_the_way, most
        on_the_way += 1
        most = max(most, on_the_way)
        fate = await held(message)
        on_the_way -= 1
        return fate

    proxy.request = counted
    async with LiveKitConnection(replace(livekit.access, url=proxy.url, deadline=PATIENCE)) as connection:
        reader, writer = ApiReader(connection), ApiWriter(connection)
        names = [str(uuid.uuid4()) for _ in range(40)]
        calls = [asyncio.create_task(writer.create_room(name, "", 5)) for name in names]
        looks = [asyncio.create_task(reader.participants(name)) for name in names]
        guests = [asyncio.create_task(reader.participants(name, within=PATIENCE)) for name in names]
        async with asyncio.timeout(PATIENCE):
            await proxy.until(MAX_CONCURRENT_WRITES + MAX_CONCURRENT_READS + MAX_CONCURRENT_GUEST_READS)
        assert on_the_way == most == 32
        released.set()
        await asyncio.gather(*calls, *looks, *guests)
        assert most == 32
        assert proxy.count == 120
        await asyncio.gather(*(writer.delete_room(name) for name in names))


async def test_a_guest_who_finds_no_free_slot_in_time_is_told_so(
    proxy: Proxy, livekit: LiveKitServer
) -> None:
    released = asyncio.Event()
    proxy.request = hold(released)
    async with LiveKitConnection(replace(livekit.access, url=proxy.url)) as connection:
        reader = ApiReader(connection)
        first = [
            asyncio.create_task(reader.participants("room", within=PATIENCE))
            for _ in range(MAX_CONCURRENT_GUEST_READS)
        ]
        async with asyncio.timeout(PATIENCE):
            await proxy.until(MAX_CONCURRENT_GUEST_READS)
        with pytest.raises(LiveKitUnavailableError, match="in time"):
            await reader.participants("room", within=0.05)
        released.set()
        assert await asyncio.gather(*first) == [[]] * MAX_CONCURRENT_GUEST_READS


async def test_people_inside_are_told_of_metadata_permission_and_the_end(
    livekit: LiveKitServer, writer: ApiWriter
) -> None:
    name = str(uuid.uuid4())
    await writer.create_room(name, "first", 5)
    async with asyncio.timeout(PATIENCE), canary(livekit.ws_url, token(livekit, name, "ada")) as ada:
        assert ada.metadata == "first"
        await writer.update_metadata(name, "second")
        await ada.until_metadata("second")
        await writer.update_permission(name, "ada", Permission())
        await ada.until_permission(can_publish=False, can_publish_data=False, can_subscribe=True)
        assert ada.inside
        await writer.delete_room(name)
        assert await ada.left == "ROOM_DELETED"


async def test_an_empty_room_stays_where_a_hasty_one_goes(connection: LiveKitConnection) -> None:
    ours, hasty = str(uuid.uuid4()), str(uuid.uuid4())
    await ApiWriter(connection).create_room(ours, "", 5)
    await connection.service.create_room(CreateRoomRequest(name=hasty, empty_timeout=1, departure_timeout=1))

    async def listed() -> set[str]:
        return {room.name for room in await ApiReader(connection).rooms()}

    async def hasty_is_gone() -> bool:
        return hasty not in await listed()

    await until(hasty_is_gone)
    assert ours in await listed()
