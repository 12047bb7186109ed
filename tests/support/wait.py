"""Waiting for what nobody announces."""

import asyncio
from collections.abc import Awaitable, Callable

EVERY = 0.05


async def until(holds: Callable[[], Awaitable[bool]], within: float = 20.0) -> None:
    """Return as soon as `holds` says so, looking often; TimeoutError after `within` seconds."""
    async with asyncio.timeout(within):
        while not await holds():  # noqa: ASYNC110 -- there is no event to wait for
            await asyncio.sleep(EVERY)
