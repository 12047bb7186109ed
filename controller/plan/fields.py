"""Which fields of a spec change, and the effect on the people inside (docs/safety.md)."""

from collections.abc import Collection, Iterable

from controller.access.occupancy import removals
from controller.access.policy import loses_rights
from controller.live.room import LiveRoom, Participant
from controller.plan.metadata import policy_from_metadata
from controller.plan.model import Action, Close, DeleteRetiredRoom, Stop
from controller.room import Disruption, FieldChange, MediaType, RoomSpec


def drift(metadata: str, after: RoomSpec) -> tuple[FieldChange, ...]:
    """Fields with another value in the live room: the record has changed, and the room not yet."""
    new = after.as_dict()
    published = policy_from_metadata(metadata)
    return tuple(
        FieldChange(field, published[field], new[field])
        for field in published
        if published[field] != new[field]
    )


def disruption(actions: Iterable[Action], fields: Iterable[FieldChange]) -> Disruption:
    """The class of the change, even if the room is empty."""
    if any(isinstance(action, Stop | Close | DeleteRetiredRoom) for action in actions):
        return Disruption.DISCONNECTS
    return Disruption.worst(change.disruption for change in fields)


def adoption_disruption(room: LiveRoom, inside: Collection[Participant], spec: RoomSpec) -> Disruption:
    """The class of taking over a room in which any rights were given, with these people inside."""
    if removals(inside, spec, room.max_participants, ()):
        return Disruption.DISCONNECTS
    narrowed = spec.mediaType is not MediaType.VIDEO_AUDIO
    if narrowed or any(loses_rights(someone, spec) for someone in inside):
        return Disruption.RESTRICTS
    return Disruption.NONE
