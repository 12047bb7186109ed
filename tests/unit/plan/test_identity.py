"""Ids never change; a room is taken over by its id, and comes back from its tombstone."""

from dataclasses import replace
from datetime import timedelta

from controller.manifests.snapshot import ManifestError
from controller.plan.model import BlockReason, PruneRetiredNames
from controller.room import room_id
from tests.support.worlds import (
    ID_KEY,
    NOW,
    by_api,
    desired,
    kinds,
    live_room,
    manifest,
    only,
    planned,
    record,
)

ROOM = record("a", live="x")
LIVE = (live_room(ROOM),)
OTHER = "0123456789abcdef01234567"


def test_an_id_that_differs_from_the_records_is_an_error_and_the_room_stays() -> None:
    plan = planned(desired(manifest("a", pinned=OTHER)), (ROOM,), LIVE)
    (error,) = plan.invalid
    assert "a room's id never changes; write it under a new key" in error.message
    assert (error.file, error.key, error.position and error.position.line) == ("a.yaml", "a", 2)
    assert plan.empty
    assert plan.stale == {"a": error}


def test_the_id_it_has_may_be_written_down() -> None:
    assert planned(desired(manifest("a", pinned=ROOM.id)), (ROOM,), LIVE).empty


def test_an_id_that_another_room_holds_names_its_owner() -> None:
    plan = planned(desired(manifest("a"), manifest("b", pinned=ROOM.id)), (ROOM,), LIVE)
    (error,) = plan.invalid
    assert "already used by the room a (a.yaml)" in error.message
    assert plan.empty


def test_an_api_room_that_holds_a_derived_id_is_named_without_its_id() -> None:
    room = by_api(record("b", active=False))
    (error,) = planned(desired(manifest("b")), (room,)).invalid
    assert f"already used by the room api/{room.id[:6]}" in error.message
    assert room.id not in error.message


def test_a_new_key_with_the_id_of_a_room_whose_manifest_is_gone_takes_it_over_live_room_and_all() -> None:
    plan = planned(desired(manifest("b", pinned=ROOM.id)), (ROOM,), LIVE, {"x": 5})
    change = only(plan)
    assert kinds(change) == ["Update"]
    assert (change.key, change.id, change.record) == ("b", ROOM.id, ROOM)
    assert change.reason == "takes over an existing room with this id"


def test_a_room_that_moved_by_its_id_moves_back_without_it() -> None:
    """As a revert of the commit does: the id was made from this key."""
    moved = replace(ROOM, key="b", file="b.yaml")
    change = only(planned(desired(manifest("a")), (moved,), LIVE, {"x": 5}))
    assert (change.key, change.id, kinds(change)) == ("a", ROOM.id, ["Update"])
    again = only(planned(desired(manifest("a")), (moved.with_tombstone(NOW),)))
    assert (again.key, again.id, kinds(again)) == ("a", ROOM.id, ["Create", "Start"])


def test_a_room_whose_manifest_is_wrong_is_not_taken_over() -> None:
    wrong = ManifestError("a.yaml", "it is wrong", None, None)
    plan = planned(desired(manifest("b", pinned=ROOM.id), errors=(wrong,)), (ROOM,), LIVE)
    assert plan.empty
    assert len(plan.invalid) == 2


def test_two_manifests_that_come_to_one_id_are_both_refused() -> None:
    twin = manifest("b", pinned=room_id("a", ID_KEY))
    plan = planned(desired(manifest("a"), twin, manifest("c")))
    assert [change.key for change in plan.changes] == ["c"]
    assert {error.file for error in plan.invalid} == {"a.yaml", "b.yaml"}
    assert all("a, b have the same id" in error.message for error in plan.invalid)


def test_two_that_would_take_one_room_over_leave_it_where_it_is() -> None:
    wanted = desired(manifest("b", pinned=ROOM.id), manifest("c", pinned=ROOM.id))
    change = only(planned(wanted, (ROOM,), LIVE))
    assert (change.key, change.blocked_by) == ("a", BlockReason.UNREAD_MANIFEST)


def test_a_manifest_that_comes_back_revives_its_room_under_a_new_name_with_its_id() -> None:
    tombstone = ROOM.with_tombstone(NOW)
    change = only(planned(desired(manifest("a")), (tombstone,)))
    assert kinds(change) == ["Create", "Start"]
    assert (change.id, change.record, change.reason) == (
        ROOM.id,
        tombstone,
        "manifest added again; room is active",
    )
    assert all(field.before is None for field in change.fields)


def test_the_name_it_had_is_deleted_not_taken_up_again() -> None:
    tombstone = ROOM.with_tombstone(NOW)
    plan = planned(desired(manifest("a")), (tombstone,), LIVE)
    assert kinds(only(plan)) == ["Create", "Start", "DeleteRetiredRoom"]
    assert plan.chores == ()


def test_a_revived_tombstone_is_not_dropped_in_the_same_pass() -> None:
    tombstone = ROOM.with_tombstone(NOW - timedelta(hours=2))
    chores = planned(desired(manifest("a")), (tombstone,)).chores
    assert chores == (PruneRetiredNames(tombstone, frozenset({"x"})),)


def test_a_tombstone_is_revived_under_a_new_key_by_its_id() -> None:
    tombstone = ROOM.with_tombstone(NOW)
    change = only(planned(desired(manifest("b", pinned=ROOM.id)), (tombstone,)))
    assert (change.key, change.id, kinds(change)) == ("b", ROOM.id, ["Create", "Start"])
