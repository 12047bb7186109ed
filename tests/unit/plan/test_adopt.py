"""A live room with our mark and an unknown name is taken over where its record has none listed."""

from controller.plan.model import Adopt, DeleteRetiredRoom
from tests.support.worlds import NOW, desired, kinds, live_room, manifest, only, planned, record

OTHER_STORE = "0" * 24


def test_a_lost_database_adopts_the_live_rooms() -> None:
    lost = record("a", live="x")
    plan = planned(desired(manifest("a")), (), (live_room(lost, store=OTHER_STORE),), {"x": 2})
    change = only(plan)
    assert kinds(change) == ["Create", "Adopt", "Repair"]
    assert (change.id, change.live_name, change.participants) == (lost.id, "x", 2)
    assert plan.orphans == frozenset()


def test_a_database_of_yesterday_adopts_todays_live_room() -> None:
    old = record("a", live="yesterday")
    change = only(planned(desired(manifest("a")), (old,), (live_room(old, "today"),)))
    assert change.actions == (Adopt("today"),)


def test_a_room_whose_current_name_is_listed_adopts_nothing() -> None:
    room = record("a", live="x")
    plan = planned(desired(manifest("a")), (room,), (live_room(room), live_room(room, "y")))
    assert plan.empty
    assert plan.orphans == {"y"}


def test_of_several_the_one_with_most_people_then_the_oldest() -> None:
    room = record("a")
    few = live_room(room, "few", num_participants=1, created_at=1)
    young = live_room(room, "young", num_participants=2, created_at=9)
    old = live_room(room, "old", num_participants=2, created_at=5)
    plan = planned(desired(manifest("a")), (room,), (few, young, old))
    assert only(plan).actions == (Adopt("old"),)
    assert plan.orphans == {"few", "young"}


def test_an_inactive_room_adopts_nothing() -> None:
    room = record("a", active=False)
    plan = planned(desired(manifest("a", active=False)), (room,), (live_room(room, "x"),))
    assert plan.empty
    assert plan.orphans == {"x"}


def test_a_retired_name_is_never_adopted() -> None:
    room = record("a", live="x").without_live_name(NOW)
    change = only(planned(desired(manifest("a")), (room,), (live_room(room, "x"),)))
    assert kinds(change) == ["Start", "DeleteRetiredRoom"]
    assert change.actions[1] == DeleteRetiredRoom("x")


def test_an_adopted_room_with_other_limits_is_replaced_only_when_it_is_empty() -> None:
    lost = record("a", live="x")
    there = live_room(lost, max_participants=3)
    full = only(planned(desired(manifest("a")), (), (there,), {"x": 1}))
    assert [type(action).__name__ for action in full.due] == ["Create", "Adopt"]
    empty = only(planned(desired(manifest("a")), (), (there,)))
    assert [type(action).__name__ for action in empty.due] == ["Create", "Adopt", "Recreate"]
