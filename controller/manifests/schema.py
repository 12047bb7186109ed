"""The JSON Schemas of a manifest and of a policy file, for editors, made from the loader's tables."""

from collections.abc import Collection, Iterable
from enum import StrEnum
from typing import Any, Final

from pydantic import TypeAdapter

from controller.limits import has_maximum, takes_patterns
from controller.manifests.fields import MAX_LIVEKIT_NAME_BYTES
from controller.manifests.keys import KEY_LENGTH, KEY_PATTERN, KEY_RULE
from controller.manifests.policy_file import MAX_PRESETS, MAX_VALUES, PRESET_PATTERN, SETTABLE_FIELDS
from controller.room import (
    DEFAULT_USER_ID,
    FIELDS,
    ID_PATTERN,
    PRESETS,
    READ_ONLY_FIELDS,
    TRIMMED_NAME_PATTERN,
    RoomField,
)

_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
_TEXT: Final = ("string", "number", "boolean")
"""Types of a scalar whose text counts: `name: 007`, `key: 1.5` and `id: 12e4` need no quotes."""


def manifest_schema(presets: Iterable[str] = PRESETS, defaults: Collection[str] = ()) -> dict[str, Any]:
    """JSON Schema, draft 2020-12, of one document; it cannot check the form of scalars, or other files.

    `presets` are suggested, and any other name is accepted. `defaults` are the fields that policy files give
    to some manifests.
    """
    required = [] if "max_participants" in defaults else [_given("max_participants"), _given("preset")]
    return {
        "$schema": _DRAFT,
        "title": "Room manifest",
        "description": "One video room: the reference's create body, with preset, key, id and adopt added.",
        "type": "object",
        "properties": {
            **{name: _field(field) for name, field in FIELDS.items()},
            "preset": _preset(presets),
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
            "adopt": {
                "description": "Takes over the LiveKit room of this name, which somebody else made. "
                "It can be removed afterwards.",
                "type": [*_TEXT, "null"],
                "minLength": 1,
                "maxLength": MAX_LIVEKIT_NAME_BYTES,
            },
            **{name: _returned(name) for name in READ_ONLY_FIELDS},
        },
        "required": ["name"],
        **({"anyOf": required} if required else {}),
        "additionalProperties": False,
    }


def policy_schema(presets: Iterable[str] = PRESETS) -> dict[str, Any]:
    """JSON Schema, draft 2020-12, of a policy file; it cannot check the form of scalars, or other files.

    `presets` are suggested for `preset`, and any other name is accepted.
    """
    fields = {name: _without_default(_field(FIELDS[name])) for name in SETTABLE_FIELDS}
    return {
        "$schema": _DRAFT,
        "title": "Policy file",
        "description": "Presets, defaults and limits for the manifests of this folder and below.",
        "type": "object",
        "properties": {
            "presets": {
                "description": "Presets by name, for manifests and for other presets.",
                "type": ["object", "null"],
                "propertyNames": {"pattern": _portable(PRESET_PATTERN)},
                "maxProperties": MAX_PRESETS,
                "additionalProperties": _mapping({"preset": _preset(presets), **fields}, "object"),
            },
            "defaults": _mapping(fields, ["object", "null"])
            | {"description": "Values for fields that neither a manifest nor its preset gives."},
            "limits": _mapping({name: _limit(field) for name, field in FIELDS.items()}, ["object", "null"])
            | {"description": "What manifests may have, together with the limits of the folders above."},
        },
        "additionalProperties": False,
    }


def _mapping(properties: dict[str, Any], kind: str | list[str]) -> dict[str, Any]:
    return {"type": kind, "properties": properties, "additionalProperties": False}


def _preset(names: Iterable[str]) -> dict[str, Any]:
    """Suggests the names, and accepts every name that a preset can have."""
    return {
        "description": "Values for fields that are not given here: of a built-in or of a team's preset.",
        "anyOf": [{"enum": [*names, None]}, {"type": [*_TEXT], "pattern": _portable(PRESET_PATTERN)}],
    }


def _limit(field: RoomField) -> dict[str, Any]:
    values = _without_default(_field(field))
    if has_maximum(field.kind):
        return values | {"description": f"The greatest value of {field.name}."}
    if takes_patterns(field.kind):
        items: dict[str, Any] = {"type": [*_TEXT], "minLength": 1}
        description = f"The names or shell-like patterns that {field.name} may have."
    else:
        items = {"type": "boolean"} if field.kind is bool else {"enum": values["enum"][:-1]}
        description = f"The values that {field.name} may have."
    return {
        "description": description,
        "type": ["array", "null"],
        "items": items,
        "minItems": 1,
        "maxItems": MAX_VALUES,
    }


def _without_default(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a field without the default of the model, which counts only for manifests."""
    return {key: value for key, value in schema.items() if key != "default"}


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
        kinds = ["array"] if field.kind is tuple else [*_TEXT]
        schema |= TypeAdapter(field.annotation).json_schema() | {"type": [*kinds, "null"]}
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
