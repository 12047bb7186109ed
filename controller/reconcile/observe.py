"""Reads manifests, live rooms and records for a pass, in the order that keeps them consistent."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from controller.clock import Clock
from controller.errors import LiveKitError, StoreError
from controller.live.ports import LiveKitReader
from controller.live.room import LiveRoom, Participant
from controller.manifests.snapshot import Desired
from controller.plan.model import Observed
from controller.records.ports import RecordReader
from controller.records.record import RoomRecord
from controller.state_cache import StateCache

STRAGGLER_TIMEOUT_SECONDS: Final = 0.5
"""Seconds without a further response after which the missing rooms count as occupied."""
CONFIRM_SECONDS: Final = 1.0
"""Seconds until a list is read again if many rooms are missing in it."""
MIN_DOUBTFUL_ROOMS: Final = 5

Listings: TypeAlias = tuple[Callable[[], Awaitable[None]], ...]


@dataclass(frozen=True, slots=True)
class StateObserver:
    """Reads manifests, live rooms and records; writes only the state cache.

    `listings` are the other reads of LiveKit in each pass; they never fail.
    """

    read_manifests: Callable[[], Awaitable[Desired]]
    reader: LiveKitReader
    store: RecordReader
    state: StateCache
    clock: Clock
    listings: Listings = ()
    straggler_timeout: float = STRAGGLER_TIMEOUT_SECONDS
    confirm_after: float = CONFIRM_SECONDS

    async def observe(self, desired: Desired | None) -> Observed:
        """The observed state. `desired` is the snapshot to use again, None to read rooms.d.

        LiveKit's listings end before the records are read, so that each listed room of ours is always
        among the records (rule 3 of docs/records.md#rules). Raises LiveKitError's and StoreError's
        kinds; if both servers are unavailable, the one for LiveKit with MongoDB's as its cause.
        """
        try:
            await asyncio.gather(self._rooms(), *(listing() for listing in self.listings))
        except LiveKitError as error:
            try:  # while LiveKit is unavailable guests still get answers from the records
                await self._records()
            except StoreError as other:
                raise error from other
            raise
        await self._records()
        snapshot = desired if desired is not None else await self.read_manifests()
        return Observed(snapshot, self._usable(), dict(self.state.live), unusable=self.store.unusable)

    def _usable(self) -> Mapping[str, RoomRecord]:
        """The records to act on; the last good version of a damaged one is only for answering guests."""
        records, unusable = self.store.by_id, self.store.unusable
        if not unusable:
            return records
        return {room_id: record for room_id, record in records.items() if room_id not in unusable}

    async def _rooms(self) -> None:
        asked = self.clock.monotonic()
        try:
            rooms = await self.reader.rooms()
            if self._is_doubtful(rooms):
                await asyncio.sleep(self.confirm_after)
                asked, rooms = self.clock.monotonic(), await self.reader.rooms()
        except LiveKitError as error:
            self.state.livekit.record_failure(error)
            raise
        finally:  # with a wrong clock LiveKit may reject every call
            self.state.record_clock(self.reader.clock_ahead_s)
        self.state.update_listing(rooms, asked, self.clock.monotonic())

    def _is_doubtful(self, rooms: Iterable[LiveRoom]) -> bool:
        """Whether half of the rooms or more are missing at once: then the list is read a second time."""
        known = self.state.live.keys()
        missing = len(known - {room.name for room in rooms})
        return missing >= MIN_DOUBTFUL_ROOMS and 2 * missing >= len(known)

    async def _records(self) -> None:
        try:
            await self.store.refresh()
        except Exception as error:
            self.state.mongodb.record_failure(error)
            raise
        self.state.mongodb.record_success(self.clock.monotonic())

    async def people(self, names: Iterable[str]) -> dict[str, tuple[Participant, ...]]:
        """The participants of each; a room that cannot be read is left out, and so counts as occupied.

        Once the others have responded, a hanging call is not waited for: it must not delay their rooms.
        """
        reads = {asyncio.create_task(self._read_participants(name)): name for name in sorted(names)}
        waiting = set(reads)
        while waiting:
            come, waiting = await asyncio.wait(waiting, timeout=self.straggler_timeout)
            if not come:
                break
        for late in waiting:
            late.cancel()
        seen = {name: read.result() for read, name in reads.items() if read not in waiting}
        return {name: people for name, people in seen.items() if people is not None}

    async def _read_participants(self, name: str) -> tuple[Participant, ...] | None:
        try:
            return tuple(await self.reader.participants(name))
        except LiveKitError:
            return None
