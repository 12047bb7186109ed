"""A manifest that has no record becomes a room."""

from controller.plan.model import ActionName
from controller.room import REFERENCE_FIELDS, Disruption, room_id
from tests.support.worlds import ID_KEY, desired, kinds, manifest, only, planned, spec


def test_a_new_manifest_is_created_and_started() -> None:
    change = only(planned(desired(manifest("events/keynote"))))
    assert kinds(change) == ["Create", "Start"]
    assert change.action_names == (ActionName.CREATE, ActionName.START)
    assert change.reason == "manifest added; room is active"
    assert (change.key, change.record, change.live_name) == ("events/keynote", None, None)


def test_an_inactive_one_is_created_alone() -> None:
    assert kinds(only(planned(desired(manifest("a", active=False))))) == ["Create"]


def test_its_id_comes_from_its_key() -> None:
    change = only(planned(desired(manifest("a"))))
    assert change.id == room_id("a", ID_KEY)
    assert planned(desired(manifest("a")), id_key=b"another key").changes[0].id != change.id


def test_a_pinned_id_wins() -> None:
    pinned = "0123456789abcdef01234567"
    assert only(planned(desired(manifest("a", pinned=pinned)))).id == pinned


def test_every_field_is_listed_from_nothing() -> None:
    change = only(planned(desired(manifest("a", allow_chat=True))))
    assert [f.field for f in change.fields] == list(REFERENCE_FIELDS)
    assert all(f.before is None for f in change.fields)
    after = spec(allow_chat=True).as_dict()
    assert {f.field: f.after for f in change.fields} == {name: after[name] for name in REFERENCE_FIELDS}
    assert change.disruption is Disruption.NONE


def test_our_fields_are_listed_where_they_are_set() -> None:
    change = only(planned(desired(manifest("a", join="invite"))))
    assert [f.field for f in change.fields] == [*REFERENCE_FIELDS, "join"]


def test_changes_stand_in_the_order_of_their_keys() -> None:
    plan = planned(desired(manifest("c"), manifest("a"), manifest("b")))
    assert [change.key for change in plan.changes] == ["a", "b", "c"]
    assert plan.counts() == {ActionName.CREATE: 3, ActionName.START: 3}
    assert plan.unchanged == 0
