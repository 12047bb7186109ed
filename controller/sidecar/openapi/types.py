"""JSON Schema in words, for people. Pure."""

from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]


def shown_type(schemas: Json, schema: Json, *, needed: bool) -> str:
    """What a field may be: "integer, 1 to 100000, required". Null goes without saying."""
    end = ["required"] if needed else []
    return ", ".join([_kind(schemas, schema), *_bounds(schema), *_default(schema), *end])


def is_ignored(schema: Json) -> bool:
    """Whether a field of a body may be anything, because nothing becomes of it."""
    return not schema.keys() - {"description"}


def _kind(schemas: Json, schema: Json) -> str:
    if "$ref" in schema:
        target = schema["$ref"].rpartition("/")[2]
        return _kind(schemas, schemas[target])
    if "anyOf" in schema:
        kinds = [_kind(schemas, each) for each in schema["anyOf"]]
        return " or ".join(kind for kind in kinds if kind != "null")
    if "const" in schema:
        return str(schema["const"]).lower()
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"]))
    return _named(schema["type"])


def _named(kind: str | list[str]) -> str:
    kinds = [kind] if isinstance(kind, str) else [each for each in kind if each != "null"]
    return " or ".join(kinds)


def _bounds(schema: Json) -> list[str]:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        return [f"{least} to {most}"]
    if least is not None:
        return [f"from {least}"]
    empty = 0 in (schema.get("maxLength"), schema.get("maxProperties"))
    return ["empty"] if empty else []


def _default(schema: Json) -> list[str]:
    value = schema.get("default")
    if value is None or "const" in schema:
        return []
    return [f"default {str(value).lower() if type(value) is bool else value}"]
