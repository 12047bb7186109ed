"""A live room with our mark and an unknown name is taken over where its record has none listed."""

import json
from dataclasses import replace

from controller.live.room import LiveRoom
from controller.plan.metadata import Owner
from controller.plan.model import Adopt, DeleteRetiredRoom
from controller.records.record import RoomRecord
from controller.room import Disruption
from tests.support.worlds import (
    INSTANCE,
    NOW,
    OWNER,
    STORE,
    desired,
    kinds,
    live_room,
    manifest,
    only,
    planned,
    record,
)

OTHER_STORE = "0" * 24


def first_release(room: LiveRoom, store: str = STORE) -> LiveRoom:
    """The room with metadata as the first release wrote it."""
    content = json.loads(room.metadata)
    ids = {"store": store, "room_id": next(each.id for each in map(record, "ab") if _is_of(room, each))}
    rest = {name: value for name, value in content.items() if not name.endswith("_hash")}
    return replace(room, metadata=json.dumps(rest | ids))


def _is_of(room: LiveRoom, known: RoomRecord) -> bool:
    return bool(json.loads(room.metadata)["room_hash"] == OWNER.room_marks(known.id)[0])


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


def test_room_with_the_metadata_of_the_first_release_is_adopted_and_gets_the_new_one() -> None:
    lost = record("a", live="x")
    plan = planned(desired(manifest("a")), (), (first_release(live_room(lost)),), {"x": 2})
    change = only(plan)
    assert kinds(change) == ["Create", "Adopt", "Repair"]
    assert (change.live_name, change.disruption, change.deferred) == ("x", Disruption.NONE, False)
    current = only(planned(desired(manifest("a")), (lost,), (first_release(live_room(lost)),)))
    assert kinds(current) == ["Repair"]


def test_room_with_the_mark_of_an_earlier_key_is_adopted() -> None:
    lost, rotated = record("a", live="x"), Owner(INSTANCE, (b"a new key", *OWNER.keys))
    change = only(planned(desired(manifest("a")), (), (live_room(lost),), {"x": 2}, owner=rotated))
    assert kinds(change) == ["Create", "Adopt", "Repair"]
    other = Owner(INSTANCE, (b"another key",))
    assert kinds(only(planned(desired(manifest("a")), (), (live_room(lost),), owner=other))) == [
        *("Create", "Start")
    ]


def test_orphan_of_the_first_release_is_an_orphan() -> None:
    live = first_release(live_room(record("b"), "x"))
    assert planned(desired(manifest("a", active=False)), (record("a", active=False),), (live,)).orphans == {
        "x"
    }


def test_metadata_holds_neither_the_rooms_id_nor_the_databases() -> None:
    room = record("a", live="x")
    assert room.id not in live_room(room).metadata
    assert STORE not in live_room(room).metadata


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
