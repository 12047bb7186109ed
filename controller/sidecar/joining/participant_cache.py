"""Who is inside a room, as a join needs to know it: read once a second at most, shared by all who ask."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from controller.errors import LiveError
from controller.live.ports import LiveObserver

FRESH_SECONDS: Final = 1.0
WITHIN_SECONDS: Final = 0.5
MOST_ROOMS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Inside:
    """The identities in a room, and how many people (hidden ones too; agents, egress, recorders not)."""

    identities: frozenset[str]
    people: int


@dataclass(frozen=True, slots=True)
class _Look:
    began: float
    task: asyncio.Task[Inside | None]


class Lookout:
    """Looks into rooms. A look that failed or came late stands for its second too: LiveKit is not pressed."""

    def __init__(self, observer: LiveObserver, clock: Callable[[], float]) -> None:
        self._observer, self._clock = observer, clock
        self._looks: dict[str, _Look] = {}

    async def inside(self, room: str) -> Inside | None:
        """Who is inside the LiveKit room `room`; None where LiveKit did not say so within half a second."""
        look = self._looks.get(room)
        if look is None or self._clock() - look.began >= FRESH_SECONDS:
            look = self._look(room)
        return look.task.result() if look.task.done() else await asyncio.shield(look.task)

    async def close(self) -> None:
        """End the looks that are under way."""
        tasks = [look.task for look in self._looks.values() if not look.task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _look(self, room: str) -> _Look:
        now = self._clock()
        if len(self._looks) >= MOST_ROOMS:
            self._looks = {
                name: look for name, look in self._looks.items() if now - look.began < FRESH_SECONDS
            }
        look = self._looks[room] = _Look(now, asyncio.create_task(self._read(room)))
        return look

    async def _read(self, room: str) -> Inside | None:
        try:
            participants = await self._observer.participants(room, within=WITHIN_SECONDS)
        except LiveError:
            return None
        there = frozenset(p.identity for p in participants if not p.gone)
        return Inside(there, sum(p.is_person for p in participants))
