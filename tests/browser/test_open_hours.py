"""A closed room counts down and opens without a reload; those inside are warned before they have to leave."""

from datetime import UTC, datetime, timedelta

from playwright.async_api import expect

from tests.browser.conftest import Welcome
from tests.browser.rooms import open_room
from tests.support.controller import Site


def moment(**ahead: float) -> str:
    return (datetime.now(UTC) + timedelta(**ahead)).isoformat(timespec="seconds")


async def made(house: Site, key: str, **fields: object) -> str:
    house.write(key, **fields)
    await house.until_condition(key, "Ready", "True")
    return (await house.record(key)).id


async def test_a_closed_room_counts_down_and_opens_without_a_reload(house: Site, welcome: Welcome) -> None:
    room = await made(house, "soon", name="Weekly review", opens=moment(seconds=25))
    ann = await welcome()
    await ann.open(room)
    await ann.view("notice")
    await expect(ann["#title"]).to_have_text("Weekly review")
    await expect(ann["#sentence h2"]).to_have_text("The room is closed right now")
    await expect(ann["#sentence p"]).to_contain_text("It opens on ")
    await expect(ann["#countdown"]).to_contain_text("Opens in ")
    await ann.page.evaluate("window.isTheSamePage = true")
    await ann.shoot("closed")
    await ann.view("lobby")
    await expect(ann["#countdown"]).to_be_hidden()
    await ann.enter("Ann")
    assert await ann.page.evaluate("window.isTheSamePage")


async def test_a_countdown_of_days_is_in_the_visitors_language(house: Site, welcome: Welcome) -> None:
    room = await made(house, "later", opens=moment(days=3, hours=2, minutes=30))
    ann = await welcome(locale="de")
    await ann.open(room)
    await expect(ann["#countdown"]).to_have_text("Öffnet in 3 Tage, 2 Stunden.")


async def test_a_room_that_does_not_open_again_says_only_that_it_is_closed(
    house: Site, welcome: Welcome
) -> None:
    room = await made(house, "over", closes=moment(seconds=-60))
    ann = await welcome()
    await ann.open(room)
    await expect(ann["#sentence p"]).to_contain_text("It's open only at certain times.")
    await expect(ann["#countdown"]).to_be_hidden()


async def test_those_inside_are_warned_and_come_back_after_a_reload(house: Site, welcome: Welcome) -> None:
    room = await open_room(house, "show", closes=moment(hours=1), overrun="0s")
    ann = await welcome()
    await ann.join(room, "Ann")
    await expect(ann["#closing"]).to_be_hidden()
    house.write("show", closes=moment(seconds=-10), overrun="4m")
    await expect(ann["#closing"]).to_have_text("This room closes in 4 minutes.")
    await ann.shoot("closing")
    await ann.page.reload()
    await ann.view("call")
    await expect(ann["#closing"]).to_contain_text("This room closes in ")
    house.write("show", closes=moment(seconds=-10), overrun="0s")
    await ann.view("notice")
    await expect(ann["#sentence h2"]).to_have_text("The room is closed right now")
    bob = await welcome()
    await bob.open(room)
    assert await bob.sentence("ROOM_CLOSED")


async def test_a_room_that_is_held_open_does_not_say_that_it_closes(house: Site, welcome: Welcome) -> None:
    room = await open_room(house, "held", closes=moment(seconds=25), overrun="0s")
    held = await house.verb("hold", "held", "--for", "1h", "--reason", "it runs over")
    assert held.code == 0
    ann = await welcome()
    await ann.join(room, "Ann")
    await expect(ann["#closing"]).to_have_text("This room closes in 1 minute.")
    await expect(ann["#closing"]).to_have_text("")
    await ann.view("call")
    bob = await welcome()
    await bob.join(room, "Bob")
