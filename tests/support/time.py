"""A clock and a sleep that stand still until a test moves them."""

import asyncio


class Time:
    """Pass `clock` and `sleep` on; `pass_by` wakes those whose time has come."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now
        self._moved = asyncio.Event()

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        until = self.now + seconds
        while self.now < until:
            self._moved.clear()
            await self._moved.wait()

    def pass_by(self, seconds: float) -> None:
        self.now += seconds
        self._moved.set()
