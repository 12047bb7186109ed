"""A saved plan allows only what it has: no other change, and no more people cut off."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.plan.model import Plan
from controller.plan.planner import make_plan
from controller.plan.saved import load, restrict, save
from controller.records.record import RoomRecord, UnusableReason, UnusableRecord
from controller.room import Disruption
from tests.support.histories import Event, events, worlds
from tests.support.worlds import (
    NOW,
    World,
    by_api,
    desired,
    kinds,
    live_room,
    manifest,
    plan_inputs,
    planned,
    record,
)

KEY = b"a key for plans"
STORE = "feedfeedfeedfeedfeedfeed"
ROOM = record("a", live="x")


def stop(people: int) -> Plan:
    return planned(desired(manifest("a", active=False)), (ROOM,), (live_room(ROOM),), {"x": people})


def allowed(saved: Plan, now: Plan) -> list[str]:
    """The keys of the changes that are carried out."""
    plan, left = restrict(now, load(save(saved, STORE, NOW, KEY).encode(), STORE, KEY))
    assert {c.key for c in plan.changes} | {each.change.key for each in left} == {c.key for c in now.changes}
    return [change.key for change in plan.changes]


def test_what_was_shown_is_done() -> None:
    assert allowed(stop(2), stop(2)) == ["a"]
    assert allowed(stop(2), stop(0)) == ["a"]


def test_more_people_than_were_shown_are_not_cut_off() -> None:
    plan, left = restrict(stop(3), load(save(stop(2), STORE, NOW, KEY).encode(), STORE, KEY))
    assert (plan.changes, left[0].reason) == ((), "3 participants inside, and the saved plan says 2")


def test_a_room_that_was_not_shown_is_left_out() -> None:
    plan, left = restrict(stop(0), load(save(Plan(), STORE, NOW, KEY).encode(), STORE, KEY))
    assert (plan.changes, left[0].reason) == ((), "the saved plan does not have this change")


def test_another_value_of_a_field_is_another_change() -> None:
    def edit(**fields: Any) -> Plan:
        return planned(desired(manifest("a", **fields)), (ROOM,), (live_room(ROOM),), {"x": 0})

    assert allowed(edit(allow_chat=True), edit(allow_chat=True)) == ["a"]
    assert allowed(edit(allow_chat=True), edit(allow_chat=True, record=True)) == []
    assert allowed(edit(allow_chat=True, record=True), edit(allow_chat=True)) == []


def test_another_id_is_another_change() -> None:
    pinned, derived = planned(desired(manifest("a", pinned="c" * 24))), planned(desired(manifest("a")))
    assert allowed(pinned, derived) == allowed(derived, pinned) == []
    assert allowed(pinned, pinned) == ["a"]


def test_a_part_that_is_done_already_is_no_other_change() -> None:
    both = planned(desired(manifest("a")))
    start = planned(desired(manifest("a")), (record("a"),))
    assert [str(name) for name in start.changes[0].action_names] == ["start"]
    plan, left = restrict(start, load(save(both, STORE, NOW, KEY).encode(), STORE, KEY))
    assert (plan.changes, left[0].reason) == ((), "the saved plan has another change of this room")


def test_the_file_holds_no_id() -> None:
    text = save(stop(1), STORE, NOW, KEY)
    assert ROOM.id not in text
    assert STORE not in text


def test_no_part_of_the_id_of_an_api_room_is_in_the_file() -> None:
    room, other = (by_api(record(key, live=key)) for key in ("a", "b"))
    plan = planned(desired(), (room, other))
    text = save(plan, STORE, NOW, KEY)
    assert room.id[:6] not in text
    assert allowed(plan, plan) == [change.key for change in plan.changes]
    assert allowed(planned(desired(), (room,)), plan) == [room.key]


def test_more_rights_than_were_shown_are_not_taken_away() -> None:
    """The live room had fewer rights when the plan was made."""
    room = record("a", live="x")
    graffiti = live_room(room, metadata="graffiti")
    repair = planned(desired(manifest("a")), (room,), (graffiti,))
    chatting = live_room(record("a", live="x", allow_chat=True))
    restricting = planned(desired(manifest("a")), (room,), (chatting,), {"x": 2})
    assert kinds(repair.changes[0]) == kinds(restricting.changes[0]) == ["Repair"]
    plan, left = restrict(restricting, load(save(repair, STORE, NOW, KEY).encode(), STORE, KEY))
    assert (plan.changes, left[0].reason) == ((), "it restricts 2 participants, and the saved plan says none")


def test_a_damaged_record_is_restored_only_from_the_manifest_that_was_shown() -> None:
    damaged = UnusableRecord(ROOM, UnusableReason.RECORD_DAMAGED, {"spec.name": 7})

    def restoring(**fields: Any) -> Plan:
        return planned(desired(manifest("a", **fields)), unusable=[damaged])

    assert allowed(restoring(), restoring()) == ["a"]
    assert allowed(restoring(), restoring(allow_chat=True)) == []


def test_chores_are_in_no_plan_and_so_not_done() -> None:
    removed = by_api(ROOM).with_api_removal(NOW)
    plan = planned(desired(), (removed,), (live_room(ROOM),))
    assert plan.chores
    assert restrict(plan, load(save(plan, STORE, NOW, KEY).encode(), STORE, KEY))[0].chores == ()


def test_what_is_left_of_a_change_is_completed() -> None:
    shown = load(
        save(
            planned(desired(manifest("a", allow_chat=True)), (ROOM,), (live_room(ROOM),)), STORE, NOW, KEY
        ).encode(),
        STORE,
        KEY,
    )
    edited = record("a", live="x", allow_chat=True)
    rest = planned(desired(manifest("a", allow_chat=True)), (edited,), (live_room(ROOM),))
    assert kinds(rest.changes[0]) == ["Repair"]
    assert restrict(rest, shown)[0].changes == ()
    assert restrict(rest, shown, again=True)[0].changes == rest.changes
    other = planned(desired(manifest("a", record=True)), (edited,), (live_room(edited),))
    assert restrict(other, shown, again=True)[0].changes == ()


@pytest.mark.parametrize(
    "tampered",
    [
        {
            "changes": {
                "a": {
                    "room": "x",
                    "actions": ["update", "stop"],
                    "fields": [],
                    "disruption": "disconnects",
                    "participants": 9,
                }
            }
        },
        {"generated_at": "2096-01-01T00:00:00.000Z"},
        {"revision": "0" * 64},
        {"signature": ""},
        {"signature": "é"},
    ],
)
def test_a_file_that_was_changed_is_refused(tampered: dict[str, Any]) -> None:
    text = json.dumps(json.loads(save(stop(2), STORE, NOW, KEY)) | tampered)
    with pytest.raises(ValueError, match="changed since it was written"):
        load(text.encode(), STORE, KEY)
    with pytest.raises(ValueError, match="another ROOMCTL_SECRET"):
        load(save(stop(2), STORE, NOW, b"another").encode(), STORE, KEY)


@given(worlds(), st.lists(events, max_size=6), st.booleans())
def test_nothing_is_done_that_a_saved_plan_does_not_say(
    world: World, later: list[Event], again: bool
) -> None:
    """Whatever happens between the plan and its application."""
    shown = whole_plan(world)
    saved = load(save(shown, STORE, world.now, KEY).encode(), STORE, KEY)
    for event in later:
        event(world)
    plan, left = restrict(whole_plan(world), saved, again=again)
    assert {c.key for c in plan.changes}.isdisjoint(each.change.key for each in left)
    before = dict(world.records)
    inside = {name: len(world.people[name]) for name in world.live if world.occupied(name)}
    told = {change.id: change for change in shown.changes}
    world.converge(plan)
    assert {i for i in before | world.records if before.get(i) != world.records.get(i)} <= told.keys()
    for name in inside.keys() - world.live.keys():
        (owner,) = (i for i, room in before.items() if name in names_of(room))
        assert told[owner].disruption is Disruption.DISCONNECTS
        assert name != told[owner].live_name or inside[name] <= told[owner].participants


def whole_plan(world: World) -> Plan:
    """As `plan` and `apply` make it: they count everybody."""
    return make_plan(world.observed(frozenset(world.live)), plan_inputs(now=world.now))


def names_of(room: RoomRecord) -> set[str]:
    return {old.name for old in room.retired} | ({room.live.name} if room.live is not None else set())


def test_a_plan_of_an_empty_database_is_of_the_one_that_was_made_since() -> None:
    assert load(save(Plan(), "", NOW, KEY).encode(), STORE, KEY).changes == {}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b"", "not a plan"),
        (b"[]", "not a plan"),
        (b'{"version": 1}', "not a plan"),
        (b"[" * 100_000, "not a plan"),
        (b"\xff\xfe", "not a plan"),
        (json.dumps({**json.loads(save(Plan(), STORE, NOW, KEY)), "version": 2}).encode(), "version 2"),
        (save(Plan(), "another", NOW, KEY).encode(), "another database"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(text: bytes, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        load(text, STORE, KEY)
