"""What wakes the loop: a file change, a webhook, a timer. A trigger only wakes; it carries no facts."""

import asyncio
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from controller.live.room import LiveRoom
from controller.live.webhook import WebhookEvent
from controller.plan.metadata import owner_mark

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
        self._permission_checks: set[str] = set()
        self._companion_checks: set[str] = set()
        self._timers: dict[_Slot, asyncio.TimerHandle] = {}

    def wake(self) -> None:
        self._woken.set()

    def files_changed(self) -> None:
        """Something below rooms.d may have changed: the next pass reads it again."""
        self._files = True
        self._woken.set()

    def queue_permission_check(self, name: str) -> None:
        """Whoever is inside the live room `name` may not be as they should: the next pass looks."""
        self.requeue_permission_check(name)
        self._woken.set()

    def requeue_permission_check(self, name: str) -> None:
        """The look came to nothing: a later pass looks again."""
        self._permission_checks.add(name)

    def drain_permission_checks(self) -> frozenset[str]:
        """The live rooms marked since the last time this was asked."""
        queued = frozenset(self._permission_checks)
        self._permission_checks.clear()
        return queued

    def queue_companion_check(self, name: str) -> None:
        """Somebody came to or left the live room `name`, or what serves it changed: the next pass looks."""
        self.requeue_companion_check(name)
        self._woken.set()

    def requeue_companion_check(self, name: str) -> None:
        """Its companions could not look: a later pass does."""
        self._companion_checks.add(name)

    def drain_companion_checks(self) -> frozenset[str]:
        """The live rooms that companions are to look at, since the last time this was asked."""
        queued = frozenset(self._companion_checks)
        self._companion_checks.clear()
        return queued

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

    def drain_files_changed(self) -> bool:
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
class WatchedRooms:
    """The live names that webhooks are about, as of the last pass.

    `ours` are all current names; `people` those where who is inside decides something: a change that is
    recent, under way or deferred; `restricted` those that must not carry every kind of media; `served`
    those that concern a companion. A room made since then is known by the mark of our `instance`.
    """

    ours: frozenset[str] = frozenset()
    people: frozenset[str] = frozenset()
    restricted: frozenset[str] = frozenset()
    served: frozenset[str] = frozenset()
    instance: str = ""


def needs_pass(event: WebhookEvent, live: Mapping[str, LiveRoom], watched: WatchedRooms) -> bool:
    """Whether a webhook may mean work: a room of ours came or went, or people left where that decides."""
    room = live.get(event.room)
    if not _is_ours(event, room, watched):
        return False
    match event.event:
        case "room_finished":
            return room is not None and event.sid in ("", room.sid)
        case "room_started":
            return room is None or room.sid != event.sid
        case "participant_left" | "participant_connection_aborted":
            return event.room in watched.people
        case _:
            return False


def needs_permission_check(event: WebhookEvent, live: Mapping[str, LiveRoom], watched: WatchedRooms) -> bool:
    """Whether a webhook tells of somebody who may be in the room with more than its policy gives.

    That is one who joins where an older token may still be used, and media where they may be of a kind
    that the room must not carry. Of a room made since the last pass nothing is known but that it is ours.
    """
    match event.event:
        case "participant_joined":
            return event.room in watched.people
        case "track_published" if event.room in watched.ours:
            return event.room in watched.restricted or event.room in watched.people
        case "track_published":
            return _is_ours(event, live.get(event.room), watched)
        case _:
            return False


def needs_companion_check(event: WebhookEvent, live: Mapping[str, LiveRoom], watched: WatchedRooms) -> bool:
    """Whether a webhook may mean work for a companion; the recorder itself is nobody."""
    if event.room not in watched.served and (
        event.room in watched.ours or not _is_ours(event, live.get(event.room), watched)
    ):
        return False
    match event.event:
        case "participant_joined" | "participant_left" | "participant_connection_aborted":
            return event.kind != "EGRESS"
        case name:
            return name.startswith("egress_")


def is_relevant(event: WebhookEvent, live: Mapping[str, LiveRoom], watched: WatchedRooms) -> bool:
    """Whether a webhook may mean work at all: for who knows which rooms are `ours`, and nothing more."""
    return event.event in _HEEDED and _is_ours(event, live.get(event.room), watched)


def _is_ours(event: WebhookEvent, room: LiveRoom | None, watched: WatchedRooms) -> bool:
    return event.room in watched.ours or _has_our_mark(room, watched.instance)


def _has_our_mark(room: LiveRoom | None, instance: str) -> bool:
    mark = owner_mark(room.metadata) if room is not None else None
    return mark is not None and mark.instance == instance
