"""Which of the participants that LiveKit lists are connected.

With Redis, participants who were inside when a server crashed stay listed for ever: their room would seem
full, their names taken, and it could never be removed. A server responds only for those whom it has.
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
"""How long the result of a check of a room is valid."""
PROBE_CONFIRM_SECONDS: Final = 10.0
"""Between the two checks that a participant must fail to count as gone: a server may stall."""
MAX_TRACKED_ROOMS: Final = 20_000
"""Rooms in memory; the least recently checked one is dropped first."""
MAX_CONCURRENT_PROBES: Final = 16
"""Concurrent checks: one without an answer takes LiveKit three seconds."""

Probe = Callable[[str, str], Awaitable[bool]]
"""Whether a server has a participant (room, identity). Raises LiveKitError's kinds."""


@dataclass(slots=True)
class _TrackedRoom:
    """What is known of one room: the participants last checked, by session, and those who are gone."""

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
    """Checks in the background, so that no caller waits. `on_change` gets the name of a room that changed.

    Without `on_change` it does not check: a verb ends before an answer comes. All participants of a room are
    on one server, so those who are gone joined before all who are connected. So a positive answer for the
    oldest one is enough for the room; one counts as gone after two checks without an answer.
    """

    probe: Probe
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    on_change: Callable[[str], None] | None = None
    _rooms: OrderedDict[str, _TrackedRoom] = field(default_factory=OrderedDict)
    _calls: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _lane: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_CONCURRENT_PROBES))

    def mark_gone(self, room: str, listed: Sequence[Participant]) -> list[Participant]:
        """The same participants; those known to be gone are marked."""
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
        """Check all again: a server was unreachable, and may have crashed."""
        for tracked in self._rooms.values():
            tracked.invalidate()

    async def close(self) -> None:
        """Cancel the checks in progress."""
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
        """Participants who joined after a confirmed one are connected too; others need a check."""
        if self.clock() - tracked.at >= PRESENCE_TTL_SECONDS:
            return True
        return bool(here) and tracked.first not in {one.sid for one in here}

    async def _call(self, room: str, tracked: _TrackedRoom, listed: Sequence[Participant]) -> None:
        with suppress(LiveKitError):  # unreachable: nothing changes, and the next read checks again
            await self._probe_room(room, tracked, listed)

    async def _probe_room(self, room: str, tracked: _TrackedRoom, listed: Sequence[Participant]) -> None:
        gone = [one for one in listed if one.sid in tracked.gone]
        if gone and await self._is_connected(room, gone[-1]):
            gone = []  # the server had only stalled
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
        """Those without an answer; [] if the first one, who joined before all others, is confirmed."""
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
