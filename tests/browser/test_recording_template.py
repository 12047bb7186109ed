"""What is recorded of a room whose chat is part of it: everybody's tiles, the chat as it is written."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from playwright.async_api import Locator, expect

from tests.browser.conftest import Welcome
from tests.browser.external_client import Outsider
from tests.browser.recorder import END, START, Recorder, recorder_token, speaking
from tests.browser.rooms import invite, open_room
from tests.browser.visitor import Visitor
from tests.support.chromium import browser
from tests.support.controller import Site
from tests.support.livekit import LiveKitServer
from tests.support.participants import canary, guest, token
from tests.support.wait import until

NO_SCROLLBAR = """() => {
  const { scrollWidth, scrollHeight } = document.documentElement;
  const scrolls = (each) => /auto|scroll/.test(getComputedStyle(each).overflow);
  const inside = [...document.querySelectorAll("body, body *")];
  return scrollWidth <= innerWidth && scrollHeight <= innerHeight && !inside.some(scrolls);
}"""
SEND_PACKET = """([text, ignoreLegacy]) => window.room.localParticipant.publishData(
  new TextEncoder().encode(JSON.stringify({ id: text, timestamp: 0, message: text, ignoreLegacy })),
  { reliable: true, topic: "lk-chat-topic" })"""
SEND_CHAT_MESSAGE = "(text) => window.room.localParticipant.sendChatMessage(text)"
HTML = '<img src=x onerror="document.title=1"><b>bold</b>'


@asynccontextmanager
async def crowd(livekit: LiveKitServer, room: str, size: int) -> AsyncIterator[None]:
    """So many people who neither show nor say anything."""
    async with AsyncExitStack() as stack:
        for number in range(size):
            way_in = token(livekit, room, f"one-{number:02}")
            await stack.enter_async_context(canary(livekit.ws_url, way_in))
        yield


async def test_those_who_are_inside_are_seen_and_heard(
    house: Site, livekit: LiveKitServer, welcome: Welcome
) -> None:
    room = await open_room(house, "recorded", name="Product review", allow_chat=True)
    ann, bob = await welcome(), await welcome()
    await asyncio.gather(ann.join(room, "Ann"), bob.join(room, "Bob Builder"))
    recorder = await Recorder.on(await welcome())
    await recorder.record(house, livekit, "recorded")
    for each in (ann, bob):
        await recorder.visitor.sees(await each.identity())
    await recorder.visitor.hears()
    await expect(recorder.visitor[".tile"]).to_have_count(2)
    assert await recorder.page.evaluate(NO_SCROLLBAR)


async def test_the_chat_stands_beside_them_as_text(
    house: Site, livekit: LiveKitServer, welcome: Welcome
) -> None:
    room = await open_room(house, "written", allow_chat=True)
    ann = await welcome()
    await ann.join(room, "Ann <i>Archer</i>")
    recorder = await Recorder.on(await welcome())
    await recorder.record(house, livekit, "written")
    await ann.send_chat(HTML)
    await expect(recorder.visitor["#messages p"]).to_have_text([HTML])
    await expect(recorder.visitor["#messages b"]).to_have_text("Ann <i>Archer</i>")
    await expect(recorder.visitor["#messages time"]).to_have_text(re.compile(r"^\d\d:\d\d$"))
    assert await recorder.page.locator("#messages :is(img, i)").count() == 0


async def test_older_clients_are_read_too_and_nothing_twice(
    house: Site, livekit: LiveKitServer, welcome: Welcome
) -> None:
    room = await open_room(house, "older", allow_chat=True)
    outsider = await Outsider.inside(await welcome(), room)
    recorder = await Recorder.on(await welcome())
    await recorder.record(house, livekit, "older")
    page = outsider.visitor.page
    await page.evaluate(SEND_CHAT_MESSAGE, "as a chat message")
    await page.evaluate(SEND_PACKET, ["as a packet", False])
    await page.evaluate(SEND_PACKET, ["the double of a stream", True])
    await page.evaluate(SEND_PACKET, ["last", False])
    messages = recorder.visitor["#messages p"]
    await expect(messages).to_have_text(["as a chat message", "as a packet", "last"])


async def test_of_many_long_messages_the_newest_is_whole(
    house: Site, livekit: LiveKitServer, welcome: Welcome
) -> None:
    room = await open_room(house, "talkative", allow_chat=True)
    outsider = await Outsider.inside(await welcome(), room)
    recorder = await Recorder.on(await welcome())
    await recorder.record(house, livekit, "talkative")
    for number in range(30):
        await outsider.write(f"{number} " + "words that wrap " * 20 + "x" * 200)
    last = recorder.visitor["#messages li"].last
    await expect(last).to_contain_text("29 words")
    await expect(last).to_be_in_viewport(ratio=1)
    await expect(recorder.visitor["#messages li"].first).not_to_be_in_viewport()
    assert await recorder.page.evaluate(NO_SCROLLBAR)


async def test_the_chat_goes_and_comes_with_the_policy(
    house: Site, livekit: LiveKitServer, welcome: Welcome
) -> None:
    room = await open_room(house, "column")
    ann = await welcome()
    await ann.join(room, "Ann")
    recorder = await Recorder.on(await welcome())
    await recorder.record(house, livekit, "column")
    await expect(recorder.visitor["#chat"]).to_be_hidden()
    house.edit("column", allow_chat=True)
    await expect(recorder.visitor["#chat"]).to_be_visible()


async def _far_larger(one: Locator, other: Locator) -> bool:
    large, small = await one.bounding_box(), await other.bounding_box()
    assert large is not None
    assert small is not None
    return large["width"] * large["height"] > 4 * small["width"] * small["height"]


async def test_a_shared_screen_is_the_largest(house: Site, livekit: LiveKitServer, welcome: Welcome) -> None:
    room = await open_room(house, "slides", allow_share_screen=True, allow_chat=True)
    ann, bob = await welcome(), await welcome()
    await asyncio.gather(ann.join(room, "Ann"), bob.join(room, "Bob"))
    recorder = await Recorder.on(await welcome())
    await recorder.record(house, livekit, "slides")
    await bob["#share"].click()
    screen = recorder.visitor[f'[data-screen-of="{await bob.identity()}"]']
    await expect(screen.locator("video")).to_be_visible()
    tile = recorder.visitor[".tile[data-identity]"].first
    await until(lambda: _far_larger(screen, tile))


async def test_voices_have_tiles_with_their_names(
    house: Site, livekit: LiveKitServer, welcome: Welcome
) -> None:
    room = await open_room(house, "voices", mediaType="MEDIA_TYPE_AUDIO_ONLY")
    ann = await welcome()
    await ann.join(room, "Ann Archer")
    recorder = await Recorder.on(await welcome())
    await recorder.record(house, livekit, "voices")
    await recorder.visitor.hears()
    tile = recorder.visitor[".tile"]
    await expect(tile.locator(".avatar")).to_have_text("AA")
    await expect(tile.locator(".label")).to_have_text("Ann Archer")


async def test_who_speaks_is_marked(house: Site, livekit: LiveKitServer, welcome: Welcome) -> None:
    room = await open_room(house, "loud")
    ann = await welcome()
    await ann.join(room, "Ann")
    recorder = await Recorder.on(await welcome())
    await recorder.record(house, livekit, "loud")
    speaks = token(livekit, await house.room_name("loud"), "speaker")
    async with guest(livekit.ws_url, speaks) as someone, speaking(someone):
        await expect(recorder.visitor['.speaking[data-identity="speaker"]']).to_have_count(1)


async def test_of_a_webinar_those_on_stage_are_shown(
    house: Site, livekit: LiveKitServer, welcome: Welcome
) -> None:
    room = await open_room(house, "hall", allow_webinar_mode=True)
    gus, sue = await welcome(), await welcome()
    await gus.join(room, "Gus")
    await sue.join(room, "Sue Speaker", await invite(house, "hall"))
    recorder = await Recorder.on(await welcome())
    await recorder.record(house, livekit, "hall")
    await expect(recorder.visitor[".tile .label"]).to_have_text(["Sue Speaker"])


async def test_who_is_hidden_is_not_shown(house: Site, livekit: LiveKitServer, welcome: Welcome) -> None:
    room = await open_room(house, "watched")
    name = await house.room_name("watched")
    ann = await welcome()
    await ann.join(room, "Ann")
    async with guest(livekit.ws_url, token(livekit, name, "watcher", hidden=True)):
        recorder = await Recorder.on(await welcome())
        await recorder.record(house, livekit, "watched")
        await expect(recorder.visitor[".tile .label"]).to_have_text(["Ann"])


async def test_of_a_crowd_it_says_how_many_more_there_are(
    house: Site, livekit: LiveKitServer, welcome: Welcome
) -> None:
    await open_room(house, "crowd", max_participants=50)
    name = await house.room_name("crowd")
    recorder = await Recorder.on(await welcome())
    await recorder.record(house, livekit, "crowd")
    async with crowd(livekit, name, 30):
        await expect(recorder.visitor[".tile.more"]).to_have_attribute("aria-label", "6 more")
        await expect(recorder.visitor[".tile"]).to_have_count(25)
        await expect(recorder.visitor[".tile"].last).to_be_in_viewport(ratio=1)


async def test_it_begins_once_though_nobody_comes_and_ends_with_the_room(
    house: Site, livekit: LiveKitServer, welcome: Welcome
) -> None:
    await open_room(house, "lonely", name="Quiet hour", allow_chat=True)
    recorder = await Recorder.on(await welcome())
    await recorder.record(house, livekit, "lonely")
    await expect(recorder.visitor["#empty"]).to_have_text("Quiet hour")
    house.edit("lonely", active=False)
    await recorder.until_printed(END)
    assert recorder.said == [START, END]


async def test_a_token_that_livekit_refuses_begins_nothing(
    house: Site, livekit: LiveKitServer, welcome: Welcome
) -> None:
    await open_room(house, "locked")
    recorder = await Recorder.on(await welcome())
    good = recorder_token(livekit, await house.room_name("locked"))
    bad = f"{good[:-4]}AAAA"
    await recorder.open(url=livekit.ws_url, token=bad)
    await expect(recorder.visitor[".error"]).to_contain_text("rejected the token")
    await recorder.until_printed(END)
    assert recorder.said == [END]
    assert bad not in await recorder.page.content()
    recorder.visitor.complaints.clear()  # the browser names what it could not load


async def test_a_room_that_is_not_there_begins_nothing(livekit: LiveKitServer, welcome: Welcome) -> None:
    recorder = await Recorder.on(await welcome())
    await recorder.open(url=livekit.ws_url, token=recorder_token(livekit, "nowhere"))
    await expect(recorder.visitor[".error"]).to_contain_text("Room not found")
    await recorder.until_printed(END)
    assert recorder.said == [END]
    recorder.visitor.complaints.clear()


async def test_it_needs_no_https(house: Site, livekit: LiveKitServer, welcome: Welcome, shots: Path) -> None:
    """A worker reaches the controller by http and a name of their own network: no secure context."""
    room = await open_room(house, "inner", allow_chat=True)
    ann = await welcome()
    await ann.join(room, "Ann")
    async with browser("--host-resolver-rules=MAP controller 127.0.0.1") as worker:
        base = f"http://controller:{house.public}"
        recorder = await Recorder.on(await Visitor.arriving(await worker.new_context(), base, shots))
        await recorder.record(house, livekit, "inner")
        assert not await recorder.page.evaluate("isSecureContext")
        await recorder.visitor.sees(await ann.identity())
        await ann.send_chat("hello")
        await expect(recorder.visitor["#messages p"]).to_have_text("hello")


async def test_what_the_query_lacks_is_said_when_the_page_has_loaded(
    livekit: LiveKitServer, welcome: Welcome
) -> None:
    """Then, and only then, the worker looks for it, and fails by it."""
    recorder = await Recorder.on(await welcome())
    await recorder.open(url=livekit.ws_url)
    assert "Missing token" in await recorder.fault()
    await recorder.open(url="javascript:alert(1)", token="a-token-of-nobody")
    assert "Missing LiveKit URL" in await recorder.fault()
    assert "a-token-of-nobody" not in await recorder.page.content()
    assert recorder.said == []
