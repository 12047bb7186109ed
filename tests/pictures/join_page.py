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

_SIZE: Final = ViewportSize(width=960, height=640)


async def join_page(folder: Path) -> bytes:
    """The whole picture. `folder` is for what the servers write."""
    livekit_client()
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        livekit = await enter(LiveKitServer(folder / "livekit"))
        mongodb = await enter(secantus(folder / "mongodb"))
        site = await enter(Site(folder / "site", livekit, mongodb=mongodb.uri))
        site.write("standup", name="Team standup", preset="standard-team")
        await enter(site.run())
        room = (await site.converged())["standup"]
        chromium = await enter(browser())
        context = await chromium.new_context(viewport=_SIZE, color_scheme="light")
        stack.push_async_callback(context.close)
        visitor = await Visitor.arriving(context, f"http://127.0.0.1:{site.public}", folder)
        await visitor.open(room.id)
        await visitor.view("lobby")
        await visitor["#name"].fill("Jane")
        await visitor.page.wait_for_function("document.querySelector('video')?.videoWidth > 0")
        return await visitor.page.screenshot()
