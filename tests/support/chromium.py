"""Chromium for tests: from the PATH, or by apt-get where that is there and we are root.

`python -m tests.support.chromium` gets it, and prints where it is.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from playwright.async_api import Browser, async_playwright

from tests.support.cache import cache_dir, locked, tell

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

_BY_HAND: Final = "Chromium is not on the PATH; install it (Debian: apt-get install chromium), then again"
_UPDATE: Final = ("apt-get", "update", "--quiet")
_INSTALL: Final = ("apt-get", "install", "--quiet", "--yes", "--no-install-recommends", "chromium")


def chromium() -> Path:
    """The program, installed where it is missing and may be. RuntimeError says what to install."""
    with locked(cache_dir() / ".chromium.lock"):
        found = _on_path()
        if found is None:
            _install()
            found = _on_path()
    if found is None:
        raise RuntimeError(_BY_HAND)
    return found


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """A running one, without a window."""
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(
            executable_path=chromium(), headless=True, args=list(FLAGS)
        )
        try:
            yield launched
        finally:
            await launched.close()


def _on_path() -> Path | None:
    found = next(filter(None, map(shutil.which, NAMES)), None)
    return Path(found) if found else None


def _install() -> None:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise RuntimeError(_BY_HAND)
    print("installing chromium by apt-get (once; a minute or two)", file=sys.stderr, flush=True)  # noqa: T201
    environ = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (_UPDATE, _INSTALL):
        done = subprocess.run(command, env=environ, stdin=subprocess.DEVNULL, stdout=2, check=False)
        if done.returncode:
            said = f"{' '.join(command)} failed (exit {done.returncode}); its output stands above"
            raise RuntimeError(said)


def main() -> int:
    return tell(chromium)


if __name__ == "__main__":
    sys.exit(main())
