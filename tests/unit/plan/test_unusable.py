"""Records that must not be acted on: left alone, or written again."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from controller.manifests.snapshot import ManifestError
from controller.plan.model import ActionName, RestoreRecord
from controller.plan.render import as_text
from controller.records.record import RoomRecord, UnusableReason, UnusableRecord
from tests.support.worlds import NOW, desired, live_room, manifest, only, planned, record


def damaged(room: RoomRecord, **damage: Any) -> UnusableRecord:
    fields = {path.replace("__", "."): stored for path, stored in damage.items()}
    return UnusableRecord(room, UnusableReason.RECORD_DAMAGED, fields or {"spec.name": 7})


def newer(room: RoomRecord) -> UnusableRecord:
    return UnusableRecord(replace(room, reader=9), UnusableReason.NEWER_RELEASE, {})


def test_damaged_record_is_restored_from_its_manifest_alone() -> None:
    room, wanted = record("a", live="x"), manifest("a")
    each = damaged(room)
    plan = planned(desired(wanted), (), (live_room(room),), unusable=[each])
    assert only(plan).actions == (RestoreRecord(each, wanted),)
    assert only(plan).action_names == (ActionName.UPDATE,)
    assert as_text(plan).startswith("~ a: update (damaged record: cannot read spec.name)")
    assert (plan.unchanged, plan.chores, plan.orphans) == (0, (), frozenset())


def test_damaged_live_half_is_restored_without_a_manifest() -> None:
    each = damaged(record("a"), live="nonsense")
    for wanted in (desired(manifest("a")), desired(manifest("b"))):
        plan = planned(wanted, (record("b"),), (), unusable=[each])
        assert RestoreRecord(each, None) in [action for change in plan.changes for action in change.actions]


def test_damaged_record_without_a_manifest_is_left_alone_and_named() -> None:
    room = record("a", live="x")
    plan = planned(
        desired(manifest("b")), (record("b", live="y"),), (live_room(room),), unusable=[damaged(room)]
    )
    assert not [change for change in plan.changes if change.key == "a"]
    (note,) = plan.notes
    assert note.startswith("a: cannot read spec.name; fix its manifest a.yaml")


def test_invalid_manifest_of_a_damaged_record_holds_no_removal_back() -> None:
    room, gone = record("a"), record("gone")
    wanted = desired(manifest("b"), errors=(ManifestError("a.yaml", "wrong", None, "a"),))
    plan = planned(
        wanted, (gone, record("b")), (), unusable=[damaged(room)], missing_for_seconds={"gone": 60.0}
    )
    change = next(change for change in plan.changes if change.key == "gone")
    assert change.blocked_by is None


def test_record_of_a_newer_release_is_left_alone_with_its_manifest_and_without() -> None:
    room = record("a", live="x")
    for wanted in (desired(manifest("a")), desired(manifest("b"))):
        later = NOW + timedelta(days=1)
        plan = planned(wanted, (record("b"),), (live_room(room),), unusable=[newer(room)], now=later)
        assert not [change for change in plan.changes if change.key == "a"]
        assert "a: written by a newer release" in plan.notes[0]
        assert plan.orphans == frozenset()


def test_manifest_that_pins_another_id_is_not_the_damaged_records() -> None:
    room = record("a")
    plan = planned(desired(manifest("a", pinned="f" * 24)), (), (), unusable=[damaged(room)])
    assert plan.changes == ()
