"""What the loop remembers from pass to pass, as small machines over a monotonic clock in seconds. Pure.

None of it is stored: after a restart every count begins again, which only ever makes us slower to act.
"""

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from controller.live.room import LiveRoom
from controller.records.record import RoomRecord
from controller.room import MediaType

PRUNE_GRACE_SECONDS: Final = 10.0
"""How long a manifest must be absent from every snapshot before its room goes."""
ORPHAN_CONFIRM_SECONDS: Final = 30.0
"""How far apart the two looks lie that must find an orphan empty."""
FLAP_THRESHOLD: Final = 5
FLAP_WINDOW_SECONDS: Final = 600.0
FLAP_HEAL_INTERVAL_SECONDS: Final = 60.0
MAX_ROOMS_PER_AUDIT: Final = 100
"""Rooms looked into at one resync, at most."""
MIN_UNRESTRICTED_ROOMS_PER_AUDIT: Final = 20
"""Of these, how many occupied rooms that may carry all media get, however many restricted ones there are."""


class AbsenceTracker:
    """Since when each missing manifest has been missing from every snapshot that counts."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def observe(self, missing: Collection[str], *, counts: bool, now: float) -> None:
        """A snapshot; one that does not count makes the waiting begin again."""
        self._since = {key: self._since.get(key, now) for key in missing} if counts else {}

    def missing_for_seconds(self, now: float) -> Mapping[str, float]:
        return {key: now - since for key, since in self._since.items()}

    def next_due(self, now: float) -> float | None:
        """When the next of them will have been missing for long enough; None where all have been."""
        due = (since + PRUNE_GRACE_SECONDS for since in self._since.values())
        return min((time for time in due if time > now), default=None)


class OrphanTracker:
    """When each orphan was looked at last, and since when it was seen empty; None where people are inside."""

    def __init__(self) -> None:
        self._looks: dict[str, tuple[float, float | None]] = {}

    def due_for_check(self, orphans: Collection[str], now: float) -> list[str]:
        """Those not looked at within the gap; what is no orphan any more is forgotten."""
        self._looks = {name: look for name, look in self._looks.items() if name in orphans}
        recent = {name for name, (at, _) in self._looks.items() if now - at < ORPHAN_CONFIRM_SECONDS}
        return sorted(name for name in orphans if name not in recent)

    def observe(self, name: str, people: int, now: float) -> None:
        _, since = self._looks.get(name, (now, None))
        self._looks[name] = now, None if people else now if since is None else since

    def ripe(self) -> frozenset[str]:
        """Those that two looks, far enough apart, found empty."""
        empty = ((name, at, since) for name, (at, since) in self._looks.items() if since is not None)
        return frozenset(name for name, at, since in empty if at - since >= ORPHAN_CONFIRM_SECONDS)


class FlapDetector:
    """Rooms that vanish again and again: stalled after five times in ten minutes, until one lives ten."""

    def __init__(self) -> None:
        self._vanished: dict[str, deque[float]] = {}
        self._stalled: set[str] = set()

    def vanished(self, key: str, now: float) -> bool:
        """Count it; whether the room is stalled from now on."""
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


def is_restricted(record: RoomRecord) -> bool:
    """Whether the room must not carry every kind of media."""
    return record.spec.mediaType is not MediaType.VIDEO_AUDIO


class Audit:
    """Which rooms are looked into although no change and no webhook asks for it: a few at each resync.

    Permissions that a hand changed show in no listing, and webhooks get lost. Whom to look at is read off
    the listing, whose `num_participants` lags by up to five seconds (`num_publishers` no less: measured). So
    rooms that must not carry every kind of media are looked into while they seem empty, too, as far as the
    number of looks goes; elsewhere what happens in somebody's first seconds is found one resync later. Which
    rooms were looked into is remembered, so that all get their turn.
    """

    def __init__(self) -> None:
        self._checked: dict[str, int] = {}
        self._round = 0

    def choose(self, records: Iterable[RoomRecord], live: Mapping[str, LiveRoom]) -> list[RoomRecord]:
        """The rooms to look into now, of those with a listed live room.

        All occupied ones while they are few; else restricted ones first, and the longest not looked into.
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
        """Remember the turn of `chosen`, and nothing of rooms that are no more among `rooms`."""
        self._round += 1
        before = {room.id: self._checked[room.id] for room in rooms if room.id in self._checked}
        self._checked = before | {room.id: self._round for room in chosen}


def _by_people(
    records: Iterable[RoomRecord], live: Mapping[str, LiveRoom]
) -> tuple[list[RoomRecord], list[RoomRecord]]:
    """The rooms listed with people in them, and the restricted ones that seem empty."""
    occupied: list[RoomRecord] = []
    quiet: list[RoomRecord] = []
    for record in records:
        room = live.get(record.live.name) if record.should_be_live and record.live is not None else None
        if room is not None and room.num_participants:
            occupied.append(record)
        elif room is not None and is_restricted(record):
            quiet.append(record)
    return occupied, quiet
