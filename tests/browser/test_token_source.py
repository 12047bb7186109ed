"""The official JavaScript client joins by our token endpoint, unchanged."""

import asyncio
from typing import Any

import jwt

from controller.access.policy import Role, role_of
from tests.browser.conftest import Welcome
from tests.browser.external_client import Outsider
from tests.browser.rooms import open_room
from tests.support.controller import Site
from tests.support.documents import block_under, page
from tests.support.wait import until


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


def documented_source() -> str:
    """The script of the page on the HTTP API, for `endpoint` instead of its example."""
    code = block_under(page("http-api.md"), "A new token while connected", "js")
    without_import = code.replace('import { TokenSource } from "livekit-client";', "")
    script = without_import.replace('"https://rooms.example.com/livekit/token"', "endpoint")
    assert script.count("endpoint") == 1
    return script


async def test_a_token_source_that_sends_the_previous_token_refreshes_while_connected(
    house: Site, welcome: Welcome
) -> None:
    room = await open_room(house, "refreshed")
    visitor = await welcome()
    await Outsider.arrive(visitor)
    ann = Outsider(visitor, "ann")
    first = await ann.joins(room, documented_source())

    async def refused() -> bool:
        return (await house.ask_token(room, "ann")).status == 409

    await until(refused)
    second = await ann.refresh()
    assert claims(second)["jti"] == claims(first)["jti"]
    assert await ann.publish("camera") == ""
    await Outsider.arrive(visitor)  # a reload
    third = await ann.joins(room, documented_source())
    assert claims(third)["sub"] == "ann"  # its jti is another one if the server saw the first connection end


def claims(token: str) -> Any:
    return jwt.decode(token, options={"verify_signature": False})
