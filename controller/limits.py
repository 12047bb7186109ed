"""Limits: the values that a policy file allows for a field of a room. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, Final, TypeAlias

from controller.agents import read_agents
from controller.room import FIELDS, FieldKind, RoomSpec

MAX_SHOWN: Final = 10
"""How many allowed values an error lists."""

Allowed: TypeAlias = int | tuple[Any, ...]
"""The greatest integer, or the allowed JSON values; of a text field names and shell-like patterns."""

_WILDCARD = re.compile(r"[*?\[]")


def has_maximum(kind: FieldKind) -> bool:
    """Whether the limit of such a field is its greatest value; other fields have a list of values."""
    return issubclass(kind, int) and not issubclass(kind, bool)


def takes_patterns(kind: FieldKind) -> bool:
    """Whether the values of a limit may be patterns: those of a text field, and of a list of names."""
    return not issubclass(kind, int | StrEnum)


def is_pattern(text: str) -> bool:
    """Whether `text` is a shell-like pattern, and not a name: `events-*`."""
    return _WILDCARD.search(text) is not None


def as_written(value: Any) -> str:
    """A JSON value as a manifest has it: `true`, `500`, `events`; of a list the names."""
    if isinstance(value, list):
        return ", ".join(agent.name or '""' for agent in read_agents(value))
    return str(value).lower() if isinstance(value, bool) else str(value) or '""'


@dataclass(frozen=True, slots=True)
class Limit:
    """What a policy file allows for one field, and where it says so."""

    field: str
    allowed: Allowed
    file: str
    line: int
    column: int

    @property
    def place(self) -> str:
        """FILE:LINE:COL."""
        return f"{self.file}:{self.line}:{self.column}"

    @property
    def rule(self) -> str:
        """The allowed values in words: `at most 500`, `events, events-*`."""
        if isinstance(self.allowed, int):
            return f"at most {self.allowed}"
        rest = len(self.allowed) - MAX_SHOWN
        shown = ", ".join(map(as_written, self.allowed[:MAX_SHOWN]))
        return f"{shown} or one of {rest} more" if rest > 0 else shown

    @property
    def names(self) -> tuple[Any, ...] | None:
        """All allowed values; None if they cannot be listed."""
        if isinstance(self.allowed, int) or any(self._is_pattern(value) for value in self.allowed):
            return None
        return self.allowed

    def allows(self, value: Any) -> bool:
        """Whether the value is within the limit. A field that is not set is; of a list each name must be."""
        if value is None or value == "":
            return True
        if isinstance(self.allowed, int):
            return bool(value <= self.allowed)
        if isinstance(value, list | tuple):
            return all(self._lists(agent.name) for agent in read_agents(value))
        return self._lists(value)

    def _lists(self, value: Any) -> bool:
        allowed = self.allowed if isinstance(self.allowed, tuple) else ()
        return value in allowed or any(
            self._is_pattern(each) and fnmatchcase(value, each) for each in allowed
        )

    def _is_pattern(self, value: Any) -> bool:
        return takes_patterns(FIELDS[self.field].kind) and is_pattern(value)


def exceeded(limits: Sequence[Limit], values: Mapping[str, Any]) -> Iterator[Limit]:
    """The limits that these fields, as JSON values, exceed."""
    return (limit for limit in limits if not limit.allows(values.get(limit.field)))


def within(limits: Sequence[Limit], spec: RoomSpec) -> bool:
    """Whether the room is within all limits."""
    return all(limit.allows(getattr(spec, limit.field)) for limit in limits)


def are_compatible(limits: Sequence[Limit]) -> bool:
    """Whether some value may be within all these limits of one field; patterns are not compared."""
    listed = next((limit.names for limit in limits if limit.names is not None), None)
    return listed is None or any(all(limit.allows(value) for limit in limits) for value in listed)
