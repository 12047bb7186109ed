"""Fakes whose calls take any number of turns of the event loop, before they act and after."""

import asyncio
from random import Random
from typing import Any

from tests.support.crash import READS_AND_WRITES


class Slow:
    """Passes each call on, late, and its answer later still."""

    def __init__(self, real: Any, chance: Random) -> None:
        self._real, self._chance = real, chance

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._real, name)
        if name not in READS_AND_WRITES:
            return attribute

        async def call(*args: Any, **kwargs: Any) -> Any:
            await self._dawdle()
            answer = await attribute(*args, **kwargs)
            await self._dawdle()
            return answer

        return call

    async def _dawdle(self) -> None:
        for _ in range(self._chance.choice((0, 0, 1, 3, 20))):
            await asyncio.sleep(0)
