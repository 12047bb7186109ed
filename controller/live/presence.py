"""Who of those that LiveKit lists is there.

With Redis, whoever was inside when a server crashed stays listed for ever: their room would seem full, their
names taken, and it could never be removed. A server answers for those it has, and for them alone.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

from controller.errors import LiveError
from controller.live.room import Participant

BELIEVED_SECONDS: Final = 30.0
"""For how long a room's people are believed to be there, or gone, before one of them is asked for again."""
DOUBT_SECONDS: Final = 10.0
"""Between the two questions that both stay without an answer for somebody who is gone: a server may stall."""
MOST_ROOMS: Final = 20_000
"""Rooms that something is remembered of; the one that was looked into least lately is forgotten first."""
AT_ONCE: Final = 16
"""Questions on their way: one that nobody answers takes LiveKit three seconds."""

Ask = Callable[[str, str], Awaitable[bool]]
"""Whether a server answers for somebody (room, identity). Raises LiveError's kinds."""


@dataclass(slots=True)
class _Roll:
    """What is known of one room: whom it was asked for last, by session, and who is gone."""

    at: float = float("-inf")
    first: str = ""
    gone: frozenset[str] = frozenset()


@dataclass(slots=True)
class Presence:
    """Asks in the background, so that nobody waits; `news` is told of a room where that changes who is there.

    Without `news` nobody is asked for: a verb ends before an answer comes. The people of a room are on one
    server, so whom a crash left behind came before all who are there. That is why one answer, for the one who
    is listed longest, speaks for all; who is gone was asked for alone, twice.
    """

    ask: Ask
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    news: Callable[[str], None] | None = None
    _rolls: OrderedDict[str, _Roll] = field(default_factory=OrderedDict)
    _calls: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _lane: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    def marked(self, room: str, listed: Sequence[Participant]) -> list[Participant]:
        """The same people, those marked as gone of whom that is known by now."""
        if self.news is None:
            return list(listed)
        roll = self._roll(room)
        here = [one for one in listed if one.sid not in roll.gone]
        if listed and room not in self._calls and self._is_due(roll, here):
            call = self._calls[room] = asyncio.create_task(self._call(room, roll, _eldest_first(listed)))
            call.add_done_callback(lambda _: self._calls.pop(room, None))
        return [replace(one, gone=True) if one.sid in roll.gone else one for one in listed]

    def doubt(self) -> None:
        """A server was out of reach, and may have crashed: who is there has to be found out anew."""
        for roll in self._rolls.values():
            roll.at = float("-inf")

    async def close(self) -> None:
        """End what is under way."""
        calls = list(self._calls.values())
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    def _roll(self, room: str) -> _Roll:
        roll = self._rolls.setdefault(room, _Roll())
        self._rolls.move_to_end(room)
        if len(self._rolls) > MOST_ROOMS:
            self._rolls.popitem(last=False)
        return roll

    def _is_due(self, roll: _Roll, here: Sequence[Participant]) -> bool:
        """Who came after the one that answered is there as well; others have to be asked for."""
        if self.clock() - roll.at >= BELIEVED_SECONDS:
            return True
        return bool(here) and roll.first not in {one.sid for one in here}

    async def _call(self, room: str, roll: _Roll, listed: Sequence[Participant]) -> None:
        with suppress(LiveError):  # out of reach: all stays as it was, and the next look asks again
            await self._find_out(room, roll, listed)

    async def _find_out(self, room: str, roll: _Roll, listed: Sequence[Participant]) -> None:
        gone = [one for one in listed if one.sid in roll.gone]
        if gone and await self._stands(room, gone[-1]):  # its server had stalled for long, with all of them
            gone = []
        here = [one for one in listed if one not in gone]
        silent = await self._silent(room, here)
        if silent:
            await self.sleep(DOUBT_SECONDS)
            silent = await self._silent(room, silent)
        before, roll.gone = roll.gone, frozenset(one.sid for one in (*gone, *silent))
        roll.first = next((one.sid for one in here if one not in silent), "")
        roll.at = self.clock()
        if roll.gone != before and self.news is not None:
            self.news(room)

    async def _silent(self, room: str, people: Sequence[Participant]) -> list[Participant]:
        """For whom nobody answers; nobody of them where somebody does for the first, who came before all."""
        if not people or await self._stands(room, people[0]):
            return []
        answers = await asyncio.gather(*(self._stands(room, one) for one in people[1:]))
        return [people[0], *(one for one, stands in zip(people[1:], answers, strict=True) if not stands)]

    async def _stands(self, room: str, one: Participant) -> bool:
        async with self._lane:
            return await self.ask(room, one.identity)


def _eldest_first(listed: Iterable[Participant]) -> list[Participant]:
    return sorted(listed, key=lambda one: one.joined_at)
