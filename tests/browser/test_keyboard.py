"""Without a mouse: in, mute, chat, out."""

import re

from playwright.async_api import expect

from tests.browser.conftest import Welcome
from tests.browser.rooms import open_room
from tests.browser.visitor import Visitor
from tests.support.controller import Site

ANYTHING = re.compile(r"\S")
FOCUSED = "document.activeElement.id"
STEPS = 20


async def walk_to(visitor: Visitor, element: str) -> None:
    """Tab, once it is there, until the element of that id has the focus."""
    await expect(visitor[f"#{element}"]).to_be_visible()
    for _ in range(STEPS):
        if await visitor.page.evaluate(FOCUSED) == element:
            return
        await visitor.page.keyboard.press("Tab")
    raise AssertionError(f"no way to #{element} by Tab")


async def test_tab_and_enter_lead_in_and_out(house: Site, welcome: Welcome) -> None:
    room = await open_room(house, "keys", allow_chat=True)
    ann = await welcome()
    await ann.open(room)
    await ann.view("lobby")
    await walk_to(ann, "name")
    await ann.page.keyboard.type("Ann")
    await ann.page.keyboard.press("Enter")
    await ann.view("call")

    await walk_to(ann, "mic")
    await expect(ann["#mic"]).to_have_attribute("aria-pressed", "true")
    await ann.page.keyboard.press("Enter")
    await expect(ann["#mic"]).to_have_attribute("aria-pressed", "false")
    assert await ann.page.evaluate(FOCUSED) == "mic", "the focus stays where it was"

    await walk_to(ann, "chat-open")
    await ann.page.keyboard.press("Enter")
    await expect(ann["#chat-text"]).to_be_focused()
    await ann.page.keyboard.type("hello")
    await ann.page.keyboard.press("Enter")
    await expect(ann["#messages"]).to_contain_text("hello")
    await ann.page.keyboard.press("Escape")
    await expect(ann["#chat"]).to_be_hidden()

    await walk_to(ann, "leave")
    await ann.page.keyboard.press("Enter")
    await ann.sentence("LEFT")


async def test_all_that_can_be_pressed_has_a_name(house: Site, welcome: Welcome) -> None:
    """For a screen reader: in the lobby and in the call, with everything allowed."""
    room = await open_room(house, "names", allow_chat=True, allow_share_screen=True)
    ann = await welcome()
    await ann.open(room)
    await ann.view("lobby")
    for place in ("lobby", "call"):
        if place == "call":
            await ann.enter("Ann")
            await ann["#chat-open"].click()
        buttons = ann["button, input, select"].filter(visible=True)
        for number in range(await buttons.count()):
            await expect(buttons.nth(number)).to_have_accessible_name(ANYTHING)
