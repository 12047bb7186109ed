"""The private API: rooms for holders of an access token (docs/http-api.md#private-calls).

Handlers write the desired state and wait for the reconciler; nothing here writes to LiveKit. The order of the
checks: the access token (401), the body (400), the room (404), its origin (409), the limits (403).
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from aiohttp import web

from controller.limits import Limit
from controller.logs import get_logger
from controller.records.events import Event, EventType
from controller.records.ports import Records, RecordStore
from controller.records.record import Origin, RoomRecord
from controller.room import (
    Disruption,
    FieldChange,
    RoomSpec,
    api_key,
    field_changes,
    redact_key,
    truncate_to_millis,
)
from controller.sidecar.access_tokens import ACCESS_TOKEN, AccessTokens, ApiCaller
from controller.sidecar.closed import closed_error
from controller.sidecar.context import Context
from controller.sidecar.http.body import invalid
from controller.sidecar.http.response import ApiError, Code, Response
from controller.sidecar.rooms import bodies
from controller.sidecar.rooms.desired_state import (
    DesiredStateWriter,
    check_limits,
    gone,
    is_reconciled,
    managed_by_api,
    not_found,
    own_room,
)
from controller.sidecar.rooms.query import DEFAULT_ORDER, compile_filter, parse_sort
from controller.sidecar.rooms.response_cache import ResponseCache
from controller.sidecar.waking import WAIT_SECONDS as WAKE_SECONDS

RECORDS_PER_YIELD: Final = 500
"""Rooms read before other tasks run, so that participants do not wait for a long list."""

_Change: TypeAlias = tuple[EventType, tuple[FieldChange, ...]]
"""The change by a call, for events."""

_DONE: Final = b'{"success": true}'

log = get_logger()


class RoomHandlers:
    """The handlers of the private API."""

    def __init__(self, context: Context, access_tokens: AccessTokens) -> None:
        self._access_tokens, self._wall, self._entropy = access_tokens, context.wall, context.entropy
        self._state, self._events, self._limits = context.state, context.events, context.limits
        self._responses = ResponseCache()
        self._desired_state = DesiredStateWriter(context)

    async def close(self) -> None:
        """Cancel the requests to MongoDB and LiveKit."""
        await self._desired_state.close()

    def accept(self, request: web.BaseRequest) -> ApiCaller:
        """The caller. ApiError (UNAUTHORIZED) without a known access token."""
        caller = self._access_tokens.authenticate(request.headers)
        if caller is None:
            what = f"Missing or unknown access token; send one in the {ACCESS_TOKEN} header"
            raise ApiError(Code.UNAUTHORIZED, what)
        return caller

    async def create(self, caller: ApiCaller, body: bodies.CreateRoom) -> Response:
        """Create a room.

        The room belongs to the access token's user, whatever user_id says. Answers when the room is stored
        and, if it is active, live; after 5 seconds at most, then with a null sid.
        """
        spec = bodies.checked_spec({**body.given, "user_id": caller.user_id})
        check_limits(await self._limits(), spec, body.given)
        store = await self._desired_state.for_writing()
        record = self._new(spec)
        await self._desired_state.insert(store, record)
        self._record("create", "room created", record, caller, _created(record))
        return await self._when_reconciled(store, caller, record)

    async def get_count(self, caller: ApiCaller, body: bodies.CountRooms) -> Response:
        """Count rooms.

        The caller's rooms (for an admin all rooms) that match the filter.
        """
        records = await self._find(caller, body, {})
        return Response(b'{"count": %d}' % len(records))

    async def get_all(self, caller: ApiCaller, body: bodies.ListRooms) -> Response:
        """List rooms.

        A bare array, without an envelope. Oldest first, unless a sort says otherwise.
        """
        records = await self._find(caller, body, body.sort or {})
        first = body.skip or 0
        page = records[first : first + body.limit] if body.limit else records[first:]
        sent = [self._responses.sent(record) async for batch in _batches(page) for record in batch]
        return Response(b"[%b]" % b", ".join(sent))

    async def get_by_id(self, caller: ApiCaller, body: bodies.RoomId) -> Response:
        """Read a room.

        The room of another user is answered as one that does not exist.
        """
        store = await self._desired_state.for_reading()
        return Response(self._responses.sent(own_room(store, caller, body.id)))

    async def update(self, caller: ApiCaller, body: bodies.UpdateRoom) -> Response:
        """Change a room.

        Absent fields keep their values. Disconnects nobody, unless active becomes false.
        """
        store = await self._desired_state.for_writing()
        limits = await self._limits()
        record = await self._respecify("update", store, caller, body.id, body.given, limits=limits)
        return await self._when_reconciled(store, caller, record)

    async def start(self, caller: ApiCaller, body: bodies.RoomId) -> Response:
        """Start a room.

        Takes effect with the first request. Answers when the room is live, or with 503 after 5 seconds:
        repeat the request. Changes nothing if the room is live. A room that is live on demand is made now, or
        the answer is 503 after 3 seconds. A room outside its open hours is started when it opens, and the
        answer is 409.
        """
        store = await self._desired_state.for_writing()
        record = await self._respecify("start", store, caller, body.id, {"active": True})
        if closed := closed_error(self._state, record, self._now()):
            raise closed

        async def is_done() -> bool:
            own_room(store, caller, body.id)  # raises if it was removed meanwhile
            return await self._desired_state.is_live_as_desired(store, body.id)

        on_demand = record.spec.is_on_demand
        if not await self._desired_state.until(store, is_done, WAKE_SECONDS if on_demand else None):
            raise ApiError(Code.ROOM_NOT_READY) if on_demand else _not_yet("starting")
        return Response(_DONE)

    async def stop(self, caller: ApiCaller, body: bodies.RoomId) -> Response:
        """Stop a room.

        Disconnects everybody inside; the room keeps its id. 503 after 5 seconds: repeat the request.
        """
        store = await self._desired_state.for_writing()
        await self._respecify("stop", store, caller, body.id, {"active": False})
        return await self._when_gone(store, body.id)

    async def remove(self, caller: ApiCaller, body: bodies.RemovedId) -> Response:
        """Remove a room.

        Disconnects everybody inside, and deletes the room. 503 after 5 seconds: repeat the request. A room
        that is gone is 404.
        """
        room_id = body.id
        if room_id is None:
            raise invalid("id", "is required, in the query or in the body")
        store = await self._desired_state.for_writing()
        if not _is_being_removed(store, caller, room_id):
            now = self._now()
            record = await self._desired_state.write(
                store, caller, room_id, lambda room: room.with_api_removal(now)
            )
            self._record("remove", "room removed", record, caller, [(EventType.REMOVE, ())])
        return await self._when_gone(store, room_id)

    async def _find(
        self, caller: ApiCaller, body: bodies.CountRooms, sort: Mapping[str, Any]
    ) -> Sequence[RoomRecord]:
        """The caller's rooms that match the filter, in order."""
        order = parse_sort(sort) if sort else DEFAULT_ORDER
        holds = compile_filter(body.filter) if body.filter else None
        store = await self._desired_state.for_reading()
        mine = self._responses.list_for(store.by_id, caller, order)
        if holds is None:
            return mine
        return [record async for batch in _batches(mine) for record in batch if holds(record)]

    async def _respecify(
        self,
        call: str,
        store: RecordStore,
        caller: ApiCaller,
        room_id: str,
        given: Mapping[str, Any],
        *,
        limits: tuple[Limit, ...] | None = (),
    ) -> RoomRecord:
        now, before = self._now(), managed_by_api(own_room(store, caller, room_id))

        def changed(room: RoomRecord) -> RoomRecord:
            spec = bodies.checked_spec({**room.spec.as_dict(), **given})
            check_limits(limits, spec, given)
            return room.with_spec(spec, room.key, room.file, now)

        record = await self._desired_state.write(store, caller, room_id, changed)
        if record.generation != before.generation:
            self._record(call, "room updated", record, caller, _changed(before, record))
        return record

    def _record(
        self, call: str, what: str, record: RoomRecord, caller: ApiCaller, changes: Iterable[_Change]
    ) -> None:
        """Log what a call stored, and record its events: the reconciler records none for it."""
        log.info(what, source="api", key=redact_key(record.key), user_id=caller.user_id)
        live = self._state.live_room(record)
        for kind, fields in changes:
            self._events.record(
                Event(
                    at=self._now(),
                    type=kind,
                    key=record.key,
                    room_id=record.id,
                    reason=f"API call {call}",
                    fields=fields,
                    disruption=_disruption(kind, fields),
                    participants=live.num_participants if live is not None else 0,
                    by=f"api {caller.user_id}",
                )
            )

    async def _when_reconciled(self, store: RecordStore, caller: ApiCaller, record: RoomRecord) -> Response:
        """The room as soon as it is reconciled, or in its state after 5 s. ApiError if it was removed."""

        async def is_done() -> bool:
            now = own_room(store, caller, record.id)
            return is_reconciled(now) and now.generation >= record.generation

        await self._desired_state.until(store, is_done)
        return Response(self._responses.sent(own_room(store, caller, record.id)))

    async def _when_gone(self, store: RecordStore, room_id: str) -> Response:
        """Done as soon as the live room is gone. ApiError (UNAVAILABLE) after 5 s."""

        async def is_done() -> bool:
            return gone(store, room_id)

        if not await self._desired_state.until(store, is_done):
            raise _not_yet("stopping")
        return Response(_DONE)

    def _new(self, spec: RoomSpec) -> RoomRecord:
        """A new room. Anyone with its id can join, so the whole id is random."""
        room_id, epoch = self._entropy(12).hex(), int.from_bytes(self._entropy(6))
        return RoomRecord.new(room_id, api_key(room_id), None, spec, now=self._now(), invite_epoch=epoch)

    def _now(self) -> datetime:
        return truncate_to_millis(datetime.fromtimestamp(self._wall(), UTC))


async def _batches(records: Sequence[RoomRecord]) -> AsyncIterator[Sequence[RoomRecord]]:
    """The records in parts; other tasks run after each."""
    for first in range(0, len(records), RECORDS_PER_YIELD):
        yield records[first : first + RECORDS_PER_YIELD]
        await asyncio.sleep(0)


def _is_being_removed(store: Records, caller: ApiCaller, room_id: str) -> bool:
    """Whether an earlier call removed the room, and its live room still exists."""
    record = store.by_id.get(room_id)
    if record is None or not record.removed:
        return False
    if not caller.owns(record) or record.origin is Origin.MANIFEST or gone(store, room_id):
        raise not_found()
    return True


def _not_yet(doing: str) -> ApiError:
    what = f"The room is still {doing}; repeating the request is safe"
    return ApiError(Code.UNAVAILABLE, what, retry_after=1)


def _created(record: RoomRecord) -> Iterator[_Change]:
    yield EventType.CREATE, ()
    if record.spec.active and not record.spec.is_on_demand:
        yield EventType.START, ()


def _changed(before: RoomRecord, after: RoomRecord) -> Iterator[_Change]:
    changes = field_changes(before.spec, after.spec)
    if edits := tuple(change for change in changes if change.field != "active"):
        yield EventType.UPDATE, edits
    if len(edits) < len(changes):
        yield EventType.START if after.spec.active else EventType.STOP, ()


def _disruption(kind: EventType, fields: tuple[FieldChange, ...]) -> Disruption:
    if kind in (EventType.STOP, EventType.REMOVE):
        return Disruption.DISCONNECTS
    return Disruption.worst(change.disruption for change in fields)
