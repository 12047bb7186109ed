"""Which removals are blocked, and which wait until the room is empty (docs/safety.md). Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from controller.access.people import Headcount, headcount
from controller.manifests.snapshot import RoomsDirState
from controller.plan.fields import disruption
from controller.plan.matching import Matching
from controller.plan.model import (
    BlockReason,
    Close,
    DeleteRetiredRoom,
    Observed,
    PlanInputs,
    Remove,
    RoomChange,
)
from controller.records.record import Origin
from controller.room import Disruption

MIN_ROOMS_FOR_GUARD: Final = 10
"""With fewer manifest rooms the share of missing ones is not checked."""
MAX_MISSING_FRACTION: Final = 0.3
"""The share of manifest rooms that may be missing at once."""


def apply_guards(
    changes: Sequence[RoomChange], matching: Matching, observed: Observed, inputs: PlanInputs
) -> tuple[RoomChange, ...]:
    """The same changes; unsafe removals are blocked, with the reason."""
    if not matching.gone:
        return tuple(changes)
    block_reason = _common_block_reason(matching, observed)
    return tuple(_guard_change(change, block_reason, inputs) for change in changes)


def guarded_rooms(changes: Sequence[RoomChange], observed: Observed) -> Mapping[str, BlockReason]:
    """By key, the rooms that a guard keeps although their manifest is gone. Ten seconds are not a guard."""
    if observed.desired.state in (RoomsDirState.MISSING, RoomsDirState.UNREADABLE):
        kept = (r.key for r in observed.records.values() if r.origin is Origin.MANIFEST and not r.removed)
        return dict.fromkeys(kept, BlockReason.NO_ROOMS_DIR)
    blocked = ((change.key, change.blocked_by) for change in changes)
    return {key: why for key, why in blocked if why is not None and why is not BlockReason.NOT_YET}


def too_many(missing: int, total: int) -> bool:
    """Whether so many manifest rooms are missing that it looks like a mistake."""
    return total >= MIN_ROOMS_FOR_GUARD and missing > MAX_MISSING_FRACTION * total


def _common_block_reason(matching: Matching, observed: Observed) -> BlockReason | None:
    """The reason that blocks every missing room whose removal is not approved."""
    if matching.blocked:
        return BlockReason.UNREAD_MANIFEST
    if observed.desired.state is RoomsDirState.EMPTY:
        return BlockReason.EMPTY
    total = sum(r.origin is Origin.MANIFEST and not r.removed for r in observed.records.values())
    return BlockReason.TOO_MANY if too_many(len(matching.gone), total) else None


def _guard_change(change: RoomChange, block_reason: BlockReason | None, inputs: PlanInputs) -> RoomChange:
    if not change.removes:
        return change
    if block_reason is BlockReason.UNREAD_MANIFEST or change.key not in inputs.approved_removals:
        if block_reason is not None:
            return _blocked(change, block_reason)
        if inputs.missing_for_seconds.get(change.key, 0.0) < inputs.prune_grace_seconds:
            return _blocked(change, BlockReason.NOT_YET)
    return change if change.deferred or change.hold is not None else _removed_alone(change)


def _blocked(change: RoomChange, reason: BlockReason) -> RoomChange:
    """Only its removal is blocked: a room whose open hours are over closes, once it is empty."""
    closes = any(isinstance(action, Close) for action in change.actions)
    return replace(change, blocked_by=reason, deferred=change.deferred and closes)


def _removed_alone(change: RoomChange) -> RoomChange:
    """A room that is removed now is not healed first."""
    actions = tuple(action for action in change.actions if isinstance(action, DeleteRetiredRoom | Remove))
    reason = change.reason.rpartition("; ")[2]
    cut_off = Disruption.DISCONNECTS if change.ingress else disruption(actions, ())
    return replace(change, actions=actions, reason=reason, disruption=cut_off)


def people_inside(name: str | None, observed: Observed) -> Headcount | None:
    """How many are in the live room `name`; None if unknown."""
    if name is None or name not in observed.live:
        return Headcount()
    if name not in observed.people:
        return None
    return headcount(observed.live[name], observed.people[name])
