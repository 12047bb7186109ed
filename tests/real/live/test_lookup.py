"""The lookup reads what LiveKit's own client reads, and fails in the same kinds."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from controller.connect import lookup
from controller.errors import LiveKitAuthError, LiveKitError, LiveKitUnavailableError
from controller.live.client import ApiReader, ApiWriter, LiveKitConnection
from controller.live.lookup import LiveKitLookup
from controller.settings import Settings
from tests.support.livekit import LiveKitServer
from tests.support.participants import guest, token
from tests.support.ports import free_ports
from tests.support.proxy import Fault, Proxy, drop, http, reset
from tests.support.wait import PATIENCE, until


def opened(settings: Settings, deadline: float = PATIENCE) -> LiveKitLookup:
    made = lookup(settings, deadline)
    assert made is not None
    return made


@pytest.fixture
def settings(livekit: LiveKitServer) -> Settings:
    return Settings(livekit_url=livekit.url, livekit_api_key=livekit.key, livekit_api_secret=livekit.secret)


@pytest.fixture
async def connection(livekit: LiveKitServer) -> AsyncIterator[LiveKitConnection]:
    async with LiveKitConnection(livekit.access) as connection:
        yield connection


async def test_it_reads_what_the_client_reads(
    settings: Settings, connection: LiveKitConnection, livekit: LiveKitServer
) -> None:
    name, client = str(uuid.uuid4()), ApiReader(connection)
    made = await ApiWriter(connection).create_room(name, "metadata: ä", 5)
    rights = {"can_publish": True, "can_publish_sources": ["microphone", "camera"], "hidden": False}
    pass_ = token(livekit, name, "ada", attributes={"role": "speaker"}, **rights)
    async with opened(settings) as look, guest(livekit.ws_url, pass_) as ada:
        assert made in await look.rooms()
        await ada.show_camera()

        async def published() -> bool:
            (seen,) = await client.participants(name)
            return bool(seen.tracks)

        await until(published)
        assert await look.participants(name) == await client.participants(name)


async def test_nobody_is_inside_an_empty_or_a_missing_room(
    settings: Settings, connection: LiveKitConnection
) -> None:
    name = str(uuid.uuid4())
    async with opened(settings) as look:
        assert await look.participants(name) == []
        await ApiWriter(connection).create_room(name, "", 5)
        assert await look.participants(name) == []


async def failure(settings: Settings, deadline: float = PATIENCE) -> LiveKitError:
    async with opened(settings, deadline) as look:
        with pytest.raises(LiveKitError) as failed:
            await look.rooms()
    assert settings.livekit_api_secret not in str(failed.value)
    assert failed.value.__cause__ is None
    return failed.value


async def test_a_wrong_secret_is_said(settings: Settings) -> None:
    wrong = replace(settings, livekit_api_secret="a-wrong-secret-of-32-characters-and-more")
    assert isinstance(await failure(wrong), LiveKitAuthError)


async def test_nobody_at_the_address_is_unavailable(settings: Settings) -> None:
    (port,) = free_ports(1)
    away = replace(settings, livekit_url=f"http://127.0.0.1:{port}")
    assert isinstance(await failure(away), LiveKitUnavailableError)


async def test_something_else_at_the_address_is_unavailable(settings: Settings) -> None:
    elsewhere = replace(settings, livekit_url=f"{settings.livekit_url}/elsewhere")
    assert isinstance(await failure(elsewhere), LiveKitUnavailableError)


@pytest.mark.parametrize("fault", [drop, reset])
async def test_an_answer_that_does_not_come_is_unavailable(
    settings: Settings, livekit: LiveKitServer, fault: Fault
) -> None:
    async with Proxy(livekit.port, http) as proxy:
        proxy.reply = fault
        there = replace(settings, livekit_url=proxy.url)
        assert isinstance(await failure(there, deadline=0.5), LiveKitUnavailableError)


async def test_without_its_settings_livekit_is_not_asked() -> None:
    assert lookup(Settings(), 1.0) is None
