"""Where chat is off there is none to see, and nothing arrives."""

from playwright.async_api import expect

from tests.browser.conftest import Welcome
from tests.browser.external_client import Outsider
from tests.browser.rooms import open_room
from tests.support.controller import Site


async def test_nothing_arrives_until_it_is_switched_on(house: Site, welcome: Welcome) -> None:
    room = await open_room(house, "quiet")
    ann, stranger = await welcome(), await welcome()
    await ann.join(room, "Ann")
    await expect(ann["#mic"]).to_be_visible()
    await expect(ann["#chat-open"]).to_be_hidden()
    outsider = await Outsider.inside(stranger, room)
    await outsider.write("nobody is to read this")
    house.edit("quiet", allow_chat=True)
    await outsider.until_may("canPublishData")
    await outsider.write("now I may")
    await ann["#chat-open"].click()
    await expect(ann["#messages > li p"]).to_have_text(["now I may"])
