"""The eight private calls: rooms for holders of an access token (docs/http-api.md#private-calls).

They write what is wanted and wait for the reconciler; nothing here writes to LiveKit. Checked in this order:
the token 401, the body 400, the room 404, what manages it 409.
"""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl

import structlog
from aiohttp import web

from controller.records.ports import RoomStore
from controller.records.record import Origin, RoomRecord
from controller.room import RoomSpec, redact_key, truncate_to_millis
from controller.sidecar.access_tokens import ACCESS_TOKEN, Caller, Callers
from controller.sidecar.context import Context
from controller.sidecar.http.body import BODY_LIMIT, DEPTH_LIMIT, FILTER_DEPTH, invalid, parse, read
from controller.sidecar.http.response import Answer, Code, Refusal, retry
from controller.sidecar.rooms.bodies import (
    B,
    CountRooms,
    CreateRoom,
    ListRooms,
    RemovedId,
    RoomId,
    UpdateRoom,
    checked,
    field_names,
    unknown,
)
from controller.sidecar.rooms.desired_state import Desire, gone, managed_by_api, not_found, own_room, settled
from controller.sidecar.rooms.query import DEFAULT_ORDER, compiled, ordering
from controller.sidecar.rooms.response_cache import Views

CHUNK: Final = 500
"""Rooms looked at between two turns of the loop, so that guests are answered meanwhile."""
QUERY_FIELDS: Final = 8

_DONE: Final = b'{"success": true}'

log = structlog.get_logger()


class Rooms:
    """The private calls over the records."""

    def __init__(self, context: Context, callers: Callers) -> None:
        self._callers, self._wall = callers, context.wall
        self._views = Views()
        self._desire = Desire(context)

    async def close(self) -> None:
        """End what is under way at MongoDB and LiveKit."""
        await self._desire.close()

    async def create(self, request: web.BaseRequest) -> Answer:
        """A room of the caller's own, live within 5 s if all is well, else as far as it is by then."""
        caller, body = await self._asked(request, CreateRoom)
        spec = RoomSpec(**body.given, user_id=caller.user_id)
        store = await self._desire.for_writing()
        record = _new(spec, self._now())
        await self._desire.insert(store, record)
        _told("room created by api", record, caller)
        return await self._when_settled(store, caller, record)

    async def get_count(self, request: web.BaseRequest) -> Answer:
        """getCount: how many rooms the caller sees, or of these how many a filter means."""
        caller, body = await self._asked(request, CountRooms, FILTER_DEPTH)
        found = await self._found(caller, body, {})
        return Answer(b'{"count": %d}' % len(found))

    async def get_all(self, request: web.BaseRequest) -> Answer:
        """getAll: a bare array of the caller's rooms."""
        caller, body = await self._asked(request, ListRooms, FILTER_DEPTH)
        found = await self._found(caller, body, body.sort or {})
        first = body.skip or 0
        page = found[first : first + body.limit] if body.limit else found[first:]
        return Answer(b"[%b]" % b", ".join(await self._sent(page)))

    async def get_by_id(self, request: web.BaseRequest) -> Answer:
        """getById: one room."""
        caller, body = await self._asked(request, RoomId)
        store = await self._desire.for_reading()
        return Answer(self._views.sent(own_room(store, caller, body.id)))

    async def update(self, request: web.BaseRequest) -> Answer:
        """The fields that are given, on the room as it stands; the others stay."""
        caller, body = await self._asked(request, UpdateRoom)
        store = await self._desire.for_writing()
        record = await self._respecify(store, caller, body.id, body.given)
        return await self._when_settled(store, caller, record)

    async def start(self, request: web.BaseRequest) -> Answer:
        """Active, and answered once its live room stands. On a live room it changes nothing."""
        caller, body = await self._asked(request, RoomId)
        store = await self._desire.for_writing()
        await self._respecify(store, caller, body.id, {"active": True})

        async def so() -> bool:
            own_room(store, caller, body.id)  # where somebody removed it meanwhile it will not be
            return await self._desire.stands(store, body.id)

        if not await self._desire.until(store, so):
            raise _not_yet("the room is not live yet, and will be")
        return Answer(_DONE)

    async def stop(self, request: web.BaseRequest) -> Answer:
        """Inactive, whoever is inside, and answered once its live room is gone."""
        caller, body = await self._asked(request, RoomId)
        store = await self._desire.for_writing()
        await self._respecify(store, caller, body.id, {"active": False})
        if not await self._desire.until_gone(store, body.id):
            raise _not_yet("the live room is not gone yet, and will be")
        return Answer(_DONE)

    async def remove(self, request: web.BaseRequest) -> Answer:
        """The room and its live room, whoever is inside; asked again, it is waited for once more."""
        caller = self._caller(request)
        content = parse(await read(request, BODY_LIMIT))
        room_id = removed_id(request.raw_path.partition("?")[2], content)
        store = await self._desire.for_writing()
        if not _is_being_removed(store, caller, room_id):
            now = self._now()
            record = await self._desire.write(store, caller, room_id, lambda room: room.with_api_removal(now))
            _told("room removed by api", record, caller)
        if not await self._desire.until_gone(store, room_id):
            raise _not_yet("the live room is not gone yet, and will be")
        return Answer(_DONE)

    def _caller(self, request: web.BaseRequest) -> Caller:
        caller = self._callers.of(request.headers)
        if caller is None:
            raise Refusal(Code.UNAUTHORIZED, f"send a known access token in {ACCESS_TOKEN}")
        return caller

    async def _asked(
        self, request: web.BaseRequest, model: type[B], deepest: int = DEPTH_LIMIT
    ) -> tuple[Caller, B]:
        """Who asks, and what."""
        caller = self._caller(request)
        return caller, checked(model, parse(await read(request, BODY_LIMIT), deepest))

    async def _found(self, caller: Caller, body: CountRooms, sort: Mapping[str, Any]) -> Sequence[RoomRecord]:
        """The caller's rooms that the filter means, in order."""
        order = ordering(sort) if sort else DEFAULT_ORDER
        holds = compiled(body.filter) if body.filter else None
        store = await self._desire.for_reading()
        mine = self._views.of(store.by_id, caller, order)
        if holds is None:
            return mine
        found: list[RoomRecord] = []
        for first in range(0, len(mine), CHUNK):
            found += [record for record in mine[first : first + CHUNK] if holds(record)]
            await asyncio.sleep(0)
        return found

    async def _sent(self, records: Sequence[RoomRecord]) -> Sequence[bytes]:
        sent: list[bytes] = []
        for first in range(0, len(records), CHUNK):
            sent += [self._views.sent(record) for record in records[first : first + CHUNK]]
            await asyncio.sleep(0)
        return sent

    async def _respecify(
        self, store: RoomStore, caller: Caller, room_id: str, given: Mapping[str, Any]
    ) -> RoomRecord:
        now, before = self._now(), managed_by_api(own_room(store, caller, room_id))

        def changed(room: RoomRecord) -> RoomRecord:
            return room.with_spec(RoomSpec(**{**room.spec.as_dict(), **given}), room.key, room.file, now)

        record = await self._desire.write(store, caller, room_id, changed)
        if record.generation != before.generation:
            _told("room changed by api", record, caller)
        return record

    async def _when_settled(self, store: RoomStore, caller: Caller, record: RoomRecord) -> Answer:
        """The room once it is as it is wanted, or as it is after 5 s. Refusal where it is removed by then."""

        async def so() -> bool:
            now = own_room(store, caller, record.id)
            return settled(now) and now.generation >= record.generation

        await self._desire.until(store, so)
        return Answer(self._views.sent(own_room(store, caller, record.id)))

    def _now(self) -> datetime:
        return truncate_to_millis(datetime.fromtimestamp(self._wall(), UTC))


def _new(spec: RoomSpec, now: datetime) -> RoomRecord:
    """A room made by API: its id is the capability to join it, so it is random through and through."""
    room_id = secrets.token_hex(12)
    return RoomRecord(room_id, f"api/{room_id}", Origin.API, None, spec, now, now)


def _is_being_removed(store: RoomStore, caller: Caller, room_id: str) -> bool:
    """Whether a call before this one has removed it, and its live room still stands."""
    record = store.by_id.get(room_id)
    if record is None or not record.removed:
        return False
    if not caller.owns(record) or record.origin is Origin.MANIFEST or gone(store, room_id):
        raise not_found()
    return True


def removed_id(query: str, content: Mapping[str, Any]) -> str:
    """The id that remove is about, from the query, the body, or both. Refusal where they differ."""
    given, asked = checked(RemovedId, content).id, _query_id(query)
    if given is not None and asked is not None and given != asked:
        raise invalid("id", "in the query and id in the body differ; send one of them")
    found = given if asked is None else asked
    if found is None:
        raise invalid("id", "is required, in the query or in the body")
    return found


def _query_id(query: str) -> str | None:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=QUERY_FIELDS)
    except ValueError:
        raise Refusal(Code.BAD_REQUEST, "the query is not readable; write ?id=ROOM_ID") from None
    for name, _ in pairs:
        if name != "id":
            raise unknown(name, field_names(RemovedId))
    if len(pairs) > 1:
        raise invalid("id", "is in the query twice")
    return pairs[0][1] if pairs else None


def _not_yet(what: str) -> Refusal:
    return retry(Code.UNAVAILABLE, f"{what}; ask again in a second", 1)


def _told(event: str, record: RoomRecord, caller: Caller) -> None:
    log.info(event, room=redact_key(record.key), user=caller.user_id)
