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
from controller.sidecar.access_tokens import ACCESS_TOKEN, AccessTokens, ApiCaller
from controller.sidecar.context import Context
from controller.sidecar.http.body import (
    MAX_BODY_BYTES,
    MAX_FILTER_JSON_DEPTH,
    MAX_JSON_DEPTH,
    invalid,
    parse,
    read,
)
from controller.sidecar.http.response import ApiError, Code, Response, retry_later
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
from controller.sidecar.rooms.desired_state import (
    DesiredStateWriter,
    gone,
    is_reconciled,
    managed_by_api,
    not_found,
    own_room,
)
from controller.sidecar.rooms.query import DEFAULT_ORDER, compile_filter, parse_sort
from controller.sidecar.rooms.response_cache import ResponseCache

RECORDS_PER_YIELD: Final = 500
"""Rooms looked at between two turns of the loop, so that guests are answered meanwhile."""
QUERY_FIELDS: Final = 8

_DONE: Final = b'{"success": true}'

log = structlog.get_logger()


class RoomHandlers:
    """The private calls over the records."""

    def __init__(self, context: Context, access_tokens: AccessTokens) -> None:
        self._access_tokens, self._wall = access_tokens, context.wall
        self._responses = ResponseCache()
        self._desired_state = DesiredStateWriter(context)

    async def close(self) -> None:
        """End what is under way at MongoDB and LiveKit."""
        await self._desired_state.close()

    async def create(self, request: web.BaseRequest) -> Response:
        """A room of the caller's own, live within 5 s if all is well, else as far as it is by then."""
        caller, body = await self._asked(request, CreateRoom)
        spec = RoomSpec(**body.given, user_id=caller.user_id)
        store = await self._desired_state.for_writing()
        record = _new(spec, self._now())
        await self._desired_state.insert(store, record)
        _log_change("room created by api", record, caller)
        return await self._when_reconciled(store, caller, record)

    async def get_count(self, request: web.BaseRequest) -> Response:
        """getCount: how many rooms the caller sees, or of these how many a filter means."""
        caller, body = await self._asked(request, CountRooms, MAX_FILTER_JSON_DEPTH)
        given_id = await self._found(caller, body, {})
        return Response(b'{"count": %d}' % len(given_id))

    async def get_all(self, request: web.BaseRequest) -> Response:
        """getAll: a bare array of the caller's rooms."""
        caller, body = await self._asked(request, ListRooms, MAX_FILTER_JSON_DEPTH)
        given_id = await self._found(caller, body, body.sort or {})
        first = body.skip or 0
        page = given_id[first : first + body.limit] if body.limit else given_id[first:]
        return Response(b"[%b]" % b", ".join(await self._sent(page)))

    async def get_by_id(self, request: web.BaseRequest) -> Response:
        """getById: one room."""
        caller, body = await self._asked(request, RoomId)
        store = await self._desired_state.for_reading()
        return Response(self._responses.sent(own_room(store, caller, body.id)))

    async def update(self, request: web.BaseRequest) -> Response:
        """The fields that are given, on the room as it stands; the others stay."""
        caller, body = await self._asked(request, UpdateRoom)
        store = await self._desired_state.for_writing()
        record = await self._respecify(store, caller, body.id, body.given)
        return await self._when_reconciled(store, caller, record)

    async def start(self, request: web.BaseRequest) -> Response:
        """Active, and answered once its live room stands. On a live room it changes nothing."""
        caller, body = await self._asked(request, RoomId)
        store = await self._desired_state.for_writing()
        await self._respecify(store, caller, body.id, {"active": True})

        async def so() -> bool:
            own_room(store, caller, body.id)  # where somebody removed it meanwhile it will not be
            return await self._desired_state.is_live_as_desired(store, body.id)

        if not await self._desired_state.until(store, so):
            raise _not_yet("the room is not live yet, and will be")
        return Response(_DONE)

    async def stop(self, request: web.BaseRequest) -> Response:
        """Inactive, whoever is inside, and answered once its live room is gone."""
        caller, body = await self._asked(request, RoomId)
        store = await self._desired_state.for_writing()
        await self._respecify(store, caller, body.id, {"active": False})
        if not await self._desired_state.until_gone(store, body.id):
            raise _not_yet("the live room is not gone yet, and will be")
        return Response(_DONE)

    async def remove(self, request: web.BaseRequest) -> Response:
        """The room and its live room, whoever is inside; asked again, it is waited for once more."""
        caller = self._caller(request)
        content = parse(await read(request, MAX_BODY_BYTES))
        room_id = removed_id(request.raw_path.partition("?")[2], content)
        store = await self._desired_state.for_writing()
        if not _is_being_removed(store, caller, room_id):
            now = self._now()
            record = await self._desired_state.write(
                store, caller, room_id, lambda room: room.with_api_removal(now)
            )
            _log_change("room removed by api", record, caller)
        if not await self._desired_state.until_gone(store, room_id):
            raise _not_yet("the live room is not gone yet, and will be")
        return Response(_DONE)

    def _caller(self, request: web.BaseRequest) -> ApiCaller:
        caller = self._access_tokens.authenticate(request.headers)
        if caller is None:
            raise ApiError(Code.UNAUTHORIZED, f"send a known access token in {ACCESS_TOKEN}")
        return caller

    async def _asked(
        self, request: web.BaseRequest, model: type[B], deepest: int = MAX_JSON_DEPTH
    ) -> tuple[ApiCaller, B]:
        """Who asks, and what."""
        caller = self._caller(request)
        return caller, checked(model, parse(await read(request, MAX_BODY_BYTES), deepest))

    async def _found(
        self, caller: ApiCaller, body: CountRooms, sort: Mapping[str, Any]
    ) -> Sequence[RoomRecord]:
        """The caller's rooms that the filter means, in order."""
        order = parse_sort(sort) if sort else DEFAULT_ORDER
        holds = compile_filter(body.filter) if body.filter else None
        store = await self._desired_state.for_reading()
        mine = self._responses.list_for(store.by_id, caller, order)
        if holds is None:
            return mine
        given_id: list[RoomRecord] = []
        for first in range(0, len(mine), RECORDS_PER_YIELD):
            given_id += [record for record in mine[first : first + RECORDS_PER_YIELD] if holds(record)]
            await asyncio.sleep(0)
        return given_id

    async def _sent(self, records: Sequence[RoomRecord]) -> Sequence[bytes]:
        sent: list[bytes] = []
        for first in range(0, len(records), RECORDS_PER_YIELD):
            sent += [self._responses.sent(record) for record in records[first : first + RECORDS_PER_YIELD]]
            await asyncio.sleep(0)
        return sent

    async def _respecify(
        self, store: RoomStore, caller: ApiCaller, room_id: str, given: Mapping[str, Any]
    ) -> RoomRecord:
        now, before = self._now(), managed_by_api(own_room(store, caller, room_id))

        def changed(room: RoomRecord) -> RoomRecord:
            return room.with_spec(RoomSpec(**{**room.spec.as_dict(), **given}), room.key, room.file, now)

        record = await self._desired_state.write(store, caller, room_id, changed)
        if record.generation != before.generation:
            _log_change("room changed by api", record, caller)
        return record

    async def _when_reconciled(self, store: RoomStore, caller: ApiCaller, record: RoomRecord) -> Response:
        """The room once it is as it is wanted, or as it is after 5 s. Refusal where it is removed by then."""

        async def so() -> bool:
            now = own_room(store, caller, record.id)
            return is_reconciled(now) and now.generation >= record.generation

        await self._desired_state.until(store, so)
        return Response(self._responses.sent(own_room(store, caller, record.id)))

    def _now(self) -> datetime:
        return truncate_to_millis(datetime.fromtimestamp(self._wall(), UTC))


def _new(spec: RoomSpec, now: datetime) -> RoomRecord:
    """A room made by API: its id is the capability to join it, so it is random through and through."""
    room_id = secrets.token_hex(12)
    return RoomRecord(room_id, f"api/{room_id}", Origin.API, None, spec, now, now)


def _is_being_removed(store: RoomStore, caller: ApiCaller, room_id: str) -> bool:
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
    given_id = given if asked is None else asked
    if given_id is None:
        raise invalid("id", "is required, in the query or in the body")
    return given_id


def _query_id(query: str) -> str | None:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=QUERY_FIELDS)
    except ValueError:
        raise ApiError(Code.BAD_REQUEST, "the query is not readable; write ?id=ROOM_ID") from None
    for name, _ in pairs:
        if name != "id":
            raise unknown(name, field_names(RemovedId))
    if len(pairs) > 1:
        raise invalid("id", "is in the query twice")
    return pairs[0][1] if pairs else None


def _not_yet(what: str) -> ApiError:
    return retry_later(Code.UNAVAILABLE, f"{what}; ask again in a second", 1)


def _log_change(event: str, record: RoomRecord, caller: ApiCaller) -> None:
    log.info(event, room=redact_key(record.key), user=caller.user_id)
