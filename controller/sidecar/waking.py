"""Has rooms made that are live on demand, and waits for them (docs/on-demand.md)."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Final

from controller.sidecar.context import Context

WAIT_SECONDS: Final = 3.0
"""How long a call waits for a room."""
ASK_AGAIN_SECONDS: Final = 1.0
"""A demand may be lost on its way to the holder of the lease: it is repeated while somebody waits."""


class Waker:
    """Wakes sleeping rooms for the calls that need one."""

    def __init__(self, context: Context) -> None:
        self._state, self._reconciler, self._wall = context.state, context.reconciler, context.wall

    async def wake(self, room_id: str) -> None:
        """Return when the room is live, or after three seconds.

        At once if it is closed, unknown or not live on demand. Calls for one room are one demand.
        """
        sleeps = partial(self._sleeps, room_id)
        with suppress(TimeoutError):
            async with asyncio.timeout(WAIT_SECONDS):
                while sleeps():
                    self._reconciler.want(room_id)
                    await self._wait_while(sleeps)

    def _sleeps(self, room_id: str) -> bool:
        record = self._state.room(room_id)
        if record is None or not record.spec.is_on_demand or self._state.live_room(record) is not None:
            return False
        now = datetime.fromtimestamp(self._wall(), UTC)
        return record.spec.opening(now).is_open(now)

    async def _wait_while(self, sleeps: Callable[[], bool]) -> None:
        """Until the room does not sleep any more, or a second has passed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(ASK_AGAIN_SECONDS):
                next_change = self._state.next_change()
                while sleeps():
                    await next_change.wait()
                    next_change = self._state.next_change()
