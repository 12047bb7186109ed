"""The page speaks the language of the browser."""

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Welcome
from tests.browser.rooms import open_room
from tests.support.controller import Site
from tests.support.page_texts import catalogue

LANGUAGES = {
    "en-GB": "en",
    "de-AT": "de",
    "fr-CA": "fr",
    "es-MX": "es",
    "pt-BR": "pt",
    "ja": "ja",
    "nl-NL": "en",
}


@pytest.mark.parametrize("locale", LANGUAGES)
async def test_the_lobby_is_in_the_browsers_language(house: Site, welcome: Welcome, locale: str) -> None:
    room = await open_room(house, "spoken", name="Spoken")
    ann = await welcome(locale=locale)
    await ann.open(room)
    await ann.view("lobby")
    said = catalogue(LANGUAGES[locale])
    await expect(ann["html"]).to_have_attribute("lang", LANGUAGES[locale])
    await expect(ann["#join"]).to_have_text(said["lobby.join"])
    await expect(ann["#name"]).to_have_attribute("placeholder", said["lobby.name-hint"])
    await expect(ann.page).to_have_title(said["lobby.page-title"].format(room="Spoken"))
    loaded = {url.rpartition("/")[2] for url in ann.asked if "/texts-" in url}
    assert loaded == {"texts-en.js", f"texts-{LANGUAGES[locale]}.js"}, "no other language is loaded"


async def test_the_call_and_its_end_are_in_the_browsers_language(house: Site, welcome: Welcome) -> None:
    room = await open_room(house, "gesprochen", allow_chat=True)
    ann = await welcome(locale="de-DE")
    await ann.join(room, "Ann")
    said = catalogue("de")
    await expect(ann["#people"]).to_have_text(said["call.count.one"].format(count=1))
    await expect(ann["#mic"]).to_have_accessible_name(said["mic.mute"])
    await ann["#chat-open"].click()
    await expect(ann["#no-messages"]).to_have_text(said["chat.empty"])
    await ann["#leave"].click()
    assert said["error.LEFT.title"] in await ann.sentence("LEFT")


async def test_a_language_that_does_not_load_leaves_the_page_in_english(
    house: Site, welcome: Welcome
) -> None:
    room = await open_room(house, "unspoken")
    ann = await welcome(locale="fr")
    await ann.page.route("**/texts-fr.js", lambda route: route.abort())
    await ann.open(room)
    await ann.view("lobby")
    await expect(ann["#join"]).to_have_text("Join")
