"""A wall clock that can be wrong, for a process of `roomctl`: libfaketime, preloaded.

clock = WallClock(tmp_path)
async with site.run(**clock.env):
    clock.set(600)                       # ten minutes fast, from now on
"""

from pathlib import Path
from typing import Any

from tests.support.debian import program


def library() -> Path:
    """libfaketime, installed where it is missing and may be. RuntimeError says what to install."""
    prefix = program("faketime", "faketime").parent.parent
    path = next(iter(sorted(prefix.glob("lib/**/faketime/libfaketime.so.1"))), None)
    if path is None:
        raise RuntimeError(f"`faketime` has no libfaketime.so.1 below {prefix}/lib; install it again")
    return path


class WallClock:
    """The wall clock of the processes that are started with `env`: right, until it is set."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "wall-clock"
        self.set(0)

    @property
    def env(self) -> dict[str, Any]:
        """Their monotonic clock is left alone: asyncio waits by it. The file is read at each question."""
        return {
            "LD_PRELOAD": str(library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, seconds: int) -> None:
        """So far ahead of the true time from now on; negative: behind."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{seconds:+d}\n")
        fresh.replace(self._file)
