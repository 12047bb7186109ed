"""A live room that cannot be changed in place is replaced, once nobody is inside."""

from dataclasses import replace
from typing import Any

import pytest

from controller.live.room import EMPTY_TIMEOUT_SECONDS
from controller.room import Disruption
from tests.support.worlds import desired, kinds, live_room, manifest, only, planned, record


@pytest.mark.parametrize(
    "fields",
    [{"max_participants": 7}, {"max_participants": 0}, {"empty_timeout": 300}, {"departure_timeout": 20}],
)
def test_a_live_room_made_with_other_limits_is_replaced(fields: dict[str, Any]) -> None:
    room = record("a", live="x")
    change = only(planned(desired(manifest("a")), (room,), (replace(live_room(room), **fields),)))
    assert kinds(change) == ["Recreate"]
    assert (change.disruption, change.deferred) == (Disruption.NONE, False)


def test_a_room_that_stays_longer_than_asked_is_left_alone() -> None:
    room = record("a", live="x")
    longer = live_room(room, empty_timeout=EMPTY_TIMEOUT_SECONDS + 1)
    assert planned(desired(manifest("a")), (room,), (longer,)).empty


def test_it_waits_while_somebody_is_inside_and_the_rest_is_done() -> None:
    room = record("a", live="x")
    wanted = desired(manifest("a", max_participants=5, allow_chat=True))
    change = only(planned(wanted, (room,), (live_room(room),), {"x": 1}))
    assert kinds(change) == ["Update", "Repair", "Recreate"]
    assert [type(action).__name__ for action in change.due] == ["Update", "Repair"]
    assert (change.deferred, change.participants) == (True, 1)


def test_it_is_not_needed_where_the_room_vanished_anyway() -> None:
    room = record("a", live="x")
    assert kinds(only(planned(desired(manifest("a", max_participants=5)), (room,)))) == ["Update", "Heal"]
