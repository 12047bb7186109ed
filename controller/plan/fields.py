"""What changes in a spec, and what that does to people who are inside (docs/safety.md)."""

from collections.abc import Iterable

from controller.plan.metadata import policy_from_metadata
from controller.plan.model import Action, DeleteRetiredRoom, Stop
from controller.room import Disruption, FieldChange, RoomSpec


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
    if any(change.restricts for change in fields):
        return Disruption.RESTRICTS
    return Disruption.NONE
