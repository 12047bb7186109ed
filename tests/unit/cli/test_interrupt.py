"""One Ctrl-C is enough."""

import asyncio
from contextlib import suppress

import pytest

from controller.cli.console import pause


async def test_an_interruption_that_was_swallowed_ends_the_next_pause() -> None:
    async def looks() -> None:
        with suppress(
            asyncio.CancelledError
        ):  # as wait_for does on 3.11, where its result comes at that moment
            await asyncio.Event().wait()
        await pause(0)

    task = asyncio.create_task(looks())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_without_one_it_is_a_sleep() -> None:
    await pause(0)
