"""The chat: links, lines, times, what is new, what was not sent, and text that is meant to mislead."""

import asyncio
import re

from playwright.async_api import expect

from tests.browser.conftest import Welcome
from tests.browser.external_client import Outsider
from tests.browser.rooms import open_room
from tests.browser.visitor import Visitor
from tests.support.controller import Site

LAST = "#messages li:last-child p"
NOTHING_SENT = """() => {
  const { send } = RTCDataChannel.prototype;
  RTCDataChannel.prototype.send = () => { throw new DOMException("closed", "InvalidStateError"); };
  window.mend = () => { RTCDataChannel.prototype.send = send; };
}"""
DISTANCE_TO_END = "(log) => log.scrollHeight - log.scrollTop - log.clientHeight"
OVERFLOWS = "(element) => element.scrollWidth > element.clientWidth"
INVITING = "<img src=x> https://example.com/a_(b)?c=1#d, (see HTTPS://example.org) javascript:alert(1)"
HIDDEN_TAB = """(hidden) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


async def two_in(house: Site, welcome: Welcome, key: str) -> tuple[Visitor, Visitor]:
    """Ann and Bob in a room with a chat, which Bob has open."""
    room = await open_room(house, key, name="Chatting", allow_chat=True)
    ann, bob = await welcome(), await welcome()
    await asyncio.gather(ann.join(room, "Ann"), bob.join(room, "Bob"))
    await bob["#chat-open"].click()
    return ann, bob


async def test_addresses_are_links_and_nothing_else_is(house: Site, welcome: Welcome) -> None:
    ann, bob = await two_in(house, welcome, "links")
    await ann.send_chat(INVITING)
    await expect(bob[LAST]).to_have_text(INVITING)
    links = bob[f"{LAST} a"]
    await expect(links).to_have_text(["https://example.com/a_(b)?c=1#d", "HTTPS://example.org"])
    for number in range(2):
        await expect(links.nth(number)).to_have_attribute("rel", "noopener noreferrer")
        await expect(links.nth(number)).to_have_attribute("target", "_blank")
    await expect(bob["#messages img"]).to_have_count(0)
    assert not any("example" in url for url in bob.asked)


async def test_a_message_has_lines_and_a_time(house: Site, welcome: Welcome) -> None:
    ann, bob = await two_in(house, welcome, "lines")
    await ann["#chat-open"].click()
    await ann.page.keyboard.type("one")
    await ann.page.keyboard.press("Shift+Enter")
    await ann.page.keyboard.type("two")
    await ann.page.keyboard.press("Enter")
    await expect(bob[LAST]).to_have_js_property("innerText", "one\ntwo")
    await expect(bob["#messages time"]).to_have_text(re.compile(r"^\d\d:\d\d( [AP]M)?$"))
    await expect(ann["#chat-text"]).to_have_value("")
    await ann.shoot("chat-lines")


async def test_an_input_method_ends_a_word_by_enter_without_sending(house: Site, welcome: Welcome) -> None:
    _, bob = await two_in(house, welcome, "ime")
    await bob["#chat-text"].fill("かな")
    await bob["#chat-text"].dispatch_event("keydown", {"key": "Enter", "isComposing": True})
    await expect(bob["#chat-text"]).to_have_value("かな")
    await bob["#chat-text"].press("Enter")
    await expect(bob[LAST]).to_have_text("かな")


async def test_who_reads_back_is_left_there_and_told_of_new_messages(house: Site, welcome: Welcome) -> None:
    ann, bob = await two_in(house, welcome, "back")
    await ann.send_chat("\n".join(f"line {number}" for number in range(60)))
    await expect(bob[LAST]).to_contain_text("line 59")
    assert await bob["#log"].evaluate(DISTANCE_TO_END) < 2, "who reads the end is kept there"
    await bob["#log"].evaluate("(log) => { log.scrollTop = 0; }")
    await ann.send_chat("newer")
    await expect(bob["#chat-new"]).to_have_text("1 new message")
    assert await bob["#log"].evaluate("(log) => log.scrollTop") == 0
    await expect(bob.page).to_have_title("(1) Chatting")
    await bob.shoot("chat-new")
    await bob["#chat-new"].click()
    await expect(bob["#chat-new"]).to_be_hidden()
    await expect(bob["#chat-text"]).to_be_focused()
    assert await bob["#log"].evaluate(DISTANCE_TO_END) < 2
    await expect(bob.page).to_have_title("Chatting")


async def test_a_hidden_tab_counts_in_its_title(house: Site, welcome: Welcome) -> None:
    ann, bob = await two_in(house, welcome, "hidden-tab")
    await bob.page.evaluate(HIDDEN_TAB, True)
    await ann.send_chat("one")
    await ann.send_chat("two")
    await expect(bob.page).to_have_title("(2) Chatting")
    await expect(bob["#chat-open"]).to_have_accessible_name("Chat, 2 unread")
    await bob.page.evaluate(HIDDEN_TAB, False)
    await expect(bob.page).to_have_title("Chatting")
    await bob["#leave"].click()
    await expect(bob.page).to_have_title("You left the room")


async def test_a_message_that_was_not_sent_says_so_and_is_sent_again(house: Site, welcome: Welcome) -> None:
    ann, bob = await two_in(house, welcome, "failing")
    await ann.page.evaluate(NOTHING_SENT)
    await ann.send_chat("are you there?")
    await expect(ann[".not-sent"]).to_contain_text("Not sent.")
    await ann.shoot("chat-not-sent")
    await ann[".not-sent button"].click()
    await expect(ann[".not-sent"]).to_be_visible()
    await expect(bob["#messages li"]).to_have_count(0)
    await ann.page.evaluate("window.mend()")
    await ann[".not-sent button"].click()
    await expect(bob[LAST]).to_have_text("are you there?")
    await expect(ann[".not-sent"]).to_have_count(0)
    await expect(ann["#messages li"]).to_have_count(1)


async def test_text_that_would_mislead_stays_in_its_place(house: Site, welcome: Welcome) -> None:
    """A name and a message that reverse what follows, a long word, and marks that are stacked on a letter."""
    room = await open_room(house, "misleading", allow_chat=True)
    ann, mallory, stranger = await welcome(), await welcome(), await welcome()
    await asyncio.gather(ann.join(room, "Ann"), mallory.join(room, "\u202eyrollaM \u2066"))
    outsider = await Outsider.inside(stranger, room)
    await mallory["#chat-open"].click()
    await outsider.write("open \u202efdp.exe\u2069 now")
    await expect(mallory[LAST]).to_have_text("open fdp.exe now")
    await mallory.send_chat("x" * 900)
    await ann.noted("yrollaM: xxx")
    await ann["#chat-open"].click()
    await expect(ann["#messages li.own"]).to_have_count(0)
    await expect(ann["#messages li:last-child b"]).to_have_text("yrollaM")
    await mallory.send_chat("Z" + "\u0334\u0353\u0346" * 200 + "algo")
    await expect(ann[LAST]).to_contain_text("algo")
    for element in ("#log", LAST):
        assert not await ann[element].evaluate(OVERFLOWS)
    await expect(ann[LAST]).to_have_css("overflow", "clip")
    await ann.shoot("chat-misleading")
