"""Who counts, and for what: the table of docs/access.md#who-counts."""

from dataclasses import astuple

import pytest

from controller.access.people import Headcount, counts, headcount, people_to_wait_for
from controller.live.room import LiveRoom, Participant, Permission

ALL, NOTHING = (True, True, True, True), (False, False, False, False)
UNSEEN = Permission(hidden=True)


@pytest.mark.parametrize(
    ("one", "wanted"),
    [
        (Participant("a"), ALL),
        (Participant("a", kind="SIP"), ALL),
        (Participant("a", kind="CONNECTOR"), ALL),
        (Participant("a", kind="7"), ALL),
        (Participant("a", kind="INGRESS"), (True, False, True, False)),
        (Participant("a", kind="INGRESS", permission=UNSEEN), (True, False, True, False)),
        (Participant("a", permission=UNSEEN), (True, False, True, True)),
        (Participant("a", kind="AGENT"), NOTHING),
        (Participant("a", kind="AGENT", permission=UNSEEN), NOTHING),
        (Participant("a", kind="EGRESS"), NOTHING),
        (Participant("a", recorder=True), NOTHING),
        (Participant("a", gone=True), NOTHING),
    ],
)
def test_each_kind_counts_as_the_table_says(one: Participant, wanted: tuple[bool, ...]) -> None:
    """Takes a seat; starts and holds services; delays a recreate; delays a removal."""
    assert astuple(counts(one)) == wanted


def test_streams_are_counted_apart() -> None:
    people = [Participant("a"), Participant("b"), Participant("c", kind="INGRESS")]
    assert headcount(None, people) == Headcount(2, 1)
    texts = {each: each.inside for each in (Headcount(1), Headcount(2, 1), Headcount(0, 1), Headcount())}
    assert list(texts.values()) == [
        "1 participant inside",
        "2 inside, 1 ingress",
        "1 ingress inside",
        "0 participants inside",
    ]
    assert [str(each) for each in texts] == [
        "1 participant",
        "2 participants and 1 ingress",
        "1 ingress",
        "0 participants",
    ]


def test_a_counted_person_who_is_not_listed_is_waited_for() -> None:
    room = LiveRoom("x", "RM_1", num_participants=2)
    assert people_to_wait_for(room, [], removal=True) == 2
    assert people_to_wait_for(room, [Participant("c", kind="INGRESS")], removal=True) == 0
