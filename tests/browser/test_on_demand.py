"""The page of a room that is live on demand: joining wakes the room, and opening the page does not."""

import json

from playwright.async_api import Route

from tests.browser.conftest import Welcome
from tests.support.controller import Site
from tests.support.participants import token


async def asleep(house: Site, key: str) -> str:
    house.write(key, live="on-demand", allow_chat=True)
    await house.until_condition(key, "Ready", "True", reason="OnDemand")
    return (await house.record(key)).id


async def test_a_guest_enters_a_sleeping_room(house: Site, welcome: Welcome) -> None:
    room = await asleep(house, "desk")
    ann = await welcome()
    await ann.open(room)
    await ann.view("lobby")
    assert (await house.record("desk")).live is None, "the page alone wakes nothing"
    await ann.enter("Ann")
    bob = await welcome()
    await bob.join(room, "Bob")
    await bob.sees(await ann.identity())


class StaleTokens:
    """Answers the first `count` requests for a token as if LiveKit had closed the room just now."""

    def __init__(self, house: Site, count: int) -> None:
        self._left, self.asked = count, 0
        body = {
            "server_url": house.livekit.ws_url,
            "participant_token": token(house.livekit, "a-room-that-ended", "ann"),
        }
        self._body = json.dumps(body)

    async def __call__(self, route: Route) -> None:
        self.asked += 1
        self._left -= 1
        if self._left < 0:
            await route.continue_()
        else:
            await route.fulfill(status=201, body=self._body)


async def test_a_page_that_livekit_answers_with_404_asks_again_once(house: Site, welcome: Welcome) -> None:
    room = await asleep(house, "cellar")
    ann, tokens = await welcome(), StaleTokens(house, 1)
    await ann.page.route("**/livekit/token", tokens)
    await ann.join(room, "Ann")
    assert tokens.asked == 2
    ann.complaints.clear()  # the browser names LiveKit's 404


async def test_a_room_that_stays_away_is_said_after_the_second_request(house: Site, welcome: Welcome) -> None:
    room = await asleep(house, "attic")
    ann, tokens = await welcome(), StaleTokens(house, 2)
    await ann.page.route("**/livekit/token", tokens)
    assert await ann.tried(room) == "ROOM_NOT_READY"
    await ann.view("call")
    assert tokens.asked == 3
    ann.complaints.clear()
