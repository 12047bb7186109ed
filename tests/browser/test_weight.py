"""What a visitor downloads before the call."""

from playwright.async_api import expect

from tests.browser.conftest import Welcome
from tests.browser.rooms import open_room
from tests.support.controller import Site

LIMIT = 260_000
DOWNLOADED = """() => ["navigation", "resource"].flatMap((type) => performance.getEntriesByType(type))
  .reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0)"""


async def test_the_page_is_less_than_260_kb(house: Site, welcome: Welcome) -> None:
    """With livekit-client, compressed, in a language that is loaded beside English."""
    room = await open_room(house, "light")
    ann = await welcome(locale="ja")
    await ann.open(room)
    await ann.view("lobby")
    await expect(ann["#look-video"]).to_be_visible()
    assert 100_000 < await ann.page.evaluate(DOWNLOADED) < LIMIT
