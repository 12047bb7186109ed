"""Ctrl-C in a verb that looks again and again."""

import asyncio


async def pause(seconds: float) -> None:
    """Sleep until the next look. CancelledError where Ctrl-C came before, and was swallowed on its way.

    Python 3.11's wait_for may do that (python/cpython#86296), in pymongo as well; the task remembers it.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
    await asyncio.sleep(seconds)
