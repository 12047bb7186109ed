"""The public calls: findLKRoomNameById, createToken, and the token endpoint of LiveKit's SDKs.

Answered from memory (docs/http-api.md#public-calls); what they ask of a caller is the door's (admission.py).
"""

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web
from prometheus_client import Histogram

from controller.records.record import RoomRecord
from controller.room import FIELDS
from controller.sidecar.access_tokens import Callers
from controller.sidecar.context import Context
from controller.sidecar.http.body import BODY_LIMIT, parse, read
from controller.sidecar.http.response import Answer, Code, retry
from controller.sidecar.joining.admission import Door, Grant, Wish
from controller.sidecar.joining.bodies import EndpointBody, FindBody, TokenBody, checked

IN_FLIGHT: Final = 256
_IN_FIND: Final = tuple(name for name, field in FIELDS.items() if field.in_find)


class Helpers:
    """What guests may ask."""

    def __init__(self, context: Context, callers: Callers) -> None:
        self._door, self._clock = Door(context, callers), context.clock
        self._in_flight = 0
        self._server_url = json.dumps(context.settings.livekit_public_url)
        seconds = context.metrics.helper_seconds
        self._find_seconds = seconds.labels("findLKRoomNameById")
        self._token_seconds, self._endpoint_seconds = seconds.labels("createToken"), seconds.labels("token")

    async def find(self, request: web.BaseRequest) -> Answer:
        """findLKRoomNameById: the current LiveKit room name, and what the join page needs to know."""
        self._door.check_known()
        body = await read(request, BODY_LIMIT)
        began = self._clock()
        record, room = self._door.live(checked(FindBody, parse(body)).id)
        answer = Answer(json.dumps(_found(record, room.name)).encode())
        self._find_seconds.observe(self._clock() - began)
        return answer

    async def create_token(self, request: web.BaseRequest) -> Answer:
        """createToken: a participant token for one room, or the first reason against it."""
        token, room_name = await self._admitted(request, _asked, self._token_seconds)
        name = json.dumps(room_name)
        return Answer(f'{{"participant_token": "{token}", "LKRoomName": {name}, "success": true}}'.encode())

    async def endpoint(self, request: web.BaseRequest) -> Answer:
        """The same for LiveKit's SDKs, in the form in which their TokenSource.endpoint asks."""
        token, _ = await self._admitted(request, _asked_by_sdk, self._endpoint_seconds)
        answer = f'{{"server_url": {self._server_url}, "participant_token": "{token}"}}'
        return Answer(answer.encode(), HTTPStatus.CREATED)

    async def close(self) -> None:
        """End what is under way at LiveKit."""
        await self._door.lookout.close()

    async def _admitted(
        self, request: web.BaseRequest, asked: Callable[[dict[str, Any]], Wish], seconds: Histogram
    ) -> Grant:
        self._door.check_known()
        body = await read(request, BODY_LIMIT)
        if self._in_flight >= IN_FLIGHT:
            raise retry(Code.UNAVAILABLE, "too many token requests at once; try again in a second", 1)
        began = self._clock()
        self._in_flight += 1
        try:
            return await self._door.admit(asked(parse(body)), request.headers)
        finally:
            self._in_flight -= 1
            seconds.observe(self._clock() - began)


def _asked(content: dict[str, Any]) -> Wish:
    body = checked(TokenBody, content)
    return Wish(
        body.room_id,
        body.participant_id,
        body.participant_name,
        bool(body.hidden),
        body.egress_mode_token,
        body.LKRoomName,
    )


def _asked_by_sdk(content: dict[str, Any]) -> Wish:
    body = checked(EndpointBody, content)
    return Wish(body.room_name, body.participant_identity, body.participant_name)


def _found(record: RoomRecord, name: str) -> dict[str, Any]:
    shown = {field: getattr(record.spec, field) for field in _IN_FIND}
    return {"id": record.id, "LKRoomName": name, **shown, "success": True}
