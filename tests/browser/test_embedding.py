"""The page in a page of another origin: only where it is allowed, and then it tells what happens."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import EMBEDDING, Welcome
from tests.browser.rooms import open_room
from tests.browser.visitor import Visitor
from tests.support.controller import Site

PARENT = """<!doctype html><title>parent</title>
<script>
  window.told = [];
  addEventListener("message", ({ origin, data }) => window.told.push({ origin, ...data }));
</script>
<iframe src="%s" allow="camera; microphone; display-capture" width="1000" height="700"></iframe>"""
TOLD = "window.told.map(({ type, code }) => code ? `${type} ${code}` : type)"


@pytest.fixture
async def parent(chromium: Browser, house: Site, shots: Path) -> AsyncIterator[Visitor]:
    context = await chromium.new_context()
    await context.grant_permissions(["local-network-access"])  # our server is on the loopback interface
    yield await Visitor.arriving(context, f"http://127.0.0.1:{house.public}", shots)
    await context.close()


async def frame(parent: Visitor, origin: str, room: str) -> None:
    """A page of `origin` that frames the room's."""
    content = PARENT % f"{parent.base}/join/{room}"
    await parent.page.route(f"{origin}/", lambda route: route.fulfill(body=content, content_type="text/html"))
    await parent.page.goto(f"{origin}/")


async def told(page: Page, *types: str) -> None:
    """Return when the parent has been told these, and nothing else."""
    await page.wait_for_function("(count) => window.told.length >= count", arg=len(types))
    assert await page.evaluate(TOLD) == list(types)


async def test_a_page_of_an_allowed_origin_is_told_what_happens(house: Site, parent: Visitor) -> None:
    room = await open_room(house, "embedded", name="Embedded")
    await frame(parent, EMBEDDING, room)
    inside = parent.page.frame_locator("iframe")
    await expect(inside.locator("#look-video")).to_be_visible()
    await inside.locator("#name").fill("Ann")
    await inside.locator("#join").click()
    await told(parent.page, "ready", "joined")
    identity = await inside.locator(".tile.own").get_attribute("data-identity")
    await inside.locator("#leave").click()
    await told(parent.page, "ready", "joined", "left LEFT")
    messages = await parent.page.evaluate("JSON.stringify(window.told)")
    assert room not in messages.replace(parent.base, "")
    assert identity
    assert identity not in messages
    assert not re.search(r"eyJ", messages), "no token"


async def test_a_page_of_an_allowed_origin_is_told_of_a_refusal(parent: Visitor) -> None:
    await frame(parent, EMBEDDING, "0" * 24)
    await told(parent.page, "ready", "refused ROOM_NOT_FOUND")


async def test_a_page_of_another_origin_cannot_frame_it(house: Site, parent: Visitor) -> None:
    room = await open_room(house, "framed")
    await frame(parent, "http://other.localhost", room)
    await parent.page.wait_for_load_state("load")
    await expect(parent.page.frame_locator("iframe").locator("#join")).to_have_count(0)
    assert any("frame-ancestors" in each for each in parent.complaints)
    assert await parent.page.evaluate("window.told") == []


async def test_a_page_that_nobody_frames_tells_nothing(house: Site, welcome: Welcome) -> None:
    room = await open_room(house, "unframed")
    ann = await welcome()
    await ann.context.add_init_script(
        "window.told = []; addEventListener('message', ({ data }) => window.told.push(data));"
    )
    await ann.join(room, "Ann")
    assert await ann.page.evaluate("window.told.filter(({ source }) => source === 'roomctl')") == []
