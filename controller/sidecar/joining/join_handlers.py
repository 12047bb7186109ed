"""The public calls: findLKRoomNameById, createToken, and the token endpoint of LiveKit's SDKs.

Answered from cached state (docs/http-api.md#public-calls); admission.py checks the caller.
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
from controller.sidecar.http.response import ApiError, Code, Response
from controller.sidecar.joining.admission import Admission, Caller, JoinRequest
from controller.sidecar.joining.bodies import EndpointBody, FindBody, TokenBody

MAX_TOKEN_REQUESTS_IN_FLIGHT: Final = 256
_IN_FIND: Final = tuple(name for name, field in FIELDS.items() if field.in_find)


class JoinHandlers:
    """The handlers of the public calls."""

    def __init__(
        self, context: Context, access_tokens: AccessTokens, address_of: Callable[[web.BaseRequest], str]
    ) -> None:
        self._admission, self._clock = Admission(context, access_tokens), context.clock
        self._address_of = address_of
        self._state_error = context.state_error
        self._events, self._state = context.events, context.state
        self._in_flight = 0
        self._server_url = json.dumps(context.settings.livekit_public_url)
        seconds = context.metrics.helper_seconds
        self._find_seconds = seconds.labels("findLKRoomNameById")
        self._token_seconds, self._endpoint_seconds = seconds.labels("createToken"), seconds.labels("token")

    def accept(self, request: web.BaseRequest) -> Caller:
        """The caller. ApiError (STARTING, UNAVAILABLE) while no state is known."""
        if error := self._state_error():
            raise error
        return Caller(request.headers, self._address_of(request))

    async def find(self, _: Caller, body: FindBody) -> Response:
        """Find a room's LiveKit name.

        The first of the two calls that a join page makes. The name changes when the room is restarted. A room
        that is live on demand is made now.
        """
        await self._admission.wake(body.id)
        began = self._clock()
        try:
            record, room = self._admission.live(body.id)
        except ApiError as refusal:
            self._record_refusal(body.id, refusal)
            raise
        answer = Response(json.dumps(_room_info(record, room.name)).encode())
        self._find_seconds.observe(self._clock() - began)
        return answer

    async def create_token(self, caller: Caller, body: TokenBody) -> Response:
        """Get a participant's token.

        The second of the two calls that a join page makes. In webinar mode, a speaker needs an invite, or the
        access token of the room's owner or of an admin; all others listen. Other access tokens are ignored.
        """
        join_request = JoinRequest(
            body.room_id,
            body.participant_id,
            body.participant_name,
            bool(body.hidden),
            body.egress_mode_token,
            body.LKRoomName,
        )
        token = await self._admit(caller, join_request, self._token_seconds)
        name = json.dumps(body.LKRoomName)  # the room's current one, otherwise there is no token
        return Response(f'{{"participant_token": "{token}", "LKRoomName": {name}, "success": true}}'.encode())

    async def endpoint(self, caller: Caller, body: EndpointBody) -> Response:
        """LiveKit's standard token endpoint.

        What the SDKs' TokenSource.endpoint calls: createToken in one step, by the same proofs and rights.
        """
        join_request = JoinRequest(body.room_name, body.participant_identity, body.participant_name)
        token = await self._admit(caller, join_request, self._endpoint_seconds)
        answer = f'{{"server_url": {self._server_url}, "participant_token": "{token}"}}'
        return Response(answer.encode(), HTTPStatus.CREATED)

    async def close(self) -> None:
        """Cancel the requests to LiveKit."""
        await self._admission.participants.close()

    async def _admit(self, caller: Caller, join_request: JoinRequest, seconds: Histogram) -> str:
        await self._admission.wake(join_request.room_id)  # who waits is not in flight
        if self._in_flight >= MAX_TOKEN_REQUESTS_IN_FLIGHT:
            raise ApiError(Code.UNAVAILABLE, "Too many concurrent token requests", retry_after=1)
        began = self._clock()
        self._in_flight += 1
        try:
            return await self._admission.admit(join_request, caller)
        except ApiError as refusal:
            self._record_refusal(join_request.room_id, refusal)
            raise
        finally:
            self._in_flight -= 1
            seconds.observe(self._clock() - began)

    def _record_refusal(self, room_id: str, refusal: ApiError) -> None:
        """Only for a room with a record: otherwise anyone could fill the events."""
        room = self._state.records.by_id.get(room_id)
        if room is not None:
            self._events.record_refusal(room, refusal.code)


def _room_info(record: RoomRecord, name: str) -> dict[str, Any]:
    shown = {field: getattr(record.spec, field) for field in _IN_FIND}
    return {"id": record.id, "LKRoomName": name, **shown, "success": True}
