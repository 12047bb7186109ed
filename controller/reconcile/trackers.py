"""What the loop remembers between passes, as small state machines; monotonic clock in seconds. Pure.

Nothing is stored: after a restart every count starts again, which only delays actions.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from heapq import nlargest
from typing import Final

from controller.live.room import LiveRoom
from controller.records.record import RoomRecord
from controller.room import MediaType

PRUNE_GRACE_SECONDS: Final = 10.0
"""How long a manifest must be missing in every snapshot before its room is removed."""
ORPHAN_CONFIRM_SECONDS: Final = 30.0
"""Time between the two checks that must find an orphan empty."""
DEMAND_SECONDS: Final = 5.0
"""How long somebody waits for a room, and a little more for the way through the database."""
FLAP_THRESHOLD: Final = 5
FLAP_WINDOW_SECONDS: Final = 600.0
FLAP_HEAL_INTERVAL_SECONDS: Final = 60.0
MAX_COUNTED_PER_AUDIT: Final = 20
"""Maximum of new rooms in which people are counted at one resync."""
MAX_ROOMS_PER_AUDIT: Final = 100
"""Maximum of rooms checked at one resync."""
MIN_UNRESTRICTED_ROOMS_PER_AUDIT: Final = 20
"""The share of these for occupied rooms that may carry all media, even if there are many restricted ones."""


class AbsenceTracker:
    """Since when each missing manifest has been missing in every valid snapshot."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def observe(self, missing: Collection[str], *, counts: bool, now: float) -> None:
        """A snapshot; one that does not count restarts the waiting."""
        self._since = {key: self._since.get(key, now) for key in missing} if counts else {}

    def missing_for_seconds(self, now: float) -> Mapping[str, float]:
        return {key: now - since for key, since in self._since.items()}

    def next_due(self, now: float) -> float | None:
        """When the next of them has been missing for long enough; None if all have."""
        due = (since + PRUNE_GRACE_SECONDS for since in self._since.values())
        return min((time for time in due if time > now), default=None)


class OrphanTracker:
    """When each orphan was checked last, and since when it is empty; None if people are inside."""

    def __init__(self) -> None:
        self._looks: dict[str, tuple[float, float | None]] = {}

    def due_for_check(self, orphans: Collection[str], now: float) -> list[str]:
        """Those not checked within the gap; rooms that are no longer orphans are forgotten."""
        self._looks = {name: look for name, look in self._looks.items() if name in orphans}
        recent = {name for name, (at, _) in self._looks.items() if now - at < ORPHAN_CONFIRM_SECONDS}
        return sorted(name for name in orphans if name not in recent)

    def observe(self, name: str, people: int, now: float) -> None:
        _, since = self._looks.get(name, (now, None))
        self._looks[name] = now, None if people else now if since is None else since

    def ripe(self) -> frozenset[str]:
        """Those that two checks, far enough apart, found empty."""
        empty = ((name, at, since) for name, (at, since) in self._looks.items() if since is not None)
        return frozenset(name for name, at, since in empty if at - since >= ORPHAN_CONFIRM_SECONDS)


class Demands:
    """The rooms for which somebody asks, by id: each for as long as somebody waits, or until it is live."""

    def __init__(self) -> None:
        self._asked: dict[str, float] = {}

    def put(self, room_id: str, now: float) -> None:
        self._asked[room_id] = now

    def fulfill(self, room_id: str) -> None:
        """The room was made."""
        self._asked.pop(room_id, None)

    def unfulfilled(self, is_live: Callable[[str], bool], now: float) -> frozenset[str]:
        """The rooms that are not live yet; the others are forgotten."""
        self._asked = {
            room_id: at
            for room_id, at in self._asked.items()
            if now - at <= DEMAND_SECONDS and not is_live(room_id)
        }
        return frozenset(self._asked)


class FlapDetector:
    """Rooms that vanish again and again: stalled after five times in ten minutes, until one lasts ten."""

    def __init__(self) -> None:
        self._vanished: dict[str, deque[float]] = {}
        self._stalled: set[str] = set()

    def vanished(self, key: str, now: float) -> bool:
        """Count it; whether the room is now stalled."""
        before = self.stalled(key, now)
        times = self._vanished.setdefault(key, deque(maxlen=FLAP_THRESHOLD))
        times.append(now)
        if len(times) == FLAP_THRESHOLD and now - times[0] <= FLAP_WINDOW_SECONDS:
            self._stalled.add(key)
        return key in self._stalled and not before

    def stalled(self, key: str, now: float) -> bool:
        if key in self._stalled and now - self._vanished[key][-1] >= FLAP_WINDOW_SECONDS:
            self._stalled.discard(key)
        return key in self._stalled

    def may_heal(self, key: str, now: float) -> bool:
        """A stalled room is healed at most once a minute."""
        return not self.stalled(key, now) or now - self._vanished[key][-1] >= FLAP_HEAL_INTERVAL_SECONDS


def names_to_count(records: Mapping[str, RoomRecord], live: Mapping[str, LiveRoom]) -> frozenset[str]:
    """The newest live rooms that are live on demand and seem empty: their first participant may have joined.

    The count of a listing shows that five seconds later, and webhooks get lost. `records` are by live name.
    """
    on_demand = (name for name, record in records.items() if record.spec.is_on_demand)
    rooms = (live[name] for name in on_demand if name in live)
    newest = nlargest(MAX_COUNTED_PER_AUDIT, rooms, key=lambda room: room.created_at)
    return frozenset(room.name for room in newest if not room.num_participants)


def is_restricted(record: RoomRecord) -> bool:
    """Whether the room may not carry all media."""
    return record.spec.mediaType is not MediaType.VIDEO_AUDIO


def is_limited(record: RoomRecord) -> bool:
    """Whether not everyone who joins the room may stay."""
    return bool(record.kicked or record.spec.reserved_seats)


class Audit:
    """Chooses rooms whose permissions are checked without a change or a webhook: a few at each resync.

    No listing shows permissions that others changed, and webhooks get lost. Rooms are chosen by the listing,
    whose `num_participants` and `num_publishers` lag by up to five seconds (measured). So rooms that may not
    carry all media are also checked while they seem empty, within the limit; in others, what happens in a
    participant's first seconds is found one resync later. Checked rooms are remembered, so that all are
    checked in turn.
    """

    def __init__(self) -> None:
        self._checked: dict[str, int] = {}
        self._round = 0

    def choose(self, records: Mapping[str, RoomRecord], live: Mapping[str, LiveRoom]) -> list[RoomRecord]:
        """The rooms to check now, of those with a listed live room; both are by LiveKit name.

        All occupied ones if they are few; otherwise restricted ones first, and the least recently checked.
        """
        occupied, quiet = _by_people(records, live)
        restricted = self._in_turn(room for room in occupied if is_restricted(room))
        others = self._in_turn(room for room in occupied if not is_restricted(room))
        chosen = restricted[: MAX_ROOMS_PER_AUDIT - min(len(others), MIN_UNRESTRICTED_ROOMS_PER_AUDIT)]
        chosen += others[: MAX_ROOMS_PER_AUDIT - len(chosen)]
        chosen += self._in_turn(quiet)[: MAX_ROOMS_PER_AUDIT - len(chosen)]
        self._remember(chosen, [*occupied, *quiet])
        return chosen

    def _in_turn(self, rooms: Iterable[RoomRecord]) -> list[RoomRecord]:
        return sorted(rooms, key=lambda room: (self._checked.get(room.id, 0), room.id))

    def _remember(self, chosen: Iterable[RoomRecord], rooms: Collection[RoomRecord]) -> None:
        """Remember the turn of `chosen`, and forget rooms that are not among `rooms`."""
        self._round += 1
        before = {room.id: self._checked[room.id] for room in rooms if room.id in self._checked}
        self._checked = before | {room.id: self._round for room in chosen}


def _by_people(
    records: Mapping[str, RoomRecord], live: Mapping[str, LiveRoom]
) -> tuple[list[RoomRecord], list[RoomRecord]]:
    """The occupied rooms by the listing, and the restricted ones that seem empty."""
    occupied: list[RoomRecord] = []
    quiet: list[RoomRecord] = []
    for name, room in live.items():
        record = records.get(name)
        if record is None or not record.should_be_live:
            continue
        if room.num_participants:
            occupied.append(record)
        elif is_restricted(record):
            quiet.append(record)
    return occupied, quiet
