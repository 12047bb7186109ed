"""Reads a room from a document: the rules of each key, every error with its position and a fix. Pure."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from pydantic import ValidationError
from yaml.events import Event, MappingStartEvent, ScalarEvent

from controller.limits import as_written, exceeded
from controller.manifests.agent_list import read_agent_list
from controller.manifests.document import Diagnostic, Document, Entry, is_null, is_plain, position_of
from controller.manifests.folder_policy import (
    BUILT_IN,
    POLICY_FILE,
    SECTIONS,
    FolderPolicy,
    Values,
    unknown_preset,
)
from controller.manifests.keys import KEY_RULE, is_key
from controller.manifests.snapshot import SourcePosition
from controller.room import (
    FIELDS,
    ID_PATTERN,
    MAX_PARTICIPANTS,
    READ_ONLY_FIELDS,
    RoomSpec,
    problems_of,
)
from controller.text import closest_match, quote_excerpt

OURS: Final = ("preset", "key", "id", "adopt")
"""The keys that the reference and the API do not have."""

MAX_DIAGNOSTICS: Final = 100
"""Errors listed per document."""

MAX_LIVEKIT_NAME_BYTES: Final = 256

_IN_POLICY: Final = f"it belongs to the top level of a policy file, {POLICY_FILE}"
_ID: Final = re.compile(ID_PATTERN)
_INTEGER: Final = re.compile(r"-?(0|[1-9][0-9]*)\Z")
_MAX_INTEGER_DIGITS: Final = 18
_TRUE: Final = frozenset(("true", "yes", "on", "y", "1"))
_FALSE: Final = frozenset(("false", "no", "off", "n", "0"))


class InvalidValueError(Exception):
    """The error of one value, and its fix."""


@dataclass(frozen=True, slots=True)
class ParsedFields:
    """The content of one document. `spec` is None if it has an error.

    `key` and `id` are None if they are missing or invalid; `key_is_known` is False if the intended key
    cannot be known (it is invalid, written twice, or maybe misspelled).
    """

    position: SourcePosition
    spec: RoomSpec | None
    key: str | None
    key_position: SourcePosition | None
    key_is_known: bool
    id: str | None
    id_position: SourcePosition | None
    adopt: str | None
    adopt_position: SourcePosition | None
    diagnostics: tuple[Diagnostic, ...]


def read_fields(document: Document, policy: FolderPolicy = BUILT_IN) -> ParsedFields:
    """Check every key of the document by its rule; presets and defaults are those of `policy`.

    While the policy is wrong, what depends on it is not checked, and there is no spec.
    """
    if not document.is_mapping:
        return ParsedFields(
            document.position, None, None, None, False, None, None, None, None, tuple(document.diagnostics)
        )
    reading = FieldReading(document, (*FIELDS, *OURS, *READ_ONLY_FIELDS))
    spec = None if policy.problem else _Room(reading, policy).spec()
    diagnostics = sort_diagnostics(document)
    return ParsedFields(
        position=document.position,
        spec=spec if not diagnostics else None,
        key=reading.values.get("key"),
        key_position=reading.position("key"),
        key_is_known=reading.key_is_known,
        id=reading.values.get("id"),
        id_position=reading.position("id"),
        adopt=reading.values.get("adopt"),
        adopt_position=reading.position("adopt"),
        diagnostics=diagnostics,
    )


def beyond_limits(document: Document, spec: RoomSpec, policy: FolderPolicy) -> list[Diagnostic]:
    """An error for each limit that the room exceeds: at the value, or at the document if it is a default."""
    values = spec.as_dict()
    return [
        Diagnostic(
            _position_of_value(document, limit.field),
            f"{limit.field}: {_origin(document, policy, limit.field, values[limit.field])} "
            f"is beyond the limit of {limit.place}; use {limit.rule}",
        )
        for limit in exceeded(policy.limits, values)
    ]


def _position_of_value(document: Document, name: str) -> SourcePosition:
    value = _given(document, name)
    return document.position if value is None else position_of(value)


def _given(document: Document, name: str) -> Event | None:
    """The value of the field in the document itself; None if it is missing or null."""
    entry = document.entries.get(name)
    value = entry.value if entry is not None else None
    return None if isinstance(value, ScalarEvent) and is_null(value) else value


def _preset_name(document: Document) -> str:
    preset = _given(document, "preset")
    return preset.value if isinstance(preset, ScalarEvent) else ""


def _origin(document: Document, policy: FolderPolicy, name: str, value: Any) -> str:
    """The field's value for an error, with what gives it."""
    given, shown = _given(document, name), quote_excerpt(as_written(value))
    if given is not None:
        return quote_excerpt(given.value) if isinstance(given, ScalarEvent) else shown
    preset = _preset_name(document)
    values = policy.presets.get(preset, Values())
    if name in values.values:
        place = f" ({values.places[name]})" if name in values.places else ""
        return f"{shown} of the preset {preset}{place}"
    place = f" of {policy.defaults.places[name]}" if name in policy.defaults.places else ""
    return f"the default {shown}{place}"


class FieldReading:
    """The values of one mapping, and the keys that are invalid or null.

    `known` are the names of its fields. Errors are added to the document. `key_is_known`: no other field
    may be meant as `key`.
    """

    def __init__(self, document: Document, known: Sequence[str]) -> None:
        self.document = document
        self.values: dict[str, Any] = {}
        self.wrong: set[str] = set()
        self.key_is_known = True
        self._listed = [name for name in known if name not in READ_ONLY_FIELDS]
        for name, entry in document.entries.items():
            if name not in known:
                self._unknown(name, entry.key)
            elif entry.value is None:
                self.wrong.add(name)
            else:
                self._value(name, entry, entry.value)
        self.key_is_known &= "key" not in self.wrong

    def position(self, name: str) -> SourcePosition | None:
        """The position of the value of `name`; None if it is missing or null."""
        if name not in self.values:
            return None
        value = self.document.entries[name].value
        return position_of(value) if value is not None else None

    def _value(self, name: str, entry: Entry, value: Event) -> None:
        before = len(self.document.diagnostics)
        try:
            read = read_agent_list(self.document, entry) if is_list(name) else read_value(name, value)
            if read is not None:
                self.values[name] = read
            elif len(self.document.diagnostics) > before:
                self.wrong.add(name)
        except InvalidValueError as wrong:
            self.wrong.add(name)
            self.document.wrong(value, f"{name}: {wrong}")

    def _unknown(self, name: str, key: ScalarEvent) -> None:
        if name in SECTIONS:
            self.document.wrong(key, f"unknown field {quote_excerpt(name)}; {_IN_POLICY}")
            return
        # no more are listed, and each search takes time
        crowded = len(self.document.diagnostics) > MAX_DIAGNOSTICS
        meant = closest_match(name, self._listed) if not crowded else None
        self.key_is_known &= meant != "key" and not crowded
        instead = f"did you mean {meant}?" if meant else f"the fields are {', '.join(self._listed)}"
        self.document.wrong(key, f"unknown field {quote_excerpt(name)}; {instead}")


class _Room:
    """The room of a manifest: its values, its preset's, and the defaults of its policy."""

    def __init__(self, reading: FieldReading, policy: FolderPolicy) -> None:
        self._reading, self._policy = reading, policy
        self._document = reading.document

    def spec(self) -> RoomSpec | None:
        """The room; None if it has errors, which are added to the document."""
        preset = self._preset()
        own = {name: value for name, value in self._reading.values.items() if name in FIELDS}
        fields = {**self._policy.defaults.values, **preset, **own}
        try:
            return RoomSpec(**fields)
        except ValidationError as wrong:
            for name, needed in problems_of(wrong):
                self._refused(name, needed, fields)
            return None

    def _preset(self) -> Mapping[str, Any]:
        name = self._reading.values.get("preset")
        if name is None:
            return {}
        if name in self._policy.presets:
            return self._policy.presets[name].values
        self._reading.wrong.add("preset")
        position = _position_of_value(self._document, "preset")
        self._document.diagnostics.append(Diagnostic(position, unknown_preset(name, self._policy.presets)))
        return {}

    def _refused(self, name: str, needed: str, fields: Mapping[str, Any]) -> None:
        """The model refused a field: its value is invalid, or it is missing."""
        known = self._reading.wrong
        if name in known or (name == "max_participants" and "preset" in known):
            return
        position, message = (
            self._invalid(name, fields[name], needed) if name in fields else self._missing(name)
        )
        self._document.diagnostics.append(Diagnostic(position, message))

    def _invalid(self, name: str, value: Any, needed: str) -> Diagnostic:
        shown = _origin(self._document, self._policy, name, value)
        is_given = _given(self._document, name) is not None
        what = f"invalid value {shown}" if is_given else f"{shown} is invalid here"
        position = _position_of_value(self._document, name)
        return Diagnostic(position, f"{name}: {what}; use {needed}")

    def _missing(self, name: str) -> Diagnostic:
        entry = self._document.entries.get(name)
        null = entry.value if entry is not None else None
        position = position_of(null) if null is not None else self._document.position
        example = "name: Main stage" if name == "name" else "max_participants: 20` or `preset: standard-team"
        return Diagnostic(position, f"{name} is required; add `{example}`")


def sort_diagnostics(document: Document) -> tuple[Diagnostic, ...]:
    """The document's errors by place, and no more than are useful."""
    return _cut(sorted(document.diagnostics, key=_place))


def _place(diagnostic: Diagnostic) -> tuple[int, int]:
    return diagnostic.position.line, diagnostic.position.column


def _cut(diagnostics: list[Diagnostic]) -> tuple[Diagnostic, ...]:
    if len(diagnostics) <= MAX_DIAGNOSTICS:
        return tuple(diagnostics)
    rest = len(diagnostics) - MAX_DIAGNOSTICS
    return (
        *diagnostics[:MAX_DIAGNOSTICS],
        Diagnostic(diagnostics[MAX_DIAGNOSTICS].position, f"{rest} more errors not shown; fix these first"),
    )


def is_list(name: str) -> bool:
    """Whether the value of the field is a list."""
    return name in FIELDS and FIELDS[name].kind is tuple


def read_value(name: str, value: Event) -> Any:
    """The value of the field `name`, None if it is null. InvalidValueError if it has another form."""
    scalar = _scalar(name, value)
    return None if is_null(scalar) else _READERS[name](scalar)


def _scalar(name: str, value: Event) -> ScalarEvent:
    if isinstance(value, ScalarEvent):
        return value
    kind = "mapping" if isinstance(value, MappingStartEvent) else "list"
    raise InvalidValueError(
        f"expected {FIELDS[name].rule if name in FIELDS else 'a single value'}, got a {kind}"
    )


def _text(value: ScalarEvent) -> str:
    return value.value


def _boolean(value: ScalarEvent) -> bool:
    text = value.value
    if is_plain(value) and text in ("true", "false"):
        return text == "true"
    if text in ("true", "false"):
        raise InvalidValueError(
            f"expected true or false, got the string {quote_excerpt(text)}; remove the quotes"
        )
    folded = text.lower()
    instead = "; use true" if folded in _TRUE else "; use false" if folded in _FALSE else ""
    raise InvalidValueError(f"expected true or false, got {quote_excerpt(text)}{instead}")


def _integer(rule: str, value: ScalarEvent) -> int:
    text = value.value
    if _INTEGER.match(text) is None:
        stripped = text.replace("_", "").replace(",", "").removeprefix("+").lstrip("0")
        near = _INTEGER.match(stripped) is not None and len(stripped) <= len(str(MAX_PARTICIPANTS))
        instead = f"; use {stripped}" if near else ""
        raise InvalidValueError(f"expected {rule}, got {quote_excerpt(text)}{instead}")
    if not is_plain(value):
        raise InvalidValueError(
            f"expected an integer, got the string {quote_excerpt(text)}; remove the quotes"
        )
    if len(text) > _MAX_INTEGER_DIGITS:
        raise InvalidValueError(f"expected {rule}, got {quote_excerpt(text)}")
    return int(text)


def _key(value: ScalarEvent) -> str:
    if is_key(value.value):
        return value.value
    raise InvalidValueError(f"invalid value {quote_excerpt(value.value)}; use {KEY_RULE}")


def _id(value: ScalarEvent) -> str:
    if _ID.match(value.value):
        return value.value
    lower = value.value.lower()
    instead = f"use {lower}" if _ID.match(lower) else "must be 24 hexadecimal digits (0-9, a-f)"
    raise InvalidValueError(f"invalid id {quote_excerpt(value.value)}; {instead}")


def _adopt(value: ScalarEvent) -> str:
    if 0 < len(value.value.encode()) <= MAX_LIVEKIT_NAME_BYTES:
        return value.value
    rule = f"use the name of a LiveKit room, 1 to {MAX_LIVEKIT_NAME_BYTES} bytes"
    raise InvalidValueError(f"invalid value {quote_excerpt(value.value)}; {rule}")


def _reader(field: str) -> Callable[[ScalarEvent], Any]:
    kind = FIELDS[field].kind
    return _boolean if kind is bool else partial(_integer, FIELDS[field].rule) if kind is int else _text


_READERS: Final[Mapping[str, Callable[[ScalarEvent], Any]]] = {
    **dict.fromkeys(READ_ONLY_FIELDS, _text),
    **{field: _reader(field) for field in FIELDS},
    "preset": _text,
    "key": _key,
    "id": _id,
    "adopt": _adopt,
}
