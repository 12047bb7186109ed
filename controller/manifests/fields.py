"""Reads a room from a document: the rules of each key, every error with its position and a fix. Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from pydantic import ValidationError
from yaml.events import Event, MappingStartEvent, ScalarEvent

from controller.manifests.document import Diagnostic, Document, is_null, is_plain, position_of
from controller.manifests.keys import KEY_RULE, is_key
from controller.manifests.snapshot import SourcePosition
from controller.room import (
    FIELDS,
    ID_PATTERN,
    MAX_PARTICIPANTS,
    PRESETS,
    READ_ONLY_FIELDS,
    RoomSpec,
)
from controller.text import closest_match, quote_excerpt, suggestion

OURS: Final = ("preset", "key", "id")
"""The keys that the reference and the API do not have."""

MAX_DIAGNOSTICS: Final = 100
"""Errors listed per document."""

_ID: Final = re.compile(ID_PATTERN)
_INTEGER: Final = re.compile(r"-?(0|[1-9][0-9]*)\Z")
_MAX_INTEGER_DIGITS: Final = 18
_TRUE: Final = frozenset(("true", "yes", "on", "y", "1"))
_FALSE: Final = frozenset(("false", "no", "off", "n", "0"))


class _InvalidValueError(Exception):
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
    diagnostics: tuple[Diagnostic, ...]


def read_fields(document: Document) -> ParsedFields:
    """Check every key of the document by its rule."""
    if not document.is_mapping:
        return ParsedFields(
            document.position, None, None, None, False, None, None, tuple(document.diagnostics)
        )
    reading = _Reading(document)
    spec = reading.spec()
    diagnostics = sorted(document.diagnostics, key=_place)
    return ParsedFields(
        position=document.position,
        spec=spec if not diagnostics else None,
        key=reading.values.get("key"),
        key_position=reading.position("key"),
        key_is_known=reading.key_is_known,
        id=reading.values.get("id"),
        id_position=reading.position("id"),
        diagnostics=_cut(diagnostics),
    )


class _Reading:
    """The values of one document, and the keys that are invalid or null."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.values: dict[str, Any] = {}
        self.wrong: set[str] = set()
        self.key_is_known = True
        for name, entry in document.entries.items():
            if name not in _READERS:
                self._unknown(name, entry.key)
            elif entry.value is None:
                self.wrong.add(name)
            else:
                self._value(name, entry.value)
        self.key_is_known &= "key" not in self.wrong

    def position(self, name: str) -> SourcePosition | None:
        """The position of the value of `name`; None if it is missing or null."""
        if name not in self.values:
            return None
        value = self.document.entries[name].value
        return position_of(value) if value is not None else None

    def spec(self) -> RoomSpec | None:
        """The room with its defaults; None if it has errors, which are added to the document."""
        fields = dict(PRESETS.get(self.values.get("preset", ""), {}))
        fields |= {name: value for name, value in self.values.items() if name in FIELDS}
        try:
            return RoomSpec(**fields)
        except ValidationError as wrong:
            for error in wrong.errors(include_url=False, include_context=False, include_input=False):
                self._refused(str(error["loc"][0]))
            return None

    def _value(self, name: str, value: Event) -> None:
        try:
            scalar = _scalar(name, value)
            if not is_null(scalar):
                self.values[name] = _READERS[name](scalar)
        except _InvalidValueError as wrong:
            self.wrong.add(name)
            self.document.wrong(value, f"{name}: {wrong}")

    def _unknown(self, name: str, key: ScalarEvent) -> None:
        # no more are listed, and each search takes time
        crowded = len(self.document.diagnostics) > MAX_DIAGNOSTICS
        meant = closest_match(name, (*FIELDS, *OURS)) if not crowded else None
        self.key_is_known &= meant != "key" and not crowded
        instead = f"did you mean {meant}?" if meant else f"the fields are {', '.join((*FIELDS, *OURS))}"
        self.document.wrong(key, f"unknown field {quote_excerpt(name)}; {instead}")

    def _refused(self, name: str) -> None:
        """The model refused a field: its value is invalid, or it is missing."""
        if name in self.wrong or (name == "max_participants" and "preset" in self.wrong):
            return
        entry = self.document.entries.get(name)
        value = entry.value if entry is not None else None
        if name in self.values and isinstance(value, ScalarEvent):
            self.document.wrong(
                value, f"{name}: invalid value {quote_excerpt(value.value)}; use {FIELDS[name].rule}"
            )
            return
        position = position_of(value) if value is not None else self.document.position
        example = "name: Main stage" if name == "name" else "max_participants: 20` or `preset: standard-team"
        self.document.diagnostics.append(Diagnostic(position, f"{name} is required; add `{example}`"))


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


def _scalar(name: str, value: Event) -> ScalarEvent:
    if isinstance(value, ScalarEvent):
        return value
    kind = "mapping" if isinstance(value, MappingStartEvent) else "list"
    raise _InvalidValueError(
        f"expected {FIELDS[name].rule if name in FIELDS else 'a single value'}, got a {kind}"
    )


def _text(value: ScalarEvent) -> str:
    return value.value


def _boolean(value: ScalarEvent) -> bool:
    text = value.value
    if is_plain(value) and text in ("true", "false"):
        return text == "true"
    if text in ("true", "false"):
        raise _InvalidValueError(
            f"expected true or false, got the string {quote_excerpt(text)}; remove the quotes"
        )
    folded = text.lower()
    instead = "; use true" if folded in _TRUE else "; use false" if folded in _FALSE else ""
    raise _InvalidValueError(f"expected true or false, got {quote_excerpt(text)}{instead}")


def _integer(rule: str, value: ScalarEvent) -> int:
    text = value.value
    if _INTEGER.match(text) is None:
        stripped = text.replace("_", "").replace(",", "").removeprefix("+").lstrip("0")
        near = _INTEGER.match(stripped) is not None and len(stripped) <= len(str(MAX_PARTICIPANTS))
        instead = f"; use {stripped}" if near else ""
        raise _InvalidValueError(f"expected {rule}, got {quote_excerpt(text)}{instead}")
    if not is_plain(value):
        raise _InvalidValueError(
            f"expected an integer, got the string {quote_excerpt(text)}; remove the quotes"
        )
    if len(text) > _MAX_INTEGER_DIGITS:
        raise _InvalidValueError(f"expected {rule}, got {quote_excerpt(text)}")
    return int(text)


def _preset(value: ScalarEvent) -> str:
    if value.value in PRESETS:
        return value.value
    hint = suggestion(value.value, PRESETS, f"use {', '.join(PRESETS)}")
    raise _InvalidValueError(f"unknown preset {quote_excerpt(value.value)}; {hint}")


def _key(value: ScalarEvent) -> str:
    if is_key(value.value):
        return value.value
    raise _InvalidValueError(f"invalid value {quote_excerpt(value.value)}; use {KEY_RULE}")


def _id(value: ScalarEvent) -> str:
    if _ID.match(value.value):
        return value.value
    lower = value.value.lower()
    instead = f"use {lower}" if _ID.match(lower) else "must be 24 hexadecimal digits (0-9, a-f)"
    raise _InvalidValueError(f"invalid id {quote_excerpt(value.value)}; {instead}")


def _reader(field: str) -> Callable[[ScalarEvent], Any]:
    kind = FIELDS[field].kind
    return _boolean if kind is bool else partial(_integer, FIELDS[field].rule) if kind is int else _text


_READERS: Final[Mapping[str, Callable[[ScalarEvent], Any]]] = {
    **dict.fromkeys(READ_ONLY_FIELDS, _text),
    **{field: _reader(field) for field in FIELDS},
    "preset": _preset,
    "key": _key,
    "id": _id,
}
