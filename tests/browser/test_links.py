"""Links as they arrive: with a name, damaged by whatever passed them on, or with an invite that is no use."""

from playwright.async_api import expect

from tests.browser.conftest import Welcome
from tests.browser.rooms import invite, open_room
from tests.support.controller import Site
from tests.support.page_texts import catalogue


async def test_the_name_of_the_link_is_filled_in(house: Site, welcome: Welcome) -> None:
    room = await open_room(house, "named")
    ann = await welcome()
    await ann.open(f"{room}?name=J%C3%BCrgen%20M&utm_source=mail")
    await ann.view("lobby")
    await expect(ann["#name"]).to_have_value("Jürgen M")
    await ann["#name"].fill("Jo")
    await ann["#join"].click()
    await ann.view("call")
    await ann.page.reload()
    await ann.view("call")
    await expect(ann[".tile.own"]).to_contain_text("Jo")


async def test_a_link_that_a_mail_program_has_damaged_works(house: Site, welcome: Welcome) -> None:
    room = await open_room(house, "mended", allow_webinar_mode=True)
    link = await invite(house, "mended")
    for damaged in (
        f"{room.upper()}{link}",
        f"{room}/{link}",
        f"{room}.?utm_source=mail{link}",
        f"{room}{link.replace('=', '%3D')}",
        f"{room}{link}).",
    ):
        ann = await welcome()
        await ann.open(damaged)
        await ann.enter("Ann")
        await expect(ann["#mic"]).to_be_visible()
        assert "#" not in ann.page.url


async def test_a_page_that_does_not_exist_says_so(welcome: Welcome) -> None:
    ann = await welcome(locale="de")
    await ann.page.goto(f"{ann.base}/meeting/today")
    await expect(ann["h1"]).to_have_text(catalogue("de")["not-found.title"])
    await expect(ann["html"]).to_have_attribute("lang", "de")
    await ann.shoot("not-found")


async def test_an_invite_of_another_room_is_said_before_joining(house: Site, welcome: Welcome) -> None:
    room, _ = await open_room(house, "one-room"), await open_room(house, "other-room")
    ann = await welcome()
    await ann.open(room, await invite(house, "other-room"))
    assert "different room" in await ann.sentence("INVITE_OTHER_ROOM")
    await ann.shoot("refused-other-room")
    await ann['[data-action="guest"]'].click()
    await ann.enter("Ann")


async def test_an_invite_that_was_cut_off_is_said_before_joining(house: Site, welcome: Welcome) -> None:
    room = await open_room(house, "cut-off")
    link = await invite(house, "cut-off")
    ann = await welcome()
    await ann.open(room, link[: len(link) // 3])
    assert "incomplete" in await ann.sentence("INVITE_DAMAGED")
