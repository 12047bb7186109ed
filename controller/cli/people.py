"""The people inside a room, as verbs show them."""

from datetime import UTC, datetime
from typing import Any, Final

from controller.access.policy import has_reserved_seat, role_of
from controller.live.room import Participant
from controller.room import format_time
from controller.text import format_age

HEADER: Final = ("IDENTITY", "NAME", "KIND", "ROLE", "SINCE", "PUBLISHES")


def person_row(each: Participant, now: datetime) -> tuple[str, ...]:
    """The cells of one participant, in the order of HEADER."""
    since = format_age(now.timestamp() - each.joined_at / 1000)
    publishes = ", ".join(track.source.lower() for track in each.tracks) or "-"
    return (
        each.identity,
        each.name or each.agent or "-",
        each.kind.lower(),
        role_of(each) or "-",
        since,
        publishes,
    )


def person_dict(each: Participant) -> dict[str, Any]:
    """One participant as JSON."""
    return {
        "identity": each.identity,
        "name": each.name,
        "kind": each.kind,
        "role": role_of(each),
        "reserved_seat": has_reserved_seat(each),
        "since": format_time(datetime.fromtimestamp(each.joined_at / 1000, UTC)),
        "publishes": [track.source for track in each.tracks],
    }
