"""The participants of a room, read once per second at most and shared by concurrent requests."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from controller.access.people import is_person
from controller.access.policy import JTI_ATTRIBUTE, has_reserved_seat
from controller.errors import LiveKitError
from controller.live.ports import LiveKitReader

CACHE_TTL_SECONDS: Final = 1.0
READ_TIMEOUT_SECONDS: Final = 0.5
MAX_TRACKED_ROOMS: Final = 1_000


@dataclass(frozen=True, slots=True)
class RoomOccupants:
    """The participants of a room: by identity, the digest of the token's `jti` ("" if the token is not ours).

    `people` counts hidden ones, but not agents and recorders; `unreserved` those of them without a proof.
    """

    digests: Mapping[str, str]
    people: int
    unreserved: int


@dataclass(frozen=True, slots=True)
class _PendingRead:
    began: float
    task: asyncio.Task[RoomOccupants | None]


class ParticipantCache:
    """Lists participants. A failed or late read is cached too, so that LiveKit gets no more requests."""

    def __init__(self, reader: LiveKitReader, clock: Callable[[], float]) -> None:
        self._reader, self._clock = reader, clock
        self._reads: dict[str, _PendingRead] = {}

    async def occupants(self, room: str) -> RoomOccupants | None:
        """The participants of the LiveKit room; None if LiveKit did not answer within half a second."""
        read = self._reads.get(room)
        if read is None or self._clock() - read.began >= CACHE_TTL_SECONDS:
            read = self._start_read(room)
        return read.task.result() if read.task.done() else await asyncio.shield(read.task)

    async def close(self) -> None:
        """Cancel the running reads."""
        tasks = [read.task for read in self._reads.values() if not read.task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start_read(self, room: str) -> _PendingRead:
        now = self._clock()
        if len(self._reads) >= MAX_TRACKED_ROOMS:
            self._reads = {
                name: read for name, read in self._reads.items() if now - read.began < CACHE_TTL_SECONDS
            }
        read = self._reads[room] = _PendingRead(now, asyncio.create_task(self._read(room)))
        return read

    async def _read(self, room: str) -> RoomOccupants | None:
        try:
            participants = await self._reader.participants(room, within=READ_TIMEOUT_SECONDS)
        except LiveKitError:
            return None
        people = [one for one in participants if is_person(one)]
        return RoomOccupants(
            {one.identity: one.attributes.get(JTI_ATTRIBUTE, "") for one in participants if not one.gone},
            len(people),
            sum(not has_reserved_seat(one) for one in people),
        )
