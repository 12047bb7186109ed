"""JSON Schemas of what the calls take and answer, drawn from the models that validate."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from controller.room import FIELDS, NAME_PATTERN, TRIMMED_NAME_PATTERN
from controller.sidecar.joining.bodies import (
    EndpointAnswer,
    EndpointBody,
    FindAnswer,
    FindBody,
    TokenAnswer,
    TokenBody,
)
from controller.sidecar.rooms.bodies import (
    Count,
    CountRooms,
    CreateRoom,
    Done,
    ListRooms,
    RemovedId,
    Room,
    RoomId,
    UpdateRoom,
)
from controller.sidecar.rooms.query import (
    LOGICAL,
    MAX_FILTER_DEPTH,
    MAX_FILTER_TERMS,
    NAMES,
    OPERATORS,
    RANGES,
)

Schema = dict[str, Any]

PUBLIC_BODIES: Final = (FindBody, TokenBody, EndpointBody)
PUBLIC_ANSWERS: Final = (FindAnswer, TokenAnswer, EndpointAnswer)
PRIVATE_BODIES: Final = (
    FindBody,
    TokenBody,
    CreateRoom,
    CountRooms,
    ListRooms,
    RoomId,
    UpdateRoom,
    RemovedId,
)
PRIVATE_ANSWERS: Final = (FindAnswer, TokenAnswer, Room, Count, Done)

_INT64: Final[Schema] = {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1}
_TIME: Final[Schema] = {"type": "string", "format": "date-time"}

FAILURE: Final[Schema] = {
    "description": "What every failure looks like.",
    "type": "object",
    "properties": {
        "success": {"const": False},
        "code": {"type": "string", "description": "Why, for programs."},
        "error": {"type": "string", "description": "Why, in one sentence."},
    },
    "required": ["success", "code", "error"],
    "additionalProperties": False,
}


def ref(name: str) -> Schema:
    """A reference to the component `name`."""
    return {"$ref": f"#/components/schemas/{name}"}


def public_schemas() -> dict[str, Schema]:
    """The components of the public listener's document, in one order always."""
    return {"Failure": FAILURE, **_drawn(PUBLIC_BODIES, PUBLIC_ANSWERS)}


def private_schemas() -> dict[str, Schema]:
    """The components of the private listener's document, in one order always."""
    drawn = _drawn(PRIVATE_BODIES, PRIVATE_ANSWERS)
    for name in ("CountRooms", "ListRooms"):
        _refer(drawn[name], "filter", "Filter")
    _refer(drawn["ListRooms"], "sort", "Sort")
    return {"Failure": FAILURE, **drawn, "Filter": _filter(), "Sort": _sort()}


def _drawn(bodies: Sequence[type[BaseModel]], answers: Sequence[type[BaseModel]]) -> dict[str, Schema]:
    """Pydantic's own schemas, without what says nothing (titles, null as default)."""
    _, drawn = models_json_schema(
        [*((model, "validation") for model in bodies), *((model, "serialization") for model in answers)],
        ref_template="#/components/schemas/{model}",
    )
    whole = {model.__name__ for model in answers}
    plain = {name: _plain(schema) for name, schema in drawn["$defs"].items()}
    return {name: _whole(schema) if name in whole else schema for name, schema in plain.items()}


def _whole(schema: Schema) -> Schema:
    """An answer has all of its fields, always, and no others."""
    fields = {name: _without(field, "default") for name, field in schema["properties"].items()}
    return schema | {"properties": fields, "required": [*fields], "additionalProperties": False}


def _plain(schema: Schema) -> Schema:
    """Said shorter, and with patterns as ECMA-262 writes them."""
    schema = {key: value for key, value in schema.items() if key != "title"}
    if schema.get("default", "") is None:
        del schema["default"]
    if schema.get("pattern") == NAME_PATTERN:
        schema = {"type": "string", "pattern": TRIMMED_NAME_PATTERN} | _without(
            schema, "pattern", "minLength", "maxLength"
        )
    for key in ("properties", "items", "anyOf"):
        if key in schema:
            schema[key] = _each(schema[key])
    return _or_null(schema)


def _each(part: Any) -> Any:
    if isinstance(part, list):
        return [_plain(each) for each in part]
    return {name: _plain(each) for name, each in part.items()}


def _or_null(schema: Schema) -> Schema:
    """`anyOf` of a type and null as two types."""
    match schema.get("anyOf"):
        case [{"type": str(kind)} as only, {"type": "null"}]:
            return _without(only, "type") | {"type": [kind, "null"]} | _without(schema, "anyOf")
    return schema


def _without(schema: Schema, *keys: str) -> Schema:
    return {key: value for key, value in schema.items() if key not in keys}


def _refer(schema: Schema, field: str, name: str) -> None:
    """The field is what the component says, or null."""
    description = schema["properties"][field]["description"]
    schema["properties"][field] = {"anyOf": [ref(name), {"type": "null"}], "description": description}


# -- filter and sort --------------------------------------------------------------------------------------


def _filter() -> Schema:
    branches = {"type": "array", "minItems": 1, "items": ref("Filter")}
    return {
        "description": f"All of it must hold. At most {MAX_FILTER_TERMS} comparisons; "
        f"$and and $or nest {MAX_FILTER_DEPTH} deep.",
        "type": "object",
        "properties": {
            **{name: _compared(_value(name)) for name in NAMES},
            **dict.fromkeys(LOGICAL, branches),
        },
        "additionalProperties": False,
    }


def _value(name: str) -> Schema:
    """What the field may be compared with."""
    if name in ("created", "modified"):
        return _TIME
    kind = FIELDS[name].kind if name in FIELDS else str
    if kind is bool:
        return {"type": "boolean"}
    return _INT64 if kind is int else {"type": ["string", "null"] if name == "sid" else "string"}


def _compared(value: Schema) -> Schema:
    """A value, or an object of operators; what has no order has no ranges."""
    several = {"type": "array", "items": value}
    operators = {word: several if word in ("$in", "$nin") else value for word in OPERATORS}
    if value == {"type": "boolean"}:
        operators = _without(operators, *RANGES)
    elif "null" in value["type"]:
        operators |= {word: {"type": "string"} for word in RANGES}
    by_operator = {
        "type": "object",
        "properties": operators,
        "minProperties": 1,
        "additionalProperties": False,
    }
    return {"anyOf": [value, by_operator]}


def _sort() -> Schema:
    direction: Mapping[str, Any] = {"type": "integer", "enum": [1, -1]}
    return {
        "description": "The first name counts most; ties by id.",
        "type": "object",
        "properties": dict.fromkeys(NAMES, direction),
        "additionalProperties": False,
    }
