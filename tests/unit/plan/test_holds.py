"""What a held room needs waits; the room is served as its record has it."""

from datetime import timedelta

import pytest

from controller.plan.model import BlockReason, PruneExpired
from controller.plan.render import as_text
from controller.records.record import Hold
from controller.room import Disruption
from tests.support.worlds import NOW, by_api, desired, kinds, live_room, manifest, only, planned, record

LATER = NOW + timedelta(hours=2)
HOLD = Hold("ann", "the show is on", LATER)
OVER = Hold("ann", "the show was on", NOW)
TEXT = "by ann until 2026-03-24T18:00:00.000Z: the show is on"


def test_an_edit_waits_and_the_live_room_keeps_the_held_policy() -> None:
    room = record("a", live="x").with_hold(HOLD)
    plan = planned(desired(manifest("a", allow_chat=True)), (room,), (live_room(room),))
    change = only(plan)
    assert (kinds(change), change.due, change.hold) == (["Update"], (), HOLD)
    assert [field.field for field in change.fields] == ["allow_chat"]
    assert as_text(plan).splitlines()[:2] == [
        "~ a: update (manifest changed)",
        f"    waits: update - held {TEXT}",
    ]
    assert as_text(plan).splitlines()[-1] == "Plan: 1 to update (1 held)."
    assert list(plan.held_back) == [change]
    assert plan.wait_reason(change) == f"held {TEXT}"


def test_metadata_is_repaired_to_the_held_policy() -> None:
    room = record("a", live="x").with_hold(HOLD)
    stale = live_room(record("a", live="x", allow_share_screen=True))
    change = only(planned(desired(manifest("a", allow_chat=True)), (room,), (stale,)))
    assert kinds(change) == ["Repair", "Update"]
    assert [type(action).__name__ for action in change.due] == ["Repair"]


def test_a_room_that_disappeared_is_healed() -> None:
    room = record("a", live="x").with_hold(HOLD)
    change = only(planned(desired(manifest("a", allow_chat=True)), (room,)))
    assert [type(action).__name__ for action in change.due] == ["Heal"]


def test_a_stop_waits() -> None:
    room = by_api(record("a", live="x", active=False)).with_hold(HOLD)
    change = only(
        planned(desired(manifest("b", active=False)), (room, record("b", active=False)), (live_room(room),))
    )
    assert (kinds(change), change.due, change.disruption) == (["Stop"], (), Disruption.DISCONNECTS)


def test_a_start_by_an_edit_waits_with_it() -> None:
    room = record("a", active=False).with_hold(HOLD)
    change = only(planned(desired(manifest("a")), (room,)))
    assert (kinds(change), change.due) == (["Update"], ())


def test_a_recreate_waits_and_nobody_is_counted_for_it() -> None:
    room = record("a", live="x", max_participants=7).with_hold(HOLD)
    change = only(
        planned(desired(manifest("a", max_participants=7)), (room,), (live_room(room, max_participants=3),))
    )
    assert (kinds(change), change.due, change.deferred) == (["Recreate"], (), False)


def test_a_removal_waits_and_the_room_is_healed_meanwhile() -> None:
    room = record("a", live="x").with_hold(HOLD)
    wanted = desired(manifest("b", active=False))
    change = only(planned(wanted, (room, record("b", active=False)), ()))
    assert kinds(change) == ["Heal", "Remove"]
    assert [type(action).__name__ for action in change.due] == ["Heal"]


def test_a_guard_stays_beside_a_hold() -> None:
    room = record("a", live="x").with_hold(HOLD)
    change = only(planned(desired(), (room,), (live_room(room),)))
    assert (change.blocked_by, change.hold, change.due) == (BlockReason.EMPTY, HOLD, ())


@pytest.mark.parametrize(
    ("hold", "hold_all", "in_force"),
    [
        (HOLD, None, HOLD),
        (None, HOLD, HOLD),
        (OVER, HOLD, HOLD),
        (HOLD, OVER, HOLD),
        (OVER, OVER, None),
        (None, None, None),
    ],
)
def test_a_room_is_held_while_its_own_hold_or_the_one_on_all_is_in_force(
    hold: Hold | None, hold_all: Hold | None, in_force: Hold | None
) -> None:
    room = record("a", live="x").with_hold(hold)
    change = only(
        planned(desired(manifest("a", allow_chat=True)), (room,), (live_room(room),), hold_all=hold_all)
    )
    assert change.hold == in_force
    assert bool(change.due) is (in_force is None)


def test_a_new_room_is_created_while_all_are_held() -> None:
    change = only(planned(desired(manifest("a")), hold_all=HOLD))
    assert (kinds(change), change.hold) == (["Create", "Start"], None)


def test_a_hold_without_a_change_is_no_change() -> None:
    room = record("a", live="x").with_hold(HOLD)
    assert planned(desired(manifest("a")), (room,), (live_room(room),), hold_all=HOLD).empty


def test_a_hold_that_is_over_is_dropped() -> None:
    room = record("a", live="x").with_hold(OVER)
    plan = planned(desired(manifest("a")), (room,), (live_room(room),))
    assert plan.chores == (PruneExpired(room),)
