"""One Chromium, one controller and one LiveKit for all tests of the page; a context for each visitor.

SCREENSHOTS names the folder for pictures of the page's states (default: one of pytest's temporary ones).
"""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser

from tests.browser.visitor import Visitor
from tests.support.api_callers import write_tokens
from tests.support.chromium import browser
from tests.support.controller import Site
from tests.support.embedded import secantus
from tests.support.livekit import LiveKitServer
from tests.support.livekit_client import livekit_client

Welcome = Callable[..., Awaitable[Visitor]]
"""Called with what the visitor's browser context has beyond the usual, as `locale="de"`."""

EMBEDDING = "http://embedding.localhost"
"""An origin whose pages may frame the page. A browser counts it as secure."""


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    async with browser() as opened:
        yield opened


@pytest.fixture(scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory, livekit: LiveKitServer) -> AsyncIterator[Site]:
    """A controller at work; each test writes manifests of its own."""
    livekit_client()
    folder = tmp_path_factory.mktemp("house")
    tokens = str(write_tokens(folder))
    async with (
        secantus(tmp_path_factory.mktemp("mongodb")) as mongodb,
        Site(
            folder,
            livekit,
            mongodb=mongodb.uri,
            ROOMCTL_ACCESS_TOKENS_FILE=tokens,
            ROOMCTL_EMBED_ORIGINS=EMBEDDING,
        ) as site,
        site.run(),
    ):
        yield site


@pytest.fixture(scope="session")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder for pictures."""
    given = os.environ.get("SCREENSHOTS")
    folder = Path(given).absolute() if given else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
async def welcome(
    chromium: Browser, house: Site, livekit: LiveKitServer, shots: Path
) -> AsyncIterator[Welcome]:
    """Brings visitors; at the end none of their pages has turned to strangers, or complained."""
    visitors: list[Visitor] = []
    async with AsyncExitStack() as stack:

        async def another(**context_options: Any) -> Visitor:
            options: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}, **context_options}
            context = await chromium.new_context(**options)
            stack.push_async_callback(context.close)
            visitors.append(await Visitor.arriving(context, f"http://127.0.0.1:{house.public}", shots))
            return visitors[-1]

        yield another
    for each in visitors:
        assert each.strangers({f"127.0.0.1:{house.public}", f"127.0.0.1:{livekit.port}"}) == set()
        assert each.errors() == []
