"""What changes in a spec, and what that does to people who are inside (docs/safety.md)."""

from collections.abc import Iterable
from typing import Any

from controller.plan.metadata import policy_from_metadata
from controller.plan.model import Action, DeleteRetiredRoom, Disruption, FieldChange, Stop
from controller.room import FIELDS, RoomSpec


def field_changes(before: RoomSpec | None, after: RoomSpec) -> tuple[FieldChange, ...]:
    """The fields that differ, in the reference's order; all of them, from None, where the room is new."""
    if before is after:
        return ()
    new = after.as_dict()
    old: dict[str, Any] = before.as_dict() if before is not None else dict.fromkeys(FIELDS)
    return tuple(
        FieldChange(field, old[field], new[field])
        for field in FIELDS
        if before is None or old[field] != new[field]
    )


def drift(metadata: str, after: RoomSpec) -> tuple[FieldChange, ...]:
    """What people inside were told otherwise: a change on record that was not carried to them yet."""
    new = after.as_dict()
    published = policy_from_metadata(metadata)
    return tuple(
        FieldChange(field, published[field], new[field])
        for field in published
        if published[field] != new[field]
    )


def disruption(actions: Iterable[Action], fields: Iterable[FieldChange]) -> Disruption:
    """The change's class, even if nobody is inside."""
    if any(isinstance(action, Stop | DeleteRetiredRoom) for action in actions):
        return Disruption.DISCONNECTS
    if any(_restricts(change) for change in fields):
        return Disruption.RESTRICTS
    return Disruption.NONE


def _restricts(change: FieldChange) -> bool:
    restricts = FIELDS[change.field].restricts
    return restricts is not None and change.before is not None and restricts(change.before, change.after)
