"""Who counts as a person inside a room. Pure."""

from collections.abc import Collection

from controller.live.room import LiveRoom, Participant


def is_person(one: Participant) -> bool:
    """Counts for deferral and limits: hidden ones too; agents, egress, recorders and who is gone not."""
    return not one.gone and one.kind not in ("AGENT", "EGRESS") and not one.recorder


def people_in(room: LiveRoom | None, inside: Collection[Participant]) -> int:
    """How many people are inside: who is listed there, or `unlisted`."""
    return sum(is_person(one) for one in inside) or unlisted(room, inside)


def unlisted(room: LiveRoom | None, inside: Collection[Participant]) -> int:
    """How many people the room counts while nobody is listed inside.

    A Redis that lost its data lists nobody of those who were inside and stay there (measured). The number
    lags, so a room may seem occupied for seconds after the last has left: cutting people off would be worse.
    """
    if room is None or any(is_person(one) or one.gone for one in inside):
        return 0
    return room.num_participants
