"""Watches rooms.d. An item only means that something may have changed; the receiver reads the folder."""

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from typing import Final, TypeAlias

from watchfiles import Change, awatch
from watchfiles.main import FileChange

from controller.logs import get_logger

log = get_logger()

IDENTITY_POLL_SECONDS: Final = 0.5
"""Seconds between checks for what no event shows: the folder was deleted, created, or switched by a link."""

DEBOUNCE_MS: Final = 200
DEBOUNCE_STEP_MS: Final = 50
"""Milliseconds: events are collected until none has come for DEBOUNCE_STEP_MS, at most DEBOUNCE_MS."""

Identity: TypeAlias = tuple[str, int, int] | None
"""Identifies the folder: real path, device, inode; None if it does not exist."""


class ManifestWatcher:
    """`async for _ in ManifestWatcher(rooms_dir, stop)`: an item when something may have changed, until
    `stop` is set.

    It never raises. The folder may be missing, be created later, be deleted, be switched by a link (git-sync)
    or contain such a link (a ConfigMap). Each start of a watch yields an item, for earlier changes. If the
    operating system reports no events, the resync finds changes.
    """

    def __init__(
        self, rooms_dir: Path, stop: asyncio.Event, poll_interval: float = IDENTITY_POLL_SECONDS
    ) -> None:
        self._rooms_dir = rooms_dir
        self._stop = stop
        self._poll_interval = poll_interval
        self._round = _Round(stop)
        self._logged = ""

    def restart(self) -> None:
        """Start a new watch: this one had no event for a change that a resync found."""
        self._round.set()

    async def __aiter__(self) -> AsyncIterator[None]:
        seen = identity(self._rooms_dir)
        while not self._stop.is_set():
            self._round = _Round(self._stop)
            if seen is not None:
                async with contextlib.aclosing(self._events(seen)) as events:
                    async for _ in events:
                        yield
            now = identity(self._rooms_dir)
            if now != seen:
                seen = now
                yield
            elif not self._round.is_set():
                await self._rest()

    async def _events(self, watched: tuple[str, int, int]) -> AsyncGenerator[None]:
        """Items from one watch, until it must be restarted."""
        root = watched[0]
        fresh = True
        try:
            async with contextlib.aclosing(self._awatch(root)) as batches:
                async for changes in batches:
                    self._logged = ""
                    if changes or fresh:
                        yield
                    fresh = False
                    if (Change.deleted, root) in changes or identity(self._rooms_dir) != watched:
                        return
        except Exception as wrong:  # noqa: BLE001 - a watch that fails only makes changes slower to see
            self._failed(wrong)

    def _awatch(self, root: str) -> AsyncGenerator[set[FileChange]]:
        """Batches of changes, and an empty one whenever it is time to check the folder itself."""
        return awatch(
            root,
            watch_filter=_below(root),
            debounce=DEBOUNCE_MS,
            step=DEBOUNCE_STEP_MS,
            stop_event=self._round,
            rust_timeout=int(self._poll_interval * 1000),
            yield_on_timeout=True,
            ignore_permission_denied=True,
        )

    async def _rest(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._poll_interval):
                await self._stop.wait()

    def _failed(self, wrong: Exception) -> None:
        """Logged once for each kind of failure, not twice a second."""
        kind = type(wrong).__name__
        if kind != self._logged and not isinstance(wrong, FileNotFoundError):
            log.warning("manifest watch failed", error_type=kind)
        self._logged = kind


def identity(folder: Path) -> Identity:
    """Which folder is at this path now."""
    try:
        status = folder.stat()
    except OSError:
        return None
    return os.path.realpath(folder), status.st_dev, status.st_ino


class _Round(asyncio.Event):
    """The end of one watch: set for a restart, and for the final stop."""

    def __init__(self, stop: asyncio.Event) -> None:
        super().__init__()
        self._all = stop

    def is_set(self) -> bool:
        return super().is_set() or self._all.is_set()


def _below(root: str) -> Callable[[Change, str], bool]:
    """Whether a path may be a manifest, or lead to one; changes in `.git` do not count."""

    def counts(_change: Change, path: str) -> bool:
        return "/.git/" not in path.removeprefix(root)

    return counts
