"""Two sets of manifests compared, without LiveKit and without the database."""

from controller.plan.offline import OFFLINE_NOTE, compare_manifests
from controller.plan.render import as_dict, as_text
from controller.room import Disruption
from tests.support.worlds import NOW, desired, manifest, only


def test_equal_manifests_change_nothing() -> None:
    rooms = desired(manifest("a"), manifest("b", active=False))
    plan = compare_manifests(rooms, rooms, NOW)
    assert plan.empty
    assert plan.notes == (OFFLINE_NOTE,)
    assert as_text(plan).splitlines()[-1] == "No changes."


def test_what_an_apply_would_do_is_shown() -> None:
    base = desired(
        manifest("a", allow_chat=True), manifest("gone"), manifest("b"), manifest("c", max_participants=7)
    )
    wanted = desired(
        manifest("a"),
        manifest("new", record=True),
        manifest("b", active=False),
        manifest("c", max_participants=9),
    )
    plan = compare_manifests(base, wanted, NOW)
    assert {change.key: [str(name) for name in change.action_names] for change in plan.changes} == {
        "a": ["update"],
        "b": ["update", "stop"],
        "c": ["update", "recreate"],
        "gone": ["remove"],
        "new": ["create", "start"],
    }
    by_key = {change.key: change for change in plan.changes}
    assert by_key["a"].disruption is Disruption.RESTRICTS
    assert by_key["b"].disruption is Disruption.DISCONNECTS
    assert not any(change.deferred or change.participants for change in plan.changes)


def test_ids_are_unknown_unless_they_are_pinned() -> None:
    base = desired(manifest("b"))
    plan = compare_manifests(base, desired(manifest("a"), manifest("b", allow_chat=True)), NOW)
    document = as_dict(plan, NOW)
    assert [change["id"] for change in document["changes"]] == [None, None]
    assert [change["participants"] for change in document["changes"]] == [None, None]
    assert document["notes"] == [OFFLINE_NOTE]
    pinned = only(compare_manifests(base, desired(manifest("b"), manifest("c", pinned="c" * 24)), NOW))
    assert pinned.id == "c" * 24


def test_errors_of_the_new_manifests_are_reported() -> None:
    pinned = [manifest(key, pinned="c" * 24) for key in "ab"]
    plan = compare_manifests(desired(pinned[0]), desired(pinned[0], pinned[1]), NOW)
    assert [error.key for error in plan.invalid] == ["b"]
