"""JSON Schemas of what the calls take and answer, drawn from the models that validate."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from controller.room import FIELDS, NAME_PATTERN, TRIMMED_NAME_PATTERN
from controller.sidecar.http.models import Failure, RequestBody, ResponseBody
from controller.sidecar.rooms.query import (
    LOGICAL,
    MAX_FILTER_DEPTH,
    MAX_FILTER_TERMS,
    NAMES,
    OPERATORS,
    RANGES,
)

Schema = dict[str, Any]

_INT64: Final[Schema] = {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1}
_TIME: Final[Schema] = {"type": "string", "format": "date-time"}


def ref(model: type[BaseModel] | str) -> Schema:
    """A reference to the component of the model, or of that name."""
    return {"$ref": f"#/components/schemas/{model if isinstance(model, str) else model.__name__}"}


def components(
    bodies: Sequence[type[RequestBody]], answers: Sequence[type[ResponseBody]]
) -> dict[str, Schema]:
    """Pydantic's own schemas, without what says nothing (titles, null as default)."""
    answers = [Failure, *answers]
    _, drawn = models_json_schema(
        [*((model, "validation") for model in bodies), *((model, "serialization") for model in answers)],
        ref_template="#/components/schemas/{model}",
    )
    whole = {model.__name__ for model in answers}
    plain = {name: _plain(schema) for name, schema in drawn["$defs"].items()}
    schemas = {name: _whole(schema) if name in whole else schema for name, schema in plain.items()}
    if "ListRooms" not in schemas:
        return schemas
    for name in ("CountRooms", "ListRooms"):
        _refer(schemas[name], "filter", "Filter")
    _refer(schemas["ListRooms"], "sort", "Sort")
    return {**schemas, "Filter": _filter(), "Sort": _sort()}


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
