"""Who counts as a person inside a room. Pure."""

from collections.abc import Collection

from controller.live.room import LiveRoom, Participant


def is_person(one: Participant) -> bool:
    """Whether one counts for deferral and limits. Agents, egress, recorders and gone ones do not."""
    return not one.gone and one.kind not in ("AGENT", "EGRESS") and not one.recorder


def people_in(room: LiveRoom | None, inside: Collection[Participant]) -> int:
    """How many people are inside: the listed ones, or `unlisted`."""
    return sum(is_person(one) for one in inside) or unlisted(room, inside)


def unlisted(room: LiveRoom | None, inside: Collection[Participant]) -> int:
    """How many people the room counts, if it lists none.

    A Redis that lost its data does not list people who are still inside (measured). The number lags, so a
    room may seem occupied for seconds after the last one has left: disconnecting people would be worse.
    """
    if room is None or any(is_person(one) or one.gone for one in inside):
        return 0
    return room.num_participants
