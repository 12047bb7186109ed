"""A saved plan allows only what it has: no other change, and no more people cut off."""

import json
from typing import Any

import pytest

from controller.plan.model import Plan
from controller.plan.saved import load, restrict, save
from tests.support.worlds import NOW, desired, live_room, manifest, planned, record

STORE = "feedfeedfeedfeedfeedfeed"
ROOM = record("a", live="x")


def stop(people: int) -> Plan:
    return planned(desired(manifest("a", active=False)), (ROOM,), (live_room(ROOM),), {"x": people})


def allowed(saved: Plan, now: Plan) -> list[str]:
    """The keys of the changes that are carried out."""
    plan, left = restrict(now, load(save(saved, STORE, NOW).encode(), STORE))
    assert {c.key for c in plan.changes} | {each.change.key for each in left} == {c.key for c in now.changes}
    return [change.key for change in plan.changes]


def test_what_was_shown_is_done() -> None:
    assert allowed(stop(2), stop(2)) == ["a"]
    assert allowed(stop(2), stop(0)) == ["a"]


def test_more_people_than_were_shown_are_not_cut_off() -> None:
    plan, left = restrict(stop(3), load(save(stop(2), STORE, NOW).encode(), STORE))
    assert (plan.changes, left[0].reason) == ((), "3 participants inside, and the saved plan says 2")


def test_a_room_that_was_not_shown_is_left_out() -> None:
    plan, left = restrict(stop(0), load(save(Plan(), STORE, NOW).encode(), STORE))
    assert (plan.changes, left[0].reason) == ((), "the saved plan does not have this change")


def test_another_value_of_a_field_is_another_change() -> None:
    def edit(**fields: Any) -> Plan:
        return planned(desired(manifest("a", **fields)), (ROOM,), (live_room(ROOM),), {"x": 0})

    assert allowed(edit(allow_chat=True), edit(allow_chat=True)) == ["a"]
    assert allowed(edit(allow_chat=True), edit(allow_chat=True, record=True)) == []
    assert allowed(edit(allow_chat=True, record=True), edit(allow_chat=True)) == []


def test_a_part_that_is_done_already_is_no_other_change() -> None:
    both = planned(desired(manifest("a")))
    start = planned(desired(manifest("a")), (record("a"),))
    assert [str(name) for name in start.changes[0].action_names] == ["start"]
    plan, left = restrict(start, load(save(both, STORE, NOW).encode(), STORE))
    assert (plan.changes, left[0].reason) == ((), "the saved plan has another change of this room")


def test_the_file_holds_no_id() -> None:
    text = save(stop(1), STORE, NOW)
    assert ROOM.id not in text
    assert STORE not in text


def test_a_plan_of_an_empty_database_is_of_the_one_that_was_made_since() -> None:
    assert load(save(Plan(), "", NOW).encode(), STORE).changes == {}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b"", "not a plan"),
        (b"[]", "not a plan"),
        (b'{"version": 1}', "not a plan"),
        (b"[" * 100_000, "not a plan"),
        (b"\xff\xfe", "not a plan"),
        (json.dumps({**json.loads(save(Plan(), STORE, NOW)), "version": 2}).encode(), "version 2"),
        (save(Plan(), "another", NOW).encode(), "another database"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(text: bytes, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        load(text, STORE)
