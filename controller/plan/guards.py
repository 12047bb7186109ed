"""Which removals are blocked, and which wait until the room is empty (docs/safety.md). Pure."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final

from controller.live.room import people_in
from controller.manifests.snapshot import RoomsDirState
from controller.plan.fields import disruption
from controller.plan.matching import Matching
from controller.plan.model import (
    Action,
    Deferrable,
    Finish,
    Observed,
    Refusal,
    Remove,
    RoomChange,
    Rules,
)
from controller.records.record import Origin

GUARDED_FROM: Final = 10
"""Below this many manifest rooms the share of missing ones says nothing."""
MISSING_AT_MOST: Final = 0.3
"""The share of manifest rooms that may be missing at once."""


def guarded(
    changes: Sequence[RoomChange], matching: Matching, observed: Observed, rules: Rules
) -> tuple[RoomChange, ...]:
    """The same changes, with every removal that is not safe refused, and why."""
    missing = [record.key for record in matching.gone]
    if not missing:
        return tuple(changes)
    total = sum(r.origin is Origin.MANIFEST and not r.removed for r in observed.records.values())
    refusal = _for_all(matching, observed, missing, total)
    gone = frozenset(missing)
    return tuple(_judged(change, refusal, gone, matching.blocked, rules) for change in changes)


def too_many(missing: int, total: int) -> bool:
    """Whether so many of the manifest rooms are missing that a mistake is likelier than a wish."""
    return total >= GUARDED_FROM and missing > MISSING_AT_MOST * total


def _for_all(matching: Matching, observed: Observed, missing: Collection[str], total: int) -> Refusal | None:
    """The refusal that holds for every missing room without leave to go."""
    if matching.blocked:
        return Refusal.SNAPSHOT
    if observed.desired.state is RoomsDirState.EMPTY:
        return Refusal.EMPTY
    return Refusal.TOO_MANY if too_many(len(missing), total) else None


def _judged(
    change: RoomChange, refusal: Refusal | None, gone: Collection[str], blocked: bool, rules: Rules
) -> RoomChange:
    if change.key not in gone or not any(isinstance(action, Remove) for action in change.actions):
        return change
    if blocked or change.key not in rules.leave:
        if refusal is not None:
            return replace(change, refused=refusal, deferred=False)
        if rules.gone_for.get(change.key, 0.0) < rules.settle:
            return replace(change, refused=Refusal.NOT_YET, deferred=False)
    return change if change.deferred else _removed_alone(change)


def _removed_alone(change: RoomChange) -> RoomChange:
    """A room that goes now is not healed first."""
    actions = tuple(action for action in change.actions if isinstance(action, Finish | Remove))
    reason = change.reason.rpartition("; ")[2]
    return replace(change, actions=actions, reason=reason, disruption=disruption(actions, ()))


def people_inside(name: str | None, observed: Observed) -> int | None:
    """How many people are in the live room `name`; None where nobody looked."""
    if name is None or name not in observed.live:
        return 0
    if name not in observed.people:
        return None
    return people_in(observed.live[name], observed.people[name])


def is_deferred(actions: Collection[Action], people: int | None) -> bool:
    """A prune or a recreate waits until the room is empty; one that nobody looked into may not be."""
    return any(isinstance(action, Deferrable) for action in actions) and people != 0
