"""Who of those that LiveKit lists is there.

With Redis, whoever was inside when a server crashed stays listed for ever: their room would seem full, their
names taken, and it could never be removed. A server answers for those it has, and for them alone.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

from controller.errors import LiveKitError
from controller.live.room import Participant

PRESENCE_TTL_SECONDS: Final = 30.0
"""For how long a room's people are believed to be there, or gone, before one of them is asked for again."""
PROBE_CONFIRM_SECONDS: Final = 10.0
"""Between the two questions that both stay without an answer for somebody who is gone: a server may stall."""
MAX_TRACKED_ROOMS: Final = 20_000
"""Rooms that something is remembered of; the one that was looked into least lately is forgotten first."""
MAX_CONCURRENT_PROBES: Final = 16
"""Questions on their way: one that nobody answers takes LiveKit three seconds."""

Probe = Callable[[str, str], Awaitable[bool]]
"""Whether a server answers for somebody (room, identity). Raises LiveKitError's kinds."""


@dataclass(slots=True)
class _TrackedRoom:
    """What is known of one room: whom it was asked for last, by session, and who is gone."""

    at: float = float("-inf")
    first: str = ""
    gone: frozenset[str] = frozenset()

    def update(self, asked: Sequence[Participant], gone: Sequence[Participant], now: float) -> None:
        """The one who answered is the first of those who were asked for and are not gone."""
        self.gone = frozenset(one.sid for one in gone)
        self.first = next((one.sid for one in asked if one.sid not in self.gone), "")
        self.at = now

    def invalidate(self) -> None:
        """Ask again, although it was asked of late."""
        self.at = float("-inf")


@dataclass(slots=True)
class Presence:
    """Asks in the background, so that no caller waits. `on_change` gets the name of a room that changed.

    Without `on_change` it does not ask: a verb ends before an answer comes. All participants of a room are on
    one server, so those whom a crash left behind are older than all who are there. That is why one answer,
    for the oldest entry, is enough for the room; an entry counts as gone after it was asked for alone, twice.
    """

    probe: Probe
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    on_change: Callable[[str], None] | None = None
    _rooms: OrderedDict[str, _TrackedRoom] = field(default_factory=OrderedDict)
    _calls: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _lane: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_CONCURRENT_PROBES))

    def mark_gone(self, room: str, listed: Sequence[Participant]) -> list[Participant]:
        """The same people, those marked as gone of whom that is known by now."""
        if self.on_change is None:
            return list(listed)
        tracked = self._track(room)
        here = [one for one in listed if one.sid not in tracked.gone]
        if listed and room not in self._calls and self._is_due(tracked, here):
            eldest_first = sorted(listed, key=lambda one: one.joined_at)
            call = self._calls[room] = asyncio.create_task(self._call(room, tracked, eldest_first))
            call.add_done_callback(lambda _: self._calls.pop(room, None))
        return [replace(one, gone=True) if one.sid in tracked.gone else one for one in listed]

    def invalidate(self) -> None:
        """A server was out of reach, and may have crashed: who is there has to be found out again."""
        for tracked in self._rooms.values():
            tracked.invalidate()

    async def close(self) -> None:
        """End what is under way."""
        calls = list(self._calls.values())
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    def _track(self, room: str) -> _TrackedRoom:
        tracked = self._rooms.setdefault(room, _TrackedRoom())
        self._rooms.move_to_end(room)
        if len(self._rooms) > MAX_TRACKED_ROOMS:
            self._rooms.popitem(last=False)
        return tracked

    def _is_due(self, tracked: _TrackedRoom, here: Sequence[Participant]) -> bool:
        """Who came after the one that answered is there as well; others have to be asked for."""
        if self.clock() - tracked.at >= PRESENCE_TTL_SECONDS:
            return True
        return bool(here) and tracked.first not in {one.sid for one in here}

    async def _call(self, room: str, tracked: _TrackedRoom, listed: Sequence[Participant]) -> None:
        with suppress(LiveKitError):  # out of reach: all stays as it was, and the next look asks again
            await self._probe_room(room, tracked, listed)

    async def _probe_room(self, room: str, tracked: _TrackedRoom, listed: Sequence[Participant]) -> None:
        gone = [one for one in listed if one.sid in tracked.gone]
        if gone and await self._is_connected(room, gone[-1]):
            gone = []  # its server had stalled for long, with all of them
        here = [one for one in listed if one not in gone]
        silent = await self._unanswered(room, here)
        if silent:
            await self.sleep(PROBE_CONFIRM_SECONDS)
            silent = await self._unanswered(room, silent)
        before = tracked.gone
        tracked.update(here, [*gone, *silent], self.clock())
        if tracked.gone != before and self.on_change is not None:
            self.on_change(room)

    async def _unanswered(self, room: str, people: Sequence[Participant]) -> list[Participant]:
        """For whom nobody answers; nobody of them where somebody does for the first, who came before all."""
        if not people or await self._is_connected(room, people[0]):
            return []
        answers = await asyncio.gather(*(self._is_connected(room, one) for one in people[1:]))
        return [
            people[0],
            *(one for one, is_connected in zip(people[1:], answers, strict=True) if not is_connected),
        ]

    async def _is_connected(self, room: str, one: Participant) -> bool:
        async with self._lane:
            return await self.probe(room, one.identity)
