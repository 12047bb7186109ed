"""What may not be removed, and why."""

import pytest

from controller.manifests.snapshot import ManifestError, RoomsDirState
from controller.plan.guards import too_many
from controller.plan.model import ActionName, BlockReason, Heal, Remove
from controller.plan.planner import REMOVED
from tests.support.worlds import World, by_api, desired, grown, live_room, manifest, only, planned, record

BAD_NEW = ManifestError("new.yaml", "it is wrong", None, "new")


def test_a_room_whose_manifest_is_gone_is_removed() -> None:
    gone, keep = record("a", live="x"), record("b", active=False)
    change = only(planned(desired(manifest("b", active=False)), (gone, keep), (live_room(gone),)))
    assert (change.actions, change.reason) == ((Remove(),), REMOVED)
    assert change.action_names == (ActionName.REMOVE,)


def test_it_is_removed_alone_even_where_its_live_room_vanished() -> None:
    gone, keep = record("a", live="x"), record("b", active=False)
    assert only(planned(desired(manifest("b", active=False)), (gone, keep))).actions == (Remove(),)


def test_a_room_made_by_api_is_never_pruned() -> None:
    room, keep = by_api(record("a", active=False)), record("b", active=False)
    assert planned(desired(manifest("b", active=False)), (room, keep)).empty


@pytest.mark.parametrize(
    ("missing", "total", "refused"),
    [
        (9, 9, False),
        (3, 10, False),
        (4, 10, True),
        (3, 11, False),
        (4, 13, True),
        (4, 14, False),
        (5, 14, True),
    ],
)
def test_the_share_that_may_be_missing(missing: int, total: int, refused: bool) -> None:
    assert too_many(missing, total) is refused


def without(world: World, count: int) -> World:
    for key in sorted(world.manifests)[:count]:
        del world.manifests[key]
    return world


def test_beyond_it_none_goes() -> None:
    plan = without(grown(20), 7).plan()
    assert {change.blocked_by for change in plan.changes} == {BlockReason.TOO_MANY}
    assert not any(change.due for change in plan.changes)
    assert plan.counts()[ActionName.REMOVE] == 7


def test_with_leave_those_go_that_it_names() -> None:
    world = without(grown(20), 8)
    leave = frozenset(sorted(world.records[i].key for i in world.records)[:7])
    plan = world.plan(approved_removals=leave)
    assert {c.key for c in plan.changes if c.due} == leave
    assert [c.blocked_by for c in plan.changes if not c.due] == [BlockReason.TOO_MANY]


def test_an_empty_folder_removes_nothing_without_leave() -> None:
    world = without(grown(2), 2)
    assert {change.blocked_by for change in world.plan().changes} == {BlockReason.EMPTY}
    plan = world.plan(approved_removals=frozenset({"r00"}), prune_grace_seconds=10.0)
    assert [change.key for change in plan.changes if change.due] == ["r00"]


@pytest.mark.parametrize("state", [RoomsDirState.MISSING, RoomsDirState.UNREADABLE])
def test_a_folder_that_is_away_changes_nothing_and_its_rooms_are_healed(state: RoomsDirState) -> None:
    world = grown(3)
    world.state = state
    assert world.plan().empty
    assert world.plan().unchanged == 3
    world.vanish("live-1")
    assert only(world.plan()).actions == (Heal("live-1"),)


def test_while_an_error_stands_for_no_room_on_record_nothing_goes_leave_or_not() -> None:
    world = without(grown(3), 1)
    world.errors = [BAD_NEW]
    for leave in (frozenset[str](), frozenset({"r00"})):
        change = only(world.plan(approved_removals=leave))
        assert (change.blocked_by, change.due) == (BlockReason.UNREAD_MANIFEST, ())


def test_an_error_in_a_file_of_other_rooms_stands_for_no_room_where_those_are_right() -> None:
    world = without(grown(3), 1)
    world.errors = [ManifestError("r01.yaml", "a second document has no key", None, None)]
    assert only(world.plan()).blocked_by is BlockReason.UNREAD_MANIFEST


def test_an_error_that_stands_for_a_room_holds_back_no_other_removal() -> None:
    world = without(grown(4), 2)
    world.errors = [ManifestError("r01.yaml", "it is wrong", None, "r01")]
    assert [(c.key, c.due) for c in world.plan().changes] == [("r00", (Remove(),))]


def test_gone_means_gone_for_a_while() -> None:
    world = without(grown(3), 1)
    for missing_for_seconds in ({}, {"r00": 9.9}):
        assert (
            only(world.plan(prune_grace_seconds=10.0, missing_for_seconds=missing_for_seconds)).blocked_by
            is BlockReason.NOT_YET
        )
    assert only(world.plan(prune_grace_seconds=10.0, missing_for_seconds={"r00": 10.0})).due == (Remove(),)


def test_a_room_that_may_not_go_is_in_full_service() -> None:
    world = without(grown(2), 2)
    world.vanish("live-1")
    plan = world.plan()
    assert [change.due for change in plan.changes] == [(Heal("live-1"),), ()]
    world.converge(plan)
    assert "live-1" in world.live
    assert not any(change.due for change in world.plan().changes)


def test_tombstones_and_rooms_made_by_api_do_not_count() -> None:
    world = without(grown(10), 3)
    assert all(change.due for change in world.plan().changes)
    world.run_until_stable()
    assert sum(not room.removed for room in world.records.values()) == 7
    without(world, 4)
    assert all(change.due for change in world.plan().changes)
