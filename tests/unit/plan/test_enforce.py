"""After a change of policy the people inside, and those who come with older tokens, are looked at."""

from dataclasses import replace
from datetime import timedelta

from controller.plan.model import EnforcePermissions
from controller.records.record import RoomRecord, Status
from tests.support.worlds import NOW, desired, live_room, manifest, planned, record

CHANGED = replace(record("a", live="x"), generation=2, status=Status(2))
WHILE = timedelta(seconds=300 + 60)


def looks(room: RoomRecord, after: timedelta, *, live: bool = True) -> bool:
    there = (live_room(room),) if live else ()
    plan = planned(desired(manifest("a", active=room.spec.active)), (room,), there, now=NOW + after)
    return EnforcePermissions(room) in plan.chores


def test_as_long_as_an_older_token_could_be_used_and_a_minute_more() -> None:
    assert looks(CHANGED, timedelta())
    assert looks(CHANGED, WHILE)
    assert not looks(CHANGED, WHILE + timedelta(milliseconds=1))


def test_a_room_that_never_changed_needs_none() -> None:
    assert not looks(record("a", live="x"), timedelta())


def test_a_change_that_was_not_yet_said_done_is_looked_after_however_old() -> None:
    assert looks(replace(CHANGED, status=Status(1)), timedelta(days=1))


def test_a_room_that_is_not_live_has_nobody_to_look_at() -> None:
    assert not looks(CHANGED, timedelta(), live=False)
    assert not looks(replace(record("a", active=False), generation=2), timedelta(), live=False)
