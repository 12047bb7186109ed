"""`adopt:` takes a LiveKit room of somebody else over, once; its name is never kept."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from controller.live.room import LiveRoom, Participant, Permission
from controller.plan.metadata import Owner, is_of_foreign, room_metadata
from controller.plan.model import Adopt, DeleteRetiredRoom, DeleteTombstonedRoom, Observed, Plan
from controller.plan.planner import make_plan
from controller.plan.render import as_text
from controller.records.record import RESTRICTED_READER, RoomRecord
from controller.room import Disruption
from tests.support.worlds import (
    NOW,
    STORE,
    World,
    desired,
    kinds,
    live_room,
    manifest,
    only,
    plan_inputs,
    planned,
    record,
)

THEIRS = LiveRoom("foo", "RM_theirs", '{"app": 1}', 0, empty_timeout=300, departure_timeout=20)
LATER = replace(THEIRS, sid="RM_later")
WANTED = manifest("a", adopt="foo")


def adopted() -> RoomRecord:
    return record("a").with_adopted_room("foo", "RM_theirs", NOW)


def ours() -> LiveRoom:
    """Their room once it is as the spec wants it."""
    return live_room(adopted(), sid="RM_theirs")


def planned_with(people: tuple[Participant, ...], **fields: Any) -> Plan:
    inside: Mapping[str, tuple[Participant, ...]] = {"foo": people}
    wanted = desired(manifest("a", adopt="foo", **fields))
    return make_plan(Observed(wanted, {}, {"foo": THEIRS}, inside), plan_inputs())


def test_room_with_people_inside_is_taken_over_as_it_is() -> None:
    change = only(planned(desired(WANTED), (), (THEIRS,), {"foo": 2}))
    assert kinds(change) == ["Create", "Adopt", "Repair", "Recreate"]
    assert [type(action).__name__ for action in change.due] == ["Create", "Adopt", "Repair"]
    assert change.actions[1] == Adopt("foo", "RM_theirs")
    assert (change.live_name, change.participants, change.disruption) == ("foo", 2, Disruption.NONE)
    assert 'adopts the LiveKit room "foo"' in change.reason


def test_stopped_room_adopts_when_it_becomes_active() -> None:
    stopped = record("a", active=False)
    change = only(planned(desired(WANTED), (stopped,), (THEIRS,), {"foo": 2}))
    assert kinds(change) == ["Update", "Adopt", "Repair", "Recreate"]


@pytest.mark.parametrize("metadata", ["", "no JSON", "[]", '{"managed_by": "somebody"}', '{"record": true}'])
def test_metadata_of_others_is_no_mark(metadata: str) -> None:
    change = only(planned(desired(WANTED), (), (replace(THEIRS, metadata=metadata),), {"foo": 1}))
    assert isinstance(change.actions[1], Adopt)
    assert change.disruption is Disruption.NONE


@pytest.mark.parametrize(
    "metadata",
    [
        room_metadata(record("b").spec, record("b").id, Owner("other", (b"k",)), STORE, NOW),
        live_room(record("b"), "x").metadata,
        '{"managed_by": "roomctl/other"}',
    ],
)
def test_room_with_any_mark_is_not_adopted(metadata: str) -> None:
    change = only(planned(desired(WANTED), (), (replace(THEIRS, metadata=metadata),), {"foo": 1}))
    assert kinds(change) == ["Create", "Start"]
    assert 'nothing to adopt: roomctl manages the LiveKit room "foo"' in change.reason


@pytest.mark.parametrize("other", [record("b", live="foo"), record("b", live="foo").with_live_name("y", NOW)])
def test_room_that_a_record_names_is_not_adopted(other: RoomRecord) -> None:
    plan = planned(desired(WANTED, manifest("b")), (other,), (THEIRS,), {"foo": 1})
    change = next(change for change in plan.changes if change.key == "a")
    assert kinds(change) == ["Create", "Start"]


def test_room_that_does_not_exist_is_started_and_the_plan_says_so() -> None:
    plan = planned(desired(WANTED))
    assert kinds(only(plan)) == ["Create", "Start"]
    assert 'LiveKit has no room "foo"' in as_text(plan)


def test_room_that_comes_later_is_left_alone_and_the_plan_says_so() -> None:
    live = record("a", live="x")
    plan = planned(desired(WANTED), (live,), (live_room(live), THEIRS), {"foo": 1})
    assert plan.empty
    assert plan.notes == ("a: `adopt:` has no effect, the room is live already; remove the line",)


@pytest.mark.parametrize("wanted", [WANTED, manifest("a")])
def test_adopted_room_needs_nothing_more_with_or_without_the_line(wanted: object) -> None:
    plan = planned(desired(wanted), (adopted(),), (ours(),), {"foo": 1})  # type: ignore[arg-type]
    assert plan.empty
    assert plan.notes == ()


def test_room_adopts_once() -> None:
    stopped = adopted().without_live_name(NOW)
    change = only(planned(desired(WANTED), (stopped,), (LATER,), {"foo": 1}))
    assert kinds(change) == ["Start"]


def test_replaced_room_leaves_no_retired_name() -> None:
    replaced = adopted().with_live_name("x", NOW)
    assert (replaced.retired, replaced.is_adopted, replaced.reader) == ((), False, 1)
    assert adopted().reader == RESTRICTED_READER


def test_room_that_was_given_up_is_deleted_by_its_sid() -> None:
    stopped = record("a", active=False).with_adopted_room("foo", "RM_theirs", NOW).without_live_name(NOW)
    inactive = desired(manifest("a", active=False))
    assert only(planned(inactive, (stopped,), (ours(),), {"foo": 1})).actions == (DeleteRetiredRoom("foo"),)
    assert planned(inactive, (stopped,), (LATER,), {"foo": 1}).empty


def test_tombstone_deletes_the_adopted_room_by_its_sid() -> None:
    tombstone = adopted().with_tombstone(NOW)
    chores = planned(desired(manifest("b", active=False)), (tombstone,), (ours(),)).chores
    assert chores == (DeleteTombstonedRoom(tombstone, "foo"),)
    assert planned(desired(manifest("b", active=False)), (tombstone,), (LATER,)).chores == ()


@pytest.mark.parametrize("live", [(), (LATER,)])
def test_adopted_room_that_ended_is_replaced_under_a_new_name(live: tuple[LiveRoom, ...]) -> None:
    change = only(planned(desired(WANTED), (adopted(),), live, {"foo": 3}))
    assert kinds(change) == ["Start"]
    assert (change.reason, change.participants) == ("the adopted LiveKit room ended", 0)


def test_lost_database_adopts_it_again_and_still_knows_that_it_was_adopted() -> None:
    change = only(planned(desired(WANTED), (), (ours(),), {"foo": 1}))
    assert change.actions[1] == Adopt("foo", "RM_theirs")
    assert kinds(change) == ["Create", "Adopt"]
    assert is_of_foreign(ours().metadata)
    assert not is_of_foreign(live_room(record("a"), "x").metadata)


def test_rights_that_the_policy_takes_are_in_the_plan() -> None:
    speaker = Participant("ann", permission=Permission(can_publish=True, can_publish_data=True))
    assert only(planned_with((speaker,))).disruption is Disruption.NONE
    audio = planned_with((speaker,), mediaType="MEDIA_TYPE_AUDIO_ONLY")
    assert only(audio).disruption is Disruption.RESTRICTS
    assert "restricts 1 participant" in as_text(audio)
    with_role = replace(speaker, attributes={"role": "guest"})
    assert only(planned_with((with_role,), allow_chat=False)).disruption is Disruption.RESTRICTS


def test_people_on_reserved_seats_are_in_the_plan() -> None:
    inside = (Participant("ann"), Participant("bob"))
    change = only(planned_with(inside, max_participants=2, reserved_seats=1))
    assert change.disruption is Disruption.DISCONNECTS


def test_whole_life_of_an_adopted_room() -> None:
    world = World()
    world.live["foo"] = THEIRS
    world.enter("foo")
    world.commit(WANTED)
    world.run_until_stable()
    held = world.records[record("a").id]
    assert (held.live and held.live.name, world.live["foo"].metadata) == ("foo", ours().metadata)
    world.people.clear()
    world.run_until_stable()
    replaced = world.records[held.id]
    assert replaced.live is not None
    assert (replaced.live.name, replaced.retired) == ("live-1", ())
    assert "foo" not in world.live
    world.live["foo"] = LATER
    world.enter("foo")
    assert world.run_until_stable().empty
    assert world.live["foo"] == LATER
