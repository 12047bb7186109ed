"""The OpenAPI 3.1 document of a listener, made from its calls. Pure: always the same text."""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import metadata
from itertools import groupby
from typing import Any, Final, get_args

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from controller.sidecar.access_tokens import ACCESS_TOKEN
from controller.sidecar.http.call import ACCESS, INVITE, WEBHOOK, Call, ListenerName, Parameter
from controller.sidecar.http.models import Failure, RequestBody, ResponseBody
from controller.sidecar.http.response import JSON, Code
from controller.sidecar.rooms import query

Document = dict[str, Any]
Schema = dict[str, Any]

_LIMITS: Final = (
    "Every failure has its HTTP status and the body {success: false, code, error}; for 429 and 503 "
    "Retry-After says when to retry. Every call can also answer 404 NOT_FOUND (unknown path), "
    "405 METHOD_NOT_ALLOWED (another method) and 400 BAD_REQUEST (not HTTP). GET calls accept HEAD.\n\n"
    "Bodies are JSON objects in UTF-8 of at most 64 KiB, nested at most 8 deep (10 with a filter), without "
    "duplicate keys, NaN or integers beyond 64 bits, and without Content-Encoding; Content-Type is "
    "optional, an empty body is {}, and null in an optional field means that it is absent. A request must "
    "arrive within 10 seconds."
)
_INTRODUCTIONS: Final = {
    "public": "The calls of participants' pages. Unknown fields are ignored.",
    "private": "The calls of operators and of monitoring. Do not expose this server to the internet. "
    "Room calls refuse unknown fields, and need x-access-token.",
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
_RETRIED: Final = {Code.IDENTITY_IN_USE, Code.ROOM_CLOSED}
"""Other codes with a Retry-After."""
_BODY_CODES: Final = (Code.BAD_REQUEST, Code.PAYLOAD_TOO_LARGE, Code.UNSUPPORTED_MEDIA_TYPE)


@cache
def document(listener: ListenerName, calls: tuple[Call, ...]) -> Document:
    """The document of this listener's calls. Made once; do not change it."""
    shown = [call for call in calls if listener in call.listeners and call.group]
    used = {proof for call in shown for proof in call.proofs}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"roomctl: the {listener} listener",
            "version": metadata.version("roomctl"),
            "description": f"{_INTRODUCTIONS[listener]}\n\n{_LIMITS}",
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": group} for group, _ in groupby(shown, lambda call: call.group)],
        "paths": {call.path: {call.method.lower(): _operation(call, listener)} for call in shown},
        "components": {
            "schemas": components(
                [body for call in shown for body in (call.body, call.raw_body) if body],
                [model for call in shown for model in [_model(call.answer)] if model],
            ),
            "securitySchemes": {name: dict(scheme) for name, scheme in _SCHEMES.items() if name in used},
        },
    }


def _operation(call: Call, listener: ListenerName) -> dict[str, Any]:
    summary, description = call.description
    operation: dict[str, Any] = {
        "operationId": call.name,
        "tags": [call.group],
        "summary": summary,
        "description": description,
        "security": [{proof: []} if proof else {} for proof in call.proofs],
    }
    if parameters := [*call.parameters, *_query(call.body)]:
        operation["parameters"] = [_parameter(each) for each in parameters]
    if call.body:
        required = any(field.is_required() for field in call.body.model_fields.values())
        operation["requestBody"] = _request_body(call.body, JSON, required=required)
    if call.raw_body:
        operation["requestBody"] = _request_body(call.raw_body, call.raw_type, required=True)
    operation["responses"] = _responses(call, _codes(call, listener))
    return operation


def _query(body: type[RequestBody] | None) -> list[Parameter]:
    if body is None or not body.in_query:
        return []
    return [Parameter(name, "query", field.description or "") for name, field in body.model_fields.items()]


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.place == "path",
        "description": parameter.description,
        "schema": {"type": "string"} | ({"pattern": parameter.pattern} if parameter.pattern else {}),
    }


def _request_body(body: type[RequestBody], body_type: str, *, required: bool) -> dict[str, Any]:
    return {"required": required, "content": {body_type: _media(ref(body), body.examples)}}


def _codes(call: Call, listener: ListenerName) -> set[Code]:
    """The codes of the call, and those that follow from its input."""
    codes = {Code.INTERNAL, *call.codes}
    if call.body or call.raw_body:
        codes |= {*_BODY_CODES}
    if call.body:
        codes.add(Code.INVALID_FIELD)
    if "" not in call.proofs:
        codes.add(Code.UNAUTHORIZED)
    if listener == "public":
        codes.add(Code.TOO_MANY_REQUESTS)  # any request may exceed the limit of its address
    return codes


def _responses(call: Call, codes: set[Code]) -> dict[str, Any]:
    responses: dict[int, dict[str, Any]] = {
        status: {"description": "The content says why.", "content": _content(call.answer)}
        for status in call.other_statuses
    }
    model = _model(call.answer)
    description = (model.__doc__ if model else None) or call.status.phrase
    responses[call.status] = {"description": description, "content": _content(call.answer)}
    for status, same in groupby(sorted(codes, key=[*Code].index), lambda code: code.status):
        failure = _failure([*same])
        content = responses.get(status, {}).get("content", {})
        responses[status] = failure | {"content": content | failure["content"]}
    return {f"{int(status)}": responses[status] | _headers(status, codes) for status in sorted(responses)}


def _content(answer: Any) -> dict[str, Any]:
    """By media type. `answer` is a model, a list of one, any object, a media type, or several of these."""
    if isinstance(answer, tuple):
        return {kind: media for each in answer for kind, media in _content(each).items()}
    if isinstance(answer, str):
        return {answer: {"schema": {"type": "string"}}}
    model = _model(answer)
    if model is None:
        return {JSON: {"schema": {"type": "object"}}}
    if model is answer:
        return {JSON: _media(ref(model), model.examples)}
    examples = {title: [each] for title, each in model.examples.items()}
    return {JSON: _media({"type": "array", "items": ref(model)}, examples)}


def _model(answer: Any) -> type[ResponseBody] | None:
    """The model of an answer, or of the items of its list."""
    item = get_args(answer)[0] if get_args(answer) else answer
    return item if isinstance(item, type) and issubclass(item, ResponseBody) else None


def _media(schema: Schema, examples: Mapping[str, Any]) -> dict[str, Any]:
    shown = {title.replace(" ", "-"): {"summary": title, "value": value} for title, value in examples.items()}
    return {"schema": schema} | ({"examples": shown} if shown else {})


def _failure(codes: Sequence[Code]) -> dict[str, Any]:
    """The body of a failure, with only the codes of this status of the call."""
    description = "; ".join(f"{code}: {code.meaning}" for code in codes)
    names = [str(code) for code in codes]
    schema = {"allOf": [ref("Failure"), {"properties": {"code": {"enum": names}}}]}
    return {"description": f"{description}.", "content": {JSON: {"schema": schema}}}


def _headers(status: int, codes: set[Code]) -> dict[str, Any]:
    required = status in (429, 503)
    if not required and not any(code.status == status for code in _RETRIED & codes):
        return {}
    retry_after = {
        "description": "When to retry, in seconds.",
        "required": required,
        "schema": {"type": "integer", "minimum": 1},
    }
    return {"headers": {"Retry-After": retry_after}}


# -- schemas ----------------------------------------------------------------------------------------------


def ref(model: type[BaseModel] | str) -> Schema:
    """A reference to the component of the model, or of that name."""
    return {"$ref": f"#/components/schemas/{model if isinstance(model, str) else model.__name__}"}


def components(
    bodies: Sequence[type[RequestBody]], answers: Sequence[type[ResponseBody]]
) -> dict[str, Schema]:
    """Pydantic's schemas, without titles and null as default."""
    answers = [Failure, *answers]
    _, drawn = models_json_schema(
        [*((model, "validation") for model in bodies), *((model, "serialization") for model in answers)],
        ref_template="#/components/schemas/{model}",
    )
    schemas: dict[str, Schema] = _plain(drawn["$defs"])
    if "ListRooms" not in schemas:
        return schemas
    for name in ("CountRooms", "ListRooms"):
        _refer(schemas[name], "filter", "Filter")
    _refer(schemas["ListRooms"], "sort", "Sort")
    return {**schemas, "Filter": _filter(), "Sort": _sort()}


def _plain(part: Any) -> Any:
    if isinstance(part, list):
        return [_plain(each) for each in part]
    if not isinstance(part, dict):
        return part
    return {key: _plain(value) for key, value in part.items() if not _says_nothing(key, value)}


def _says_nothing(key: str, value: Any) -> bool:
    return (key == "title" and isinstance(value, str)) or (key == "default" and value is None)


def _refer(schema: Schema, field: str, name: str) -> None:
    """Make the field a reference to the component, or null."""
    description = schema["properties"][field]["description"]
    schema["properties"][field] = {"anyOf": [ref(name), {"type": "null"}], "description": description}


# -- filter and sort --------------------------------------------------------------------------------------


def _filter() -> Schema:
    branches = {"type": "array", "minItems": 1, "items": ref("Filter")}
    return {
        "description": f"All of it must hold. At most {query.MAX_FILTER_TERMS} comparisons; "
        f"$and and $or nest {query.MAX_FILTER_DEPTH} deep.",
        "type": "object",
        "properties": {
            **{name: _compared(field) for name, field in query.QUERY_FIELDS.items()},
            **dict.fromkeys(query.LOGICAL, branches),
        },
        "additionalProperties": False,
    }


def _compared(field: query.QueryField) -> Schema:
    """A value, or an object of operators; without ranges if it is not ordered."""
    value = field.operand.json_schema()
    value_or_null = {"anyOf": [value, {"type": "null"}]} if field.is_nullable else value
    several = {"type": "array", "items": value_or_null}
    by_operator = {
        **dict.fromkeys(("$eq", "$ne"), value_or_null),
        **dict.fromkeys(("$in", "$nin"), several),
        **(dict.fromkeys(query.RANGES, value) if field.is_ordered else {}),
    }
    operators = {
        "type": "object",
        "properties": by_operator,
        "minProperties": 1,
        "additionalProperties": False,
    }
    return {"anyOf": [value_or_null, operators]}


def _sort() -> Schema:
    direction = {"type": "integer", "enum": [1, -1]}
    return {
        "description": "The first name counts most; ties by id.",
        "type": "object",
        "properties": dict.fromkeys(query.QUERY_FIELDS, direction),
        "additionalProperties": False,
    }
