"""Writes the desired state into a record, and waits for the reconciler (docs/http-api.md#private-calls)."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final, Generic, TypeVar

from controller.errors import LiveKitError, StoreConflictError, StoreError
from controller.limits import Limit, as_written, exceeded
from controller.live.room import LiveRoom
from controller.records.ports import Records, RecordStore, StoredRecords
from controller.records.record import LiveName, Origin, RoomRecord
from controller.room import RoomSpec
from controller.sidecar.access_tokens import ApiCaller
from controller.sidecar.context import Context
from controller.sidecar.http.response import ApiError, Code
from controller.text import escape_unprintable, quote_excerpt

WAIT_SECONDS: Final = 5.0
"""How long a caller waits for the desired state."""
READ_SECONDS: Final = 2.0
"""How long a read waits for the records before it uses the cached ones; a write waits longer."""
AWAY_SECONDS: Final = 0.5
"""How long either waits if MongoDB did not answer the last request."""
POLL_INTERVAL_SECONDS: Final = 0.25
"""Time between two reads of what another process wrote."""
MAX_WRITE_ATTEMPTS: Final = 20
"""How often a write is tried after a conflict: this many concurrent writes of one room succeed."""

T = TypeVar("T")
Transition = Callable[[RoomRecord], RoomRecord]


class SingleFlight(Generic[T]):
    """Each caller gets the result, or the error, of a call that began after they called."""

    def __init__(self, call: Callable[[], Awaitable[T]]) -> None:
        self._call = call
        self._running: asyncio.Task[T] | None = None
        self._next: asyncio.Task[T] | None = None

    async def __call__(self) -> T:
        if self._next is None:
            self._next = asyncio.create_task(self._after(self._running))
            self._next.add_done_callback(_retrieved)
        return await asyncio.shield(self._next)

    async def _after(self, before: "asyncio.Task[T] | None") -> T:
        if before is not None:
            await asyncio.wait([before])
        self._running, self._next = self._next, None
        return await self._call()

    async def close(self) -> None:
        """Cancel the running calls."""
        tasks = [task for task in (self._next, self._running) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _retrieved(task: asyncio.Task[T]) -> None:
    """Retrieve the error of a task that is no longer awaited, so that it is not logged."""
    if not task.cancelled():
        task.exception()


class DesiredStateWriter:
    """Reads and writes records for the private API, wakes the reconciler, and waits for it."""

    def __init__(self, context: Context) -> None:
        self._reconciler, self._state = context.reconciler, context.state
        self._state_error, self._wall = context.state_error, context.wall
        self._refreshed = SingleFlight(self._refresh)
        self._rooms: SingleFlight[list[LiveRoom]] = SingleFlight(context.reader.rooms)

    async def close(self) -> None:
        """Cancel the running requests."""
        await asyncio.gather(self._refreshed.close(), self._rooms.close())

    async def for_reading(self) -> RecordStore:
        """The records with everything written before now, or the cached ones if MongoDB does not answer.

        ApiError (STARTING, UNAVAILABLE) if there are none yet, or they are too old.
        """
        return await self._refreshed_store(READ_SECONDS, self._state_error)

    async def for_writing(self) -> RecordStore:
        """The records. ApiError (STARTING, UNAVAILABLE) if MongoDB does not answer now."""
        return await self._refreshed_store(WAIT_SECONDS, unavailable_error)

    async def write(
        self, store: RecordStore, caller: ApiCaller, room_id: str, transition: Transition
    ) -> RoomRecord:
        """The caller's room after `transition`, applied to the latest stored record.

        ApiError: ROOM_NOT_FOUND, MANAGED_BY_MANIFEST; UNAVAILABLE if it could not be written.
        """
        for _ in range(MAX_WRITE_ATTEMPTS):
            now = datetime.fromtimestamp(self._wall(), UTC)
            before = changeable(store, own_room(store, caller, room_id), now)
            try:
                after = await store.save(before, transition(before))
            except StoreConflictError:
                await self.for_writing()
            except StoreError:
                raise unavailable_error() from None
            else:
                self._reconciler.wake()
                return after
        raise ApiError(Code.UNAVAILABLE, "Other requests are changing the room", retry_after=1)

    async def insert(self, store: RecordStore, record: RoomRecord) -> None:
        """Write a new room. ApiError (UNAVAILABLE) if that fails."""
        try:
            await store.insert(record)
        except StoreError:
            raise unavailable_error() from None
        self._reconciler.wake()

    async def until(
        self, store: RecordStore, holds: Callable[[], Awaitable[bool]], seconds: float | None = None
    ) -> bool:
        """Whether the condition held within so many seconds, five if none are given."""
        try:
            async with asyncio.timeout(seconds or WAIT_SECONDS):
                next_change = store.next_change()
                while not await holds():
                    await self._wait_for_change(next_change)
                    next_change = store.next_change()
        except TimeoutError:
            return False
        return True

    async def is_live_as_desired(self, store: RecordStore, room_id: str) -> bool:
        """Whether the room is live as desired, by LiveKit itself: the cached state may be old.

        One that is live on demand is asked for.
        """
        record = store.by_id.get(room_id)
        if record is None or not record.should_be_live:
            return False
        if record.live is not None and is_reconciled(record) and await self._is_listed(record.live):
            return True
        if record.spec.is_on_demand:
            self._reconciler.want(room_id)
        return False

    async def _is_listed(self, live: LiveName) -> bool:
        try:
            listed = live.name in {room.name for room in await self._rooms()}
        except LiveKitError:
            return False
        if not listed:
            self._reconciler.wake()
        return listed

    async def _wait_for_change(self, next_change: asyncio.Event) -> None:
        """Return when something may have changed, with the writes of other processes read."""
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL_INTERVAL_SECONDS):
                await next_change.wait()
        if not self._state.leader and not next_change.is_set():
            with suppress(StoreError):
                await self._refreshed()

    async def _refreshed_store(
        self, patience: float, error_if_away: Callable[[], ApiError | None]
    ) -> RecordStore:
        """The records with what others wrote; the error, if any, is raised if MongoDB does not answer."""
        store = self._store()
        try:
            async with asyncio.timeout(patience if self._state.mongodb.up else AWAY_SECONDS):
                await self._refreshed()
        except (StoreError, TimeoutError):
            if error := error_if_away():
                raise error from None
        return store

    async def _refresh(self) -> None:
        """Read what others wrote, and wake the reconciler if that is new."""
        if await self._store().refresh():
            self._reconciler.wake()

    def _store(self) -> RecordStore:
        if self._reconciler.store is None:
            raise ApiError(Code.STARTING)
        return self._reconciler.store


def is_reconciled(record: RoomRecord) -> bool:
    """Whether the status is Ready at the record's generation."""
    ready = record.status.condition("Ready")
    current = record.status.observed_generation >= record.generation
    return current and ready is not None and ready.status == "True"


def gone(store: Records, room_id: str) -> bool:
    """Whether the status shows that the record has no live room."""
    record = store.by_id.get(room_id)
    if record is None:
        return True
    reported = (
        record.status.observed_generation >= record.generation if record.removed else is_reconciled(record)
    )
    return record.live is None and reported


def own_room(store: Records, caller: ApiCaller, room_id: str) -> RoomRecord:
    """The caller's room. ApiError: ROOM_NOT_FOUND, the same for a missing, a removed and another user's room.

    UNAVAILABLE if the record cannot be used.
    """
    unusable = store.unusable.get(room_id)
    if unusable is not None and caller.owns(unusable.record):
        raise ApiError(Code.UNAVAILABLE, f"The room's record cannot be used: {unusable.problem}")
    record = store.by_id.get(room_id)
    if record is None or record.removed or not caller.owns(record):
        raise not_found()
    return record


def changeable(store: StoredRecords, record: RoomRecord, now: datetime) -> RoomRecord:
    """The room. ApiError (MANAGED_BY_MANIFEST, ROOM_HELD) if the API may not change it."""
    managed_by_api(record)
    if (hold := record.hold_at(now, store.hold_all)) is not None:
        what = f"The room is held {escape_unprintable(str(hold))}; wait until then, or use roomctl release"
        raise ApiError(Code.ROOM_HELD, what)
    return record


def check_limits(limits: tuple[Limit, ...] | None, spec: RoomSpec, given: Iterable[str]) -> None:
    """ApiError (BEYOND_LIMIT) if one of the given fields of the spec is; UNAVAILABLE without known limits."""
    if limits is None:
        what = "The limits of rooms are not known, since the policy file of the manifests is invalid"
        raise ApiError(Code.UNAVAILABLE, what)
    values = spec.as_dict()
    for limit in exceeded(limits, {name: values[name] for name in given}):
        shown = quote_excerpt(as_written(values[limit.field]))
        what = f"{limit.field} is {shown}, which is beyond the limit of this server; use {limit.rule}"
        raise ApiError(Code.BEYOND_LIMIT, what)


def managed_by_api(record: RoomRecord) -> RoomRecord:
    """The room. ApiError (MANAGED_BY_MANIFEST), with its file, if the API may not change it."""
    if record.origin is Origin.MANIFEST:
        file = escape_unprintable(record.file or "")
        what = f"The room is managed by the manifest {file}; change the manifest"
        raise ApiError(Code.MANAGED_BY_MANIFEST, what)
    return record


def not_found() -> ApiError:
    what = "No room has this ID, or it is another user's; getAll lists your rooms"
    return ApiError(Code.ROOM_NOT_FOUND, what)


def unavailable_error() -> ApiError:
    return ApiError(Code.UNAVAILABLE, "The database is unavailable")
