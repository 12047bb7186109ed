"""Who must leave a room: the kicked, and those who sit on reserved seats."""

import pytest

from controller.access.occupancy import Removal, RemovalReason, removals, unreserved_seats
from controller.live.room import Participant, Permission
from controller.room import RoomSpec

SPEC = RoomSpec(name="Room", max_participants=3, reserved_seats=2)
OPEN = RoomSpec(name="Room", max_participants=3)


def guest(identity: str, joined_at: int = 0, **fields: object) -> Participant:
    return Participant(identity, f"PA_{identity}", joined_at=joined_at, **fields)  # type: ignore[arg-type]


def invited(identity: str, joined_at: int = 0, *, may_write: bool = False) -> Participant:
    permission = Permission(can_update_metadata=may_write)
    return guest(identity, joined_at, attributes={"seat": "reserved"}, permission=permission)


def identities(found: list[Removal]) -> list[str]:
    return [removal.identity for removal in found]


def test_without_reserved_seats_everyone_stays() -> None:
    assert removals([guest(f"g{n}") for n in range(9)], OPEN, 3, ()) == []


def test_those_without_a_proof_who_came_last_leave() -> None:
    inside = [guest("late", 3), guest("first", 1), guest("second", 2), invited("speaker", 0)]
    assert removals(inside, SPEC, 3, ()) == [
        Removal("second", RemovalReason.SEAT),
        Removal("late", RemovalReason.SEAT),
    ]


def test_invited_participants_stay_however_many_they_are() -> None:
    assert removals([invited(f"i{n}", n) for n in range(5)], SPEC, 3, ()) == []


def test_attribute_that_its_holder_may_write_keeps_no_seat() -> None:
    assert identities(removals([guest("first", 1), invited("liar", 2, may_write=True)], SPEC, 3, ())) == [
        "liar"
    ]


def test_agents_and_recorders_take_no_seat() -> None:
    inside = [guest("agent", 1, kind="AGENT"), guest("recorder", 1, recorder=True), guest("first", 2)]
    assert removals(inside, SPEC, 3, ()) == []


@pytest.mark.parametrize(("live_limit", "seats"), [(0, 1), (3, 1), (2, 0), (9, 1)])
def test_the_smaller_limit_counts(live_limit: int, seats: int) -> None:
    assert unreserved_seats(SPEC, live_limit) == seats


def test_kicked_participants_leave_and_free_their_seats() -> None:
    inside = [guest("bad", 1), guest("good", 2), guest("agent", 1, kind="AGENT")]
    assert removals(inside, SPEC, 3, {"bad", "agent", "absent"}) == [Removal("bad", RemovalReason.KICKED)]
