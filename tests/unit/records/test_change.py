"""What a write changes, and what it compares."""

from dataclasses import replace
from datetime import timedelta

import pytest

from controller.records.change import Rewrite, change
from controller.records.codec import decode, encode
from controller.records.record import (
    AgentCall,
    AgentCalls,
    Recording,
    RoomRecord,
    UnusableReason,
    UnusableRecord,
)
from controller.room import RoomSpec
from tests.support.fake_store import is_expected
from tests.support.rooms import NOW, room, status

LATER = NOW + timedelta(seconds=1)
ATTEMPT = Recording(NOW, "one", "/recordings/a.mp4")
FOUND = replace(ATTEMPT, egress_id="EG_1")
SPEC = RoomSpec(name="Another", max_participants=3)


def test_nothing_differs() -> None:
    assert not change(room(), replace(room())).fields


def test_the_desired_half_is_compared_on_generation_and_key() -> None:
    before = room(live="one")
    difference = change(before, before.with_spec(SPEC, before.key, before.file, LATER))
    assert difference.query() == {
        "_id": before.id,
        "generation": 1,
        "key": before.key,
        "hold": None,
    }
    changed = {"spec.name": "Another", "spec.max_participants": 3}
    assert difference.update() == {"$set": {**changed, "modified": LATER, "generation": 2}}


def test_of_two_revokes_at_once_the_second_is_made_again() -> None:
    before = room()
    first, second = (
        change(before, before.with_next_invite_epoch()),
        change(before, before.with_next_invite_epoch()),
    )
    assert is_expected(first, before)
    assert not is_expected(second, first.onto(before))
    again = change(before.with_next_invite_epoch(), before.with_next_invite_epoch().with_next_invite_epoch())
    assert change(before, before.with_next_invite_epoch()).query()["invite_epoch"] == {"$in": [0, None]}
    assert again.query()["invite_epoch"] == 1


def test_the_live_half_is_compared_on_the_name() -> None:
    difference = change(room(live="one"), room(live="one").with_sid("RM_1"))
    assert difference.query() == {"_id": room().id, "live.name": "one", "hold": None}
    assert difference.update() == {"$set": {"live.sid": "RM_1", "sid": "RM_1"}}


def test_a_first_name_expects_none() -> None:
    assert change(room(), room(live="one")).query() == {
        "_id": room().id,
        "live": None,
        "hold": None,
    }


def test_retired_names_are_compared_on_their_number_and_the_last() -> None:
    before = room(live="one").with_live_name("two", NOW)
    difference = change(before, before.without_live_name(LATER))
    assert difference.query() == {
        "_id": room().id,
        "hold": None,
        "live.name": "two",
        "retired": {"$size": 1},
        "retired.0.name": "one",
    }


def test_a_status_expects_one_that_is_no_newer() -> None:
    difference = change(room(), room().with_status(status(4)))
    assert difference.query() == {
        "_id": room().id,
        "status.observedGeneration": {"$not": {"$gt": 4}},
    }


def test_a_removal_compares_both_halves() -> None:
    query = change(room(live="one"), room(live="one").with_tombstone(LATER)).query()
    assert query.keys() == {"_id", "generation", "key", "hold", "live.name", "retired.0"}


def test_a_first_attempt_expects_none_and_the_live_room_that_it_is_for() -> None:
    before = room(live="one")
    difference = change(before, before.with_recording(ATTEMPT))
    assert difference.query() == {"_id": before.id, "live.name": "one", "recording": None}


def test_what_came_of_an_attempt_is_compared_on_the_attempt_and_what_was_known_of_it() -> None:
    before = room(live="one").with_recording(ATTEMPT)
    assert change(before, before.with_recording(FOUND)).query() == {
        "_id": before.id,
        "live.name": "one",
        "recording.attempt_at": NOW,
        "recording.egress_id": None,
    }


@pytest.mark.parametrize(
    "stored",
    [None, FOUND, replace(ATTEMPT, attempt_at=LATER), replace(FOUND, egress_id="EG_2")],
    ids=["gone", "found", "another", "another's egress"],
)
def test_who_saw_another_attempt_must_look_again(stored: Recording | None) -> None:
    before = room(live="one").with_recording(ATTEMPT)
    difference = change(before, before.with_recording(None))
    assert is_expected(difference, before)
    assert not is_expected(difference, before.with_recording(stored))


def test_of_two_first_attempts_at_once_the_second_is_not_admitted() -> None:
    before = room(live="one")
    first = change(before, before.with_recording(ATTEMPT))
    second = change(before, before.with_recording(replace(ATTEMPT, attempt_at=LATER)))
    assert not is_expected(second, first.onto(before))


def test_since_when_nobody_is_inside_may_change_under_another_writer_of_it() -> None:
    before = room(live="one").with_recording(FOUND)
    difference = change(before, before.with_recording(replace(FOUND, empty_since=LATER)))
    assert is_expected(difference, before.with_recording(replace(FOUND, empty_since=NOW)))


def test_the_other_half_of_a_newer_record_is_kept() -> None:
    newer = room().with_spec(SPEC, room().key, None, LATER)
    merged = change(room(), room(live="one")).onto(newer)
    assert (merged.spec, merged.live) == (SPEC, room(live="one").live)


def test_it_is_known_again_once_it_landed() -> None:
    difference = change(room(), room(live="one"))
    assert difference.is_applied(room(live="one").with_status(status(1)))
    assert not difference.is_applied(room(live="two"))
    assert not difference.is_applied(room())


def test_it_is_admitted_where_the_stored_record_is_as_expected() -> None:
    difference = change(room(), room(live="one").with_status(status(2)))
    assert is_expected(difference, room())
    assert is_expected(difference, room().with_spec(SPEC, "other", None, LATER))
    assert not is_expected(difference, room(live="two"))
    assert not is_expected(difference, room().with_status(status(3)))


def test_a_part_is_set_as_a_whole_only_where_it_is_another_one() -> None:
    before = room(live="one").with_recording(ATTEMPT)
    assert change(before, before.with_recording(FOUND)).update() == {"$set": {"recording.egress_id": "EG_1"}}
    again = replace(ATTEMPT, attempt_at=LATER)
    assert set(change(before, before.with_recording(again)).update()["$set"]) == {"recording"}
    assert change(room(), room(live="one")).update() == {"$set": {"live": {"name": "one", "sid": None}}}


def test_what_a_newer_release_says_of_a_retired_name_is_written_back() -> None:
    stored = decode({**encode(room(live="two")), "retired": [{"name": "one", "at": NOW, "by": "hand"}]})
    assert isinstance(stored, RoomRecord)
    assert change(stored, stored.without_live_name(LATER)).update()["$set"]["retired"] == [
        {"name": "one", "at": NOW, "by": "hand"},
        {"name": "two", "at": LATER},
    ]


def test_a_status_is_set_part_by_part() -> None:
    update = change(room(), room().with_status(status(4))).update()
    assert update["$set"].keys() == {"status.observedGeneration", "status.conditions"}


def test_absent_fields_are_completed_and_expected_to_be_absent() -> None:
    before = replace(room(), incomplete=frozenset({"generation", "status"}))
    difference = change(before, before.completed())
    assert difference.query() == {
        "_id": before.id,
        "generation": None,
        "key": before.key,
        "hold": None,
        "status.observedGeneration": {"$not": {"$gt": 0}},
    }
    assert difference.update()["$set"] == {
        "generation": 1,
        "status": {"observedGeneration": 0, "conditions": []},
    }
    assert difference.onto(before) == room()


def test_a_damaged_record_is_rewritten_while_it_is_as_it_was_seen() -> None:
    damaged = UnusableRecord(room(), UnusableReason.RECORD_DAMAGED, {"spec.name": 7, "live": "x"})
    rewrite = Rewrite(damaged, damaged.restored(None, LATER))
    assert rewrite.query() == {"_id": room().id, "spec.name": {"$eq": 7}, "live": {"$eq": "x"}}
    assigned = rewrite.update()["$set"]
    assert assigned.keys() == {"generation", "live", *(f"spec.{name}" for name in room().spec.as_dict())}


@pytest.mark.parametrize("field", ["id", "created"])
def test_what_the_insert_set_never_changes(field: str) -> None:
    after = replace(room(), **{field: "f" * 24 if field == "id" else LATER})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="never change"):
        change(room(), after)


def test_of_two_calls_of_an_agent_on_one_state_the_second_must_read_again() -> None:
    first = room(live="one").with_agents(AgentCalls("one", calls=(AgentCall("a", NOW),)))
    difference = change(room(live="one"), first)
    assert difference.query() == {"_id": first.id, "live.name": "one", "agents": None}
    assert first.agents is not None
    second = change(first, first.with_agents(replace(first.agents, empty_since=NOW)))
    assert second.query() == {"_id": first.id, "live.name": "one", "agents.version": 1}
    assert second.update() == {"$set": {"agents.empty_since": NOW, "agents.version": 2}}
    assert not is_expected(second, second.onto(first))
