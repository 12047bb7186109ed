"""Who counts as a person inside a room, and what for (docs/access.md#who-counts). Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from controller.live.room import LiveRoom, Participant
from controller.text import pluralize


@dataclass(frozen=True, slots=True)
class Counts:
    """What participants of one kind count for.

    `seat`: toward max_participants. `starts_services`: they start and hold a recording or an agent.
    `delays_recreate` and `delays_removal`: these wait until such participants have left.
    """

    seat: bool = True
    starts_services: bool = True
    delays_recreate: bool = True
    delays_removal: bool = True


PERSON: Final = Counts()
"""STANDARD, SIP (phone callers), and every kind that is not named here."""
INGRESS: Final = Counts(starts_services=False, delays_removal=False)
HIDDEN: Final = Counts(starts_services=False)
SERVICE: Final = Counts(seat=False, starts_services=False, delays_recreate=False, delays_removal=False)
"""Agents, egress and recorders. Those who are gone count as little."""

_KINDS: Final = {"AGENT": SERVICE, "EGRESS": SERVICE, "INGRESS": INGRESS}


def counts(one: Participant) -> Counts:
    """What this participant counts for."""
    if one.gone or one.recorder:
        return SERVICE
    kind = _KINDS.get(one.kind, PERSON)
    return HIDDEN if kind is PERSON and one.permission.hidden else kind


def is_person(one: Participant) -> bool:
    """Whether one takes a seat, and is counted where people are counted."""
    return counts(one).seat


def is_ingress(one: Participant) -> bool:
    """Whether one is a stream from outside, which is counted apart."""
    return counts(one) is INGRESS


def starts_services(one: Participant) -> bool:
    """Whether one starts and holds a recording or an agent."""
    return counts(one).starts_services


@dataclass(frozen=True, slots=True)
class Headcount:
    """How many are inside a room: `people`, and besides them `ingress` streams."""

    people: int = 0
    ingress: int = 0

    @property
    def seats(self) -> int:
        return self.people + self.ingress

    @property
    def inside(self) -> str:
        """`2 participants inside`; `2 inside, 1 ingress` if there are others; `1 ingress inside`."""
        if not self.ingress:
            return f"{pluralize(self.people, 'participant')} inside"
        ingress = f"{self.ingress} ingress"
        return f"{self.people} inside, {ingress}" if self.people else f"{ingress} inside"

    def __str__(self) -> str:
        """`2 participants`, `2 participants and 1 ingress`, `1 ingress`."""
        if not self.ingress:
            return pluralize(self.people, "participant")
        ingress = f"{self.ingress} ingress"
        return f"{pluralize(self.people, 'participant')} and {ingress}" if self.people else ingress


def headcount(room: LiveRoom | None, inside: Collection[Participant]) -> Headcount:
    """How many are inside: the listed ones, or `unlisted`."""
    ingress = sum(map(is_ingress, inside))
    return Headcount(sum(map(is_person, inside)) - ingress or unlisted(room, inside), ingress)


def people_in(room: LiveRoom | None, inside: Collection[Participant]) -> int:
    """How many seats are taken: by the listed ones, or `unlisted`."""
    return headcount(room, inside).seats


def people_to_wait_for(room: LiveRoom | None, inside: Collection[Participant], *, removal: bool) -> int:
    """How many make a removal of the room, or else a recreate, wait."""
    here = sum(counts(one).delays_removal if removal else counts(one).delays_recreate for one in inside)
    return here or unlisted(room, inside)


def unlisted(room: LiveRoom | None, inside: Collection[Participant]) -> int:
    """How many people the room counts, if it lists none.

    A Redis that lost its data does not list people who are still inside (measured). The number lags, so a
    room may seem occupied for seconds after the last one has left: disconnecting people would be worse.
    """
    if room is None or any(is_person(one) or one.gone for one in inside):
        return 0
    return room.num_participants
