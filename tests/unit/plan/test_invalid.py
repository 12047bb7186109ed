"""A wrong manifest holds back its own room alone, at its last good spec."""

from controller.manifests.snapshot import ManifestError
from controller.plan.model import Heal, Update
from tests.support.worlds import desired, live_room, manifest, planned, record

A, B = record("a", live="x"), record("b", live="y")
LIVE = (live_room(A), live_room(B))


def test_a_document_that_is_wrong_leaves_its_room_as_it_is() -> None:
    error = ManifestError("a.yaml", "it is wrong", None, "a")
    plan = planned(desired(manifest("b"), errors=(error,)), (A, B), LIVE)
    assert plan.empty
    assert (plan.stale, plan.invalid, plan.unchanged) == ({"a": error}, (error,), 2)


def test_others_go_on() -> None:
    error = ManifestError("a.yaml", "it is wrong", None, "a")
    wanted = manifest("b", allow_share_screen=True)
    plan = planned(desired(wanted, errors=(error,)), (A, B), LIVE)
    assert [(change.key, change.actions[0]) for change in plan.changes] == [("b", Update(wanted))]


def test_a_file_that_cannot_be_read_stands_for_every_room_on_record_from_it() -> None:
    error = ManifestError("a.yaml", "it cannot be read")
    second = record("also-in-a", live="z")
    records = (A, B, second.with_spec(second.spec, second.key, "a.yaml", second.created))
    plan = planned(desired(manifest("b"), errors=(error,)), records, (*LIVE, live_room(second)))
    assert plan.empty
    assert plan.stale == {"a": error, "also-in-a": error}


def test_its_room_is_still_healed() -> None:
    error = ManifestError("a.yaml", "it is wrong", None, "a")
    plan = planned(desired(manifest("b"), errors=(error,)), (A, B), LIVE[1:])
    assert [change.actions for change in plan.changes] == [(Heal("x"),)]


def test_the_first_error_of_a_room_is_the_one_that_is_told() -> None:
    first, second = ManifestError("a.yaml", "one", None, "a"), ManifestError("a.yaml", "two", None, "a")
    plan = planned(desired(manifest("b"), errors=(first, second)), (A, B), LIVE)
    assert plan.stale == {"a": first}
    assert plan.invalid == (first, second)


def test_a_wrong_policy_file_stands_for_no_room_and_holds_back_no_removal() -> None:
    wrong = (
        ManifestError("team/_policy.yaml", "it is wrong"),
        ManifestError("a.yaml", "not applied, since a policy file is wrong", None, "a"),
    )
    plan = planned(desired(errors=wrong), (A, B), LIVE)
    assert [(change.key, change.blocked_by) for change in plan.changes] == [("b", None)]
    assert (plan.stale, plan.invalid) == ({"a": wrong[1]}, wrong)


def test_a_room_that_moved_to_a_good_file_is_not_stale_for_an_error_in_the_old_one() -> None:
    error = ManifestError("a.yaml", "it is wrong")
    moved = manifest("a", file="new.yaml")
    plan = planned(desired(moved, manifest("b"), errors=(error,)), (A, B), LIVE)
    assert [change.actions for change in plan.changes] == [(Update(moved),)]
    assert plan.stale == {}
