"""What a participant can do with the call: a large tile, full screen, the list of participants, shortcuts."""

import asyncio
import re
from typing import Final

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Welcome
from tests.browser.rooms import open_room
from tests.browser.visitor import Visitor
from tests.support.controller import Site
from tests.support.wait import until

FULL_SCREEN: Final = "() => document.fullscreenElement !== null"
IN_PICTURE: Final = "() => document.pictureInPictureElement?.closest('.tile').dataset.identity ?? ''"
QUALITY_KNOWN: Final = re.compile("excellent|good|poor")
MUTED: Final = re.compile(r"\bmuted\b")
REACHABLE: Final = """(button) => {
  const { left, top, width, height } = button.getBoundingClientRect();
  const found = document.elementFromPoint(left + width / 2, top + height / 2);
  return width >= 44 && height >= 44 && button.contains(found);
}"""


async def _becomes(visitor: Visitor, script: str, wanted: object) -> None:
    async def is_there() -> bool:
        return bool(await visitor.page.evaluate(script) == wanted)

    await until(is_there)


async def _two(house: Site, welcome: Welcome, key: str, **fields: object) -> tuple[Visitor, Visitor]:
    """Ann and Bob, in a room with chat and screens."""
    room = await open_room(house, key, allow_chat=True, allow_share_screen=True, **fields)
    ann, bob = await welcome(), await welcome()
    await asyncio.gather(ann.join(room, "Ann"), bob.join(room, "Bob Builder"))
    await ann.sees(await bob.identity())
    return ann, bob


async def test_a_tile_is_made_large_and_small_again(house: Site, welcome: Welcome) -> None:
    ann, bob = await _two(house, welcome, "large")
    identity = await bob.identity()
    large = ann[f'#screens [data-identity="{identity}"]']
    button = ann[f'[data-identity="{identity}"] .enlarge']
    await button.click()
    await expect(large).to_be_visible()
    await expect(button).to_have_attribute("aria-pressed", "true")
    await expect(ann["#tiles .tile"]).to_have_count(1)
    await ann.sees(identity)
    await ann.shoot("large")
    await ann.page.keyboard.press("Escape")
    await expect(large).to_have_count(0)
    await expect(button).to_be_focused()

    await ann.page.keyboard.press("Enter")
    await expect(large).to_be_visible()
    await expect(button).to_be_focused()
    await ann.page.keyboard.press("Enter")
    await expect(large).to_have_count(0)
    await button.dblclick()
    await expect(large).to_be_visible()

    await bob["#share"].click()
    await expect(ann[f'#tiles [data-screen-of="{identity}"] video']).to_be_visible()
    await bob["#leave"].click()
    await expect(large).to_have_count(0)
    await expect(ann["#tiles .tile"]).to_have_count(1)


async def test_full_screen_and_picture_in_picture(house: Site, welcome: Welcome) -> None:
    ann, bob = await _two(house, welcome, "modes")
    await ann["#settings-open"].click()
    await ann["#fullscreen"].click()
    await _becomes(ann, FULL_SCREEN, True)
    await ann.page.keyboard.press("f")
    await _becomes(ann, FULL_SCREEN, False)
    await ann["#settings-open"].click()
    await ann["#pip"].click()
    await _becomes(ann, IN_PICTURE, await bob.identity())
    await ann.sees(await bob.identity())
    await ann["#settings-open"].click()
    await ann["#pip"].click()
    await _becomes(ann, IN_PICTURE, "")


async def test_the_list_shows_who_is_here_and_whose_microphone_is_on(house: Site, welcome: Welcome) -> None:
    ann, bob = await _two(house, welcome, "listed")
    await ann["#participants-open"].click()
    entry = ann[f'#participants-list [data-identity="{await bob.identity()}"]']
    await expect(ann["#participants-list > li"]).to_have_count(2)
    await expect(entry.locator(".name")).to_have_text("Bob Builder")
    await expect(entry).to_have_attribute("data-microphone", re.compile("on|speaking"))
    await expect(entry).to_have_attribute("data-quality", QUALITY_KNOWN)
    await expect(entry.locator(".state")).to_have_text(re.compile(r"(microphone on|speaking), .*connection"))
    await ann.shoot("participants")
    await ann.page.set_viewport_size({"width": 1280, "height": 800})
    await bob["#mic"].click()
    await expect(entry).to_have_attribute("data-microphone", "off")
    await ann["#chat-open"].click()
    await expect(ann["#participants"]).to_be_hidden()
    await ann["#participants-open"].click()
    await expect(ann["#chat"]).to_be_hidden()
    await bob["#leave"].click()
    await expect(ann["#participants-list > li"]).to_have_count(1)
    await ann.page.keyboard.press("Escape")
    await expect(ann["#participants"]).to_be_hidden()
    await expect(ann["#participants-open"]).to_be_focused()


async def test_each_shortcut_does_what_its_button_does(house: Site, welcome: Welcome) -> None:
    ann, bob = await _two(house, welcome, "keys-of-call")
    tile = bob[f'.tile[data-identity="{await ann.identity()}"]']
    keyboard = ann.page.keyboard
    await keyboard.press("m")
    await expect(tile).to_have_class(MUTED)
    await keyboard.press("v")
    await expect(tile.locator("video")).to_have_count(0)
    await keyboard.press("s")
    await expect(bob[f'[data-screen-of="{await ann.identity()}"] video']).to_be_visible()
    await keyboard.press("p")
    await expect(ann["#participants"]).to_be_visible()
    await keyboard.press("c")
    await expect(ann["#chat-text"]).to_be_focused()
    await keyboard.type("mvscpf?")
    await expect(ann["#chat-text"]).to_have_value("mvscpf?")
    await expect(tile).to_have_class(MUTED)
    await keyboard.press("Escape")
    await expect(ann["#chat"]).to_be_hidden()


async def test_the_help_lists_the_shortcuts_and_turns_them_off(house: Site, welcome: Welcome) -> None:
    ann = await welcome()
    await ann.join(await open_room(house, "help"), "Ann")
    await ann.page.keyboard.press("?")
    await expect(ann["#help"]).to_be_visible()
    await expect(ann["#help kbd"]).to_have_text(["M", "V", "S", "C", "P", "F", "?", "Esc"])
    await ann.shoot("help")
    await ann["#shortcuts-on"].uncheck()
    await ann.page.keyboard.press("Escape")
    await expect(ann["#help"]).to_be_hidden()
    await ann.page.keyboard.press("p")
    await ann.page.keyboard.press("m")
    await ann["#settings-open"].click()
    await ann["#help-open"].click()
    await expect(ann["#help"]).to_be_visible()
    await expect(ann["#settings"]).to_be_hidden()
    await expect(ann["#participants"]).to_be_hidden()
    await expect(ann["#mic"]).to_have_attribute("aria-pressed", "true")


@pytest.mark.parametrize(("width", "height"), [(390, 844), (844, 390)])
async def test_every_control_is_reachable_on_a_phone(
    house: Site, welcome: Welcome, width: int, height: int
) -> None:
    ann, bob = await _two(house, welcome, f"phone-{width}")
    await ann.page.set_viewport_size({"width": width, "height": height})
    await bob["#share"].click()
    await expect(ann["[data-screen-of] video"]).to_be_visible()
    buttons = await ann["#controls button"].filter(visible=True).all()
    assert len(buttons) == 7
    for button in buttons:
        assert await button.evaluate(REACHABLE), await button.get_attribute("id")
    await ann.page.screenshot(path=ann.shots / f"phone-call-{width}.png")
    for panel in ("chat", "participants"):
        await ann[f"#{panel}-open"].click()
        await expect(ann[f"#{panel}"]).to_be_in_viewport(ratio=1)
        await ann.page.screenshot(path=ann.shots / f"phone-{panel}-{width}.png")
        await ann[f"#{panel}-close"].click()
