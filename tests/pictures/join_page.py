"""The join page in Chromium, as PNG: the lobby of a real room, on a real controller and LiveKit."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from playwright.async_api import ViewportSize

from tests.browser.visitor import Visitor
from tests.support.chromium import browser
from tests.support.controller import Site
from tests.support.embedded import secantus
from tests.support.livekit import LiveKitServer
from tests.support.livekit_client import livekit_client

_SIZE: Final = ViewportSize(width=960, height=560)
_WIDTH, _HEIGHT = 640, 360
_BACK, _PERSON = (118, 112), (142, 108)
"""Colors as U and V: what is behind somebody, and somebody."""


async def join_page(folder: Path) -> bytes:
    """The whole picture. `folder` is for what the servers write."""
    livekit_client()
    camera = folder / "camera.y4m"
    camera.write_bytes(silhouette())
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        livekit = await enter(LiveKitServer(folder / "livekit"))
        mongodb = await enter(secantus(folder / "mongodb"))
        site = await enter(Site(folder / "site", livekit, mongodb=mongodb.uri))
        site.write("standup", name="Team standup", preset="standard-team")
        await enter(site.run())
        room = (await site.converged())["standup"]
        chromium = await enter(browser(f"--use-file-for-fake-video-capture={camera}"))
        context = await chromium.new_context(viewport=_SIZE, color_scheme="light")
        stack.push_async_callback(context.close)
        visitor = await Visitor.arriving(context, f"http://127.0.0.1:{site.public}", folder)
        await visitor.open(room.id)
        await visitor.view("lobby")
        await visitor["#name"].fill("Jane")
        await visitor["#level"].wait_for()  # the microphone is on
        await visitor.page.wait_for_function("document.querySelector('video')?.videoWidth > 0")
        return await visitor.page.screenshot()


def silhouette() -> bytes:
    """What the camera shows, as a film of one picture: somebody before a wall."""
    rows, columns = range(_HEIGHT), range(_WIDTH)
    luma = bytes(_luma(x, y) for y in rows for x in columns)
    chroma = [_PERSON if _is_person(x, y) else _BACK for y in rows[::2] for x in columns[::2]]
    planes = luma + bytes(u for u, _ in chroma) + bytes(v for _, v in chroma)
    return b"YUV4MPEG2 W%d H%d F10:1 Ip A1:1 C420jpeg\nFRAME\n" % (_WIDTH, _HEIGHT) + planes


def _luma(x: int, y: int) -> int:
    """The wall is lit from above, somebody from the side."""
    return 96 - (x - _WIDTH // 2) // 12 if _is_person(x, y) else 205 - y // 6


def _is_person(x: int, y: int) -> bool:
    """A head above shoulders."""
    across = x - _WIDTH / 2
    head = (across / 62) ** 2 + ((y - 150) / 76) ** 2 < 1
    return head or (across / 165) ** 2 + ((y - 352) / 135) ** 2 < 1
