"""Rooms with open hours: made as they open, closed when they are over, and nobody is cut off before that."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.plan.model import Close, Plan, Remove, Start, Stop, WaitsFor
from controller.plan.planner import names_to_check
from controller.plan.steps import steps_of
from controller.records.record import Condition, Hold, RoomRecord, Status
from controller.room import Disruption, Liveness
from tests.support.worlds import NOW, by_api, desired, kinds, live_room, manifest, only, planned, record

TODAY = {"opens": "2026-03-24T14:00", "closes": "2026-03-24T15:55"}
EVENING = {"opens": "2026-03-24T14:00", "closes": "2026-03-24T20:00"}
CUT_OFF = datetime(2026, 3, 24, 16, 10, tzinfo=UTC)
CUT_OFF_TEXT = "closes at 2026-03-24T15:55:00.000Z, for those inside at 2026-03-24T16:10:00.000Z"


def open_room(**fields: Any) -> RoomRecord:
    return by_api(record("a", live="x", **fields))


def plan_of(room: RoomRecord, people: int = 0, *, now: datetime = NOW, **inputs: Any) -> Plan:
    live = (live_room(room),) if room.live is not None else ()
    return planned(desired(), (room,), live, {"x": people}, now=now, **inputs)


@pytest.mark.parametrize(
    ("opens", "does"),
    [("16:00:00", ["Start"]), ("16:01:00", ["Start"]), ("16:01:01", []), ("17:00:00", [])],
)
def test_a_room_is_made_up_to_a_minute_before_it_opens(opens: str, does: list[str]) -> None:
    room = by_api(record("a", opens=f"2026-03-24T{opens}"))
    plan = plan_of(room)
    assert [kind for change in plan.changes for kind in kinds(change)] == does
    assert plan.changes_at == (
        None if does else datetime.fromisoformat(f"2026-03-24T{opens}Z") - timedelta(minutes=1)
    )


def test_a_room_that_was_closed_starts_by_schedule() -> None:
    closed = Status(1, (Condition("Ready", "True", "Closed", "", NOW),))
    room = replace(by_api(record("a", **EVENING)), status=closed)
    assert only(plan_of(room)).actions == (Start(scheduled=True),)


def test_a_closed_room_goes_when_it_is_empty() -> None:
    change = only(plan_of(open_room(**TODAY)))
    assert (change.actions, change.due) == ((Close(CUT_OFF),), (Close(CUT_OFF),))


def test_whoever_is_inside_may_stay_for_the_overrun_and_the_plan_says_until_when() -> None:
    plan = plan_of(open_room(**TODAY), people=3)
    change = only(plan)
    assert (change.due, change.deferred, change.participants) == ((), True, 3)
    assert (change.disruption, change.reason) == (Disruption.DISCONNECTS, CUT_OFF_TEXT)
    assert change.deferral == (
        "deferred until the room is empty or until 2026-03-24T16:10:00.000Z, 3 participants inside"
    )
    assert plan.changes_at == CUT_OFF


def test_without_an_overrun_it_closes_for_all_at_once() -> None:
    before = record("a", live="x")
    after = manifest("a", **EVENING, overrun="0s")
    change = only(planned(desired(after), (before,), (live_room(before),)))
    assert change.reason == "manifest changed; closes at 2026-03-24T20:00:00.000Z"


def test_after_the_overrun_the_room_goes_with_whoever_is_inside() -> None:
    change = only(plan_of(open_room(**TODAY), people=3, now=CUT_OFF))
    assert (change.due, change.deferred) == ((Stop(scheduled=True),), False)
    assert change.reason == "closed at 2026-03-24T15:55:00.000Z"


def test_nobody_is_cut_off_by_a_clock_that_is_wrong() -> None:
    change = only(plan_of(open_room(**TODAY), people=3, now=CUT_OFF, clock_is_right=False))
    assert (change.due, change.deferred) == ((), True)


def test_a_room_that_opens_again_within_the_overrun_stays() -> None:
    room = open_room(**TODAY, repeats="FREQ=DAILY", overrun="24h")
    tomorrow = NOW + timedelta(hours=22)
    assert kinds(only(plan_of(room, people=3, now=tomorrow))) == ["Repair"]  # of when it closes


def test_hours_that_moved_into_the_future_cut_nobody_off() -> None:
    change = only(plan_of(open_room(opens="2027-01-01T14:00"), people=3, now=NOW + timedelta(days=200)))
    assert (kinds(change), change.due, change.reason) == (["Close"], (), "not open yet")


def test_those_who_stay_keep_to_the_policy() -> None:
    room = open_room(**TODAY)
    old = replace(live_room(room), metadata=live_room(record("a", live="x", allow_chat=True)).metadata)
    change = only(planned(desired(), (room,), (old,), {"x": 1}))
    assert kinds(change) == ["Repair", "Close"]
    assert [type(action).__name__ for action in change.due] == ["Repair"]


def test_a_closed_room_on_demand_is_closed_once_and_not_put_to_sleep_besides() -> None:
    always = open_room(**TODAY)
    room = replace(always, spec=always.spec.model_copy(update={"live": Liveness.ON_DEMAND}))
    larger = replace(live_room(room), max_participants=99)
    assert kinds(only(planned(desired(), (room,), (larger,), {"x": 1}))) == ["Close"]


def test_a_room_that_livekit_lost_while_it_was_closed_is_not_healed() -> None:
    change = only(planned(desired(), (open_room(**TODAY),)))
    assert change.due == (Close(CUT_OFF),)


def test_an_inactive_room_is_stopped_whatever_its_hours() -> None:
    assert only(plan_of(open_room(**EVENING, active=False), people=3)).due == (Stop(),)


def test_a_hold_lets_the_room_go_on() -> None:
    hold = Hold("ann", "the show runs over", NOW + timedelta(hours=2))
    for now in (NOW, CUT_OFF):
        change = only(plan_of(open_room(**TODAY).with_hold(hold), people=3, now=now))
        assert (change.due, change.hold) == ((), hold)


@pytest.mark.parametrize("grace", [10.0, 0.0], ids=["grace", "guard"])
def test_a_room_whose_removal_is_blocked_closes_nevertheless(grace: float) -> None:
    room, other = record("a", live="x", **TODAY), record("b", live="y")
    kept = (manifest("b"),) if grace else ()
    live = (live_room(room), live_room(other))
    for people, due in ((0, [Close(CUT_OFF)]), (3, [])):
        plan = planned(desired(*kept), (room, other), live, {"x": people}, prune_grace_seconds=grace)
        change = plan.changes[0]
        assert (list(change.due), change.deferred) == (due, people > 0)
        assert kinds(change) == ["Close", "Remove"]
        assert (WaitsFor.GRACE if grace else WaitsFor.GUARD) in change.waits_for(Remove())
        assert "x" in names_to_check(plan)


def test_new_hours_say_when_they_cut_off_whoever_is_inside() -> None:
    before = record("a", live="x")
    plan = planned(desired(manifest("a", **EVENING)), (before,), (live_room(before),), {"x": 3})
    change = only(plan)
    assert kinds(change) == ["Update", "Repair", "Close"]
    assert [type(action).__name__ for action in change.due] == ["Update", "Repair"]
    assert change.disruption is Disruption.DISCONNECTS
    hours = "closes at 2026-03-24T20:00:00.000Z, for those inside at 2026-03-24T20:15:00.000Z"
    assert change.reason == f"manifest changed; {hours}"
    assert not change.deferred
    now, later = steps_of(change, plan)
    assert (now.disruption, later.disruption) == (Disruption.NONE, Disruption.DISCONNECTS)
    assert (later.waits_for, later.wait) == ((WaitsFor.TIME,), "until 2026-03-24T20:15:00.000Z")


def test_the_live_room_says_until_when() -> None:
    metadata = live_room(open_room(**EVENING)).metadata
    assert '"closes":"2026-03-24T20:00:00.000Z","cut_off":"2026-03-24T20:15:00.000Z"' in metadata
    assert "cut_off" not in live_room(open_room(opens="2026-03-24T14:00")).metadata
    assert plan_of(open_room(**EVENING)).empty


def test_what_changes_next_is_the_earliest_of_all_rooms() -> None:
    rooms = (
        open_room(**EVENING),
        by_api(record("b", opens="2026-03-25T14:00")),
        by_api(record("c", active=False)),
    )
    plan = planned(desired(), rooms, (live_room(rooms[0]),))
    assert plan.changes_at == datetime(2026, 3, 24, 20, tzinfo=UTC)
