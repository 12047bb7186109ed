"""What a recording shows: the page that the worker is told to open, and what a browser sees there."""

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import expect

from controller.live.egress import Egress
from tests.browser.recorder import END, START, Recorder
from tests.browser.rooms import open_room
from tests.browser.visitor import Visitor
from tests.real.recordings.harness import RecordingSite, recording_site
from tests.support.chromium import browser
from tests.support.embedded import Server
from tests.support.livekit_client import livekit_client
from tests.support.wait import until

OWN: Final = "localhost:7980"
"""Where the worker serves LiveKit's own layouts to itself."""


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, mongodb: Server) -> AsyncIterator[RecordingSite]:
    """A controller at work; the worker reaches its pages by another name than guests do."""
    livekit_client()
    folder = tmp_path_factory.mktemp("layouts")
    async with (
        recording_site(folder, mongodb.uri, ROOMCTL_RECORDING_IDLE_SECONDS="60") as site,
        site.run(ROOMCTL_RECORDING_PAGE_URL=f"http://localhost:{site.public}/"),
    ):
        yield site


@dataclass(frozen=True, slots=True)
class OpenedPage:
    """The page that the worker was told to open: its place, the query, and the claims of the token there."""

    egress_id: str
    url: str
    place: str
    layout: str
    livekit: str
    claims: dict[str, Any]


def opened_page(house: RecordingSite, egress: Egress) -> OpenedPage:
    url = str(house.stack.worker.note(egress.id)["page"])
    parts = urlsplit(url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    claims = query["token"].split(".")[1]
    decoded = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    return OpenedPage(egress.id, url, f"{parts.netloc}{parts.path}", query["layout"], query["url"], decoded)


async def recorded(house: RecordingSite, key: str, mode: str) -> OpenedPage:
    """What the worker was told for a room of that record_mode with somebody inside."""
    await open_room(house, key, record=True, record_mode=mode)
    async with house.person(key):
        return opened_page(house, await house.recorded(key))


async def test_the_grid_is_livekits_own(house: RecordingSite) -> None:
    page = await recorded(house, "grid", "ROOM_COMPOSITE_GRID")
    assert (page.place, page.layout, page.livekit) == (f"{OWN}/", "grid", house.livekit.ws_url)


async def test_the_speaker_is_livekits_own(house: RecordingSite) -> None:
    page = await recorded(house, "speaker", "ROOM_COMPOSITE_SPEAKER")
    assert (page.place, page.layout) == (f"{OWN}/", "speaker")


async def test_the_chat_is_a_page_of_ours_where_the_worker_reaches_it(house: RecordingSite) -> None:
    page = await recorded(house, "chat", "ROOM_COMPOSITE_AND_CHAT")
    assert page.place == f"localhost:{house.public}/recording/template"
    assert page.livekit == house.livekit.ws_url


async def test_the_recorder_is_hidden_and_says_nothing(house: RecordingSite) -> None:
    page = await recorded(house, "claims", "ROOM_COMPOSITE_AND_CHAT")
    grants = page.claims["video"]
    assert (page.claims["kind"], page.claims["sub"]) == ("egress", page.egress_id)
    assert (grants["room"], grants["hidden"], grants["recorder"]) == (
        await house.room_name("claims"),
        True,
        True,
    )
    assert (grants["canPublish"], grants["canPublishData"]) == (False, False)


async def until_gone(house: RecordingSite, key: str, identity: str) -> None:
    async def gone() -> bool:
        return identity not in {one.identity for one in await house.people(key)}

    await until(gone, 60)


async def test_a_browser_in_the_workers_place_shows_the_people_and_the_chat(
    house: RecordingSite, tmp_path: Path
) -> None:
    """It opens exactly the URL that the worker was given, and is the recorder for LiveKit."""
    room_id = await open_room(
        house, "talk", name="Talk", record=True, record_mode="ROOM_COMPOSITE_AND_CHAT", allow_chat=True
    )
    base = f"http://127.0.0.1:{house.public}"
    async with browser() as chromium:
        ann = await Visitor.arriving(await chromium.new_context(), base, tmp_path)
        await ann.join(room_id, "Ann")
        egress = await house.recorded("talk")
        await house.stack.worker.drop(egress.id)
        await until_gone(house, "talk", egress.id)
        recorder = await Recorder.on(await Visitor.arriving(await chromium.new_context(), base, tmp_path))
        await recorder.page.goto(opened_page(house, egress).url)
        await recorder.until_printed(START)
        await recorder.visitor.sees(await ann.identity())
        await ann.send_chat("hello from Ann")
        await expect(recorder.visitor["#messages > li"]).to_contain_text("hello from Ann")
        await expect(ann[".tile"]).to_have_count(1)  # the recorder is nobody
        house.edit("talk", active=False)
        await recorder.until_printed(END)
    assert recorder.said == [START, END]
    assert recorder.visitor.errors() == []
