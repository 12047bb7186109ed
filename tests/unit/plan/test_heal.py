"""A live room that vanished comes back under the name it has."""

from dataclasses import replace

from controller.plan.model import ActionName, Heal
from controller.records.record import LiveName
from tests.support.worlds import by_api, desired, live_room, manifest, only, planned, record


def test_a_vanished_room_comes_back_under_its_name() -> None:
    change = only(planned(desired(manifest("a")), (record("a", live="x"),)))
    assert change.actions == (Heal("x"),)
    assert (change.action_names, change.reason) == ((ActionName.START,), "LiveKit room disappeared")
    assert change.fields == ()


def test_a_room_that_was_named_and_never_made_is_made() -> None:
    room = replace(record("a"), live=LiveName("x"))
    change = only(planned(desired(manifest("a")), (room,)))
    assert (change.actions, change.reason) == ((Heal("x"),), "LiveKit room not created yet")


def test_a_room_made_by_api_is_healed_without_any_manifest() -> None:
    room = by_api(record("a", live="x"))
    changes = {c.key: c for c in planned(desired(manifest("b")), (room, record("b", live="y"))).changes}
    assert changes[room.key].actions == (Heal("x"),)


def test_a_heal_goes_with_an_edit_of_the_same_room() -> None:
    change = only(planned(desired(manifest("a", allow_chat=True)), (record("a", live="x"),)))
    assert change.action_names == (ActionName.UPDATE, ActionName.START)


def test_a_name_that_is_listed_is_ours_whatever_its_metadata_says() -> None:
    room = record("a", live="x")
    change = only(planned(desired(manifest("a")), (room,), (live_room(room, metadata="somebody's"),)))
    assert [type(action).__name__ for action in change.actions] == ["Repair"]
