"""Rooms that seem to have moved: removed under one key, and created under another. Pure.

A file that moves gets a new key, and with it a new id and new links, unless its manifest keeps the old key.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from controller.plan.model import Create, RoomChange
from controller.room import RoomSpec, field_changes, redact_key

MAX_DIFFERENT_FIELDS = 2
"""In so many fields the two specs may differ."""
MAX_COMPARED = 100_000
"""Pairs of rooms that are compared at most; beyond that only equal names and equal specs are found."""


@dataclass(frozen=True, slots=True)
class Move:
    """A room that is removed, the room that takes its place, and the line that keeps the id."""

    removed: RoomChange
    created: RoomChange
    file: str

    @property
    def advice(self) -> str:
        """What to write, and where."""
        return f"write `key: {redact_key(self.removed.key)}` into {self.file} to keep the room's id and links"


def find_moves(changes: Sequence[RoomChange]) -> list[Move]:
    """Each removed room with the created one that is most like it; none is taken twice."""
    removed = [change for change in changes if change.removes and change.record is not None]
    created = {
        change.key: action for change in changes for action in change.actions if isinstance(action, Create)
    }
    by_key = {change.key: change for change in changes}
    moves: list[Move] = []
    few = len(removed) * len(created) <= MAX_COMPARED
    for change in removed:
        if (twin := _most_alike(_spec(change), created, few=few)) is not None:
            moves.append(Move(change, by_key[twin], created.pop(twin).manifest.file))  # noqa: PERF401 - takes it
    return moves


def with_moves(changes: Sequence[RoomChange], moves: Sequence[Move]) -> tuple[RoomChange, ...]:
    """The same changes; those of moved rooms name each other."""
    to = {move.removed.key: move for move in moves}
    come_from = {move.created.key: move for move in moves}
    return tuple(_marked(change, to.get(change.key), come_from.get(change.key)) for change in changes)


def _marked(change: RoomChange, leaves: Move | None, comes: Move | None) -> RoomChange:
    if leaves is not None:
        why = f"moved to {leaves.created.key}? {leaves.advice}"
        return replace(change, reason=f"{change.reason}; {why}", moved_to=leaves.created.key)
    if comes is not None:
        why = f"moved from {redact_key(comes.removed.key)}? {comes.advice}"
        return replace(change, reason=f"{change.reason}; {why}", moved_from=comes.removed.key)
    return change


def _spec(change: RoomChange) -> RoomSpec:
    if change.record is None:
        raise ValueError("a room that is removed has a record")
    return change.record.spec


def _most_alike(spec: RoomSpec, created: Mapping[str, Create], *, few: bool) -> str | None:
    """The key of the new room with the fewest different fields, of those that may be the same room."""
    candidates = _candidates(spec, created, few=few)
    return min(candidates, default=(0, None))[1]


def _candidates(spec: RoomSpec, created: Mapping[str, Create], *, few: bool) -> Iterator[tuple[int, str]]:
    for key, action in created.items():
        other = action.manifest.spec
        if not few and other.name != spec.name:
            continue
        different = len(field_changes(spec, other))
        if different <= MAX_DIFFERENT_FIELDS or other.name == spec.name:
            yield different, key
