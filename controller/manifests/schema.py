"""The JSON Schema of a manifest, for editors: drawn from the same tables that the loader reads."""

from typing import Any, Final

from controller.manifests.keys import KEY_LENGTH, KEY_PATTERN, KEY_RULE
from controller.room import (
    DEFAULT_USER_ID,
    FIELD_DESCRIPTIONS,
    FIELDS,
    ID_PATTERN,
    MAX_PARTICIPANTS,
    PRESETS,
    READ_ONLY_FIELDS,
    MediaType,
    RecordMode,
    RoomSpec,
)

_TEXT: Final = ("string", "number", "boolean")
"""What YAML makes of a scalar whose text counts: `name: 007`, `key: 1.5` and `id: 12e4` need no quotes."""

_DESCRIPTIONS: Final = {
    **FIELD_DESCRIPTIONS,
    "user_id": f"Owner id of the room; {DEFAULT_USER_ID} where it is left out.",
}


def manifest_schema() -> dict[str, Any]:
    """JSON Schema, draft 2020-12, of one document; how a scalar is written, or other files, it cannot say."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Room manifest",
        "description": "One video room: the reference's create body, with preset, key and id beside it.",
        "type": "object",
        "properties": {
            **{field: _field(field) for field in FIELDS},
            "preset": {
                "description": "Defaults for all fields but name; keys written beside it win.",
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


_TRIMMED_NAME: Final = r"^\s*[A-Za-z0-9-]([A-Za-z0-9 -]{0,98}[A-Za-z0-9-])?\s*$"
"""The pattern of names as it applies to what is written: the loader trims it first."""


def _field(field: str) -> dict[str, Any]:
    """One field of the reference; null is absent, so only the required name must say something."""
    info = RoomSpec.model_fields[field]
    schema: dict[str, Any] = {"description": _DESCRIPTIONS[field]}
    if info.annotation is bool:
        schema |= {"type": ["boolean", "null"]}
    elif info.annotation is int:
        schema |= {"type": ["integer", "null"], "minimum": 1, "maximum": MAX_PARTICIPANTS}
    elif info.annotation in (MediaType, RecordMode):
        schema |= {"enum": [*map(str, info.annotation), None]}
    elif field == "name":
        schema |= {"type": [*_TEXT], "pattern": _TRIMMED_NAME}
    else:
        schema |= {"type": [*_TEXT, "null"], "minLength": 1, "maxLength": 128}
    if not info.is_required():
        schema["default"] = str(info.default) if isinstance(info.default, str) else info.default
    return schema


def _returned(name: str) -> dict[str, Any]:
    return {
        "description": f"The {name} that the API returned with the room: ignored.",
        "type": [*_TEXT, "null"],
    }


def _given(name: str) -> dict[str, Any]:
    """The key is there, and says something."""
    return {"required": [name], "properties": {name: {"not": {"type": "null"}}}}


def _portable(pattern: str) -> str:
    """A pattern of ours as ECMA-262 writes it: there `$` is the very end."""
    return pattern.replace(r"\Z", "$")
