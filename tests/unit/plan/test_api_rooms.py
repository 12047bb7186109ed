"""Rooms made by API: no manifest speaks for them, and none is needed to heal, stop or remove them."""

from datetime import timedelta

from controller.manifests.snapshot import RoomsDirState
from controller.plan.model import (
    ActionName,
    BlockReason,
    DeleteTombstonedRoom,
    FinalizeApiRemoval,
    Plan,
    PurgeTombstone,
)
from controller.plan.render import as_dict, as_text
from controller.records.record import TOMBSTONE_TTL, Origin, RoomRecord, Status
from controller.room import Disruption, redact_key
from tests.support.worlds import (
    NOW,
    World,
    by_api,
    desired,
    grown,
    kinds,
    live_room,
    manifest,
    only,
    planned,
    record,
)


def dismissed(live: str | None = "x") -> RoomRecord:
    """Marked removed by API a minute ago, its live room still there."""
    return by_api(record("a", live=live)).with_api_removal(NOW - timedelta(minutes=1))


def said(room: RoomRecord) -> RoomRecord:
    """After it was taken down."""
    return room.without_live_name(room.removed_at or NOW).with_status(Status(room.generation))


def shown(plan: Plan) -> tuple[str, object]:
    return as_text(plan), as_dict(plan, NOW)["changes"]


def test_it_is_started_and_healed_without_a_manifest() -> None:
    new, gone = by_api(record("a")), by_api(record("b", live="x"))
    plan = planned(desired(), (new, gone))
    assert {change.key: kinds(change) for change in plan.changes} == {new.key: ["Start"], gone.key: ["Heal"]}
    assert plan.counts() == {ActionName.START: 2}


def test_text_names_it_by_its_short_key_and_json_by_all_of_it() -> None:
    room = by_api(record("a"))
    plan = planned(desired(), (room,))
    text = as_text(plan)
    assert f"+ {redact_key(room.key)}: start" in text
    assert room.id not in text
    (change,) = as_dict(plan, NOW)["changes"]
    assert (change["key"], change["id"]) == (f"api/{room.id}", room.id)


def test_it_is_served_whatever_the_folder_says() -> None:
    room = by_api(record("a", live="x"))
    for state in RoomsDirState:
        assert kinds(only(planned(desired(state=state), (room,)))) == ["Heal"]
        assert planned(desired(state=state), (room,), (live_room(room),)).empty


def test_it_counts_neither_as_missing_nor_toward_the_share_that_may_be_missing() -> None:
    rooms = [record(f"m{n}") for n in range(9)]
    api = [by_api(record(f"r{n}")) for n in range(20)]
    lone = desired(*(manifest(f"m{n}") for n in range(3)))
    plan = planned(lone, (*rooms, *api))
    assert plan.missing == {f"m{n}" for n in range(3, 9)}
    assert not any(change.blocked_by is BlockReason.TOO_MANY for change in plan.changes), "nine are under ten"


def test_ten_manifest_rooms_are_guarded_however_many_the_api_made() -> None:
    rooms = [record(f"m{n}") for n in range(10)]
    api = [by_api(record(f"r{n}")) for n in range(90)]
    plan = planned(desired(*(manifest(f"m{n}") for n in range(6))), (*rooms, *api))
    refused = {change.key for change in plan.changes if change.blocked_by is BlockReason.TOO_MANY}
    assert refused == {f"m{n}" for n in range(6, 10)}


def test_a_stop_by_api_acts_at_once_and_says_whom_it_disconnects() -> None:
    room = by_api(record("a", live="x", active=False))
    change = only(planned(desired(), (room,), (live_room(room),), {"x": 3}))
    assert (kinds(change), change.due) == (["Stop"], change.actions)
    assert (change.disruption, change.participants) == (Disruption.DISCONNECTS, 3)


def test_one_that_was_removed_is_taken_down_at_once_whoever_is_inside() -> None:
    room = dismissed()
    plan = planned(desired(), (room,), (live_room(room),), {"x": 3}, prune_grace_seconds=10.0)
    assert plan.chores == (FinalizeApiRemoval(room),)


def test_no_guard_and_no_folder_holds_that_back() -> None:
    room = dismissed()
    for state in RoomsDirState:
        assert planned(desired(state=state), (room,), (live_room(room),)).chores == (
            FinalizeApiRemoval(room),
        )


def test_from_the_mark_on_it_is_in_no_plan_shown_to_people() -> None:
    room = dismissed()
    with_it, without = planned(desired(), (room,), (live_room(room),)), planned(desired())
    assert shown(with_it) == shown(without)
    assert with_it.unchanged == 0
    assert not with_it.missing


def test_its_taking_down_is_planned_until_it_was_said_to_be_done() -> None:
    room = dismissed()
    interrupted = room.without_live_name(NOW)
    assert planned(desired(), (interrupted,), (live_room(room),)).chores == (FinalizeApiRemoval(interrupted),)
    assert planned(desired(), (interrupted,)).chores == (FinalizeApiRemoval(interrupted),)
    assert planned(desired(), (said(room),)).chores == ()


def test_an_inactive_one_is_only_said_to_be_removed() -> None:
    assert planned(desired(), (dismissed(None),)).chores == (FinalizeApiRemoval(dismissed(None)),)


def test_a_kicked_client_that_makes_it_anew_is_buried() -> None:
    room = said(dismissed())
    assert planned(desired(), (room,), (live_room(room, "x"),)).chores == (DeleteTombstonedRoom(room, "x"),)


def test_its_tombstone_goes_after_an_hour_and_never_before_its_live_room() -> None:
    room = dismissed()
    later = NOW + TOMBSTONE_TTL
    assert planned(desired(), (said(room),), now=later).chores == (PurgeTombstone(said(room)),)
    assert planned(desired(), (room,), now=later).chores == (FinalizeApiRemoval(room),)


def test_a_manifest_that_pins_its_id_takes_it_over_with_everybody_inside() -> None:
    room = by_api(record("a", live="x"))
    change = only(planned(desired(manifest("b", pinned=room.id)), (room,), (live_room(room),), {"x": 3}))
    assert (change.key, kinds(change), change.fields) == ("b", ["Update"], ())
    assert change.reason == f"takes over the room {redact_key(room.key)} of the API"
    assert change.disruption is Disruption.NONE


def test_an_api_room_that_was_taken_over_is_as_any_room_of_a_manifest() -> None:
    world = World()
    room = by_api(record("a", live="x"))
    world.records[room.id], world.live["x"] = room, live_room(room)
    world.enter("x")
    world.commit(manifest("b", pinned=room.id))
    assert world.run_until_stable().empty
    taken = world.records[room.id]
    assert (taken.key, taken.origin, taken.file) == ("b", Origin.MANIFEST, "b.yaml")
    assert (taken.live, taken.generation, taken.modified) == (room.live, room.generation, room.modified)
    del world.manifests["b"]
    world.commit(manifest("c"))
    assert kinds(only(world.run_until_stable())) == ["Remove"]
    world.people.clear()
    world.run_until_stable()
    assert world.records[room.id].removed


def test_two_manifests_that_pin_it_leave_it_to_the_api() -> None:
    room = by_api(record("a", live="x"))
    wanted = desired(manifest("b", pinned=room.id), manifest("c", pinned=room.id))
    plan = planned(wanted, (room,), (live_room(room),))
    assert plan.empty
    assert {error.file for error in plan.invalid} == {"b.yaml", "c.yaml"}


def test_one_that_pins_the_id_of_a_removed_room_learns_that_the_id_is_not_free_yet() -> None:
    room = said(dismissed())
    (error,) = planned(desired(manifest("b", pinned=room.id)), (room,)).invalid
    assert "removed" in error.message
    assert "api/" not in error.message


def test_a_wrong_manifest_elsewhere_changes_nothing_for_it() -> None:
    world = grown(3)
    room = by_api(record("api", live="x"))
    world.records[room.id], world.live["x"] = room, live_room(room)
    world.state = RoomsDirState.UNREADABLE
    assert world.plan().empty
    world.vanish("x")
    assert kinds(only(world.plan())) == ["Heal"]
