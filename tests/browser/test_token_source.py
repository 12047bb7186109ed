"""The official JavaScript client joins by our token endpoint, unchanged."""

import asyncio

from controller.access.policy import Role, role_of
from tests.browser.conftest import Welcome
from tests.browser.external_client import Outsider
from tests.browser.rooms import open_room
from tests.support.controller import Site


async def test_a_page_with_nothing_but_the_client_joins_by_a_token_source(
    house: Site, welcome: Welcome
) -> None:
    room = await open_room(house, "embedded")
    ann, stranger = await welcome(), await welcome()
    outsider, _ = await asyncio.gather(Outsider.inside(stranger, room), ann.join(room, "Ann"))
    assert await outsider.publish("camera") == ""
    await ann.sees(outsider.identity)
    (listed,) = [each for each in await house.people("embedded") if each.identity == outsider.identity]
    assert role_of(listed) is Role.GUEST
