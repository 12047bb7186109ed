"""Rooms that seem to have moved: removed under one key, and created under another. Pure.

A file that moves gets a new key, and with it a new id and new links, unless its manifest keeps the old key.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from operator import ne
from typing import Any, NamedTuple

from controller.plan.model import Create, RoomChange
from controller.room import RoomSpec, redact_key

MAX_DIFFERENT_FIELDS = 2
"""In so many fields the two specs may differ."""
MAX_COMPARED = 100_000
"""Pairs of rooms that are compared at most; beyond that only those with equal names."""


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


class _NewRoom(NamedTuple):
    """A room that is created; `values` are those of its spec."""

    change: RoomChange
    file: str
    name: str
    values: tuple[Any, ...]


def find_moves(changes: Sequence[RoomChange]) -> list[Move]:
    """Each removed room with the created one that is most like it; none is taken twice.

    This runs in each pass: specs are compared as tuples, and among many rooms only those of one name.
    """
    removed = [
        (change, change.record.spec) for change in changes if change.removes and change.record is not None
    ]
    created = [
        _NewRoom(change, action.manifest.file, action.manifest.spec.name, _values(action.manifest.spec))
        for change in changes
        if removed
        for action in change.actions
        if isinstance(action, Create)
    ]
    by_name: dict[str, list[_NewRoom]] = defaultdict(list)
    for room in created:
        by_name[room.name].append(room)
    few, taken, moves = len(removed) * len(created) <= MAX_COMPARED, set[str](), list[Move]()
    for change, spec in removed:
        free = (room for room in (created if few else by_name[spec.name]) if room.change.key not in taken)
        if (twin := _most_alike(spec, islice(free, MAX_COMPARED // len(removed) or 1))) is not None:
            taken.add(twin.change.key)
            moves.append(Move(change, twin.change, twin.file))
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


def _most_alike(spec: RoomSpec, candidates: Iterable[_NewRoom]) -> _NewRoom | None:
    """The new room with the fewest different fields, of those that may be the same room."""
    values = _values(spec)
    counted = ((sum(map(ne, values, room.values)), room) for room in candidates)
    alike = (each for each in counted if each[0] <= MAX_DIFFERENT_FIELDS or each[1].name == spec.name)
    return min(alike, key=lambda each: (each[0], each[1].change.key), default=(0, None))[1]


def _values(spec: RoomSpec) -> tuple[Any, ...]:
    return tuple(spec.as_dict().values())
