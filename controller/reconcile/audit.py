"""Which rooms are looked into although no change and no webhook asks for it: a few at each resync. Pure.

Permissions that a hand changed show in no listing, and webhooks get lost. `num_participants` of the listing
lags by up to five seconds (`num_publishers` no less: measured), so what happens in a room's first seconds
without a webhook is found one resync later.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from controller.live.room import LiveRoom
from controller.records.record import RoomRecord
from controller.room import MediaType

LOOKS: Final = 100
"""Rooms looked into at one resync, at most."""
KEPT_FOR_OTHERS: Final = 20
"""Of these, how many rooms that may carry all media get, however many restricted ones there are."""


def is_restricted(record: RoomRecord) -> bool:
    """Whether the room must not carry every kind of media."""
    return record.spec.mediaType is not MediaType.VIDEO_AUDIO


def occupied(records: Iterable[RoomRecord], live: Mapping[str, LiveRoom]) -> list[RoomRecord]:
    """The records whose live room is listed with people in it."""
    return [
        record
        for record in records
        if record.wanted and record.live is not None
        if (room := live.get(record.live.name)) is not None and room.num_participants
    ]


class Audit:
    """Remembers which rooms were looked into, so that all get their turn."""

    def __init__(self) -> None:
        self._looked: dict[str, int] = {}
        self._round = 0

    def choose(self, rooms: Iterable[RoomRecord]) -> list[RoomRecord]:
        """All of `rooms` while they are few; else restricted ones first, and the longest not looked into."""
        self._round += 1
        waiting = sorted(rooms, key=lambda room: (self._looked.get(room.id, 0), room.id))
        restricted = [room for room in waiting if is_restricted(room)]
        others = [room for room in waiting if not is_restricted(room)]
        first = restricted[: LOOKS - min(len(others), KEPT_FOR_OTHERS)]
        chosen = first + others[: LOOKS - len(first)]
        before = {room.id: self._looked.get(room.id, 0) for room in waiting}
        self._looked = before | {room.id: self._round for room in chosen}
        return chosen
