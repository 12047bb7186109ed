"""In a webinar guests watch and chat, and who was invited speaks."""

from playwright.async_api import expect

from tests.browser.conftest import Welcome
from tests.browser.external_client import Outsider
from tests.browser.rooms import invite, open_room
from tests.support.controller import Site

STAGE = ("#mic", "#camera", "#share")


async def test_a_guest_watches_and_chats_and_an_invited_speaker_speaks(house: Site, welcome: Welcome) -> None:
    fields = {"allow_webinar_mode": True, "allow_chat": True, "allow_share_screen": True}
    room = await open_room(house, "webinar", name="Town hall", **fields)
    gus, sue = await welcome(), await welcome()
    await gus.open(room)
    await gus.view("lobby")
    await expect(gus["#look"]).to_be_hidden()
    await gus.shoot("webinar-lobby")
    await gus.enter("Gus")
    await gus.shoot("webinar-waiting")
    await sue.join(room, "Sue Speaker", await invite(house, "webinar"))
    for control in STAGE:
        await expect(sue[control]).to_be_visible()
        await expect(gus[control]).to_be_hidden()
    await gus.sees(await sue.identity())
    await gus.hears()
    await gus.send_chat("a question")
    await sue["#chat-open"].click()
    await expect(sue["#messages"]).to_contain_text("a question")
    await gus.shoot("webinar-guest")
    await sue.shoot("webinar-speaker")
    assert "invite" not in sue.page.url


async def test_a_guest_who_helps_themselves_publishes_nothing(house: Site, welcome: Welcome) -> None:
    """Past the page's buttons, by the client itself."""
    room = await open_room(house, "stage", allow_webinar_mode=True)
    liar, sue = await welcome(), await welcome()
    await sue.join(room, "Sue", await invite(house, "stage"))
    outsider = await Outsider.inside(liar, room)
    for kind in ("camera", "microphone"):
        assert "permission" in await outsider.publish(kind)
    house.edit("stage", allow_webinar_mode=False)
    await outsider.until_may("canPublish")
    assert await outsider.publish("camera") == ""
    await sue.sees(outsider.identity)
