"""The OpenAPI 3.1 document of each listener. Pure: the same text every time."""

from collections.abc import Mapping, Sequence
from importlib import metadata
from itertools import groupby
from typing import Any, Final

from controller.sidecar.access_tokens import ACCESS_TOKEN
from controller.sidecar.http.response import JSON, STATUS, Code
from controller.sidecar.openapi.calls import (
    ACCESS,
    INVITE,
    PRIVATE_CALLS,
    PUBLIC_CALLS,
    WEBHOOK,
    Operation,
)
from controller.sidecar.openapi.examples import Example
from controller.sidecar.openapi.schemas import Schema, private_schemas, public_schemas, ref

Document = dict[str, Any]

MEANINGS: Final[Mapping[Code, str]] = {
    Code.BAD_REQUEST: "the body is no JSON object within the limits",
    Code.INVALID_FIELD: "a field is missing, wrong or unknown; the sentence names it",
    Code.PROOF_INVALID: "the invite is not valid for this room, or no longer",
    Code.UNAUTHORIZED: "no known access token came along, or for a webhook no signature",
    Code.HIDDEN_NOT_ALLOWED: "hidden, without an egress_mode_token for this room",
    Code.NOT_FOUND: "there is no such call",
    Code.ROOM_NOT_FOUND: "the caller has no such room, or nobody has; for guests also an inactive one",
    Code.METHOD_NOT_ALLOWED: "the call takes another method",
    Code.ROOM_NAME_STALE: "LKRoomName is not the current one; find it again",
    Code.ROOM_FULL: "as many are inside as may be",
    Code.IDENTITY_IN_USE: "this identity is inside now, and the caller has not proven to be it",
    Code.MANAGED_BY_MANIFEST: "the room is a manifest's; the sentence names the file to change",
    Code.PAYLOAD_TOO_LARGE: "the body is too long",
    Code.UNSUPPORTED_MEDIA_TYPE: "the body is no plain JSON by its headers",
    Code.TOO_MANY_REQUESTS: "too often; slow down",
    Code.INTERNAL: "something went wrong on this side",
    Code.STARTING: "the rooms are still being read",
    Code.ROOM_NOT_READY: "the room is being made live",
    Code.UNAVAILABLE: "not now: something needed is away, or not done yet",
}

_ALWAYS_RETRY: Final = frozenset({"429", "503"})

_LIMITS: Final = (
    "Every failure has its HTTP status and the body {success: false, code, error}; 429 and 503 say in "
    "Retry-After when to come back. Besides what stands with a call: an unknown path is 404 NOT_FOUND, "
    "another method 405 METHOD_NOT_ALLOWED, what is no HTTP 400 BAD_REQUEST. GET calls take HEAD too.\n\n"
    "Bodies are JSON objects in UTF-8 of at most 64 KiB, nested at most 8 deep (10 with a filter), without "
    "duplicate keys, NaN or integers beyond 64 bits, and without Content-Encoding; Content-Type may be left "
    "out, an empty body is {}, and null in an optional field is the same as nothing. A request is to arrive "
    "within 10 s."
)
_INTRODUCTIONS: Final = {
    "public": "What a guest's page calls. Unknown fields are ignored.",
    "private": "What operators call, and what keeps watch. Keep this listener to yourself. The calls of "
    "rooms refuse unknown fields; all of them need x-access-token.",
}
_SCHEMES: Final[Mapping[str, Mapping[str, str]]] = {
    ACCESS: {
        "type": "apiKey",
        "in": "header",
        "name": ACCESS_TOKEN,
        "description": "One of the tokens whose SHA-256 the controller's access token file lists.",
    },
    INVITE: {
        "type": "http",
        "scheme": "bearer",
        "description": "An invite to this room, as roomctl invite signs it.",
    },
    WEBHOOK: {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "LiveKit's own signature over the body, without Bearer.",
    },
}
_EVENT: Final[Schema] = {"description": "LiveKit's WebhookEvent.", "type": "object"}


def public_document() -> Document:
    """What the public listener has, and nothing else."""
    return _document("public", PUBLIC_CALLS, public_schemas())


def private_document() -> Document:
    """What the private listener has."""
    return _document("private", PRIVATE_CALLS, {**private_schemas(), "WebhookEvent": _EVENT})


def _document(listener: str, calls: Sequence[Operation], schemas: Mapping[str, Schema]) -> Document:
    used = {proof for call in calls for proof in call.proofs}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"roomctl: the {listener} listener",
            "version": metadata.version("roomctl"),
            "description": f"{_INTRODUCTIONS[listener]}\n\n{_LIMITS}",
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": group} for group, _ in groupby(calls, lambda call: call.group)],
        "paths": {call.path: {call.method: _operation(call)} for call in calls},
        "components": {
            "schemas": dict(schemas),
            "securitySchemes": {name: dict(scheme) for name, scheme in _SCHEMES.items() if name in used},
        },
    }


def _operation(call: Operation) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": call.name,
        "tags": [call.group],
        "summary": call.summary,
        "description": call.description,
        "security": [{proof: []} if proof else {} for proof in call.proofs],
    }
    if call.parameters:
        operation["parameters"] = [dict(parameter) for parameter in call.parameters]
    if call.body:
        content: dict[str, Any] = {"schema": ref(call.body)}
        if call.examples:
            content["examples"] = _shown({each.title: each.body for each in call.examples})
        operation["requestBody"] = {"required": call.needs_body, "content": {call.body_kind: content}}
    operation["responses"] = _responses(call)
    return operation


def _responses(call: Operation) -> dict[str, Any]:
    responses = {
        f"{int(status)}": _reply(reply.description, reply.content, call.examples)
        for status, reply in call.replies.items()
    }
    for status, codes in _by_status(call.codes).items():
        responses.setdefault(status, _failure(codes))
    return {status: responses[status] | _headers(status, call.codes) for status in sorted(responses)}


def _reply(description: str, content: Mapping[str, Schema], examples: Sequence[Example]) -> dict[str, Any]:
    shown: dict[str, dict[str, Any]] = {kind: {"schema": schema} for kind, schema in content.items()}
    answers = {each.title: each.answer for each in examples if each.answer is not None}
    if answers:
        shown[JSON]["examples"] = _shown(answers)
    return {"description": description, "content": shown}


def _failure(codes: Sequence[Code]) -> dict[str, Any]:
    """Our form, with just the codes that this status of the call may have."""
    description = "; ".join(f"{code}: {MEANINGS[code]}" for code in codes)
    schema = {"allOf": [ref("Failure"), {"properties": {"code": {"enum": [str(code) for code in codes]}}}]}
    return {"description": f"{description}.", "content": {JSON: {"schema": schema}}}


def _headers(status: str, codes: Sequence[Code]) -> dict[str, Any]:
    if status in _ALWAYS_RETRY:
        return {"headers": {"Retry-After": _retry_after(required=True)}}
    if status == "409" and Code.IDENTITY_IN_USE in codes:
        return {"headers": {"Retry-After": _retry_after(required=False)}}
    return {}


def _retry_after(*, required: bool) -> dict[str, Any]:
    description = "When to come back, in seconds."
    return {"description": description, "required": required, "schema": {"type": "integer", "minimum": 1}}


def _by_status(codes: Sequence[Code]) -> dict[str, list[Code]]:
    by_status: dict[str, list[Code]] = {}
    for code in Code:
        if code in codes:
            by_status.setdefault(f"{int(STATUS[code])}", []).append(code)
    return by_status


def _shown(values: Mapping[str, Any]) -> dict[str, Any]:
    return {title.replace(" ", "-"): {"summary": title, "value": value} for title, value in values.items()}
