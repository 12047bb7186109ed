"""Chromium for tests: from the PATH, or by apt-get where that is there and we are root."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from playwright.async_api import Browser, async_playwright, expect

from tests.support.debian import program
from tests.support.wait import PATIENCE

NAMES: Final = ("chromium", "chromium-browser")
FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
)
"""A camera and a microphone that nobody has, allowed without asking, and no calls home."""
MILLISECONDS: Final = 1000 * PATIENCE
"""Until what should be on the screen is missed."""


def chromium() -> Path:
    """The program, installed where it is missing and may be. RuntimeError says what to install."""
    return program("chromium", *NAMES)


@asynccontextmanager
async def browser(*more: str) -> AsyncIterator[Browser]:
    """A running one, without a window; `more` are flags beside ours."""
    expect.set_options(timeout=MILLISECONDS)
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(
            executable_path=chromium(), headless=True, args=[*FLAGS, *more]
        )
        try:
            yield launched
        finally:
            await launched.close()
