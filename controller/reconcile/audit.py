"""Which rooms are looked into although no change and no webhook asks for it: a few at each resync. Pure.

Permissions that a hand changed show in no listing, and webhooks get lost. Whom to look at is read off the
listing, whose `num_participants` lags by up to five seconds (`num_publishers` no less: measured). So rooms
that must not carry every kind of media are looked into while they seem empty, too, as far as the number of
looks goes; elsewhere what happens in somebody's first seconds is found one resync later.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from controller.live.room import LiveRoom
from controller.records.record import RoomRecord
from controller.room import MediaType

MAX_ROOMS_PER_AUDIT: Final = 100
"""Rooms looked into at one resync, at most."""
MIN_UNRESTRICTED_ROOMS_PER_AUDIT: Final = 20
"""Of these, how many occupied rooms that may carry all media get, however many restricted ones there are."""


def is_restricted(record: RoomRecord) -> bool:
    """Whether the room must not carry every kind of media."""
    return record.spec.mediaType is not MediaType.VIDEO_AUDIO


class Audit:
    """Remembers which rooms were looked into, so that all get their turn."""

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
