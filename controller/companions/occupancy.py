"""Who is inside the rooms that a companion serves, and which rooms to read next.

The number of people in a listing of rooms lags by seconds, so it only shows which rooms to read; sometimes
others are read too.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nsmallest
from typing import Final

from controller.access.people import starts_services, unlisted
from controller.clock import Clock
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


@dataclass(frozen=True, slots=True)
class AgentInside:
    """A dispatched agent in a room; `joined_at` is in milliseconds since the epoch."""

    name: str
    identity: str
    joined_at: int = 0


@dataclass(frozen=True, slots=True)
class Occupancy:
    """Who is inside a live room: the number of people who count, and recorders by identity.

    `gone` are recorders who are listed but no longer connected. `agents` are the connected ones, the eldest
    first.
    """

    people: int
    recorders: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    agents: tuple[AgentInside, ...] = ()


def occupancy_of(inside: Sequence[Participant], unlisted: int = 0) -> Occupancy:
    """People are those who start services (docs/access.md#who-counts), or else `unlisted` people."""
    recorders = [one for one in inside if one.kind == "EGRESS" or one.recorder]
    agents = sorted(filter(None, map(_agent, inside)), key=lambda one: (one.joined_at, one.identity))
    return Occupancy(
        people=sum(starts_services(one) for one in inside) or unlisted,
        recorders=frozenset(one.identity for one in recorders),
        gone=frozenset(one.identity for one in recorders if one.gone),
        agents=tuple(agents),
    )


def _agent(one: Participant) -> AgentInside | None:
    return None if one.agent is None or one.gone else AgentInside(one.agent, one.identity, one.joined_at)


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
    """The last reads, by room id; raises LiveKitError's kinds.

    `asks`: the room should be served while people are inside. `is_served`: something may be there.
    `max_empty_checks`: how many seemingly empty rooms are read at a resync.
    """

    reader: LiveKitReader
    state: StateCache
    clock: Clock
    asks: Callable[[RoomRecord], bool]
    is_served: Callable[[RoomRecord], bool]
    max_empty_checks: int = MAX_EMPTY_ROOM_CHECKS
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
            if room is None or not self.asks(record):
                continue
            if not audit:
                if seen is None and room.num_participants > 0:
                    yield record.id
            elif self._is_news(record, room, seen, now):
                yield record.id
            elif seen is None or not seen.occupancy.people:
                quiet.append((seen.at if seen is not None else 0.0, record.id))
        yield from (room_id for _, room_id in nsmallest(self.max_empty_checks, quiet))

    async def check(self, record: RoomRecord) -> Occupancy:
        """Who is inside its live room now; empty if it is not live."""
        room = self.state.live_room(record)
        if room is None or not (self.asks(record) or self.is_served(record)):
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

    def _is_news(self, record: RoomRecord, room: LiveRoom, seen: _Seen | None, now: float) -> bool:
        """Whether the listing's count has changed since the last read, or that is old and the room in use."""
        if seen is None:
            return room.num_participants > 0 or self.is_served(record)
        if seen.counted != room.num_participants:
            return True
        in_use = seen.occupancy.people > 0 or self.is_served(record)
        return in_use and now - seen.at >= OCCUPANCY_RECHECK_SECONDS
