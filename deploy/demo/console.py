"""Output: progress and problems on stderr, results on stdout."""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator, Iterable


def print_info(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def print_data(text: str = "") -> None:
    print(text, flush=True)  # noqa: T201


def bold(text: str) -> str:
    colored = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return f"\033[1m{text}\033[0m" if colored else text


def last_lines(lines: Iterable[str]) -> str:
    """The last lines of a process; the output of `doctor` fits in."""
    return "\n".join(f"    {line}" for line in list(lines)[-20:])


@contextlib.asynccontextmanager
async def progress(what: str) -> AsyncIterator[None]:
    """Shows that `what` runs, each second on a terminal, otherwise each ten; and how long it took."""
    began, terminal = time.monotonic(), sys.stderr.isatty()

    async def tick() -> None:
        while True:
            spent = f"  {what} ... {time.monotonic() - began:.0f} s"
            sys.stderr.write(f"\r{spent}" if terminal else f"{spent}\n")
            sys.stderr.flush()
            await asyncio.sleep(1 if terminal else 10)

    ticking = asyncio.create_task(tick())
    try:
        yield
    finally:
        ticking.cancel()
        sys.stderr.write("\r\033[K" if terminal else "")
    print_info(f"  {what}: {time.monotonic() - began:.0f} s")
