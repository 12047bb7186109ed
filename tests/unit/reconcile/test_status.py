"""What is said of a room, from what was found and what came of it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from controller.companions.companion import NewCondition
from controller.manifests.snapshot import ManifestError, SourcePosition
from controller.plan.model import BlockReason, DeleteRetiredRoom, Recreate, Remove, RoomChange
from controller.reconcile.status import StatusInputs, guarded, status_of
from controller.records.record import Condition, RoomRecord, Status
from tests.support.worlds import NOW, by_api, record

LIVE = record("a", live="x")
INACTIVE = record("a", active=False)


def said(room: RoomRecord, inputs: StatusInputs) -> dict[str, tuple[str, str]]:
    return {c.type: (c.status, c.reason) for c in status_of(room, inputs, NOW).conditions}


def change(*actions: object, **fields: object) -> RoomChange:
    return RoomChange("a", LIVE.id, "Room", actions, "", LIVE, "x", **fields)  # type: ignore[arg-type]


def condition(room: RoomRecord, inputs: StatusInputs, kind: str) -> Condition:
    one = status_of(room, inputs, NOW).condition(kind)
    assert one is not None
    return one


def test_a_room_that_is_live_as_specified() -> None:
    assert said(LIVE, StatusInputs(live=True)) == {
        "Ready": ("True", "AsSpecified"),
        "Live": ("True", "Listed"),
        "ManifestValid": ("True", "Valid"),
    }


def test_a_room_that_should_be_live_and_is_not() -> None:
    conditions = said(LIVE, StatusInputs(live=False))
    assert (conditions["Ready"], conditions["Live"]) == (("False", "NotLive"), ("False", "NotListed"))


def test_an_inactive_room_is_ready_when_its_live_room_is_gone() -> None:
    conditions = said(INACTIVE, StatusInputs(live=False))
    assert (conditions["Ready"], conditions["Live"]) == (("True", "AsSpecified"), ("False", "Inactive"))


@pytest.mark.parametrize(
    "inputs",
    [StatusInputs(live=True), StatusInputs(live=False, change=change(DeleteRetiredRoom("x")))],
    ids=["named", "given up"],
)
def test_an_inactive_room_that_is_still_live_is_not_ready(inputs: StatusInputs) -> None:
    assert said(INACTIVE, inputs)["Ready"] == ("False", "StillLive")


def test_a_refusal_by_the_server_is_told() -> None:
    ready = condition(LIVE, StatusInputs(live=False, failure="LiveKit refused it"), "Ready")
    assert (ready.status, ready.reason, ready.message) == ("False", "Failed", "LiveKit refused it")


def test_a_room_made_by_api_has_no_manifest_to_be_valid() -> None:
    assert "ManifestValid" not in said(by_api(LIVE), StatusInputs(live=True))


def test_a_wrong_manifest_is_told_with_its_place_and_the_room_stays_ready() -> None:
    wrong = ManifestError("a.yaml", "it is wrong", SourcePosition(3, 7), "a")
    valid = condition(LIVE, StatusInputs(live=True, stale=wrong), "ManifestValid")
    assert (valid.status, valid.reason, valid.message) == ("False", "Invalid", "a.yaml:3:7: it is wrong")
    assert said(LIVE, StatusInputs(live=True, stale=wrong))["Ready"] == ("True", "AsSpecified")
    unreadable = replace(wrong, position=None)
    message = condition(LIVE, StatusInputs(live=True, stale=unreadable), "ManifestValid").message
    assert message == "a.yaml: it is wrong"


@pytest.mark.parametrize("action", [Remove(), Recreate()])
def test_what_waits_for_people_to_leave_is_told_and_the_room_is_ready(action: Remove | Recreate) -> None:
    inputs = StatusInputs(live=True, change=change(action, deferred=True, participants=2))
    assert said(LIVE, inputs)["Ready"] == ("True", "Deferred")
    deferred = condition(LIVE, inputs, "Deferred")
    assert deferred.status == "True"
    assert deferred.message == f"{action.action_name} deferred until the room is empty, 2 participants inside"


@pytest.mark.parametrize("reason", sorted(set(BlockReason) - {BlockReason.NOT_YET}))
def test_guarded_room_is_ready_and_names_the_command_that_changes_it(reason: BlockReason) -> None:
    inputs = StatusInputs(live=True, guard=guarded(reason, 7))
    assert said(LIVE, inputs)["Guarded"] == ("True", str(reason))
    ready = condition(LIVE, inputs, "Ready")
    assert (ready.status, ready.reason) == ("True", "Guarded")
    assert ready.message.rpartition(": ")[2].startswith("roomctl ")


def test_room_whose_manifest_is_gone_for_seconds_is_not_guarded() -> None:
    inputs = StatusInputs(live=True, change=change(Remove(), blocked_by=BlockReason.NOT_YET))
    assert "Guarded" not in said(LIVE, inputs)
    assert condition(LIVE, inputs, "Ready").message == "manifest deleted; removed after 10 seconds"


def test_a_flapping_room_is_stalled() -> None:
    assert said(LIVE, StatusInputs(live=True, stalled=True))["Stalled"] == ("True", "Flapping")


def test_a_recording_that_fails_leaves_the_room_ready() -> None:
    room = record("a", live="x", record=True)
    condition = NewCondition("Recording", "False", "NoWorker", "no egress worker")
    inputs = StatusInputs(live=True, companions=(condition,))
    assert said(room, inputs)["Recording"] == ("False", "NoWorker")
    assert said(room, inputs)["Ready"] == ("True", "AsSpecified")


def test_a_conditions_time_moves_only_with_its_status() -> None:
    first = status_of(LIVE, StatusInputs(live=False), NOW)
    later = NOW + timedelta(minutes=1)
    room = LIVE.with_status(first)
    failed = status_of(room, StatusInputs(live=False, failure="no"), later)
    assert [c.last_transition for c in failed.conditions] == [NOW] * 3
    ready = status_of(room, StatusInputs(live=True), later).condition("Ready")
    assert ready is not None
    assert ready.last_transition == later


def test_it_is_about_the_records_generation_and_the_same_when_said_twice() -> None:
    room = replace(LIVE, generation=7)
    status = status_of(room, StatusInputs(live=True), NOW)
    assert status.observed_generation == 7
    assert status_of(room.with_status(status), StatusInputs(live=True), NOW + timedelta(hours=1)) == status
    assert status != Status(7)
