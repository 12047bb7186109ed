"""The JSON Schema of a manifest, for editors, made from the loader's tables."""

from enum import StrEnum
from typing import Any, Final

from pydantic import TypeAdapter

from controller.manifests.keys import KEY_LENGTH, KEY_PATTERN, KEY_RULE
from controller.room import (
    DEFAULT_USER_ID,
    FIELDS,
    ID_PATTERN,
    PRESETS,
    READ_ONLY_FIELDS,
    TRIMMED_NAME_PATTERN,
    RoomField,
)

_TEXT: Final = ("string", "number", "boolean")
"""Types of a scalar whose text counts: `name: 007`, `key: 1.5` and `id: 12e4` need no quotes."""


def manifest_schema() -> dict[str, Any]:
    """JSON Schema, draft 2020-12, of one document; it cannot check the form of scalars, or other files."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Room manifest",
        "description": "One video room: the reference's create body, with preset, key and id added.",
        "type": "object",
        "properties": {
            **{name: _field(field) for name, field in FIELDS.items()},
            "preset": {
                "description": "Defaults for all fields but name; keys of the manifest take precedence.",
                "enum": [*PRESETS, None],
            },
            "key": {
                "description": f"The room's stable name: {KEY_RULE}. "
                "Default: the path without its ending; required in a file of several documents.",
                "type": [*_TEXT, "null"],
                "pattern": _portable(KEY_PATTERN),
                "maxLength": KEY_LENGTH,
            },
            "id": {
                "description": "Pins the room's id: 24 hex digits. All digits need no quotes.",
                "type": [*_TEXT, "null"],
                "pattern": _portable(ID_PATTERN),
            },
            **{name: _returned(name) for name in READ_ONLY_FIELDS},
        },
        "required": ["name"],
        "anyOf": [_given("max_participants"), _given("preset")],
        "additionalProperties": False,
    }


def _field(field: RoomField) -> dict[str, Any]:
    """One field of the reference; null means absent, so only the required `name` must not be null."""
    schema: dict[str, Any] = {"description": _description(field)}
    if field.kind is bool:
        schema |= {"type": ["boolean", "null"]}
    elif field.kind is int:
        limits = TypeAdapter(field.annotation).json_schema()
        schema |= limits | {"type": ["integer", "null"]}
    elif issubclass(field.kind, StrEnum):
        schema |= {"enum": [*map(str, field.kind), None]}
    elif field.name == "name":
        schema |= {"type": [*_TEXT], "pattern": TRIMMED_NAME_PATTERN}
    else:
        schema |= TypeAdapter(field.annotation).json_schema() | {"type": [*_TEXT, "null"]}
    return schema if field.required else schema | {"default": field.default}


def _description(field: RoomField) -> str:
    match field.name:
        case "name":
            return f"{field.description} {field.rule}."
        case "user_id":
            return f"{field.description} Default: {DEFAULT_USER_ID}."
    return field.description


def _returned(name: str) -> dict[str, Any]:
    return {
        "description": f"The {name} that the API returned with the room: ignored.",
        "type": [*_TEXT, "null"],
    }


def _given(name: str) -> dict[str, Any]:
    """The key is present and not null."""
    return {"required": [name], "properties": {name: {"not": {"type": "null"}}}}


def _portable(pattern: str) -> str:
    """Our pattern in the syntax of ECMA-262, in which `$` is the very end."""
    return pattern.replace(r"\Z", "$")
