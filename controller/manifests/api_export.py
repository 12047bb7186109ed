"""Reads rooms as the API's getAll returns them, from a file. Pure.

A room is read as the API would take it: fields that it only returns are ignored. Unknown ones are, too, and
are reported.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from pydantic import ValidationError

from controller.manifests.export import Export
from controller.room import FIELDS, ID_PATTERN, READ_ONLY_FIELDS, RoomSpec
from controller.text import closest_match, pluralize, quote_excerpt

MAX_BYTES: Final = 64 * 1024 * 1024
_ID: Final = re.compile(ID_PATTERN)
_KNOWN: Final = frozenset((*FIELDS, *READ_ONLY_FIELDS, "id"))
_ID_NAMES: Final = ("_id", "id")
_KINDS: Final = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}


class BadExportError(Exception):
    """The file is not used at all. Each problem is `[INDEX].FIELD: problem; fix`."""

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


@dataclass(frozen=True, slots=True)
class ApiExport:
    """The rooms of a file, and what was ignored in it, a line each."""

    rooms: tuple[Export, ...]
    ignored: tuple[str, ...] = ()


def read_api_export(content: bytes, origin: str) -> ApiExport:
    """The rooms in `content`, the JSON array of getAll. BadExportError with every problem.

    An id of 24 hexadecimal digits is kept. `origin` is the comment in the manifests.
    """
    entries = _entries(content)
    read = [_Entry(index, entry) for index, entry in enumerate(entries)]
    problems = [problem for entry in read for problem in entry.problems()] + _shared_ids(read)
    if problems:
        raise BadExportError(*problems)
    rooms = tuple(Export(entry.spec(), origin, entry.pinned_id) for entry in read)
    return ApiExport(rooms, (*_unknown_fields(read), *_other_ids(read)))


def _entries(content: bytes) -> list[Any]:
    try:
        text = content.decode("utf-8-sig")
        entries = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number)
    except UnicodeDecodeError:
        raise BadExportError("invalid UTF-8; save the answer of getAll as it is") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise BadExportError(f"invalid JSON at {place}; save the answer of getAll as it is") from None
    except (ValueError, RecursionError) as error:
        raise BadExportError(f"invalid JSON: {error}" if str(error) else "invalid JSON") from None
    if not isinstance(entries, list):
        kind = _KINDS.get(type(entries), "a number")
        raise BadExportError(f"expected the array that getAll returns, got {kind}")
    return entries


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entry = dict(pairs)
    if len(entry) != len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise ValueError(f"duplicate field {quote_excerpt(twice)}; remove one")
    return entry


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number in JSON; use null")


class _Entry:
    """One room of the array."""

    def __init__(self, index: int, entry: Any) -> None:
        self.index = index
        self.fields: Mapping[str, Any] = entry if isinstance(entry, dict) else {}
        self._kind = None if isinstance(entry, dict) else _KINDS.get(type(entry), "a number")

    def spec(self) -> RoomSpec:
        """The room. ValidationError."""
        return RoomSpec(**{name: self.fields[name] for name in FIELDS if self.fields.get(name) is not None})

    @property
    def id(self) -> Any:
        """Its id as it is written; None without one."""
        return next((self.fields[name] for name in _ID_NAMES if self.fields.get(name) is not None), None)

    @property
    def pinned_id(self) -> str | None:
        """Its id, if a room of roomctl can have it."""
        lower = self.id.lower() if isinstance(self.id, str) else ""
        return lower if _ID.match(lower) else None

    def problems(self) -> Iterator[str]:
        if self._kind is not None:
            yield f"[{self.index}]: expected a room, got {self._kind}"
            return
        if self.id is not None and not isinstance(self.id, str):
            yield f"[{self.index}].id: expected a string, got {_shown(self.id)}"
        if len({self.fields[name] for name in _ID_NAMES if isinstance(self.fields.get(name), str)}) > 1:
            yield f"[{self.index}].id: differs from _id; remove one"
        try:
            self.spec()
        except ValidationError as wrong:
            for error in wrong.errors(include_url=False, include_context=False, include_input=False):
                yield self._problem(str(error["loc"][0]))

    def _problem(self, name: str) -> str:
        value = self.fields.get(name)
        if value is None:
            return f"[{self.index}].{name}: required; use {FIELDS[name].rule}"
        return f"[{self.index}].{name}: invalid value {_shown(value)}; use {FIELDS[name].rule}"


def _shown(value: Any) -> str:
    return quote_excerpt(value if isinstance(value, str) else json.dumps(value))


def _shared_ids(entries: Sequence[_Entry]) -> list[str]:
    first: dict[str, int] = {}
    pinned = [(entry.index, entry.pinned_id) for entry in entries if entry.pinned_id is not None]
    return [
        f"[{index}].id: the same as in [{first[room_id]}]; ids must be unique"
        for index, room_id in pinned
        if first.setdefault(room_id, index) != index
    ]


def _unknown_fields(entries: Sequence[_Entry]) -> Iterator[str]:
    counts = Counter(name for entry in entries for name in entry.fields.keys() - _KNOWN)
    for name, count in sorted(counts.items()):
        near = closest_match(name, FIELDS)
        hint = f"; did you mean {near}?" if near else ""
        yield f"unknown field {quote_excerpt(name)} ignored in {pluralize(count, 'room')}{hint}"


def _other_ids(entries: Sequence[_Entry]) -> Iterator[str]:
    count = sum(entry.id is not None and entry.pinned_id is None for entry in entries)
    if count:
        rooms = pluralize(count, "room gets", "rooms get")
        yield f"{rooms} another id, and other links: the id is not 24 hexadecimal digits"
