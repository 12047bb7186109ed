"""A record follows its manifest, and its live room follows the record."""

from dataclasses import replace
from typing import Any

import pytest

from controller.plan.model import ActionName, PurgeTombstone, Repair, Update
from controller.plan.planner import SECOND_FILE
from controller.records.record import TOMBSTONE_TTL, Recording, RoomRecord
from controller.room import Disruption, FieldChange
from tests.support.worlds import NOW, desired, kinds, live_room, manifest, only, planned, record


def test_a_room_that_is_as_its_manifest_wants_it_is_unchanged() -> None:
    room = record("a", live="x")
    plan = planned(desired(manifest("a")), (room,), (live_room(room),))
    assert plan.empty
    assert (plan.chores, plan.unchanged, plan.notes, plan.invalid) == ((), 1, (), ())


def test_an_edit_changes_the_record_and_the_live_rooms_metadata() -> None:
    room, wanted = record("a", live="x"), manifest("a", allow_chat=True)
    change = only(planned(desired(wanted), (room,), (live_room(room),)))
    assert change.actions == (Update(wanted), Repair("x"))
    assert change.fields == (FieldChange("allow_chat", False, True),)
    assert change.action_names == (ActionName.UPDATE,)
    assert change.record is room


def test_a_field_that_no_page_may_read_leaves_the_metadata_alone() -> None:
    room = record("a", live="x")
    wanted = manifest("a", record_mode="ROOM_COMPOSITE_SPEAKER")
    assert kinds(only(planned(desired(wanted), (room,), (live_room(room),)))) == ["Update"]


TAPED = Recording(NOW, "x", "/recordings/a/1.mp4", "EG_1")


def recorded(recording: Recording | None = TAPED) -> RoomRecord:
    return replace(record("a", live="x", record=True), recording=recording)


def test_a_room_that_is_being_recorded_as_it_should_be_is_unchanged() -> None:
    room = recorded()
    plan = planned(desired(manifest("a", record=True)), (room,), (live_room(room, active_recording=True),))
    assert plan.empty
    assert (plan.chores, plan.unchanged) == ((), 1)


@pytest.mark.parametrize(
    ("recording", "wanted", "reason"),
    [
        (TAPED, {}, SECOND_FILE),
        (
            TAPED,
            {"allow_chat": True},
            f"manifest changed; {SECOND_FILE}",
        ),
        (TAPED, {"record": False}, "manifest changed"),
        (TAPED, {"active": False}, "manifest changed; room is inactive"),
        (None, {}, "manifest changed"),
    ],
)
def test_another_layout_goes_on_in_a_second_file_where_one_is_being_recorded(
    recording: Recording | None, wanted: dict[str, Any], reason: str
) -> None:
    room = recorded(recording)
    edited = manifest("a", **{"record": True, "record_mode": "ROOM_COMPOSITE_SPEAKER", **wanted})
    change = only(planned(desired(edited), (room,), (live_room(room),)))
    assert change.reason == reason
    assert (change.disruption == "disconnects") is ("active" in wanted)


def test_another_layout_disturbs_nobody() -> None:
    room = recorded()
    edited = manifest("a", record=True, record_mode="ROOM_COMPOSITE_AND_CHAT")
    change = only(planned(desired(edited), (room,), (live_room(room),), {"x": 3}))
    assert (change.disruption, change.action_names) == (Disruption.NONE, (ActionName.UPDATE,))


@pytest.mark.parametrize("live", [(), ("x",)])
def test_a_tombstone_stays_while_its_recording_is_not_settled(live: tuple[str, ...]) -> None:
    room = recorded().with_tombstone(NOW)
    later = NOW + 3 * TOMBSTONE_TTL
    rooms = tuple(live_room(room, name) for name in live)
    assert not any(
        isinstance(chore, PurgeTombstone) for chore in planned(desired(), (room,), rooms, now=later).chores
    )
    closed = room.with_recording(None)
    assert planned(desired(), (closed,), now=later).chores == (PurgeTombstone(closed),)


def test_a_new_limit_asks_for_a_new_live_room() -> None:
    room = record("a", live="x")
    change = only(planned(desired(manifest("a", max_participants=5)), (room,), (live_room(room),)))
    assert kinds(change) == ["Update", "Recreate"]
    assert change.due == change.actions


def test_metadata_that_somebody_else_wrote_is_put_right() -> None:
    room = record("a", live="x")
    change = only(planned(desired(manifest("a")), (room,), (live_room(room, metadata="{}"),)))
    assert kinds(change) == ["Repair"]
    assert change.action_names == (ActionName.UPDATE,)
    assert change.fields == ()


def test_a_manifest_in_another_file_changes_the_file_alone() -> None:
    room = record("a", live="x")
    change = only(planned(desired(manifest("a", file="b.yaml")), (room,), (live_room(room),)))
    assert (kinds(change), change.fields) == (["Update"], ())
    assert change.reason == "manifest moved to another file"
