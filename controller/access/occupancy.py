"""Which participants to remove: kicked ones, and those on reserved seats without a proof. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from controller.access.people import is_person
from controller.access.policy import has_reserved_seat
from controller.live.room import Participant
from controller.room import RoomSpec


class RemovalReason(StrEnum):
    """Why a participant is removed, as text."""

    KICKED = "kicked"
    SEAT = "the seat is reserved"


@dataclass(frozen=True, slots=True)
class Removal:
    """One participant to remove."""

    identity: str
    reason: RemovalReason


def unreserved_seats(spec: RoomSpec, live_limit: int) -> int:
    """How many participants without a proof may be inside; `live_limit` is the LiveKit room's, 0 for none."""
    return min(spec.max_participants, live_limit or spec.max_participants) - spec.reserved_seats


def removals(
    inside: Collection[Participant], spec: RoomSpec, live_limit: int, kicked: Collection[str]
) -> list[Removal]:
    """The kicked ones, and, if there are too many without a proof, the last of these who joined."""
    people = [one for one in inside if is_person(one)]
    staying = [one for one in people if one.identity not in kicked]
    return [
        *(Removal(one.identity, RemovalReason.KICKED) for one in people if one.identity in kicked),
        *(Removal(one.identity, RemovalReason.SEAT) for one in _unseated(staying, spec, live_limit)),
    ]


def _unseated(people: Collection[Participant], spec: RoomSpec, live_limit: int) -> Sequence[Participant]:
    if not spec.reserved_seats:
        return ()
    unproven = (one for one in people if not has_reserved_seat(one))
    by_arrival = sorted(unproven, key=lambda one: (one.joined_at, one.sid))
    return by_arrival[max(0, unreserved_seats(spec, live_limit)) :]
