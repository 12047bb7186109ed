"""The table of all HTTP calls; others are not served (docs/http-api.md)."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from controller.sidecar.http.call import ACCESS, INVITE, WEBHOOK, Call, ListenerName, Parameter
from controller.sidecar.http.models import Done
from controller.sidecar.http.response import Code
from controller.sidecar.joining import bodies as joining
from controller.sidecar.joining.credentials import PREVIOUS_TOKEN
from controller.sidecar.joining.join_handlers import JoinHandlers
from controller.sidecar.operations import Operations, Readiness, WebhookBody
from controller.sidecar.pages.openapi_page import OpenApiPage
from controller.sidecar.pages.serving import Pages
from controller.sidecar.rooms import bodies as rooms
from controller.sidecar.rooms.room_handlers import RoomHandlers

_PUBLIC: Final[Sequence[ListenerName]] = ("public",)
_PRIVATE: Final[Sequence[ListenerName]] = ("private",)
_BOTH: Final = (*_PUBLIC, *_PRIVATE)
_HTML: Final = "text/html"
_TEXT: Final = "text/plain"
_GUEST: Final = "/api/conferences-public/"
_KNOWN: Final = (Code.STARTING, Code.UNAVAILABLE)
_CHANGING: Final = (Code.ROOM_NOT_FOUND, Code.MANAGED_BY_MANIFEST, Code.ROOM_HELD)
_JOINING: Final = (*_KNOWN, Code.ROOM_NOT_FOUND, Code.ROOM_CLOSED, Code.ROOM_NOT_READY)
_TOKEN: Final = (
    *_JOINING,
    *(Code.PROOF_INVALID, Code.INVITE_REQUIRED, Code.KICKED),
    *(Code.IDENTITY_IN_USE, Code.ROOM_FULL, Code.TOO_MANY_REQUESTS),
)
_UNAVAILABLE: Final = HTTPStatus.SERVICE_UNAVAILABLE

_ID_IN_PATH: Final = Parameter("id", "path", "The room's id.", pattern="^[A-Za-z0-9_-]+$")
_PREVIOUS: Final = Parameter(
    PREVIOUS_TOKEN,
    "header",
    "The caller's last token of this room: proves that a connected identity is theirs. "
    "An invalid one is ignored.",
)
_WORKER: Final = (
    Parameter("url", "query", "Where the worker reaches LiveKit."),
    Parameter("token", "query", "The recorder's token, which the worker creates."),
    Parameter("layout", "query", "The layout that was requested of the worker; it has no effect."),
)
_PROVEN: Final[Mapping[str, Any]] = {"proofs": ("", ACCESS, INVITE), "parameters": (_PREVIOUS,)}


def _room(name: str, handler: Any, answer: Any, *codes: Code, method: str = "POST") -> Call:
    """A call of the private API."""
    path, codes = f"/api/conferences/{name}", (*_KNOWN, *codes)
    return Call(method, path, "Rooms", handler, answer, codes, (ACCESS,), _PRIVATE)


def _join(path: str, handler: Any, answer: Any, codes: Any, **more: Any) -> Call:
    """A call of participants."""
    return Call("POST", path, "Joining", handler, answer, codes, **more)


def _get(path: str, group: str, handler: Any, answer: Any, listeners: Any, *codes: Code, **more: Any) -> Call:
    return Call("GET", path, group, handler, answer, codes=codes, listeners=listeners, **more)


CALLS: Final = (
    _room("create", RoomHandlers.create, rooms.Room, Code.BEYOND_LIMIT),
    _room("getCount", RoomHandlers.get_count, rooms.Count),
    _room("getAll", RoomHandlers.get_all, list[rooms.Room]),
    _room("getById", RoomHandlers.get_by_id, rooms.Room, Code.ROOM_NOT_FOUND),
    _room("update", RoomHandlers.update, rooms.Room, *_CHANGING, Code.BEYOND_LIMIT),
    _room("start", RoomHandlers.start, Done, *_CHANGING, Code.ROOM_CLOSED, Code.ROOM_NOT_READY),
    _room("stop", RoomHandlers.stop, Done, *_CHANGING),
    _room("remove", RoomHandlers.remove, Done, *_CHANGING, method="DELETE"),
    _join(f"{_GUEST}findLKRoomNameById", JoinHandlers.find, joining.FindAnswer, _JOINING),
    _join(
        f"{_GUEST}createToken",
        JoinHandlers.create_token,
        joining.TokenAnswer,
        (*_TOKEN, Code.ROOM_NAME_STALE, Code.HIDDEN_NOT_ALLOWED),
        **_PROVEN,
    ),
    _join(
        "/livekit/token",
        JoinHandlers.endpoint,
        joining.EndpointAnswer,
        _TOKEN,
        **_PROVEN,
        listeners=_PUBLIC,
        status=HTTPStatus.CREATED,
    ),
    _get(
        "/join/{id}",
        "Joining",
        Pages.page,
        _HTML,
        _PUBLIC,
        Code.NOT_FOUND,
        parameters=(_ID_IN_PATH,),
        other_statuses=(
            *(HTTPStatus.PERMANENT_REDIRECT, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, _UNAVAILABLE),
        ),
    ),
    _get("/join/assets/{name}", "", Pages.asset, _HTML, _PUBLIC),
    _get("/recording/template", "Recording", Pages.recorded, _HTML, _PUBLIC, parameters=_WORKER),
    # the same files, so that an egress worker only needs paths below /recording/
    _get("/recording/assets/{name}", "", Pages.asset, _HTML, _PUBLIC),
    Call(
        "POST",
        "/livekit/webhook",
        "Operations",
        Operations.webhook,
        Done,
        proofs=(WEBHOOK,),
        listeners=_PRIVATE,
        raw_body=WebhookBody,
        raw_type="application/webhook+json",
    ),
    _get("/healthz", "Operations", Operations.health, Done, _PRIVATE, Code.UNAVAILABLE),
    _get("/readyz", "Operations", Operations.readiness, Readiness, _PRIVATE, other_statuses=(_UNAVAILABLE,)),
    _get("/metrics", "Operations", Operations.metrics, _TEXT, _PRIVATE),
    _get("/openapi.json", "This document", OpenApiPage.answer, (dict, _HTML), _BOTH),
    _get("/openapi/assets/{name}", "", OpenApiPage.asset, _HTML, _BOTH),
)
