"""What wakes the loop: a file change, a webhook, a timer. A trigger only wakes; it carries no facts."""

import asyncio
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from controller.live.room import LiveRoom, owner_mark
from controller.live.webhook import Hint

_Slot: TypeAlias = tuple[int, Callable[[], None]]

_HEEDED: Final = frozenset(
    {
        "room_started",
        "room_finished",
        "participant_joined",
        "participant_left",
        "participant_connection_aborted",
        "track_published",
        "egress_started",
        "egress_updated",
        "egress_ended",
    }
)


class Triggers:
    """Wakes one waiting loop; wakes that come while a pass is under way count for the next."""

    def __init__(self) -> None:
        self._woken = asyncio.Event()
        self._files = True
        self._suspects: set[str] = set()
        self._marked: set[str] = set()
        self._timers: dict[_Slot, asyncio.TimerHandle] = {}

    def wake(self) -> None:
        self._woken.set()

    def files_changed(self) -> None:
        """Something below rooms.d may have changed: the next pass reads it again."""
        self._files = True
        self._woken.set()

    def suspect(self, name: str) -> None:
        """Whoever is inside the live room `name` may not be as they should: the next pass looks."""
        self.still_suspect(name)
        self._woken.set()

    def still_suspect(self, name: str) -> None:
        """The look came to nothing: a later pass looks again."""
        self._suspects.add(name)

    def take_suspects(self) -> frozenset[str]:
        """The live rooms marked since the last time this was asked."""
        suspects = frozenset(self._suspects)
        self._suspects.clear()
        return suspects

    def mark(self, name: str) -> None:
        """Somebody came to or left the live room `name`, or its recording changed: the next pass looks."""
        self.still_marked(name)
        self._woken.set()

    def still_marked(self, name: str) -> None:
        """Its recording could not be looked after: a later pass does."""
        self._marked.add(name)

    def take_marked(self) -> frozenset[str]:
        """The live rooms whose recordings are to be looked after, since the last time this was asked."""
        marked = frozenset(self._marked)
        self._marked.clear()
        return marked

    def later(self, delay: float) -> None:
        """Wake the loop in `delay` seconds."""
        self._at(delay, self.wake)

    def files_later(self, delay: float) -> None:
        """Wake it in `delay` seconds, and have rooms.d read again: nothing is removed on an old snapshot."""
        self._at(delay, self.files_changed)

    def _at(self, delay: float, call: Callable[[], None]) -> None:
        """One timer for each tenth of a second is enough, however many rooms ask for it."""
        loop = asyncio.get_running_loop()
        slot = math.ceil((loop.time() + max(0.0, delay)) * 10), call
        if slot not in self._timers:
            self._timers[slot] = loop.call_at(slot[0] / 10, self._ring, slot)

    def _ring(self, slot: _Slot) -> None:
        del self._timers[slot]
        slot[1]()

    async def wait(self, seconds: float) -> bool:
        """Until woken, or for `seconds`; whether something woke it."""
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return False
        finally:
            self._woken.clear()
        return True

    def take_files(self) -> bool:
        """Whether rooms.d was said to have changed since the last time this was asked."""
        changed, self._files = self._files, False
        return changed

    def files_stay_changed(self) -> None:
        """The pass that took the change came to nothing: the next one reads rooms.d as well."""
        self._files = True

    def close(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()


@dataclass(frozen=True, slots=True)
class Watched:
    """The live names that webhooks are about, as of the last pass.

    `ours` are all current names; `people` those where who is inside decides something: a change that is
    recent, under way or deferred; `restricted` those that must not carry every kind of media; `recorded`
    those that are to be recorded, or are. A room made since then is known by the mark of our `instance`.
    """

    ours: frozenset[str] = frozenset()
    people: frozenset[str] = frozenset()
    restricted: frozenset[str] = frozenset()
    recorded: frozenset[str] = frozenset()
    instance: str = ""


def matters(hint: Hint, live: Mapping[str, LiveRoom], watched: Watched) -> bool:
    """Whether a webhook may mean work: a room of ours came or went, or people left where that decides."""
    room = live.get(hint.room)
    if not _is_ours(hint, room, watched):
        return False
    match hint.event:
        case "room_finished":
            return room is not None and hint.sid in ("", room.sid)
        case "room_started":
            return room is None or room.sid != hint.sid
        case "participant_left" | "participant_connection_aborted":
            return hint.room in watched.people
        case _:
            return False


def suspicious(hint: Hint, live: Mapping[str, LiveRoom], watched: Watched) -> bool:
    """Whether a webhook tells of somebody who may be in the room with more than its policy gives.

    That is one who joins where an older token may still be used, and media where they may be of a kind
    that the room must not carry. Of a room made since the last pass nothing is known but that it is ours.
    """
    match hint.event:
        case "participant_joined":
            return hint.room in watched.people
        case "track_published" if hint.room in watched.ours:
            return hint.room in watched.restricted or hint.room in watched.people
        case "track_published":
            return _is_ours(hint, live.get(hint.room), watched)
        case _:
            return False


def about_recording(hint: Hint, live: Mapping[str, LiveRoom], watched: Watched) -> bool:
    """Whether a webhook may mean that a recording begins or ends; the recorder itself is nobody."""
    if hint.room not in watched.recorded and (
        hint.room in watched.ours or not _is_ours(hint, live.get(hint.room), watched)
    ):
        return False
    match hint.event:
        case "participant_joined" | "participant_left" | "participant_connection_aborted":
            return hint.kind != "EGRESS"
        case event:
            return event.startswith("egress_")


def of_use(hint: Hint, live: Mapping[str, LiveRoom], watched: Watched) -> bool:
    """Whether a webhook may mean work at all: for who knows which rooms are `ours`, and nothing more."""
    return hint.event in _HEEDED and _is_ours(hint, live.get(hint.room), watched)


def _is_ours(hint: Hint, room: LiveRoom | None, watched: Watched) -> bool:
    return hint.room in watched.ours or _marked(room, watched.instance)


def _marked(room: LiveRoom | None, instance: str) -> bool:
    mark = owner_mark(room.metadata) if room is not None else None
    return mark is not None and mark.instance == instance
