"""The people that other tests put into rooms notice what they must."""

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controller.live.client import ApiReader, ApiWriter, LiveKitConnection
from controller.live.room import Permission
from tests.support.livekit import LiveKitServer
from tests.support.participants import CLOSED, JoinRefusedError, canary, guest, token
from tests.support.wait import until


@pytest.fixture
async def room(writer: ApiWriter) -> AsyncIterator[str]:
    name = str(uuid.uuid4())
    await writer.create_room(name, "", 3)
    yield name
    await writer.delete_room(name)


async def test_a_canary_is_inside_until_it_leaves(
    livekit: LiveKitServer, reader: ApiReader, room: str
) -> None:
    async with canary(livekit.ws_url, token(livekit, room, "ada", attributes={"role": "guest"})) as ada:
        (listed,) = await reader.participants(room)
        assert (listed.identity, listed.attributes) == ("ada", {"role": "guest"})
        assert ada.inside
    async with canary(livekit.ws_url, token(livekit, room, "bob")):

        async def alone() -> bool:
            return [p.identity for p in await reader.participants(room)] == ["bob"]

        await until(alone)  # a farewell takes effect some milliseconds later


async def test_a_canary_notices_that_another_takes_its_place(livekit: LiveKitServer, room: str) -> None:
    pass_ = token(livekit, room, "ada")
    async with asyncio.timeout(60), canary(livekit.ws_url, pass_) as first, canary(livekit.ws_url, pass_):
        assert await first.left == "DUPLICATE_IDENTITY"


async def test_a_canary_notices_that_the_server_died(tmp_path: Path) -> None:
    async with (
        LiveKitServer(tmp_path) as server,
        LiveKitConnection(server.access) as connection,
    ):
        await ApiWriter(connection).create_room("room", "", 5)
        async with asyncio.timeout(60), canary(server.ws_url, token(server, "room", "ada")) as ada:
            server.kill()
            assert await ada.left == CLOSED


async def test_who_is_not_let_in_learns_the_status(livekit: LiveKitServer, room: str) -> None:
    with pytest.raises(JoinRefusedError) as missing:
        async with canary(livekit.ws_url, token(livekit, str(uuid.uuid4()), "ada")):
            pass
    assert missing.value.status == 404
    async with (
        canary(livekit.ws_url, token(livekit, room, "ada")),
        canary(livekit.ws_url, token(livekit, room, "bob")),
        canary(livekit.ws_url, token(livekit, room, "cy")),
    ):
        with pytest.raises(JoinRefusedError) as full:
            async with canary(livekit.ws_url, token(livekit, room, "eve")):
                pass
    assert full.value.status == 500


async def test_guests_hear_and_see_each_other(livekit: LiveKitServer, room: str) -> None:
    async with (
        asyncio.timeout(60),
        guest(livekit.ws_url, token(livekit, room, "ada")) as ada,
        guest(livekit.ws_url, token(livekit, room, "bob")) as bob,
    ):
        await ada.say(b"hello")
        assert await bob.hear() == b"hello"
        await ada.show_camera()
        assert (await bob.see()).name == "camera"
        await bob.open_microphone()
        assert (await ada.see()).name == "microphone"


async def test_a_guest_who_loses_the_right_is_heard_no_more(
    livekit: LiveKitServer, writer: ApiWriter, room: str
) -> None:
    async with (
        asyncio.timeout(60),
        guest(livekit.ws_url, token(livekit, room, "ada")) as ada,
        guest(livekit.ws_url, token(livekit, room, "bob")) as bob,
        guest(livekit.ws_url, token(livekit, room, "eve")) as eve,
    ):
        await ada.say(b"while I may")
        assert await bob.hear() == b"while I may"
        await writer.update_permission(room, "ada", Permission(can_publish_data=False))
        await ada.until(can_publish_data=False)
        await ada.say(b"lost")
        await eve.say(b"mine is not")
        assert await bob.hear() == b"mine is not"


async def test_a_guest_notices_the_end_of_the_room(
    livekit: LiveKitServer, writer: ApiWriter, room: str
) -> None:
    async with asyncio.timeout(60), guest(livekit.ws_url, token(livekit, room, "ada")) as ada:
        await writer.delete_room(room)
        assert await ada.left == "ROOM_DELETED"


async def test_a_guests_client_calls_nobody_for_its_log(
    livekit: LiveKitServer, room: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Such a call that meets the end of the interpreter aborts the process."""
    with caplog.at_level(logging.DEBUG):
        async with guest(livekit.ws_url, token(livekit, room, "ada")):
            pass
    assert [record for record in caplog.records if record.name == "livekit"] == []
