"""A change of policy in git shows in the page, without a reload, and throws nobody out."""

import asyncio

from playwright.async_api import expect

from tests.browser.conftest import Welcome
from tests.browser.rooms import open_room
from tests.support.controller import Site

STAMP = "window.stamp = (window.stamp ?? 0) + 1"


async def test_controls_come_and_go_with_the_policy(house: Site, welcome: Welcome) -> None:
    room = await open_room(house, "changing", name="Before")
    ann, bob = await welcome(), await welcome()
    await asyncio.gather(ann.join(room, "Ann"), bob.join(room, "Bob"))
    await ann.sees(await bob.identity())
    await ann.page.evaluate(STAMP)

    house.edit("changing", name="After", allow_chat=True, allow_share_screen=True)
    await expect(ann["#room-name"]).to_have_text("After")
    await expect(ann["#chat-open"]).to_be_visible()
    await expect(ann["#share"]).to_be_visible()
    await ann.noted("Chat is now available.")
    await ann.shoot("policy-wider")

    house.edit("changing", mediaType="MEDIA_TYPE_AUDIO_ONLY", allow_chat=False)
    await expect(ann["#camera"]).to_be_hidden()
    await expect(ann["#share"]).to_be_hidden()
    await expect(ann["#chat-open"]).to_be_hidden()
    await expect(ann[".tile video"]).to_have_count(0)
    await ann.shoot("policy-narrower")
    await ann.hears()

    house.edit("changing", allow_webinar_mode=True)
    await expect(ann["#mic"]).to_be_hidden()
    await expect(ann["#people"]).to_contain_text("webinar")

    house.edit("changing", allow_webinar_mode=False, mediaType="MEDIA_TYPE_VIDEO_AUDIO")
    await ann["#camera"].click()
    await bob.sees(await ann.identity())
    assert await ann.page.evaluate("window.stamp") == 1
