"""The state in memory: written by the reconciler, read by the sidecar.

The HTTP servers answer only from here, so that no request waits for MongoDB or for a listing of LiveKit.
Times are of a monotonic clock, in seconds.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from controller.live.room import LiveRoom
from controller.records.ports import Records
from controller.records.record import RoomRecord

STATE_MAX_AGE_SECONDS = 300.0
"""How long the last known state answers participants while LiveKit or MongoDB is unavailable, in seconds."""


@dataclass(slots=True)
class Dependency:
    """One server that we depend on: whether the last call succeeded, when one last did, and the error."""

    up: bool = False
    seen: float | None = None
    error: str = ""

    def record_success(self, now: float) -> None:
        self.up, self.seen, self.error = True, now, ""

    def record_failure(self, error: Exception) -> None:
        self.up, self.error = False, str(error)


@dataclass(slots=True)
class StateCache:
    """The last known state. `records` is the store's memory: it contains our writes at once.

    `live` is the last listing by LiveKit name, with our own creations and deletions since. `leader`: this
    process holds the lease. `manifests_withheld`: it applies none, since another replica may have newer ones.
    `last_pass_at` is when the loop last ended a pass, None before the first.
    `webhook_at` is when the last verified webhook came, `clock_ahead_s` how far our clock is ahead of
    LiveKit's. `untrusted_proxy` is who last sent X-Forwarded-For without being a trusted proxy, and
    `untrusted_proxy_at` when.
    """

    records: Records
    live: dict[str, LiveRoom] = field(default_factory=dict)
    livekit: Dependency = field(default_factory=Dependency)
    mongodb: Dependency = field(default_factory=Dependency)
    leader: bool = False
    manifests_withheld: bool = False
    webhook_at: float | None = None
    clock_ahead_s: float | None = None
    untrusted_proxy: str = ""
    untrusted_proxy_at: float | None = None
    last_pass_at: float | None = None
    _ours: dict[str, tuple[float, LiveRoom | None]] = field(default_factory=dict)
    _next_change: asyncio.Event = field(default_factory=asyncio.Event)

    def room(self, room_id: str) -> RoomRecord | None:
        """The record that participants can see: active, and not removed."""
        record = self.records.by_id.get(room_id)
        return record if record is not None and record.should_be_live else None

    def live_room(self, record: RoomRecord) -> LiveRoom | None:
        """The live room of `record`, or None if there is none yet."""
        room = self.live.get(record.live.name) if record.live is not None else None
        return room if room is not None and record.is_current_sid(room.sid) else None

    def is_fresh(self, now: float) -> bool:
        """Whether to answer participants: there was a full read, and nothing is older than five minutes."""
        return self.started and all(
            dependency.seen is not None and now - dependency.seen <= STATE_MAX_AGE_SECONDS
            for dependency in (self.livekit, self.mongodb)
        )

    @property
    def started(self) -> bool:
        """Whether there was a first full read of both."""
        return self.livekit.seen is not None and self.mongodb.seen is not None

    def record_clock(self, ahead_s: float | None) -> None:
        """How far our clock is ahead of LiveKit's, by its last response."""
        self.clock_ahead_s = ahead_s

    def update_listing(self, rooms: Iterable[LiveRoom], asked: float, now: float) -> None:
        """A listing of LiveKit requested at `asked`; our later changes take precedence."""
        fresh = {room.name: room for room in rooms}
        self._ours = {name: change for name, change in self._ours.items() if change[0] >= asked}
        for name, (_, room) in self._ours.items():
            if room is None:
                fresh.pop(name, None)
            else:
                fresh[name] = room
        self.live = fresh
        self.livekit.record_success(now)

    def record_created(self, room: LiveRoom, now: float) -> None:
        """We created or changed a live room."""
        self.live[room.name] = room
        self._ours[room.name] = (now, room)
        self._changed()

    def record_deleted(self, name: str, now: float) -> None:
        """We deleted a live room."""
        self.live.pop(name, None)
        self._ours[name] = (now, None)

    def record_leading(self, leads: bool) -> None:
        """This process got the lease, or lost it."""
        self.leader = leads

    def record_withheld_manifests(self, withheld: bool) -> None:
        """Whether the manifests of this process are withheld from now on."""
        self.manifests_withheld = withheld

    def record_webhook(self, now: float) -> None:
        """A verified webhook came."""
        self.webhook_at = now

    def record_untrusted_proxy(self, address: str, now: float) -> None:
        """`address`, which is no trusted proxy, sent X-Forwarded-For."""
        self.untrusted_proxy, self.untrusted_proxy_at = address, now

    def record_pass(self, now: float) -> None:
        """The loop ended a pass, successful or not."""
        self.last_pass_at = now
        self._changed()

    def next_change(self) -> asyncio.Event:
        """Set when a room was created, or a pass has ended. Get it before you read the state."""
        return self._next_change

    def _changed(self) -> None:
        changed, self._next_change = self._next_change, asyncio.Event()
        changed.set()
