"""The condition of `wait`, and whether a room meets it. Pure."""

import re
from dataclasses import dataclass
from typing import Final

from controller.cli.rooms import CONTROLLER_AWAY, RoomStatus
from controller.room import RoomSpec
from controller.text import quote_excerpt, suggestion

TYPES: Final = (
    "Ready",
    "Live",
    "ManifestValid",
    "Recording",
    "Agents",
    "Deferred",
    "Guarded",
    "Held",
    "Stalled",
)
_CONDITION: Final = re.compile(r"(condition=)?(?P<not>!)?(?P<type>[A-Za-z]+)")


@dataclass(frozen=True, slots=True)
class WaitCondition:
    """A condition that must be True (`Ready`), must not be (`!Ready`), or `delete`: no such room."""

    type: str = "Ready"
    negated: bool = False

    @property
    def deletes(self) -> bool:
        return self.type == "delete"

    def __str__(self) -> str:
        return f"!{self.type}" if self.negated else self.type


def parse_condition(text: str) -> WaitCondition:
    """`delete`, a type, `!Type` or `condition=Type`. ValueError says how to fix it."""
    if text == "delete":
        return WaitCondition("delete")
    matched = _CONDITION.fullmatch(text)
    if matched is None or matched["type"] not in TYPES:
        hint = suggestion(text, (*TYPES, "delete"), f"use {', '.join(TYPES)}, !TYPE or delete")
        raise ValueError(f"unknown condition {quote_excerpt(text)}; {hint}")
    return WaitCondition(matched["type"], negated=matched["not"] is not None)


@dataclass(frozen=True, slots=True)
class Target:
    """One room to wait for: `name` as shown; `spec` of its manifest, None if unknown."""

    name: str
    spec: RoomSpec | None = None


def pending_hold(condition: WaitCondition, target: Target, room: RoomStatus | None) -> str:
    """The hold that blocks a change of the room; '' if none does, or the condition is about no change."""
    held = room.condition("Held") if room is not None else None
    if room is None or held is None or held.status != "True" or condition.type in ("Held", "delete"):
        return ""
    ready = room.condition("Ready")
    waits = ready is not None and ready.reason == "Held"
    changed = target.spec is not None and room.record.spec != target.spec
    return held.message if waits or changed else ""


def unmet_reason(condition: WaitCondition, target: Target, room: RoomStatus | None) -> str:
    """Why the room does not meet `condition` yet; '' if it does."""
    if condition.deletes:
        return "" if room is None else "waiting for delete: the room still exists"
    problem = _unmet(condition, target, room)
    return f"waiting for {condition}: {problem}" if problem else ""


def _unmet(condition: WaitCondition, target: Target, room: RoomStatus | None) -> str:
    if room is None:
        return "room not found"
    record = room.record
    guard = room.condition("Guarded")
    if target.spec is not None and guard is not None and condition.type != guard.type:
        return "the controller has not read its manifest yet"
    if target.spec is not None and record.spec != target.spec:
        return "the manifest has not been applied yet"
    if record.status.observed_generation != record.generation:
        return f"generation {record.generation} has not been observed yet"
    return _condition(condition, room)


def _condition(condition: WaitCondition, room: RoomStatus) -> str:
    matches = room.condition(condition.type)
    away = next((c for c in room.conditions if c.reason == CONTROLLER_AWAY), None)
    if away is not None:
        return f"{condition.type} is Unknown ({CONTROLLER_AWAY}: {away.message})"
    if matches is None:
        return "" if condition.negated else f"no {condition.type} condition yet"
    if matches.status == ("False" if condition.negated else "True"):
        return ""
    message = f": {matches.message}" if matches.message else ""
    return f"{condition.type} is {matches.status} ({matches.reason}{message})"
