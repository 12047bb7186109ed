"""A clock and a sleep that stand still until a test moves them."""

import asyncio


class Time:
    """Pass `clock` and `sleep` on; `pass_by` wakes those whose time has come."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now
        self._moved = asyncio.Event()
        self._sleepers = 0
        self._asleep = asyncio.Event()

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        until = self.now + seconds
        while self.now < until:
            self._moved.clear()
            self._sleepers += 1
            self._asleep.set()
            try:
                await self._moved.wait()
            finally:
                self._sleepers -= 1
                if not self._sleepers:
                    self._asleep.clear()

    async def asleep(self, task: asyncio.Task[None]) -> None:
        """Until `task` has done all that it can before the time moves on: it sleeps, or it is done."""
        await asyncio.sleep(0)  # whose time has come wakes first
        asleep = asyncio.create_task(self._asleep.wait())
        await asyncio.wait({asleep, task}, return_when=asyncio.FIRST_COMPLETED)
        asleep.cancel()

    def pass_by(self, seconds: float) -> None:
        self.now += seconds
        self._moved.set()
