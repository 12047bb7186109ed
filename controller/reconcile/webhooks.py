"""What a webhook may mean; and how it finds the holder of the lease, whichever replica LiveKit told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from controller.live.room import LiveRoom
from controller.live.webhook import WebhookEvent
from controller.plan.metadata import owner_mark
from controller.records.ports import ForwardedEvent, Lease, Relay
from controller.records.record import RoomRecord
from controller.state_cache import StateCache

_LEFT: Final = frozenset({"participant_left", "participant_connection_aborted"})
_PEOPLE: Final = _LEFT | {"participant_joined"}
_EGRESS: Final = frozenset({"egress_started", "egress_updated", "egress_ended"})
_HEEDED: Final = _PEOPLE | _EGRESS | {"room_started", "room_finished", "track_published"}


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
    return event.event in _LEFT and event.room in watched.people


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
    return event.event in _EGRESS or (event.event in _PEOPLE and event.kind != "EGRESS")


def is_relevant(event: WebhookEvent, live: Mapping[str, LiveRoom], watched: WatchedRooms) -> bool:
    """Whether a webhook may mean work at all: for who knows which rooms are `ours`, and nothing more."""
    return event.event in _HEEDED and _is_ours(event, live.get(event.room), watched)


def _is_ours(event: WebhookEvent, room: LiveRoom | None, watched: WatchedRooms) -> bool:
    mark = owner_mark(room.metadata) if room is not None else None
    return event.room in watched.ours or (mark is not None and mark.instance == watched.instance)


class WebhookForwarder:
    """Hints of one process: acted on (`act`) while it holds the lease, handed on while it stands by."""

    def __init__(
        self,
        act: Callable[[WebhookEvent], None],
        lease: Lease,
        state: StateCache,
        relay: Relay,
        instance: str,
    ) -> None:
        self._act, self._lease, self._state, self._relay = act, lease, state, relay
        self._watched = WatchedRooms(instance=instance)
        self._records: Mapping[str, RoomRecord] | None = None

    def on_webhook(self, event: WebhookEvent) -> None:
        """A verified webhook. Waits for nothing and never fails; while MongoDB is away a standby drops it."""
        if self._lease.held:
            self._act(event)
        elif self._state.mongodb.up and is_relevant(event, self._state.live, self._rooms()):
            self._relay.enqueue(ForwardedEvent(event.event, event.room, event.sid, event.kind))

    def forward_received(self) -> None:
        """Act on what was handed on. One that stands by lets it go: whoever acts has read it too."""
        for event in self._relay.pop_all():
            if self._lease.held:
                self._act(WebhookEvent(event.event, room=event.room, sid=event.sid, kind=event.kind))

    def _rooms(self) -> WatchedRooms:
        """The rooms that are ours; gathered again only when a record changed."""
        records = self._state.records.by_id  # replaced as a whole where one of them changes
        if records is not self._records:
            names = frozenset(record.live.name for record in records.values() if record.live is not None)
            self._records, self._watched = records, WatchedRooms(ours=names, instance=self._watched.instance)
        return self._watched
