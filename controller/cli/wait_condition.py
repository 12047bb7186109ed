"""What `wait` waits for, and whether it holds of a room. Pure."""

import re
from dataclasses import dataclass
from typing import Final

from controller.cli.room_status import CONTROLLER_AWAY, Standing
from controller.room import RoomSpec

TYPES: Final = ("Ready", "Live", "ManifestValid", "Recording", "Deferred", "Held", "Stalled")
_GOAL: Final = re.compile(r"(condition=)?(?P<not>!)?(?P<type>[A-Za-z]+)")
_SPAN: Final = re.compile(
    r"(?:(?P<d>[0-9]{1,3})d)?(?:(?P<h>[0-9]{1,4})h)?(?:(?P<m>[0-9]{1,5})m)?(?:(?P<s>[0-9]{1,6})s)?"
)


@dataclass(frozen=True, slots=True)
class Goal:
    """A condition that should be True (`Ready`), should not be (`!Ready`), or `delete`: no such room."""

    type: str = "Ready"
    negated: bool = False

    @property
    def deletes(self) -> bool:
        return self.type == "delete"

    def __str__(self) -> str:
        return f"!{self.type}" if self.negated else self.type


def read_goal(text: str) -> Goal:
    """`delete`, a type, `!Type` or `condition=Type`. ValueError with what to write instead."""
    if text == "delete":
        return Goal("delete")
    matched = _GOAL.fullmatch(text)
    if matched is None or matched["type"] not in TYPES:
        raise ValueError(
            f"{text!r} is no condition; write delete, or one of {', '.join(TYPES)} (or such as !Ready)"
        )
    return Goal(matched["type"], negated=matched["not"] is not None)


def read_span(text: str) -> float:
    """Seconds of 60s, 5m, 1h30m, 7d or 0s. ValueError with what to write instead."""
    matched = _SPAN.fullmatch(text)
    if matched is None or not text:
        raise ValueError(f"{text!r} is no time; write such as 60s, 5m, 1h30m or 7d")
    days, hours, minutes, seconds = (int(matched[unit] or 0) for unit in "dhms")
    return days * 86400.0 + hours * 3600.0 + minutes * 60.0 + seconds


@dataclass(frozen=True, slots=True)
class Target:
    """One room to wait for: `name` as people know it; `spec` of its manifest, None where that is unknown."""

    name: str
    spec: RoomSpec | None = None


def missing_yet(goal: Goal, target: Target, room: Standing | None) -> str:
    """Why `goal` does not hold of the room yet; '' where it holds."""
    if goal.deletes:
        return "" if room is None else "it is still there"
    if room is None:
        return f"{goal}: there is no record of it yet"
    record = room.record
    if target.spec is not None and record.spec != target.spec:
        return f"{goal}: its record is not as its manifest yet"
    if record.status.observed_generation != record.generation:
        return f"{goal}: generation {record.generation} was not looked at yet"
    return _condition(goal, room)


def _condition(goal: Goal, room: Standing) -> str:
    found = room.condition(goal.type)
    away = next((c for c in room.conditions if c.reason == CONTROLLER_AWAY), None)
    if away is not None:
        return f"{goal.type} is Unknown: {CONTROLLER_AWAY}, {away.message}"
    if found is None:
        return "" if goal.negated else f"{goal.type} is not said of it"
    if found.status == ("False" if goal.negated else "True"):
        return ""
    message = f", {found.message}" if found.message else ""
    return f"{goal.type} is {found.status}: {found.reason}{message}"
