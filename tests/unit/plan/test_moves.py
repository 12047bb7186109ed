"""Rooms that were renamed or moved: noted at both, with the line that keeps the id."""

from typing import Any

from controller.plan.moves import MAX_COMPARED
from controller.plan.planner import REMOVED
from controller.plan.render import as_dict, as_text
from tests.support.worlds import NOW, desired, manifest, planned, record

OTHER: Any = {"name": "Other", "max_participants": 3, "active": False}
STAYS, THERE = manifest("b", **OTHER), record("b", **OTHER)
"""A room that stays: an empty directory removes nothing."""


def removed_and_created(*, before: dict[str, Any], after: dict[str, Any]) -> tuple[str, str]:
    """`moved_to` of the old room and `moved_from` of the new one."""
    old = record("old/a", active=False, **before)
    plan = planned(
        desired(manifest("new/a", active=False, **after), STAYS),
        (old, THERE),
    )
    by_key = {change.key: change for change in plan.changes}
    return by_key["old/a"].moved_to, by_key["new/a"].moved_from


def test_a_room_with_the_same_spec_has_moved() -> None:
    assert removed_and_created(before={}, after={}) == ("new/a", "old/a")


def test_two_other_fields_are_still_the_same_room() -> None:
    after = {"name": "New", "allow_chat": True}
    assert removed_and_created(before={"name": "Old"}, after=after) == ("new/a", "old/a")


def test_three_other_fields_are_another_room_unless_the_name_is_the_same() -> None:
    after = {"allow_chat": True, "allow_share_screen": True, "record": True}
    assert removed_and_created(before={"name": "Old"}, after={"name": "New", **after}) == ("", "")
    assert removed_and_created(before={}, after=after) == ("new/a", "old/a")


def test_both_rooms_say_which_line_keeps_the_id() -> None:
    plan = planned(
        desired(manifest("new/a"), STAYS),
        (record("old/a"), THERE),
    )
    first, second = (line for line in as_text(plan).splitlines() if line[:1] in ("+", "-"))
    line = "write `key: old/a` into new/a.yaml to keep the room's id and links"
    assert first == f"+ new/a: create, start (manifest added; room is active; moved from old/a? {line})"
    assert second == f"- old/a: remove ({REMOVED}; moved to new/a? {line})"
    changes = {change["key"]: change for change in as_dict(plan, NOW)["changes"]}
    assert changes["old/a"]["moved_to"] == "new/a"
    assert changes["new/a"]["moved_from"] == "old/a"
    assert "moved_to" not in changes["new/a"]


def test_of_two_removed_rooms_each_finds_its_own() -> None:
    old = [record(f"old/{name}", name=f"Room {name}") for name in "abc"]
    new = [manifest(f"new/{name}", name=f"Room {name}") for name in "cab"]
    plan = planned(desired(*new), tuple(old))
    assert {c.key: c.moved_to for c in plan.changes if c.moved_to} == {f"old/{n}": f"new/{n}" for n in "abc"}


def test_a_room_that_comes_without_one_that_goes_has_not_moved() -> None:
    assert all(not change.moved_from for change in planned(desired(manifest("a"))).changes)


def test_of_very_many_rooms_those_with_one_name_are_still_found() -> None:
    count = 400
    assert count * count > MAX_COMPARED
    old = [record(f"old/{n}", name=f"Room {n}", active=False) for n in range(count)]
    new = [manifest(f"new/{n}", name=f"Room {n}", active=False, allow_chat=True) for n in range(count)]
    plan = planned(desired(*new), tuple(old))
    assert {c.key: c.moved_to for c in plan.changes if c.moved_to} == {
        f"old/{n}": f"new/{n}" for n in range(count)
    }
