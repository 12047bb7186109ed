"""Whose a live room is: retired, orphan or foreign. What is foreign is in no answer."""

from datetime import timedelta

import pytest

from controller.live.room import LiveRoom
from controller.plan.model import (
    DeleteOrphan,
    DeleteRetiredRoom,
    DeleteTombstonedRoom,
    Observed,
    PruneRetiredNames,
    PurgeTombstone,
)
from controller.plan.ownership import classify_rooms
from controller.records.record import UnusableReason, UnusableRecord
from tests.support.worlds import NOW, STORE, desired, live_room, manifest, only, plan_inputs, planned, record

HOUR = timedelta(hours=1)


def test_a_room_under_a_retired_name_is_deleted_whoever_is_inside() -> None:
    room = record("a", live="old").with_live_name("new", NOW).with_sid("RM_new")
    plan = planned(desired(manifest("a")), (room,), (live_room(room), live_room(room, "old")), {"old": 4})
    assert only(plan).actions == (DeleteRetiredRoom("old"),)
    assert only(plan).due == (DeleteRetiredRoom("old"),)


def test_a_retired_name_is_kept_for_an_hour_and_as_long_as_it_is_listed() -> None:
    room = record("a", live="old").with_live_name("new", NOW).with_sid("RM_new")
    wanted, live = desired(manifest("a")), (live_room(room),)
    early = planned(wanted, (room,), live, now=NOW + HOUR - timedelta(milliseconds=1))
    assert early.chores == ()
    listed = planned(wanted, (room,), (*live, live_room(room, "old")), now=NOW + HOUR)
    assert not any(isinstance(chore, PruneRetiredNames) for chore in listed.chores)
    late = planned(wanted, (room,), live, now=NOW + HOUR)
    assert late.chores == (PruneRetiredNames(room, frozenset({"old"})),)
    assert late.empty


def test_a_tombstones_room_is_buried_and_the_tombstone_dropped_after_an_hour() -> None:
    gone = record("a", live="x").with_tombstone(NOW)
    keep = record("b", active=False)
    wanted = desired(manifest("b", active=False))
    assert planned(wanted, (gone, keep), (live_room(gone, "x"),)).chores == (DeleteTombstonedRoom(gone, "x"),)
    assert planned(wanted, (gone, keep)).chores == ()
    assert planned(wanted, (gone, keep), now=NOW + HOUR).chores == (PurgeTombstone(gone),)
    later = planned(wanted, (gone, keep), (live_room(gone, "x"),), now=NOW + HOUR)
    assert later.chores == (DeleteTombstonedRoom(gone, "x"),)


def test_an_orphan_goes_only_once_it_is_ripe() -> None:
    keep, lost = record("b", active=False), record("a")
    wanted, live = desired(manifest("b", active=False)), (live_room(lost, "x"),)
    assert planned(wanted, (keep,), live).chores == ()
    assert planned(wanted, (keep,), live).orphans == {"x"}
    assert planned(wanted, (keep,), live, ripe_orphans=frozenset({"x"})).chores == (DeleteOrphan("x"),)


def test_the_live_room_of_a_damaged_record_is_no_orphan() -> None:
    keep, lost = record("b", active=False), record("a")
    wanted, live = desired(manifest("b", active=False)), (live_room(lost, "x"),)
    damaged = UnusableRecord(lost, UnusableReason.RECORD_DAMAGED, {"spec": 7})
    plan = planned(wanted, (keep,), live, unusable=[damaged], ripe_orphans=frozenset({"x"}))
    assert (plan.orphans, plan.chores) == (frozenset(), ())


@pytest.mark.parametrize(
    "metadata",
    [
        "",
        "{}",
        "[]",
        "roomctl/",
        '{"managed_by":"roomctl/default"}',
        '{"managed_by":"roomctl/default","store":1,"room_id":"x"}',
        f'{{"managed_by":"roomctl/other","store":"{STORE}","room_id":"{record("a").id}"}}',
        f'{{"managed_by":"roomctl/defaults","store":"{STORE}","room_id":"{record("a").id}"}}',
        '{"managed_by":"roomctl/default","store":"another","room_id":"000000000000000000000000"}',
        "[" * 100_000 + "roomctl/",
    ],
)
def test_what_is_foreign_is_no_drift(metadata: str) -> None:
    room = record("a", live="x")
    foreign = LiveRoom("theirs", "RM_1", metadata)
    ripe = frozenset({"theirs"})
    plan = planned(desired(manifest("a")), (room,), (live_room(room), foreign), ripe_orphans=ripe)
    assert (plan.changes, plan.chores, plan.orphans) == ((), (), frozenset())


def test_a_listing_of_current_names_alone_needs_no_sorting() -> None:
    room = record("a", live="x")
    observed = Observed(desired(), {room.id: room}, {"x": live_room(room)})
    assert classify_rooms(observed, plan_inputs()).unknown == {}
