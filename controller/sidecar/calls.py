"""The table of all HTTP calls. What is not in it is not served (docs/http-api.md)."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

from controller.sidecar.http.call import ACCESS, INVITE, WEBHOOK, Call, Listener, Parameter
from controller.sidecar.http.models import Done, RequestBody
from controller.sidecar.http.response import Code
from controller.sidecar.joining.bodies import (
    EndpointAnswer,
    EndpointBody,
    FindAnswer,
    FindBody,
    TokenAnswer,
    TokenBody,
)
from controller.sidecar.joining.credentials import PREVIOUS_TOKEN
from controller.sidecar.joining.join_handlers import JoinHandlers
from controller.sidecar.operations import Operations, Readiness, WebhookEvent
from controller.sidecar.pages.openapi_page import OpenApiPage
from controller.sidecar.pages.serving import Pages
from controller.sidecar.rooms.bodies import (
    Count,
    CountRooms,
    CreateRoom,
    ListRooms,
    RemovedId,
    Room,
    RoomId,
    UpdateRoom,
)
from controller.sidecar.rooms.room_handlers import RoomHandlers

HTML: Final = "text/html"
_PUBLIC: Final[Sequence[Listener]] = ("public",)
_PRIVATE: Final[Sequence[Listener]] = ("private",)

_KNOWN: Final = (Code.STARTING, Code.UNAVAILABLE)
_CHANGING: Final = (Code.ROOM_NOT_FOUND, Code.MANAGED_BY_MANIFEST)
_JOINING: Final = (*_KNOWN, Code.ROOM_NOT_FOUND, Code.ROOM_NOT_READY)
_TOKEN: Final = (*_JOINING, Code.PROOF_INVALID, Code.IDENTITY_IN_USE, Code.ROOM_FULL, Code.TOO_MANY_REQUESTS)
_ID_IN_QUERY: Final = Parameter(
    "id", "query", "The room to delete; it may stand in the body instead, or be the same in both."
)
_ID_IN_PATH: Final = Parameter("id", "path", "The room's id.", pattern="^[A-Za-z0-9_-]+$")
_PREVIOUS: Final = Parameter(
    PREVIOUS_TOKEN,
    "header",
    "The caller's last token of this room: proves that a connected identity is theirs. "
    "One that does not fit is ignored.",
)
_WORKER: Final = (
    Parameter("url", "query", "Where the worker reaches LiveKit."),
    Parameter("token", "query", "A recorder's, which the worker mints."),
    Parameter("layout", "query", "What the worker was asked for; it changes nothing."),
)


def _room_call(
    name: str,
    handler: Any,
    body: type[RequestBody],
    answer: Any,
    *codes: Code,
    method: str = "POST",
    parameters: Sequence[Parameter] = (),
) -> Call:
    return Call(
        method,
        f"/api/conferences/{name}",
        "Rooms",
        handler,
        answer,
        body,
        codes=(*_KNOWN, *codes),
        proofs=(ACCESS,),
        listeners=_PRIVATE,
        parameters=parameters,
    )


CALLS: Final = (
    _room_call("create", RoomHandlers.create, CreateRoom, Room),
    _room_call("getCount", RoomHandlers.get_count, CountRooms, Count),
    _room_call("getAll", RoomHandlers.get_all, ListRooms, list[Room]),
    _room_call("getById", RoomHandlers.get_by_id, RoomId, Room, Code.ROOM_NOT_FOUND),
    _room_call("update", RoomHandlers.update, UpdateRoom, Room, *_CHANGING),
    _room_call("start", RoomHandlers.start, RoomId, Done, *_CHANGING),
    _room_call("stop", RoomHandlers.stop, RoomId, Done, *_CHANGING),
    _room_call(
        "remove",
        RoomHandlers.remove,
        RemovedId,
        Done,
        *_CHANGING,
        method="DELETE",
        parameters=(_ID_IN_QUERY,),
    ),
    Call(
        "POST",
        "/api/conferences-public/findLKRoomNameById",
        "Joining",
        JoinHandlers.find,
        FindAnswer,
        FindBody,
        codes=_JOINING,
    ),
    Call(
        "POST",
        "/api/conferences-public/createToken",
        "Joining",
        JoinHandlers.create_token,
        TokenAnswer,
        TokenBody,
        codes=(*_TOKEN, Code.ROOM_NAME_STALE, Code.HIDDEN_NOT_ALLOWED),
        proofs=("", ACCESS, INVITE),
        parameters=(_PREVIOUS,),
    ),
    Call(
        "POST",
        "/livekit/token",
        "Joining",
        JoinHandlers.endpoint,
        EndpointAnswer,
        EndpointBody,
        codes=_TOKEN,
        proofs=("", ACCESS, INVITE),
        listeners=_PUBLIC,
        parameters=(_PREVIOUS,),
        status=HTTPStatus.CREATED,
    ),
    Call(
        "GET",
        "/join/{id}",
        "Joining",
        Pages.page,
        HTML,
        codes=(Code.NOT_FOUND,),
        listeners=_PUBLIC,
        parameters=(_ID_IN_PATH,),
        other_statuses=(HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE),
    ),
    Call("GET", "/join/assets/{name}", "", Pages.asset, HTML, listeners=_PUBLIC),
    Call(
        "GET", "/recording/template", "Recording", Pages.recorded, HTML, listeners=_PUBLIC, parameters=_WORKER
    ),
    # the same files: an egress worker needs to reach nothing but what begins with /recording/
    Call("GET", "/recording/assets/{name}", "", Pages.asset, HTML, listeners=_PUBLIC),
    Call(
        "POST",
        "/livekit/webhook",
        "Operations",
        Operations.webhook,
        Done,
        WebhookEvent,
        proofs=(WEBHOOK,),
        listeners=_PRIVATE,
        body_type="application/webhook+json",
    ),
    Call(
        "GET",
        "/healthz",
        "Operations",
        Operations.health,
        Done,
        codes=(Code.UNAVAILABLE,),
        listeners=_PRIVATE,
    ),
    Call(
        "GET",
        "/readyz",
        "Operations",
        Operations.readiness,
        Readiness,
        listeners=_PRIVATE,
        other_statuses=(HTTPStatus.SERVICE_UNAVAILABLE,),
    ),
    Call("GET", "/metrics", "Operations", Operations.metrics, "text/plain", listeners=_PRIVATE),
    Call("GET", "/openapi.json", "This document", OpenApiPage.answer, (dict, HTML)),
    Call("GET", "/openapi/assets/{name}", "", OpenApiPage.asset, HTML),
)
