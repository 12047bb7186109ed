"""`active` starts and stops the live room."""

from controller.plan.model import ActionName, DeleteRetiredRoom
from controller.room import Disruption
from tests.support.worlds import NOW, desired, kinds, live_room, manifest, only, planned, record


def test_a_room_that_turns_active_is_started() -> None:
    room = record("a", active=False)
    change = only(planned(desired(manifest("a")), (room,)))
    assert kinds(change) == ["Update", "Start"]
    assert change.disruption is Disruption.NONE


def test_a_room_that_turns_inactive_is_stopped_at_once_whoever_is_inside() -> None:
    room = record("a", live="x")
    plan = planned(desired(manifest("a", active=False)), (room,), (live_room(room),), {"x": 3})
    change = only(plan)
    assert kinds(change) == ["Update", "Stop"]
    assert change.due == change.actions
    assert (change.disruption, change.participants) == (Disruption.DISCONNECTS, 3)
    assert change.action_names == (ActionName.UPDATE, ActionName.STOP)


def test_an_inactive_room_without_a_live_one_is_as_it_should_be() -> None:
    assert planned(desired(manifest("a", active=False)), (record("a", active=False),)).empty


def test_an_inactive_room_whose_live_one_expired_gives_its_name_up() -> None:
    room = record("a", live="x")
    assert kinds(only(planned(desired(manifest("a", active=False)), (room,)))) == ["Update", "Stop"]


def test_a_stop_that_was_interrupted_is_finished_and_says_that_it_disconnects() -> None:
    room = record("a", live="x", active=False).without_live_name(NOW)
    plan = planned(desired(manifest("a", active=False)), (room,), (live_room(room, "x"),), {"x": 2})
    change = only(plan)
    assert change.actions == (DeleteRetiredRoom("x"),)
    assert change.action_names == (ActionName.STOP,)
    assert (change.disruption, change.participants) == (Disruption.DISCONNECTS, 2)
