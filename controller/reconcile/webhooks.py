"""Decides what a webhook requires, and forwards it from a replica on standby to the holder of the lease."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from controller.live.room import ON_DEMAND_TIMEOUT_SECONDS, LiveRoom
from controller.live.webhook import WebhookEvent
from controller.plan.metadata import owner_mark
from controller.reconcile.trackers import is_limited, is_restricted
from controller.records.ports import ForwardedEvent, Lease, Relay
from controller.records.record import RoomRecord
from controller.state_cache import StateCache

_LEFT: Final = frozenset({"participant_left", "participant_connection_aborted"})
_PEOPLE: Final = _LEFT | {"participant_joined"}
_EGRESS: Final = frozenset({"egress_started", "egress_updated", "egress_ended"})
ROOM_WANTED: Final = "room_wanted"
"""The name under which a demand is forwarded; `room` is the room's id. Older releases ignore it."""
FOLLOW_SECONDS: Final = 1.0
"""Seconds between two checks whether another process wrote records or forwarded something."""
POLL_SECONDS: Final = 0.2
POLLS_PER_DEMAND: Final = 10
_HEEDED: Final = _PEOPLE | _EGRESS | {"room_started", "room_finished", "track_published"}


@dataclass(frozen=True, slots=True)
class WatchedRooms:
    """The live rooms for which webhooks matter.

    `ours` are the records by their current name; `people` the names where it matters who is inside, as of the
    last pass: a change is recent, running or deferred. `serves` says whether a companion serves the room. A
    room created since then is recognized by the mark of our `instance`.
    """

    ours: Mapping[str, RoomRecord] = field(default_factory=dict)
    people: frozenset[str] = frozenset()
    serves: Callable[[RoomRecord], bool] = lambda _: False
    instance: str = ""

    def is_limited(self, name: str) -> bool:
        """Whether not everyone who joins the room may stay."""
        return name in self.ours and is_limited(self.ours[name])

    def is_restricted(self, name: str) -> bool:
        """Whether the room may not carry all media."""
        return name in self.ours and is_restricted(self.ours[name])

    def is_served(self, name: str) -> bool:
        return name in self.ours and self.serves(self.ours[name])


def needs_pass(event: WebhookEvent, live: Mapping[str, LiveRoom], watched: WatchedRooms) -> bool:
    """Whether a pass is needed: a room of ours was created or ended, or people left where that matters."""
    room = live.get(event.room)
    if not _is_ours(event, room, watched):
        return False
    match event.event:
        case "room_finished":
            return room is not None and event.sid in ("", room.sid)
        case "room_started":
            return room is None or room.sid != event.sid
    return event.event in _LEFT and event.room in watched.people


def needs_permission_check(event: WebhookEvent, live: Mapping[str, LiveRoom], watched: WatchedRooms) -> bool:
    """Whether a webhook is about a participant who may have more rights than the policy gives.

    That is one who joins where an older token may still be valid or where not everyone may stay, or who
    publishes in a room that may not carry all media. Of a room created since the last pass only the owner is
    known.
    """
    match event.event:
        case "participant_joined" | "track_published" if event.room not in watched.ours:
            return _is_ours(event, live.get(event.room), watched)
        case "participant_joined":
            return event.room in watched.people or watched.is_limited(event.room)
        case "track_published":
            return event.room in watched.people or watched.is_restricted(event.room)
        case _:
            return False


def needs_companion_check(event: WebhookEvent, live: Mapping[str, LiveRoom], watched: WatchedRooms) -> bool:
    """Whether a webhook may need work of a companion; events of the recorder itself do not count."""
    if not watched.is_served(event.room) and (
        event.room in watched.ours or not _is_ours(event, live.get(event.room), watched)
    ):
        return False
    return event.event in _EGRESS or (event.event in _PEOPLE and event.kind != "EGRESS")


def needs_occupancy_check(event: WebhookEvent, live: Mapping[str, LiveRoom], watched: WatchedRooms) -> bool:
    """Whether people joined or left a room that LiveKit closes when it is empty."""
    room = live.get(event.room)
    is_on_demand = room is not None and room.empty_timeout == ON_DEMAND_TIMEOUT_SECONDS
    return is_on_demand and event.event in _PEOPLE and _is_ours(event, room, watched)


def is_relevant(event: WebhookEvent, live: Mapping[str, LiveRoom], watched: WatchedRooms) -> bool:
    """Whether a webhook may need work at all, for a replica that only knows which rooms are `ours`."""
    return event.event in _HEEDED and _is_ours(event, live.get(event.room), watched)


def _is_ours(event: WebhookEvent, room: LiveRoom | None, watched: WatchedRooms) -> bool:
    mark = owner_mark(room.metadata) if room is not None else None
    return event.room in watched.ours or (mark is not None and mark.instance == watched.instance)


class WebhookForwarder:
    """Webhooks of one process, and the rooms that its callers want.

    Calls `act` and `want` while it holds the lease, forwards both while on standby.
    """

    def __init__(
        self,
        act: Callable[[WebhookEvent], None],
        want: Callable[[str], None],
        lease: Lease,
        state: StateCache,
        relay: Relay,
        *,
        instance: str,
    ) -> None:
        self._act, self._want = act, want
        self._lease, self._state, self._relay = lease, state, relay
        self._instance = instance
        self._polls, self._demanded = 0, asyncio.Event()

    def on_webhook(self, event: WebhookEvent) -> None:
        """A verified webhook. Does not wait and never fails; on standby it is dropped without MongoDB."""
        if self._lease.held:
            self._act(event)
        elif self._state.mongodb.up and is_relevant(event, self._state.live, self._watched()):
            self._relay.enqueue(ForwardedEvent(event.event, event.room, event.sid, event.kind))

    def check_people(self, room: str) -> None:
        """Somebody may have to leave the LiveKit room, of whom no webhook tells: they connected no media."""
        self.on_webhook(WebhookEvent("participant_joined", room=room))

    def want(self, room_id: str) -> None:
        """Somebody asks for the room of this id, and waits until it is live."""
        if self._lease.held:
            self._want(room_id)
        else:
            self._relay.enqueue(ForwardedEvent(ROOM_WANTED, room_id, "", ""))
            self._polls = POLLS_PER_DEMAND
            self._demanded.set()

    async def wait_for_next_poll(self) -> None:
        """Until what other replicas wrote is to be read again: soon while a caller waits for it."""
        if not self._polls:
            with suppress(TimeoutError):
                async with asyncio.timeout(FOLLOW_SECONDS):
                    await self._demanded.wait()
        self._demanded.clear()
        if self._polls:
            self._polls -= 1
            await asyncio.sleep(POLL_SECONDS)

    def forward_received(self) -> None:
        """Act on what was forwarded. A replica on standby drops it: the holder of the lease reads it."""
        for event in self._relay.pop_all():
            if self._lease.held and event.event == ROOM_WANTED:
                self._want(event.room)
            elif self._lease.held:
                self._act(WebhookEvent(event.event, room=event.room, sid=event.sid, kind=event.kind))

    def _watched(self) -> WatchedRooms:
        return WatchedRooms(self._state.records.by_live, instance=self._instance)
