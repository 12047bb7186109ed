"""Names, announcements, the focus, forced colours, and small screens."""

import asyncio

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Welcome
from tests.browser.rooms import open_room
from tests.support.controller import Site
from tests.support.wait import until

FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467"
WATCH = """() => {
  window.announced = [];
  const presence = document.getElementById("presence");
  const keep = () => window.announced.push(presence.textContent);
  new MutationObserver(keep).observe(presence, { childList: true });
}"""
LANDSCAPE, KEYBOARD = (844, 390), (390, 400)


async def test_an_initial_is_a_whole_character(house: Site, welcome: Welcome) -> None:
    room = await open_room(house, "initials", mediaType="MEDIA_TYPE_AUDIO_ONLY")
    ann, bob = await welcome(), await welcome()
    await asyncio.gather(ann.join(room, f"{FAMILY} Family"), bob.join(room, "e\u0301va"))
    await expect(bob[".tile.own .avatar"]).to_have_text("E\u0301")
    await expect(bob[".tile:not(.own) .avatar"]).to_have_text(f"{FAMILY}F")
    await bob.shoot("initials")


async def test_who_joins_and_leaves_is_announced_together(house: Site, welcome: Welcome) -> None:
    room = await open_room(house, "announced")
    ann, bob, cid = await welcome(), await welcome(), await welcome()
    await ann.join(room, "Ann")
    await ann.page.evaluate(WATCH)
    await expect(ann["#presence"]).to_have_attribute("role", "status")
    await asyncio.gather(bob.join(room, "Bob"), cid.join(room, "Cid"))
    await expect(ann["#people"]).to_have_text("3 participants")

    async def announced(*words: str) -> bool:
        texts = " ".join(await ann.page.evaluate("window.announced"))
        return all(word in texts for word in words)

    await until(lambda: announced("Bob", "Cid", "joined."))
    await bob["#leave"].click()
    # on a busy machine Cid may lose the connection and be announced beside him
    await until(lambda: announced("Bob", "left."))


async def test_the_focus_goes_to_the_rooms_name_after_joining(house: Site, welcome: Welcome) -> None:
    room = await open_room(house, "focused")
    ann = await welcome()
    await ann.join(room, "Ann")
    await expect(ann["#room-name"]).to_be_focused()
    await ann.page.reload()
    await ann.view("call")
    await expect(ann["#room-name"]).to_be_focused()


async def test_forced_colours_leave_borders_and_icons(house: Site, welcome: Welcome) -> None:
    room = await open_room(house, "forced", allow_chat=True)
    ann = await welcome(forced_colors="active")
    await ann.open(room)
    await ann.view("lobby")
    await expect(ann["#join"]).to_have_css("border-style", "solid")
    await ann.shoot("forced-lobby")
    await ann.page.emulate_media(forced_colors="active")
    await ann.enter("Ann")
    for element in ("#mic", "#leave", ".tile.own"):
        await expect(ann[element]).to_have_css("border-style", "solid")


@pytest.mark.parametrize("size", [LANDSCAPE, KEYBOARD], ids=["landscape", "keyboard"])
async def test_join_is_in_view_on_a_small_screen(
    house: Site, welcome: Welcome, size: tuple[int, int]
) -> None:
    room = await open_room(house, "small-lobby", name="A room whose name is long enough for a second line")
    width, height = size
    ann = await welcome(viewport={"width": width, "height": height}, has_touch=True, is_mobile=True)
    await ann.open(room)
    await ann.view("lobby")
    await expect(ann["#look-video"]).to_be_visible()
    await ann["#name"].tap()
    for element in ("#name", "#join"):
        await expect(ann[element]).to_be_in_viewport(ratio=1)
    await ann.page.screenshot(path=ann.shots / f"small-{width}.png")


@pytest.mark.parametrize("size", [(390, 844), KEYBOARD, LANDSCAPE], ids=["phone", "keyboard", "landscape"])
async def test_an_open_chat_leaves_the_controls_in_reach(
    house: Site, welcome: Welcome, size: tuple[int, int]
) -> None:
    room = await open_room(house, "small-chat", allow_chat=True)
    width, height = size
    ann = await welcome(viewport={"width": width, "height": height}, has_touch=True, is_mobile=True)
    await ann.join(room, "Ann")
    await ann["#chat-open"].tap()
    await ann.send_chat("hello")
    for element in ("#mic", "#leave", "#chat-text", "#chat-close"):
        await expect(ann[element]).to_be_in_viewport(ratio=1)
        await ann[element].tap(trial=True)
    await ann.page.screenshot(path=ann.shots / f"small-chat-{width}-{height}.png")
