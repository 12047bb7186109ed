"""Writes what a caller wants into a record, and waits for the reconciler (docs/http-api.md#private-calls)."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from controller.errors import LiveKitError, StoreConflictError, StoreError
from controller.live.room import LiveRoom
from controller.records.ports import RoomStore
from controller.records.record import Origin, RoomRecord
from controller.sidecar.access_tokens import ApiCaller
from controller.sidecar.context import Context
from controller.sidecar.http.response import ApiError, Code, retry_later, stale_state_error, starting_error
from controller.sidecar.rooms.single_flight import SingleFlight
from controller.state_cache import StateCache
from controller.text import escape_unprintable

WAIT_SECONDS: Final = 5.0
"""For how long a caller waits for an intent to be so."""
READ_SECONDS: Final = 2.0
"""For how long a read waits for the records before it is answered from memory; a write waits longer."""
AWAY_SECONDS: Final = 0.5
"""For how long either waits while MongoDB did not answer when it was asked last."""
POLL_INTERVAL_SECONDS: Final = 0.25
"""Between two looks at what another process does."""
MAX_WRITE_ATTEMPTS: Final = 20
"""How often a write that another one overtook is tried: so many at once on one room all come through."""

Transition = Callable[[RoomRecord], RoomRecord]


class DesiredStateWriter:
    """The records for those who read and write them over HTTP; the reconciler is woken, then waited for."""

    def __init__(self, context: Context) -> None:
        self._reconciler, self._state, self._clock = context.reconciler, context.state, context.clock
        self._refreshed = SingleFlight(self._refresh)
        self._rooms: SingleFlight[list[LiveRoom]] = SingleFlight(context.reader.rooms)

    async def close(self) -> None:
        """End what is under way."""
        await asyncio.gather(self._refreshed.close(), self._rooms.close())

    async def for_reading(self) -> RoomStore:
        """The records with everything written before now; as last known where MongoDB is away.

        Refusal (STARTING, UNAVAILABLE) where nothing is known yet, or not any more.
        """
        store = self._store()
        try:
            await self._refresh_within(READ_SECONDS)
        except (StoreError, TimeoutError):
            _check_known(self._state, self._clock())
        return store

    async def for_writing(self) -> RoomStore:
        """The records, proven to be within reach. Refusal (STARTING, UNAVAILABLE) where they are not."""
        store = self._store()
        try:
            await self._refresh_within(WAIT_SECONDS)
        except (StoreError, TimeoutError):
            raise unavailable_error() from None
        return store

    async def write(
        self, store: RoomStore, caller: ApiCaller, room_id: str, transition: Transition
    ) -> RoomRecord:
        """The caller's room after `transition`, made on whatever is stored by then.

        Refusal: ROOM_NOT_FOUND, MANAGED_BY_MANIFEST; UNAVAILABLE where it could not be written.
        """
        for _ in range(MAX_WRITE_ATTEMPTS):
            before = managed_by_api(own_room(store, caller, room_id))
            try:
                after = await store.save(before, transition(before))
            except StoreConflictError:
                await self.for_writing()
            except StoreError:
                raise unavailable_error() from None
            else:
                self._reconciler.wake()
                return after
        raise retry_later(
            Code.UNAVAILABLE, "others are changing this room right now; try again in a second", 1
        )

    async def insert(self, store: RoomStore, record: RoomRecord) -> None:
        """A new room. Refusal (UNAVAILABLE) where it could not be written."""
        try:
            await store.insert(record)
        except StoreError:
            raise unavailable_error() from None
        self._reconciler.wake()

    async def until_gone(self, store: RoomStore, room_id: str) -> bool:
        """Whether the room's live room was gone within five seconds."""

        async def holds() -> bool:
            return gone(store, room_id)

        return await self.until(store, holds)

    async def until(self, store: RoomStore, holds: Callable[[], Awaitable[bool]]) -> bool:
        """Whether it came to hold within five seconds."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                next_change = store.next_change()
                while not await holds():
                    await self._wait_for_change(next_change)
                    next_change = store.next_change()
        except TimeoutError:
            return False
        return True

    async def is_live_as_desired(self, store: RoomStore, room_id: str) -> bool:
        """Whether the room is live as it is wanted, seen on LiveKit itself: what is known may be old."""
        record = store.by_id.get(room_id)
        if record is None or not record.should_be_live or record.live is None or not is_reconciled(record):
            return False
        try:
            listed = record.live.name in {room.name for room in await self._rooms()}
        except LiveKitError:
            return False
        if not listed:
            self._reconciler.wake()
        return listed

    async def _wait_for_change(self, next_change: asyncio.Event) -> None:
        """Return when something may have changed; what another process wrote is taken in."""
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL_INTERVAL_SECONDS):
                await next_change.wait()
        if not self._state.leader and not next_change.is_set():
            with suppress(StoreError):
                await self._refreshed()

    async def _refresh_within(self, patience: float) -> None:
        """The records are as of now. StoreError or TimeoutError where MongoDB does not say so."""
        async with asyncio.timeout(patience if self._state.mongodb.up else AWAY_SECONDS):
            await self._refreshed()

    async def _refresh(self) -> None:
        """Take in what others wrote; where that is news, the reconciler looks at it too."""
        if await self._store().refresh():
            self._reconciler.wake()

    def _store(self) -> RoomStore:
        if self._reconciler.store is None:
            raise starting_error()
        return self._reconciler.store


def is_reconciled(record: RoomRecord) -> bool:
    """Whether the reconciler has made the room as this very record wants it, and said so."""
    ready = record.status.condition("Ready")
    current = record.status.observed_generation >= record.generation
    return current and ready is not None and ready.status == "True"


def gone(store: RoomStore, room_id: str) -> bool:
    """Whether the reconciler says that no live room stands for the record any more."""
    record = store.by_id.get(room_id)
    if record is None:
        return True
    reported = (
        record.status.observed_generation >= record.generation if record.removed else is_reconciled(record)
    )
    return record.live is None and reported


def own_room(store: RoomStore, caller: ApiCaller, room_id: str) -> RoomRecord:
    """The caller's room. Refusal: one that is not there, removed, or another's, all alike.

    UNAVAILABLE where its record must not be acted on.
    """
    unusable = store.unusable.get(room_id)
    if unusable is not None and caller.owns(unusable.record):
        raise retry_later(Code.UNAVAILABLE, f"the room's record cannot be used: {unusable.problem}", 5)
    record = store.by_id.get(room_id)
    if record is None or record.removed or not caller.owns(record):
        raise not_found()
    return record


def managed_by_api(record: RoomRecord) -> RoomRecord:
    """The room, where the API may change it. Refusal (MANAGED_BY_MANIFEST) that names the file."""
    if record.origin is Origin.MANIFEST:
        file = escape_unprintable(record.file or "")
        raise ApiError(
            Code.MANAGED_BY_MANIFEST, f"the room is managed by the manifest {file}; change it there"
        )
    return record


def not_found() -> ApiError:
    return ApiError(Code.ROOM_NOT_FOUND, "no room of yours has this id")


def unavailable_error() -> ApiError:
    return retry_later(Code.UNAVAILABLE, "the records are out of reach; try again in a few seconds", 5)


def _check_known(state: StateCache, now: float) -> None:
    if state.mongodb.seen is None:
        raise starting_error()
    if not state.is_fresh(now):
        raise stale_state_error()
