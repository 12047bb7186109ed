"""Who is inside the rooms that should be recorded, and which rooms to read next.

The number of people in a listing of rooms lags by seconds, so it only shows which rooms to read; sometimes
others are read too.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nsmallest
from typing import Final

from controller.access.people import unlisted
from controller.clock import Clock
from controller.companions.recording.decision import Occupancy, occupancy_of
from controller.live.ports import LiveKitReader
from controller.live.room import LiveRoom, Participant
from controller.records.record import RoomRecord
from controller.state_cache import StateCache

MAX_EMPTY_ROOM_CHECKS: Final = 200
"""Maximum of seemingly empty rooms that are read at one resync."""
OCCUPANCY_RECHECK_SECONDS: Final = 30.0
"""Seconds after which a room is read although its listing has not changed."""
UNLISTED_SECONDS: Final = 10.0
"""Seconds after which people whom the room counts, but does not list, are taken to be inside."""
EMPTY: Final = Occupancy(0)


@dataclass(frozen=True, slots=True)
class _Seen:
    """The last read and its time, the room's count, and since when it counts unlisted people."""

    occupancy: Occupancy
    counted: int
    at: float
    unlisted_since: float | None = None


@dataclass(slots=True)
class OccupancyTracker:
    """The last reads, by room id; raises LiveKitError's kinds."""

    reader: LiveKitReader
    state: StateCache
    clock: Clock
    _seen: dict[str, _Seen] = field(default_factory=dict)

    def last(self, record: RoomRecord) -> Occupancy | None:
        """The last read; None if there is none."""
        seen = self._seen.get(record.id)
        return seen.occupancy if seen is not None else None

    def keep(self, room_ids: Collection[str]) -> None:
        """Forget all other rooms."""
        self._seen = {key: seen for key, seen in self._seen.items() if key in room_ids}

    def clear(self) -> None:
        self._seen.clear()

    def due(
        self, records: Iterable[RoomRecord], live: Mapping[str, LiveRoom], *, audit: bool
    ) -> Iterator[str]:
        """Rooms that list people and were not read yet.

        At an audit also those whose number of people has changed, or that are in use, and some others.
        """
        now, quiet = self.clock.monotonic(), []
        for record in records:
            room = live.get(record.live.name) if record.live is not None else None
            seen = self._seen.get(record.id)
            if room is None or not record.spec.record:
                continue
            if not audit:
                if seen is None and room.num_participants > 0:
                    yield record.id
            elif _is_news(record, room, seen, now):
                yield record.id
            elif seen is None or not seen.occupancy.people:
                quiet.append((seen.at if seen is not None else 0.0, record.id))
        yield from (room_id for _, room_id in nsmallest(MAX_EMPTY_ROOM_CHECKS, quiet))

    async def check(self, record: RoomRecord) -> Occupancy:
        """Who is inside its live room now; empty if it is not live."""
        room = self.state.live_room(record)
        if room is None or not (record.spec.record or record.recording is not None):
            return EMPTY
        seen = self._from_listing(room, await self.reader.participants(room.name), self._seen.get(record.id))
        self._seen[record.id] = seen
        return seen.occupancy

    def _from_listing(self, room: LiveRoom, inside: Sequence[Participant], before: _Seen | None) -> _Seen:
        """The count lags behind the list by less than the time after which it is believed."""
        now, count = self.clock.monotonic(), unlisted(room, inside)
        if not count:
            return _Seen(occupancy_of(inside), room.num_participants, now)
        since = now if before is None or before.unlisted_since is None else before.unlisted_since
        occupancy = occupancy_of(inside, count if now - since >= UNLISTED_SECONDS else 0)
        return _Seen(occupancy, room.num_participants, now, since)


def _is_news(record: RoomRecord, room: LiveRoom, seen: _Seen | None, now: float) -> bool:
    """Whether the listing's count has changed since the last read, or that is old and the room in use."""
    if seen is None:
        return room.num_participants > 0 or record.recording is not None
    if seen.counted != room.num_participants:
        return True
    in_use = seen.occupancy.people > 0 or record.recording is not None
    return in_use and now - seen.at >= OCCUPANCY_RECHECK_SECONDS
