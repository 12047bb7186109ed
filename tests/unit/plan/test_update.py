"""A record follows its manifest, and its live room follows the record."""

from controller.plan.model import FieldChange, Repair, Update, Word
from tests.support.worlds import desired, kinds, live_room, manifest, only, planned, record


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
    assert change.words == (Word.UPDATE,)
    assert change.record is room


def test_a_field_that_no_page_may_read_leaves_the_metadata_alone() -> None:
    room = record("a", live="x")
    wanted = manifest("a", record_mode="ROOM_COMPOSITE_SPEAKER")
    assert kinds(only(planned(desired(wanted), (room,), (live_room(room),)))) == ["Update"]


def test_a_new_limit_asks_for_a_new_live_room() -> None:
    room = record("a", live="x")
    change = only(planned(desired(manifest("a", max_participants=5)), (room,), (live_room(room),)))
    assert kinds(change) == ["Update", "Recreate"]
    assert change.due == change.actions


def test_metadata_that_somebody_else_wrote_is_put_right() -> None:
    room = record("a", live="x")
    change = only(planned(desired(manifest("a")), (room,), (live_room(room, metadata="{}"),)))
    assert kinds(change) == ["Repair"]
    assert change.words == (Word.UPDATE,)
    assert change.fields == ()


def test_a_manifest_in_another_file_changes_the_file_alone() -> None:
    room = record("a", live="x")
    change = only(planned(desired(manifest("a", file="b.yaml")), (room,), (live_room(room),)))
    assert (kinds(change), change.fields) == (["Update"], ())
    assert change.reason == "its manifest moved to another file"
