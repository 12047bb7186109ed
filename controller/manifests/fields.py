"""From a document to a room: the rules of each key, every fault with its place and its mend. Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError
from yaml.events import Event, MappingStartEvent, ScalarEvent

from controller.manifests.document import Document, Fault, is_null, is_plain, mark_of
from controller.manifests.keys import KEY_RULE, is_key
from controller.manifests.snapshot import Mark
from controller.room import (
    FIELDS,
    ID_PATTERN,
    MAX_PARTICIPANTS,
    PRESETS,
    READ_ONLY_FIELDS,
    RoomSpec,
)
from controller.text import nearest, quoted

OURS: Final = ("preset", "key", "id")
"""The keys beside the reference's fields, which the API does not know."""

MAX_FAULTS: Final = 100
"""More faults of one document are not listed: they say nothing new."""

_ID: Final = re.compile(ID_PATTERN)
_INTEGER: Final = re.compile(r"-?(0|[1-9][0-9]*)\Z")
_LONG: Final = 18
_TRUE: Final = frozenset(("true", "yes", "on", "y", "1"))
_FALSE: Final = frozenset(("false", "no", "off", "n", "0"))


class _Wrong(Exception):
    """What is wrong with one value, and what to write instead."""


@dataclass(frozen=True, slots=True)
class Body:
    """What one document says. `spec` is None where something is wrong with it.

    `key` and `id` are None where they are not written, or wrong; `key_stands` is False where the key that
    was meant cannot be known (it is wrong, written twice, or perhaps misspelt).
    """

    mark: Mark
    spec: RoomSpec | None
    key: str | None
    key_mark: Mark | None
    key_stands: bool
    id: str | None
    id_mark: Mark | None
    faults: tuple[Fault, ...]


def read_body(document: Document) -> Body:
    """Every key of the document by its rule."""
    if not document.is_mapping:
        return Body(document.mark, None, None, None, False, None, None, tuple(document.faults))
    reading = _Reading(document)
    spec = reading.spec()
    faults = sorted(document.faults, key=_place)
    return Body(
        mark=document.mark,
        spec=spec if not faults else None,
        key=reading.values.get("key"),
        key_mark=reading.mark("key"),
        key_stands=reading.key_stands,
        id=reading.values.get("id"),
        id_mark=reading.mark("id"),
        faults=_cut(faults),
    )


class _Reading:
    """One document's values so far, and the keys that are wrong or say nothing."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.values: dict[str, Any] = {}
        self.wrong: set[str] = set()
        self.key_stands = True
        for name, entry in document.entries.items():
            if name not in _READERS:
                self._unknown(name, entry.key)
            elif entry.value is None:
                self.wrong.add(name)
            else:
                self._value(name, entry.value)
        self.key_stands &= "key" not in self.wrong

    def mark(self, name: str) -> Mark | None:
        """Where the value of `name` stands, where it says something."""
        if name not in self.values:
            return None
        value = self.document.entries[name].value
        return mark_of(value) if value is not None else None

    def spec(self) -> RoomSpec | None:
        """The room, defaults filled in; what keeps it from being one is told to the document."""
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
        except _Wrong as wrong:
            self.wrong.add(name)
            self.document.wrong(value, f"{name}: {wrong}")

    def _unknown(self, name: str, key: ScalarEvent) -> None:
        crowded = len(self.document.faults) > MAX_FAULTS  # no more are listed, and each search costs
        meant = nearest(name, (*FIELDS, *OURS)) if not crowded else None
        self.key_stands &= meant != "key" and not crowded
        instead = f"write {meant}" if meant else f"the keys are {', '.join((*FIELDS, *OURS))}"
        self.document.wrong(key, f"unknown key {quoted(name)}; {instead}")

    def _refused(self, name: str) -> None:
        """The model refused a field: what was written is wrong, or nothing was."""
        if name in self.wrong or (name == "max_participants" and "preset" in self.wrong):
            return
        entry = self.document.entries.get(name)
        value = entry.value if entry is not None else None
        if name in self.values and isinstance(value, ScalarEvent):
            self.document.wrong(
                value, f"{name}: {quoted(value.value)} is not allowed; write {FIELDS[name].rule}"
            )
            return
        mark = mark_of(value) if value is not None else self.document.mark
        example = "name: Main stage" if name == "name" else "max_participants: 20`, or `preset: standard-team"
        self.document.faults.append(Fault(mark, f"{name} is missing; write `{example}`"))


def _place(fault: Fault) -> tuple[int, int]:
    return fault.mark.line, fault.mark.column


def _cut(faults: list[Fault]) -> tuple[Fault, ...]:
    if len(faults) <= MAX_FAULTS:
        return tuple(faults)
    rest = len(faults) - MAX_FAULTS
    return (
        *faults[:MAX_FAULTS],
        Fault(faults[MAX_FAULTS].mark, f"{rest} more errors follow; mend these first"),
    )


def _scalar(name: str, value: Event) -> ScalarEvent:
    if isinstance(value, ScalarEvent):
        return value
    kind = "mapping" if isinstance(value, MappingStartEvent) else "list"
    raise _Wrong(
        f"a {kind} cannot stand here; write {FIELDS[name].rule if name in FIELDS else 'a single value'}"
    )


def _text(value: ScalarEvent) -> str:
    return value.value


def _boolean(value: ScalarEvent) -> bool:
    text = value.value
    if is_plain(value) and text in ("true", "false"):
        return text == "true"
    if text in ("true", "false"):
        raise _Wrong(f"{quoted(text)} in quotes is text; write {text} without quotes")
    folded = text.lower()
    instead = "true" if folded in _TRUE else "false" if folded in _FALSE else "true or false"
    raise _Wrong(f"{quoted(text)} is no boolean; write {instead}")


def _integer(value: ScalarEvent) -> int:
    text = value.value
    if _INTEGER.match(text) is None:
        stripped = text.replace("_", "").replace(",", "").removeprefix("+").lstrip("0")
        near = _INTEGER.match(stripped) is not None and len(stripped) <= len(str(MAX_PARTICIPANTS))
        raise _Wrong(
            f"{quoted(text)} is no integer; write {stripped if near else FIELDS['max_participants'].rule}"
        )
    if not is_plain(value):
        raise _Wrong(f"{quoted(text)} in quotes is text; write {text} without quotes")
    if len(text) > _LONG:
        raise _Wrong(f"{quoted(text)} is not allowed; write {FIELDS['max_participants'].rule}")
    return int(text)


def _preset(value: ScalarEvent) -> str:
    if value.value in PRESETS:
        return value.value
    meant = nearest(value.value, PRESETS)
    raise _Wrong(f"there is no preset {quoted(value.value)}; write {meant or ', '.join(PRESETS)}")


def _key(value: ScalarEvent) -> str:
    if is_key(value.value):
        return value.value
    raise _Wrong(f"{quoted(value.value)} is not allowed; write {KEY_RULE}")


def _id(value: ScalarEvent) -> str:
    if _ID.match(value.value):
        return value.value
    lower = value.value.lower()
    instead = lower if _ID.match(lower) else "24 hex digits, 0-9 and a-f"
    raise _Wrong(f"{quoted(value.value)} is no id; write {instead}")


def _reader(field: str) -> Callable[[ScalarEvent], Any]:
    kind = FIELDS[field].kind
    return _boolean if kind is bool else _integer if kind is int else _text


_READERS: Final[Mapping[str, Callable[[ScalarEvent], Any]]] = {
    **dict.fromkeys(READ_ONLY_FIELDS, _text),
    **{field: _reader(field) for field in FIELDS},
    "preset": _preset,
    "key": _key,
    "id": _id,
}
