"""Waiting for what nobody announces."""

import asyncio
from collections.abc import Awaitable, Callable

EVERY = 0.05
PATIENCE = 60.0
"""Seconds after which a wait has failed: far more than anything takes, also where the machine is busy."""


async def until(holds: Callable[[], Awaitable[bool]], within: float = PATIENCE) -> None:
    """Return as soon as `holds` says so, looking often; TimeoutError after `within` seconds."""
    async with asyncio.timeout(within):
        while not await holds():  # noqa: ASYNC110 -- there is no event to wait for
            await asyncio.sleep(EVERY)
