"""Participants are told that they are recorded."""

from playwright.async_api import expect

from tests.browser.conftest import Welcome
from tests.browser.recorder import Recorder
from tests.browser.rooms import open_room
from tests.support.controller import Site
from tests.support.livekit import LiveKitServer


async def test_the_lobby_says_that_the_room_may_be_recorded(house: Site, welcome: Welcome) -> None:
    ann = await welcome()
    await ann.open(await open_room(house, "may-record", record=True))
    await ann.view("lobby")
    await expect(ann["#may-record"]).to_have_text("This room may be recorded.")
    await ann.shoot("may-record")
    await ann.open(await open_room(house, "not-recorded"))
    await ann.view("lobby")
    await expect(ann["#may-record"]).to_be_hidden()


async def test_the_call_has_a_sign_while_it_is_recorded(
    house: Site, livekit: LiveKitServer, welcome: Welcome
) -> None:
    room = await open_room(house, "signed")
    ann, bob = await welcome(), await welcome()
    await ann.join(room, "Ann")
    await expect(ann["#recording"]).to_be_hidden()
    recorder = await Recorder.on(await welcome())
    await recorder.record(house, livekit, "signed")
    await expect(ann["#recording"]).to_be_visible()
    await ann.noted("This call is being recorded.")
    await bob.join(room, "Bob")
    await expect(bob["#recording"]).to_be_visible()
    await bob.noted("This call is being recorded.")
    await ann.shoot("recorded-call")
    await recorder.page.close()
    await expect(ann["#recording"]).to_be_hidden()
    await ann.noted("The recording has ended.")
