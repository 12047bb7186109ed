"""What is planned for rooms that are live on demand."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controller.live.room import ON_DEMAND_TIMEOUT_SECONDS, LiveRoom
from controller.plan.model import (
    CheckOccupancy,
    Heal,
    Plan,
    PutToSleep,
    RetireVanished,
    Start,
    Update,
)
from controller.plan.offline import compare_manifests
from controller.records.record import LiveName, RoomRecord
from controller.room import Disruption
from tests.support.worlds import NOW, by_api, desired, kinds, live_room, manifest, only, planned, record, spec

ON_DEMAND = {"live": "on-demand"}
ROOMS = desired(manifest("a", **ON_DEMAND))


def asleep(key: str = "a", **fields: Any) -> RoomRecord:
    return replace(record(key), spec=spec(**ON_DEMAND, **fields))


def awake(*, occupied: bool = False) -> RoomRecord:
    return replace(record("a", live="one"), spec=spec(**ON_DEMAND), occupied=occupied)


def chores(plan: Plan) -> list[str]:
    return [type(chore).__name__ for chore in plan.chores]


def test_a_new_room_is_put_on_record_and_sleeps() -> None:
    assert kinds(only(planned(ROOMS))) == ["Create"]


def test_a_sleeping_room_is_as_specified() -> None:
    plan = planned(ROOMS, (asleep(),))
    assert plan.empty
    assert not plan.chores


def test_a_room_that_somebody_asks_for_is_started() -> None:
    room = asleep()
    change = only(planned(ROOMS, (room,), wanted=frozenset({room.id})))
    assert change.actions == (Start(wanted=True),)
    assert change.reason == "somebody asks for the room"
    assert change.disruption is Disruption.NONE


def test_a_demand_for_another_room_starts_nothing() -> None:
    plan = planned(ROOMS, (asleep(),), wanted=frozenset({"another", record("b").id}))
    assert plan.empty


def test_a_live_room_is_as_specified() -> None:
    room = awake()
    live = live_room(room)
    assert live.empty_timeout == live.departure_timeout == ON_DEMAND_TIMEOUT_SECONDS
    assert planned(ROOMS, (room,), (live,), wanted=frozenset({room.id})).empty


def test_a_room_that_vanished_empty_is_retired_and_no_change() -> None:
    plan = planned(ROOMS, (awake(),))
    assert plan.empty
    assert plan.chores == (RetireVanished(awake()),)


def test_a_room_that_vanished_with_people_inside_is_healed() -> None:
    room = awake(occupied=True)
    plan = planned(ROOMS, (room,), wanted=frozenset({room.id}))
    assert only(plan).actions == (Heal("one"),)
    assert not plan.chores


def test_a_room_that_vanished_and_is_asked_for_gets_a_fresh_name() -> None:
    room = awake()
    plan = planned(ROOMS, (room,), wanted=frozenset({room.id}))
    assert only(plan).actions == (Start(wanted=True),)
    assert not plan.chores


def test_a_start_that_was_interrupted_goes_on_while_somebody_asks() -> None:
    room = replace(asleep(), live=LiveName("one"))
    assert only(planned(ROOMS, (room,), wanted=frozenset({room.id}))).actions == (Heal("one"),)
    plan = planned(ROOMS, (room,))
    assert plan.empty
    assert chores(plan) == ["RetireVanished"]


@pytest.mark.parametrize("active", [True, False])
def test_a_closed_or_inactive_room_is_not_started(active: bool) -> None:
    hours = {"opens": "2026-03-24T18:00"} if active else {"active": False}
    room = asleep(**hours)
    rooms = desired(manifest("a", **ON_DEMAND, **hours))
    assert planned(rooms, (room,), wanted=frozenset({room.id})).empty
    if active:
        later = NOW + timedelta(hours=3)
        assert only(planned(rooms, (room,), wanted=frozenset({room.id}), now=later)).actions


def test_a_room_of_the_api_sleeps_too() -> None:
    room = by_api(asleep())
    assert planned(
        desired(manifest("b")), (room, record("b", live="b")), (live_room(record("b", live="b")),)
    ).empty


@pytest.mark.parametrize(("people", "deferred"), [({}, False), ({"one": 2}, True)])
def test_a_live_room_becomes_on_demand_when_it_is_empty(people: dict[str, int], deferred: bool) -> None:
    before = record("a", live="one")
    change = only(planned(ROOMS, (before,), (live_room(before),), people))
    assert kinds(change) == ["Update", "PutToSleep"]
    assert change.deferred is deferred
    assert change.disruption is Disruption.NONE
    assert isinstance(change.due[0], Update)
    assert (PutToSleep() in change.due) is not deferred


def test_a_live_room_becomes_always_live_when_it_is_empty() -> None:
    room = awake()
    change = only(planned(desired(manifest("a")), (room,), (live_room(room),), {"one": 1}))
    assert kinds(change) == ["Update", "Recreate"]
    assert change.deferred


def test_max_participants_of_a_sleeping_room_is_only_an_update() -> None:
    rooms = desired(manifest("a", max_participants=5, **ON_DEMAND))
    assert kinds(only(planned(rooms, (asleep(),)))) == ["Update"]
    room = awake()
    assert kinds(only(planned(rooms, (room,), (live_room(room),)))) == ["Update", "PutToSleep"]


@pytest.mark.parametrize(
    ("count", "occupied", "checked"), [(0, False, 0), (2, True, 0), (2, False, 1), (0, True, 1)]
)
def test_who_is_inside_is_read_where_the_count_differs(count: int, occupied: bool, checked: int) -> None:
    room = awake(occupied=occupied)
    live: LiveRoom = live_room(room, num_participants=count)
    plan = planned(ROOMS, (room,), (live,))
    assert plan.empty
    assert plan.chores == (CheckOccupancy(room),) * checked


def test_a_room_without_a_manifest_is_removed_asleep() -> None:
    rooms = desired(manifest("b"))
    other = record("b", live="b")
    assert kinds(only(planned(rooms, (asleep(), other), (live_room(other),)))) == ["Remove"]


def test_a_live_room_is_adopted_after_the_database_was_restored() -> None:
    lost = live_room(awake(), "lost")
    assert kinds(only(planned(ROOMS, (asleep(),), (lost,)))) == ["Adopt"]


def test_ten_thousand_sleeping_rooms_plan_nothing() -> None:
    keys = [f"r{number}" for number in range(10_000)]
    plan = planned(
        desired(*(manifest(key, **ON_DEMAND) for key in keys)),
        tuple(asleep(key) for key in keys),
    )
    assert plan.empty
    assert not plan.chores
    assert plan.unchanged == len(keys)


def test_offline_a_room_on_demand_is_created_and_not_started() -> None:
    assert kinds(only(compare_manifests(desired(), ROOMS, NOW))) == ["Create"]
    more = desired(manifest("a", max_participants=5, **ON_DEMAND))
    assert kinds(only(compare_manifests(ROOMS, more, NOW))) == ["Update"]
