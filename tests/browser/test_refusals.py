"""Each way of not getting in has its sentence on the screen, with what to do."""

from playwright.async_api import expect

from tests.browser.conftest import Welcome
from tests.browser.rooms import invite, open_room
from tests.browser.visitor import Visitor
from tests.support.controller import Site
from tests.support.wait import until

KEPT = "Object.entries(sessionStorage)"
TAKEN_OVER = """([key, text]) => {
  const { identity } = JSON.parse(text);
  sessionStorage.setItem(key, JSON.stringify({ identity }));
}"""
"""The identity that another tab has, without its token: a claim and no proof."""


async def until_full(site: Site, room_id: str) -> None:
    """A join less than a second old may be missed at the door; then it is LiveKit that refuses the next."""

    async def full() -> bool:
        return (await site.ask_token(room_id, "probe")).body.get("code") == "ROOM_FULL"

    await until(full)


async def test_a_full_room_lets_the_next_one_in_when_somebody_leaves(house: Site, welcome: Welcome) -> None:
    room = await open_room(house, "small", max_participants=1)
    ann, bob = await welcome(), await welcome()
    await ann.join(room, "Ann")
    await until_full(house, room)
    await bob.open(room)
    await bob["#name"].fill("Bob")
    await bob["#join"].click()
    assert "full" in await bob.sentence("ROOM_FULL")
    await ann["#leave"].click()
    await ann.sentence("LEFT")
    await bob.shoot("refused-full")
    await bob.again("call")


async def test_a_room_that_is_not_open_opens_by_itself(house: Site, welcome: Welcome) -> None:
    room = await open_room(house, "early")
    house.edit("early", active=False)
    await house.until_condition("early", "Live", "False")
    ann, bob = await welcome(), await welcome()
    await ann.open(room)
    sentence = await ann.sentence("ROOM_NOT_FOUND")
    await bob.open("0" * 24)
    assert await bob.sentence("ROOM_NOT_FOUND") == sentence, "no page is an oracle"
    assert "isn't open" in sentence
    await ann.shoot("refused-not-open")
    house.edit("early", active=True)
    await house.until_condition("early", "Live", "True")
    await ann.again("lobby")


async def test_an_invite_that_no_header_takes_is_said_to_be_bad(house: Site, welcome: Welcome) -> None:
    room = await open_room(house, "mangled")
    ann = await welcome()
    await ann.open(room, "#invite=%F0%9F%98%80%00")
    assert "incomplete" in await ann.sentence("INVITE_DAMAGED")


async def test_an_invite_that_has_expired_is_no_guest_pass(house: Site, welcome: Welcome) -> None:
    room = await open_room(house, "expired", allow_webinar_mode=True)
    link = await invite(house, "expired", "--expires", "1s")
    ann = await welcome()

    async def is_refused() -> bool:
        await ann.page.goto("about:blank")
        await ann.open(room, link)
        return await ann["body"].get_attribute("data-view") == "notice"

    await until(is_refused)
    assert "expired" in await ann.sentence("INVITE_EXPIRED")


async def _void(house: Site, room: str, link: str) -> bool:
    """Whether the controller knows by now that the invite was revoked: it has a resync and 2 s for it."""
    bearer = {"Authorization": f"Bearer {link.partition('#invite=')[2]}"}
    return (await house.ask_token(room, "probe", bearer)).status == 401


async def test_a_revoked_invite_may_still_come_as_a_guest(house: Site, welcome: Welcome) -> None:
    room = await open_room(house, "revoked", allow_webinar_mode=True)
    link = await invite(house, "revoked")
    assert (await house.verb("revoke", "revoked")).code == 0
    await until(lambda: _void(house, room, link))
    ann = await welcome()
    await ann.open(room, link)
    await ann.view("lobby")
    await ann["#join"].click()
    assert "Ask the organizer for a new link" in await ann.sentence("PROOF_INVALID")
    await ann.shoot("refused-invite")
    await ann['[data-action="guest"]'].click()
    await ann.enter("Ann")
    await expect(ann["#mic"]).to_be_hidden()


async def _taken(house: Site, room: str, visitor: Visitor) -> bool:
    """Whether it is known that they are inside: it was looked up within the last second, as they came."""
    return (await house.ask_token(room, await visitor.identity())).status == 409


async def test_an_identity_that_another_tab_has_is_not_taken_from_it(house: Site, welcome: Welcome) -> None:
    room = await open_room(house, "taken")
    ann, other = await welcome(), await welcome()
    await ann.join(room, "Ann")
    await until(lambda: _taken(house, room, ann))
    await other.open(room)
    ((key, text),) = await ann.page.evaluate(KEPT)
    await other.page.evaluate(TAKEN_OVER, [key, text])
    await other.page.reload()
    await other.view("lobby")
    await other["#join"].click()
    assert "already in this room" in await other.sentence("IDENTITY_IN_USE")
    await other.shoot("refused-taken")
    await other['[data-action="fresh"]'].click()
    await other.view("call")
    await expect(ann["#people"]).to_contain_text("2 participants")
    assert await other.identity() != await ann.identity()


async def test_who_comes_twice_goes_on_in_the_newer_tab(house: Site, welcome: Welcome) -> None:
    """A tab that was doubled has its token, too."""
    room = await open_room(house, "double")
    ann, other = await welcome(), await welcome()
    await ann.join(room, "Ann")
    await until(lambda: _taken(house, room, ann))
    await other.open(room)
    ((key, text),) = await ann.page.evaluate(KEPT)
    await other.page.evaluate("([key, text]) => sessionStorage.setItem(key, text)", [key, text])
    await other.page.reload()
    await other.view("call")
    assert "another tab or device" in await ann.sentence("ELSEWHERE")
    await ann.shoot("elsewhere")
