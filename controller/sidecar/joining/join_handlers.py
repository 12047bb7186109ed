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
from controller.sidecar.access_tokens import AccessTokens
from controller.sidecar.context import Context
from controller.sidecar.http.body import MAX_BODY_BYTES, parse, read
from controller.sidecar.http.response import Code, Response, retry_later
from controller.sidecar.joining.admission import Admission, IssuedToken, JoinRequest
from controller.sidecar.joining.bodies import EndpointBody, FindBody, TokenBody, checked

MAX_TOKEN_REQUESTS_IN_FLIGHT: Final = 256
_IN_FIND: Final = tuple(name for name, field in FIELDS.items() if field.in_find)


class JoinHandlers:
    """What guests may ask."""

    def __init__(self, context: Context, access_tokens: AccessTokens) -> None:
        self._admission, self._clock = Admission(context, access_tokens), context.clock
        self._in_flight = 0
        self._server_url = json.dumps(context.settings.livekit_public_url)
        seconds = context.metrics.helper_seconds
        self._find_seconds = seconds.labels("findLKRoomNameById")
        self._token_seconds, self._endpoint_seconds = seconds.labels("createToken"), seconds.labels("token")

    async def find(self, request: web.BaseRequest) -> Response:
        """findLKRoomNameById: the current LiveKit room name, and what the join page needs to know."""
        self._admission.check_known()
        body = await read(request, MAX_BODY_BYTES)
        began = self._clock()
        record, room = self._admission.live(checked(FindBody, parse(body)).id)
        answer = Response(json.dumps(_room_info(record, room.name)).encode())
        self._find_seconds.observe(self._clock() - began)
        return answer

    async def create_token(self, request: web.BaseRequest) -> Response:
        """createToken: a participant token for one room, or the first reason against it."""
        token, room_name = await self._admit(request, _parse_join_request, self._token_seconds)
        name = json.dumps(room_name)
        return Response(f'{{"participant_token": "{token}", "LKRoomName": {name}, "success": true}}'.encode())

    async def endpoint(self, request: web.BaseRequest) -> Response:
        """The same for LiveKit's SDKs, in the form in which their TokenSource.endpoint asks."""
        token, _ = await self._admit(request, _parse_sdk_join_request, self._endpoint_seconds)
        answer = f'{{"server_url": {self._server_url}, "participant_token": "{token}"}}'
        return Response(answer.encode(), HTTPStatus.CREATED)

    async def close(self) -> None:
        """End what is under way at LiveKit."""
        await self._admission.participants.close()

    async def _admit(
        self, request: web.BaseRequest, asked: Callable[[dict[str, Any]], JoinRequest], seconds: Histogram
    ) -> IssuedToken:
        self._admission.check_known()
        body = await read(request, MAX_BODY_BYTES)
        if self._in_flight >= MAX_TOKEN_REQUESTS_IN_FLIGHT:
            raise retry_later(Code.UNAVAILABLE, "too many token requests at once; try again in a second", 1)
        began = self._clock()
        self._in_flight += 1
        try:
            return await self._admission.admit(asked(parse(body)), request.headers)
        finally:
            self._in_flight -= 1
            seconds.observe(self._clock() - began)


def _parse_join_request(content: dict[str, Any]) -> JoinRequest:
    body = checked(TokenBody, content)
    return JoinRequest(
        body.room_id,
        body.participant_id,
        body.participant_name,
        bool(body.hidden),
        body.egress_mode_token,
        body.LKRoomName,
    )


def _parse_sdk_join_request(content: dict[str, Any]) -> JoinRequest:
    body = checked(EndpointBody, content)
    return JoinRequest(body.room_name, body.participant_identity, body.participant_name)


def _room_info(record: RoomRecord, name: str) -> dict[str, Any]:
    shown = {field: getattr(record.spec, field) for field in _IN_FIND}
    return {"id": record.id, "LKRoomName": name, **shown, "success": True}
