"""People in a call see and hear each other, as far as the room allows it."""

import asyncio
import re

from playwright.async_api import expect

from tests.browser.conftest import Welcome
from tests.browser.rooms import open_room
from tests.support.controller import Site

MUTED = re.compile(r"\bmuted\b")


async def test_two_see_and_hear_each_other_and_chat(house: Site, welcome: Welcome) -> None:
    room = await open_room(house, "team", name="Daily team call", allow_chat=True, allow_share_screen=True)
    ann, bob = await welcome(), await welcome()
    await ann.open(room)
    await ann.view("lobby")
    await expect(ann["#look-video"]).to_be_visible()
    await ann.shoot("lobby")
    await asyncio.gather(ann.join(room, "Ann"), bob.join(room, "Bob Builder"))
    await ann.sees(await bob.identity())
    await bob.sees(await ann.identity())
    await asyncio.gather(ann.hears(), bob.hears())
    await ann.shoot("call")

    await ann.send_chat("hello there")
    await expect(bob["#unread"]).to_have_text("1")
    await bob["#chat-open"].click()
    await expect(bob["#messages"]).to_contain_text("hello there")
    await bob.send_chat("and hello to you")
    await expect(ann["#messages"]).to_contain_text("and hello to you")
    await ann.shoot("chat")

    await bob["#leave"].click()
    await bob.sentence("LEFT")
    await bob.shoot("left")
    await expect(ann[".tile"]).to_have_count(1)
    await expect(ann["#people"]).to_have_text("1 participant")


async def test_a_room_for_voices_has_no_camera(house: Site, welcome: Welcome) -> None:
    room = await open_room(house, "briefing", mediaType="MEDIA_TYPE_AUDIO_ONLY")
    ann, bob = await welcome(), await welcome()
    await ann.open(room)
    await ann.view("lobby")
    await expect(ann["#look-camera"]).to_be_hidden()
    await asyncio.gather(ann.join(room, "Ann"), bob.join(room, "Bob"))
    await asyncio.gather(ann.hears(), bob.hears())
    await expect(ann["#mic"]).to_be_visible()
    for absent in ("#camera", "#share", "#chat-open", ".tile video"):
        await expect(ann[absent].filter(visible=True)).to_have_count(0)
    await ann.shoot("voices")


async def test_a_muted_one_is_heard_no_more_and_marked(house: Site, welcome: Welcome) -> None:
    room = await open_room(house, "mute")
    ann, bob = await welcome(), await welcome()
    await asyncio.gather(ann.join(room, "Ann"), bob.join(room, "Bob"))
    await ann.hears()
    await bob["#mic"].click()
    await expect(ann[".tile:not(.own)"]).to_have_class(MUTED)
    await bob["#camera"].click()
    await expect(ann[".tile:not(.own) video"]).to_have_count(0)


async def test_a_screen_is_shared_where_the_room_allows_it(house: Site, welcome: Welcome) -> None:
    room = await open_room(house, "share", allow_share_screen=True)
    ann, bob = await welcome(), await welcome()
    await asyncio.gather(ann.join(room, "Ann"), bob.join(room, "Bob"))
    await bob["#share"].click()
    await expect(ann[f'[data-screen-of="{await bob.identity()}"] video']).to_be_visible()
    await ann.shoot("shared")
    house.edit("share", allow_share_screen=False)
    await expect(ann["[data-screen-of]"]).to_have_count(0)
    await expect(bob["#share"]).to_be_hidden()
