"""Who is inside the rooms that are to be recorded: whose turn it is to be looked into, and what is believed.

A listing lags by seconds, and with Redis it lists for ever who was inside when a server crashed. So a look is
made when a room's number of people is news, and now and then; and who has long been listed is asked for.
"""

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from heapq import nsmallest
from typing import Final

from controller.known import Known
from controller.live.ports import EgressObserver
from controller.live.room import LiveRoom, Participant
from controller.plan.recording import STILL, Look, counts, look_of
from controller.reconcile.clock import Clock
from controller.reconcile.memory import Silence
from controller.records.record import RoomRecord

QUIET_LOOKS: Final = 200
"""Rooms that seem empty and are looked into at one resync, at most."""
LOOK_AGAIN: Final = 30.0
"""Seconds after which a room is looked into although its listing says nothing new."""
NOBODY: Final = Look(0)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a look found, when, and how many the listing counted then.

    `whom`: the sessions of the people who are listed, and `proven` when it was last known of them whether
    any is really there: where none is, `look` counts none.
    """

    look: Look
    counted: int
    at: float
    whom: frozenset[str] = frozenset()
    proven: float = 0.0


@dataclass(slots=True)
class Looks:
    """The looks that were made, by room id; raises LiveError's kinds."""

    observer: EgressObserver
    known: Known
    clock: Clock
    silence: Silence
    _seen: dict[str, _Seen] = field(default_factory=dict)
    _answers: dict[str, tuple[bool, float]] = field(default_factory=dict)

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
        inside = await self.observer.participants(room.name)
        seen = await self._believed(room, inside, self._seen.get(record.id))
        self._seen[record.id] = seen
        return seen.look

    def answered(self, recorder: str) -> bool:
        """Whether a recorder that had long been silent was asked for not long ago, and is there."""
        return self._answers.get(recorder, (False, 0.0))[0]

    async def _believed(self, room: LiveRoom, inside: Sequence[Participant], before: _Seen | None) -> _Seen:
        """Who is new is there; of the others somebody has to answer now and then."""
        look, now = look_of(inside), self.clock.monotonic()
        look = replace(look, gone=await self._gone(room.name, look.recorders))
        people = [one for one in inside if counts(one)]
        whom = frozenset(one.sid for one in people)
        if before is None or not whom <= before.whom:
            return _Seen(look, room.num_participants, now, whom, now)
        there, proven = before.look.people > 0, before.proven
        if people and now - proven >= LOOK_AGAIN:
            there, proven = await self._anybody(room.name, people), now
        return _Seen(look if there else replace(look, people=0), room.num_participants, now, whom, proven)

    async def _anybody(self, name: str, people: Sequence[Participant]) -> bool:
        """One is asked for, and all others at once only where nobody answers for that one."""
        stands = self.observer.stands
        if await stands(name, people[0].identity):
            return True
        return any(await asyncio.gather(*(stands(name, one.identity) for one in people[1:])))

    async def _gone(self, name: str, recorders: frozenset[str]) -> frozenset[str]:
        """Recorders who have long been silent, and for whom nobody answers: listed by Redis alone, too."""
        now = self.clock.monotonic()
        self._answers = {one: said for one, said in self._answers.items() if now - said[1] < LOOK_AGAIN}
        silent = [
            one for one in recorders if self.silence.lasts(one, now) >= STILL and one not in self._answers
        ]
        answers = await asyncio.gather(*(self.observer.stands(name, one) for one in silent))
        self._answers |= {one: (there, now) for one, there in zip(silent, answers, strict=True)}
        return frozenset(one for one in recorders if not self._answers.get(one, (True, now))[0])


def _is_news(record: RoomRecord, room: LiveRoom, seen: _Seen | None, now: float) -> bool:
    """Whether the listing counts others than at the last look; or that is long ago, and the room in use."""
    if seen is None:
        return room.num_participants > 0 or record.recording is not None
    if seen.counted != room.num_participants:
        return True
    in_use = seen.look.people > 0 or record.recording is not None
    return in_use and now - seen.at >= LOOK_AGAIN
