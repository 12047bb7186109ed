"""Reads a policy file: presets, defaults and limits, as strictly as manifests. Pure.

Which keys there are, and which values each takes, follows from the table of a room's fields.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from yaml.events import Event, ScalarEvent

from controller.limits import Allowed, Limit, has_maximum, is_pattern, takes_patterns
from controller.manifests.document import (
    Diagnostic,
    Document,
    Entry,
    is_null,
    nested_list,
    nested_mapping,
    position_of,
)
from controller.manifests.fields import (
    OURS,
    FieldReading,
    InvalidValueError,
    is_list,
    read_value,
    sort_diagnostics,
)
from controller.manifests.folder_policy import SECTIONS, PolicyContent, Preset, Values
from controller.manifests.snapshot import SourcePosition
from controller.room import FIELDS, FieldKind, RoomSpec
from controller.text import quote_excerpt, suggestion

SETTABLE_FIELDS: Final = tuple(name for name in FIELDS if name != "name")
"""The fields that presets and defaults can set: each room has a name of its own."""
MAX_PRESETS: Final = 200
"""Presets in one file."""
MAX_VALUES: Final = 1_000
"""Values in the list of one limit."""
PRESET_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z"
PRESET_RULE: Final = "1 to 100 characters (A-Z a-z 0-9 . _ -), beginning with a letter or a digit"

_PRESET: Final = re.compile(PRESET_PATTERN)
_NO_POLICY: Final = "the file contains no policy; add `presets`, `defaults` or `limits`, or delete the file"
_SECOND: Final = "a policy file is one document; remove the second one"
_CHECKS: Final[Mapping[str, TypeAdapter[Any]]] = {
    name: TypeAdapter(field.annotation, config=RoomSpec.model_config) for name, field in FIELDS.items()
}


def read_policy(found: Sequence[Document], file: str) -> tuple[PolicyContent, tuple[Diagnostic, ...]]:
    """The policy in the documents of a file, and its errors. `file` is its name in the places of values."""
    if not found:
        return PolicyContent({}, Values(), ()), (Diagnostic(SourcePosition(1, 1), _NO_POLICY),)
    document = found[0]
    document.diagnostics.extend(Diagnostic(other.position, _SECOND) for other in found[1:2])
    for name, entry in document.entries.items():
        if name not in SECTIONS:
            document.wrong(entry.key, f"unknown field {quote_excerpt(name)}; {_instead(name)}")
    content = PolicyContent(
        dict(_presets(_section(document, "presets"), file)),
        _values(_fields(_section(document, "defaults"), SETTABLE_FIELDS), file),
        tuple(_limits(_section(document, "limits"), file)),
    )
    return content, sort_diagnostics(document)


def _instead(name: str) -> str:
    if name in FIELDS:
        return "put it below `presets`, `defaults` or `limits`"
    return suggestion(name, SECTIONS, f"use {', '.join(SECTIONS)}")


def _section(document: Document, name: str) -> Document:
    """The mapping under this key; empty if it is missing or null."""
    entry = document.entries.get(name)
    if entry is None or _is_absent(entry.value):
        return Document(document.position, document.offset, diagnostics=document.diagnostics)
    return nested_mapping(document, entry)


def _is_absent(value: Event | None) -> bool:
    """Whether it is null, or was already refused."""
    return value is None or (isinstance(value, ScalarEvent) and is_null(value))


def _presets(section: Document, file: str) -> Iterator[tuple[str, Preset]]:
    for count, (name, entry) in enumerate(section.entries.items()):
        if count == MAX_PRESETS:
            section.wrong(entry.key, f"a policy file holds at most {MAX_PRESETS} presets; remove some")
            return
        if _PRESET.match(name) is None:
            section.wrong(entry.key, f"invalid name of a preset {quote_excerpt(name)}; use {PRESET_RULE}")
        reading = _fields(nested_mapping(section, entry), ("preset", *SETTABLE_FIELDS))
        position = reading.position("preset") or position_of(entry.key)
        yield name, Preset(_values(reading, file), reading.values.get("preset"), position)


def _fields(document: Document, known: Sequence[str]) -> FieldReading:
    """The values of a mapping of fields, each of which is valid by itself."""
    for name in ("name", *OURS):
        if name not in known and (entry := document.entries.pop(name, None)) is not None:
            document.wrong(entry.key, f"{name}: cannot be set in a policy file; write it in each manifest")
    reading = FieldReading(document, known)
    for name in [name for name in reading.values if name in FIELDS]:
        value = document.entries[name].value
        if value is not None and not _is_valid(name, reading.values[name]):
            document.wrong(value, _invalid(name, value))
    return reading


def _values(reading: FieldReading, file: str) -> Values:
    values = {name: value for name, value in reading.values.items() if name in FIELDS}
    places = {name: reading.position(name) for name in values}
    return Values(values, {name: f"{file}:{at.line}:{at.column}" for name, at in places.items() if at})


def _is_valid(name: str, value: Any) -> bool:
    try:
        _CHECKS[name].validate_python(value)
    except ValidationError:
        return False
    return True


def _invalid(name: str, value: Event) -> str:
    shown = quote_excerpt(value.value) if isinstance(value, ScalarEvent) else "value"
    return f"{name}: invalid value {shown}; use {FIELDS[name].rule}"


def _limits(section: Document, file: str) -> Iterator[Limit]:
    for name, entry in section.entries.items():
        if name not in FIELDS:
            hint = suggestion(name, FIELDS, f"the fields are {', '.join(FIELDS)}")
            section.wrong(entry.key, f"unknown field {quote_excerpt(name)}; {hint}")
        elif entry.value is not None and not _is_absent(entry.value):
            allowed = _allowed(section, name, entry, entry.value)
            position = position_of(entry.value)
            yield Limit(name, allowed, file, position.line, position.column)


def _allowed(section: Document, name: str, entry: Entry, value: Event) -> Allowed:
    """What the limit allows; an empty tuple if it is wrong."""
    if has_maximum(FIELDS[name].kind):
        maximum = _value(section, name, value)
        return maximum if isinstance(maximum, int) else ()
    before = len(section.diagnostics)
    items = nested_list(section, entry, _form(FIELDS[name].kind))
    if len(items) > MAX_VALUES:
        section.wrong(items[MAX_VALUES], f"{name}: a limit has at most {MAX_VALUES:,} values; remove some")
        return ()
    allowed = tuple(_item(section, name, item) for item in items)
    if not allowed and len(section.diagnostics) == before:
        section.wrong(value, f"{name}: an empty list allows no value; add one, or remove the limit")
    return allowed


def _form(kind: FieldKind) -> str:
    """The list in words."""
    if issubclass(kind, StrEnum):
        return f"a list of values, such as [{next(iter(kind))}]"
    if kind is bool:
        return "a list of values, such as [false]"
    return 'a list of names or patterns, such as [events, "events-*"]'


def _item(section: Document, name: str, item: ScalarEvent) -> Any:
    if is_list(name) or (takes_patterns(FIELDS[name].kind) and is_pattern(item.value)):
        return item.value
    return _value(section, name, item)


def _value(section: Document, name: str, value: Event) -> Any:
    """The value of one field; None if it is wrong."""
    try:
        read = read_value(name, value)
    except InvalidValueError as wrong:
        section.wrong(value, f"{name}: {wrong}")
        return None
    if read is None or not _is_valid(name, read):
        section.wrong(value, _invalid(name, value))
    return read
