"""The calls of both listeners, one entry each: what OpenAPI and its page say of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Final

from controller.sidecar.http.response import JSON, Code
from controller.sidecar.joining.credentials import PREVIOUS_TOKEN
from controller.sidecar.openapi import examples
from controller.sidecar.openapi.examples import Example
from controller.sidecar.openapi.schemas import Schema, ref

HTML: Final = "text/html"
_TEXT: Final[Schema] = {"type": "string"}

ACCESS: Final = "access-token"
INVITE: Final = "invite"
WEBHOOK: Final = "webhook"


@dataclass(frozen=True, slots=True)
class ResponseSpec:
    """An answer that is no failure of our form: its content by media type."""

    description: str
    content: Mapping[str, Schema]


@dataclass(frozen=True, slots=True)
class Operation:
    """One call. `codes` are its own ways to fail; `proofs` the schemes of which one may come ({}: none need).

    `body` names the component, `needs_body` is False where an empty one will do.
    """

    method: str
    path: str
    group: str
    summary: str
    description: str
    replies: Mapping[HTTPStatus, ResponseSpec]
    codes: Sequence[Code] = ()
    body: str = ""
    body_kind: str = JSON
    needs_body: bool = True
    examples: Sequence[Example] = ()
    proofs: Sequence[str] = field(default=("",))
    parameters: Sequence[Mapping[str, Any]] = ()

    @property
    def name(self) -> str:
        """The last word of its path that is no variable, as the reference calls it."""
        words = [word for word in self.path.split("/") if word and not word.startswith("{")]
        return words[-1]

    def also(self, *codes: Code) -> "Operation":
        """The call where a listener adds ways to fail."""
        return replace(self, codes=(*self.codes, *(code for code in codes if code not in self.codes)))


def _ok(description: str, name: str, status: HTTPStatus = HTTPStatus.OK) -> Mapping[HTTPStatus, ResponseSpec]:
    return {status: ResponseSpec(description, {JSON: ref(name)})}


_BODY: Final = (
    Code.BAD_REQUEST,
    Code.INVALID_FIELD,
    Code.PAYLOAD_TOO_LARGE,
    Code.UNSUPPORTED_MEDIA_TYPE,
    Code.INTERNAL,
)
_KNOWN: Final = (Code.STARTING, Code.UNAVAILABLE)
_READING: Final = (*_BODY, Code.UNAUTHORIZED, *_KNOWN)
_WRITING: Final = (*_READING, Code.ROOM_NOT_FOUND, Code.MANAGED_BY_MANIFEST)
_JOINING: Final = (*_BODY, *_KNOWN, Code.ROOM_NOT_FOUND, Code.ROOM_NOT_READY)
_TOKEN: Final = (*_JOINING, Code.PROOF_INVALID, Code.IDENTITY_IN_USE, Code.ROOM_FULL, Code.TOO_MANY_REQUESTS)

_ROOMS: Final = "/api/conferences/"
_PUBLIC: Final = "/api/conferences-public/"
_PREVIOUS: Final[Mapping[str, Any]] = {
    "name": PREVIOUS_TOKEN,
    "in": "header",
    "description": "The caller's last token of this room: proves that a connected identity is theirs. "
    "One that does not fit is ignored.",
    "schema": _TEXT,
}
_QUERY_ID: Final[Mapping[str, Any]] = {
    "name": "id",
    "in": "query",
    "description": "The room to delete; it may stand in the body instead, or be the same in both.",
    "schema": _TEXT,
}
_PATH_ID: Final[Mapping[str, Any]] = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "The room's id.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"},
}
_WORKER: Final[Sequence[Mapping[str, Any]]] = tuple(
    {"name": name, "in": "query", "description": description, "schema": _TEXT}
    for name, description in {
        "url": "Where the worker reaches LiveKit.",
        "token": "A recorder's, which the worker mints.",
        "layout": "What the worker was asked for; it changes nothing.",
    }.items()
)

ROOMS: Final = (
    Operation(
        "post",
        f"{_ROOMS}create",
        "Rooms",
        "Create a room",
        "The room belongs to the access token's user, whatever user_id says. Answered once the room is "
        "stored, and live if it is to be; after 5 s as far as it is, with a null sid.",
        _ok("The new room.", "Room"),
        _READING,
        "CreateRoom",
        examples=examples.CREATE,
        proofs=(ACCESS,),
    ),
    Operation(
        "post",
        f"{_ROOMS}getCount",
        "Rooms",
        "Count rooms",
        "The caller's rooms, all of them for an admin; with a filter, those that it means.",
        _ok("Their number.", "Count"),
        _READING,
        "CountRooms",
        needs_body=False,
        examples=examples.COUNT,
        proofs=(ACCESS,),
    ),
    Operation(
        "post",
        f"{_ROOMS}getAll",
        "Rooms",
        "List rooms",
        "A bare array, without an envelope. Oldest first, unless a sort says otherwise.",
        {HTTPStatus.OK: ResponseSpec("The rooms.", {JSON: {"type": "array", "items": ref("Room")}})},
        _READING,
        "ListRooms",
        needs_body=False,
        examples=examples.LIST,
        proofs=(ACCESS,),
    ),
    Operation(
        "post",
        f"{_ROOMS}getById",
        "Rooms",
        "Read a room",
        "Somebody else's room is as unknown as one that does not exist.",
        _ok("The room.", "Room"),
        (*_READING, Code.ROOM_NOT_FOUND),
        "RoomId",
        examples=examples.GET,
        proofs=(ACCESS,),
    ),
    Operation(
        "post",
        f"{_ROOMS}update",
        "Rooms",
        "Change a room",
        "What is not given stays. Cuts nobody off, unless active becomes false. Answered like create.",
        _ok("The room as it is now.", "Room"),
        _WRITING,
        "UpdateRoom",
        examples=examples.UPDATE,
        proofs=(ACCESS,),
    ),
    Operation(
        "post",
        f"{_ROOMS}start",
        "Rooms",
        "Start a room",
        "Holds from the first write on. Answered when the room is live; 503 after 5 s: not yet, ask again. "
        "On a live room it changes nothing.",
        _ok("It is live.", "Done"),
        _WRITING,
        "RoomId",
        examples=examples.START,
        proofs=(ACCESS,),
    ),
    Operation(
        "post",
        f"{_ROOMS}stop",
        "Rooms",
        "Stop a room",
        "Disconnects everybody inside; the room keeps its id. 503 after 5 s: not yet, ask again.",
        _ok("It is no longer live.", "Done"),
        _WRITING,
        "RoomId",
        examples=examples.STOP,
        proofs=(ACCESS,),
    ),
    Operation(
        "delete",
        f"{_ROOMS}remove",
        "Rooms",
        "Remove a room",
        "Disconnects everybody inside, and forgets the room. 503 after 5 s: not yet, ask again; a room that "
        "is gone is 404.",
        _ok("It is gone.", "Done"),
        _WRITING,
        "RemovedId",
        needs_body=False,
        examples=examples.REMOVE,
        proofs=(ACCESS,),
        parameters=(_QUERY_ID,),
    ),
)

HELPERS: Final = (
    Operation(
        "post",
        f"{_PUBLIC}findLKRoomNameById",
        "Joining",
        "Find a room's LiveKit name",
        "The first of the two calls of a page that joins. The name changes when the room is started anew.",
        _ok("The name, and what the page shows.", "FindAnswer"),
        _JOINING,
        "FindBody",
        examples=examples.FIND,
    ),
    Operation(
        "post",
        f"{_PUBLIC}createToken",
        "Joining",
        "Get a participant's token",
        "The second. In webinar mode a speaker proves to be one: by an invite, or by the access token of the "
        "room's owner or an admin; who proves nothing listens. Any other access token is ignored.",
        _ok("A token for this one room, good for minutes.", "TokenAnswer"),
        (*_TOKEN, Code.ROOM_NAME_STALE, Code.HIDDEN_NOT_ALLOWED),
        "TokenBody",
        examples=examples.TOKEN,
        proofs=("", ACCESS, INVITE),
        parameters=(_PREVIOUS,),
    ),
)

JOINING: Final = (
    Operation(
        "post",
        "/livekit/token",
        "Joining",
        "LiveKit's standard token endpoint",
        "What the SDKs' TokenSource.endpoint calls: createToken in one step, by the same proofs and rights.",
        _ok("Where to connect, and the token.", "EndpointAnswer", HTTPStatus.CREATED),
        _TOKEN,
        "EndpointBody",
        examples=examples.ENDPOINT,
        proofs=("", ACCESS, INVITE),
        parameters=(_PREVIOUS,),
    ),
    Operation(
        "get",
        "/join/{id}",
        "Joining",
        "The page to walk in",
        "For people, with an invite in the fragment where they have one. Where the room cannot be joined the "
        "page says why.",
        {
            HTTPStatus.OK: ResponseSpec("The page.", {HTML: _TEXT}),
            HTTPStatus.NOT_FOUND: ResponseSpec(
                "No active room has this id.", {HTML: _TEXT, JSON: ref("Failure")}
            ),
            HTTPStatus.SERVICE_UNAVAILABLE: ResponseSpec("Nothing can be said yet.", {HTML: _TEXT}),
        },
        (Code.INTERNAL,),
        parameters=(_PATH_ID,),
    ),
)

RECORDING: Final = (
    Operation(
        "get",
        "/recording/template",
        "Recording",
        "The page that is recorded",
        "For LiveKit's egress worker, as custom_base_url: everybody's picture beside the chat as it is "
        "written. It logs START_RECORDING and END_RECORDING on its console.",
        {
            HTTPStatus.OK: ResponseSpec(
                "The page; without a url and a token it says what is missing.", {HTML: _TEXT}
            )
        },
        (Code.INTERNAL,),
        parameters=_WORKER,
    ),
)

_READINESS: Final[Schema] = {
    "type": "object",
    "properties": {
        "ready": {"type": "boolean", "description": "Whether the helpers can answer."},
        "leader": {"type": "boolean", "description": "Whether this process reconciles."},
        "livekit": {"type": "boolean", "description": "Whether LiveKit answers."},
        "mongodb": {"type": "boolean", "description": "Whether the database answers."},
    },
    "required": ["ready", "leader", "livekit", "mongodb"],
    "additionalProperties": False,
}

OPERATIONS: Final = (
    Operation(
        "post",
        "/livekit/webhook",
        "Operations",
        "Take LiveKit's webhook",
        "Signed by LiveKit over the whole body. A hint to look: nothing depends on it. Up to 1 MiB.",
        _ok("Taken.", "Done"),
        (
            Code.BAD_REQUEST,
            Code.UNAUTHORIZED,
            Code.PAYLOAD_TOO_LARGE,
            Code.UNSUPPORTED_MEDIA_TYPE,
            Code.INTERNAL,
        ),
        "WebhookEvent",
        "application/webhook+json",
        proofs=(WEBHOOK,),
    ),
    Operation(
        "get",
        "/healthz",
        "Operations",
        "Whether the process is alive",
        "200 while its loop turns: else it is to be started anew.",
        _ok("It is.", "Done"),
        (Code.UNAVAILABLE, Code.INTERNAL),
    ),
    Operation(
        "get",
        "/readyz",
        "Operations",
        "Whether guests can be served",
        "What is away may be away for five minutes before this becomes 503.",
        {
            HTTPStatus.OK: ResponseSpec("They can.", {JSON: _READINESS}),
            HTTPStatus.SERVICE_UNAVAILABLE: ResponseSpec("Not now.", {JSON: _READINESS}),
        },
        (Code.INTERNAL,),
    ),
    Operation(
        "get",
        "/metrics",
        "Operations",
        "Metrics for Prometheus",
        "All of their names begin with roomctl_.",
        {HTTPStatus.OK: ResponseSpec("Prometheus' text format.", {"text/plain": _TEXT})},
        (Code.INTERNAL,),
    ),
)

DOCUMENT: Final = Operation(
    "get",
    "/openapi.json",
    "This document",
    "The calls of this listener",
    "OpenAPI 3.1; a page where the Accept header prefers text/html.",
    {HTTPStatus.OK: ResponseSpec("This.", {JSON: {"type": "object"}, HTML: _TEXT})},
    (Code.INTERNAL,),
)

PUBLIC_CALLS: Final = tuple(
    call.also(Code.TOO_MANY_REQUESTS) for call in (*HELPERS, *JOINING, *RECORDING, DOCUMENT)
)
"""The public listener's: there any request may be one too many of its address."""

PRIVATE_CALLS: Final = (*ROOMS, *HELPERS, *OPERATIONS, DOCUMENT)
"""The private listener's."""
