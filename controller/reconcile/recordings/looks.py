"""Who is inside the rooms that are to be recorded, and whose turn it is to be looked into.

The number of people that a listing of rooms has lags by seconds, so it only says where to look; and now and
then a look is made without.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from heapq import nsmallest
from typing import Final

from controller.known import Known
from controller.live.ports import LiveObserver
from controller.live.room import LiveRoom
from controller.plan.recording import Look, look_of
from controller.reconcile.clock import Clock
from controller.records.record import RoomRecord

QUIET_LOOKS: Final = 200
"""Rooms that seem empty and are looked into at one resync, at most."""
LOOK_AGAIN: Final = 30.0
"""Seconds after which a room is looked into although its listing says nothing new."""
NOBODY: Final = Look(0)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a look found, when, and how many the listing counted then."""

    look: Look
    counted: int
    at: float


@dataclass(slots=True)
class Looks:
    """The looks that were made, by room id; raises LiveError's kinds."""

    observer: LiveObserver
    known: Known
    clock: Clock
    _seen: dict[str, _Seen] = field(default_factory=dict)

    def last(self, record: RoomRecord) -> Look | None:
        """What the last look found; None where nobody looked."""
        seen = self._seen.get(record.id)
        return seen.look if seen is not None else None

    def keep(self, room_ids: Collection[str]) -> None:
        """Forget all other rooms."""
        self._seen = {key: seen for key, seen in self._seen.items() if key in room_ids}

    def clear(self) -> None:
        self._seen.clear()

    def due(self, records: Iterable[RoomRecord], live: Mapping[str, LiveRoom]) -> Iterator[str]:
        """Rooms whose number of people is news, or that are in use; and the quiet ones in turn."""
        now, quiet = self.clock.monotonic(), []
        for record in records:
            room = live.get(record.live.name) if record.live is not None else None
            seen = self._seen.get(record.id)
            if room is None or not record.spec.record:
                continue
            if _is_news(record, room, seen, now):
                yield record.id
            elif seen is None or not seen.look.people:
                quiet.append((seen.at if seen is not None else 0.0, record.id))
        yield from (room_id for _, room_id in nsmallest(QUIET_LOOKS, quiet))

    async def look(self, record: RoomRecord) -> Look:
        """Who is inside its live room now: nobody, where it is not live."""
        room = self.known.live_room(record)
        if room is None or not (record.spec.record or record.recording is not None):
            return NOBODY
        look = look_of(await self.observer.participants(room.name))
        self._seen[record.id] = _Seen(look, room.num_participants, self.clock.monotonic())
        return look


def _is_news(record: RoomRecord, room: LiveRoom, seen: _Seen | None, now: float) -> bool:
    """Whether the listing counts others than at the last look; or that is long ago, and the room in use."""
    if seen is None:
        return room.num_participants > 0 or record.recording is not None
    if seen.counted != room.num_participants:
        return True
    in_use = seen.look.people > 0 or record.recording is not None
    return in_use and now - seen.at >= LOOK_AGAIN
