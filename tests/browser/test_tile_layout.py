"""Every participant's tile is whole, whatever the size of the window.

The page's own module draws stand-ins for participants, one after the other, so that 25 cost no media.
"""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Welcome
from tests.browser.recorder import Recorder
from tests.browser.rooms import open_room
from tests.browser.visitor import Visitor
from tests.support.controller import Site
from tests.support.livekit import LiveKitServer
from tests.support.participants import guest, token

MOST: Final = 25
MIN_WIDTH: Final = 132
"""px, as in tiles.js: narrower tiles scroll."""
SIZES: Final = {"landscape": (1279, 719), "portrait": (719, 1279)}
"""Not a multiple of anything: widths and heights inside have fractions."""
FONT: Final = "15.98px"

SCRIPT: Final = Path(__file__).with_suffix(".js").read_text()


async def _faults(visitor: Visitor, min_width: int) -> list[str]:
    """What is wrong as participants come one by one, without and beside a shared screen."""
    faults: list[str] = []
    for sharing in (False, True):
        faults += await visitor.page.evaluate(SCRIPT, [MOST, sharing, min_width])
    return faults


async def _resize(visitor: Visitor, orientation: str) -> None:
    width, height = SIZES[orientation]
    await visitor.page.set_viewport_size({"width": width, "height": height})


@pytest.mark.parametrize("orientation", SIZES)
async def test_tiles_of_the_call_are_whole_and_as_large_as_possible(
    house: Site, welcome: Welcome, orientation: str
) -> None:
    visitor = await welcome()
    await _resize(visitor, orientation)
    await visitor.open(await open_room(house, "layout"))
    await visitor.view("lobby")
    await visitor.page.evaluate(f"document.documentElement.style.fontSize = '{FONT}'")
    assert await _faults(visitor, MIN_WIDTH) == []


@pytest.mark.parametrize("orientation", SIZES)
async def test_tiles_of_a_recording_are_whole_and_as_large_as_possible(
    house: Site, livekit: LiveKitServer, welcome: Welcome, orientation: str
) -> None:
    """Its font follows the size of the picture: 719 / 45 px. The chat stays beside or below the tiles."""
    await open_room(house, "recorded-layout", allow_chat=True)
    recorder = await Recorder.on(await welcome())
    await _resize(recorder.visitor, orientation)
    await recorder.record(house, livekit, "recorded-layout")
    assert await _faults(recorder.visitor, 0) == []
    await expect(recorder.visitor["#chat"]).to_be_in_viewport(ratio=1)


async def test_three_participants_who_come_one_by_one_are_all_recorded(
    house: Site, livekit: LiveKitServer, welcome: Welcome
) -> None:
    await open_room(house, "three", allow_chat=True)
    recorder = await Recorder.on(await welcome())
    await _resize(recorder.visitor, "landscape")
    await recorder.record(house, livekit, "three")
    name = await house.room_name("three")
    async with AsyncExitStack() as stack:
        for number in range(1, 4):
            way_in = token(livekit, name, f"person-{number}")
            someone = await stack.enter_async_context(guest(livekit.ws_url, way_in))
            await someone.show_camera()
            await expect(recorder.visitor[".tile video"]).to_have_count(number)
            for tile in await recorder.visitor[".tile"].all():
                await expect(tile).to_be_in_viewport(ratio=1)
