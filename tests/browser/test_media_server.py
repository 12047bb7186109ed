"""An address of LiveKit that is wrong is told from a network that is."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import APIResponse, Browser, Route

from tests.browser.conftest import Welcome
from tests.browser.rooms import open_room
from tests.browser.visitor import TOKEN, Visitor
from tests.support.controller import Site
from tests.support.embedded import secantus
from tests.support.livekit_client import livekit_client
from tests.support.ports import free_ports

SECURE = "https://meet.example"


@asynccontextmanager
async def visitor_of(chromium: Browser, site: Site, shots: Path) -> AsyncIterator[Visitor]:
    context = await chromium.new_context(viewport={"width": 1280, "height": 800})
    yield await Visitor.arriving(context, f"http://127.0.0.1:{site.public}", shots)
    await context.close()


@pytest.mark.parametrize("other", ["nothing", "another server"])
async def test_an_address_where_no_livekit_answers_is_said_to_be_a_setting(
    chromium: Browser, house: Site, shots: Path, tmp_path: Path, other: str
) -> None:
    livekit_client()
    (free,) = free_ports(1)
    where = f"127.0.0.1:{free if other == 'nothing' else house.private}"
    async with (
        secantus(tmp_path / "mongodb") as mongodb,
        Site(tmp_path, house.livekit, mongodb=mongodb.uri, LIVEKIT_PUBLIC_URL=f"ws://{where}") as site,
        site.run(),
        visitor_of(chromium, site, shots) as ann,
    ):
        room = await open_room(site, "wrong-address")
        assert await ann.tried(room) == "MEDIA_ADDRESS"
        assert where in await ann.sentence("MEDIA_ADDRESS")
        await ann.shoot("media-address")


async def test_a_network_that_blocks_livekits_socket_is_no_setting(house: Site, welcome: Welcome) -> None:
    room = await open_room(house, "blocked")
    ann = await welcome()
    await ann.context.route_web_socket("**/rtc**", lambda socket: socket.close())
    assert await ann.tried(room) == "MEDIA_SERVER"


async def test_an_insecure_address_on_a_secure_page_is_a_setting(
    chromium: Browser, house: Site, shots: Path
) -> None:
    room = await open_room(house, "insecure")
    async with visitor_of(chromium, house, shots) as ann:
        public, ann.base = ann.base, SECURE

        async def serve(route: Route) -> None:
            answer: APIResponse = await route.fetch(url=route.request.url.replace(SECURE, public))
            body = await answer.text() if route.request.url.endswith(TOKEN) else None
            changed = body and body.replace(f"ws://127.0.0.1:{house.livekit.port}", "ws://livekit.example")
            await route.fulfill(response=answer, body=changed)

        await ann.context.route(f"{SECURE}/**", serve)
        assert await ann.tried(room) == "MEDIA_INSECURE"
        assert "livekit.example" in await ann.sentence("MEDIA_INSECURE")
