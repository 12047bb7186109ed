"""A stay that is broken: a reload, a lost room, a room that is over."""

import asyncio
from http import HTTPStatus

from playwright.async_api import Route, expect

from tests.browser.conftest import Welcome
from tests.browser.rooms import open_room
from tests.browser.visitor import TOKEN
from tests.support.api_callers import ApiCaller, callers
from tests.support.controller import Site
from tests.support.wait import until


async def test_a_reload_keeps_the_identity_and_the_place(house: Site, welcome: Welcome) -> None:
    room = await open_room(house, "reload", max_participants=2)
    ann, bob = await welcome(), await welcome()
    await asyncio.gather(ann.join(room, "Ann"), bob.join(room, "Bob"))
    before = await ann.identity()
    await ann.page.reload()
    await ann.view("call")
    assert await ann.identity() == before
    await bob.sees(before)
    await expect(bob["#people"]).to_contain_text("2 participants")
    await expect(bob[f'.tile[data-identity="{before}"]']).to_contain_text("Ann")


async def test_a_page_that_the_browser_freezes_rejoins_by_itself(house: Site, welcome: Welcome) -> None:
    """LiveKit's client disconnects then, and before a reload; only the button ends the stay."""
    room = await open_room(house, "frozen")
    ann = await welcome()
    await ann.join(room, "Ann")
    async with ann.asks_again():
        await ann.page.evaluate("dispatchEvent(new Event('pagehide'))")
    await ann.view("call")
    await ann.page.reload()
    await ann.view("call")


async def test_a_room_that_was_lost_is_entered_again_by_itself(house: Site, welcome: Welcome) -> None:
    room = await open_room(house, "lost")
    ann, bob = await welcome(), await welcome()
    await asyncio.gather(ann.join(room, "Ann"), bob.join(room, "Bob"))
    name = await house.room_name("lost")
    async with ann.asks_again(), bob.asks_again():
        await house.writer.delete_room(name)
    await asyncio.gather(ann.view("call"), bob.view("call"))
    await ann.sees(await bob.identity())


async def test_a_room_that_starts_anew_is_entered_under_its_new_name(house: Site, welcome: Welcome) -> None:
    room = await open_room(house, "anew")
    ann = await welcome()
    await ann.join(room, "Ann")
    before = await house.room_name("anew")
    house.edit("anew", active=False)
    assert "meeting has ended" in await ann.sentence("OVER")
    await ann.shoot("over")
    await house.until_condition("anew", "Live", "False")
    house.edit("anew", active=True)
    await house.until_condition("anew", "Live", "True")
    await ann.again("lobby")
    await ann.enter("Ann")
    assert await house.room_name("anew") != before


async def _removed(owner: ApiCaller, room_id: str) -> bool:
    """Whether the call says so; 503: not yet, and it will be."""
    status, _ = await owner.call(f"remove?id={room_id}")
    return status in (HTTPStatus.OK, HTTPStatus.NOT_FOUND)


async def test_a_room_that_its_owner_removes_is_over(house: Site, welcome: Welcome) -> None:
    ann = await welcome()
    async with callers(house) as (anna, _, _):
        room = await anna.good("create", {"name": "Short meeting", "max_participants": 5})
        await ann.join(room["id"], "Ann")
        await until(lambda: _removed(anna, room["id"]))
    assert "closed for everyone" in await ann.sentence("OVER")


async def test_who_presses_twice_comes_once(house: Site, welcome: Welcome) -> None:
    room = await open_room(house, "twice")
    ann = await welcome()
    await ann.join(room, "Ann")
    await ann["#leave"].click()
    await ann.sentence("LEFT")
    ann.asked.clear()
    await ann['[data-action="join"]'].dblclick()
    await ann.view("call")
    await ann.sees(await ann.identity())
    assert [url for url in ann.asked if url.endswith(TOKEN)] == [f"{ann.base}{TOKEN}"]


async def test_who_goes_back_to_the_lobby_is_not_let_in_after_all(house: Site, welcome: Welcome) -> None:
    room = await open_room(house, "called-off")
    ann = await welcome()
    asked, answered = asyncio.Event(), asyncio.Event()

    async def slowly(route: Route) -> None:
        asked.set()
        await answered.wait()
        await route.continue_()

    await ann.open(room)
    await ann.page.route(f"**{TOKEN}", lambda route: route.abort())
    await ann["#join"].click()
    await ann.sentence("NETWORK")
    await ann.page.route(f"**{TOKEN}", slowly)  # it goes before the other
    await ann['[data-action="again"]'].click()
    await asked.wait()
    await ann['[data-action="back"]'].click()
    await ann.view("lobby")
    async with ann.asks_again():
        answered.set()
    await asyncio.sleep(0.5)  # in which it would come in
    await ann.view("lobby")
    assert await house.people("called-off") == []
    await ann.enter("Ann")
