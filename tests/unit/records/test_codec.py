"""Records as documents and back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import bson
import pytest
from bson.codec_options import CodecOptions
from bson.datetime_ms import DatetimeMS
from bson.int64 import Int64
from hypothesis import given
from hypothesis import strategies as st

from controller.manifests.snapshot import ManifestRoom, SourcePosition
from controller.records.codec import RECORD_SCHEMA, decode, decode_bson, encode
from controller.records.record import (
    AgentCall,
    AgentCalls,
    CallState,
    Condition,
    LiveName,
    Origin,
    Recording,
    Retired,
    RoomRecord,
    Status,
    UnusableReason,
    UnusableRecord,
)
from controller.room import MediaType, RecordMode, RoomSpec
from tests.support.rooms import NOW, room

SPEC = room().spec.as_dict()
times = st.integers(0, 10**12).map(lambda millis: NOW + timedelta(milliseconds=millis))
texts = st.text(max_size=20)
names = st.text(min_size=1, max_size=20)
specs = st.builds(
    RoomSpec,
    name=st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9 -]{0,20}[A-Za-z0-9]\Z"),
    max_participants=st.integers(1, 100_000),
    mediaType=st.sampled_from(MediaType),
    record_mode=st.sampled_from(RecordMode),
    allow_chat=st.booleans(),
    active=st.booleans(),
)
conditions = st.builds(Condition, texts, texts, texts, texts, times)
recordings = st.builds(Recording, times, texts, texts, st.none() | texts, st.none() | times)
records = st.builds(
    RoomRecord,
    id=st.from_regex(r"\A[0-9a-f]{24}\Z"),
    key=texts,
    origin=st.sampled_from(Origin),
    file=st.none() | texts,
    spec=specs,
    created=times,
    modified=times,
    generation=st.integers(100, 2**31),
    removed_at=st.none() | times,
    live=st.none() | st.builds(LiveName, names, st.none() | texts),
    sid=st.none() | texts,
    retired=st.lists(st.builds(Retired, names, times), max_size=3).map(tuple),
    recording=st.none() | recordings,
    status=st.builds(Status, st.integers(0, 100), st.lists(conditions, max_size=3).map(tuple)),
)


@given(records)
def test_a_record_survives_bson(record: RoomRecord) -> None:
    raw = bson.encode(encode(record))
    assert decode(bson.decode(raw, CodecOptions(tz_aware=True))) == record


def test_the_document_has_the_documented_fields() -> None:
    status = Status(3, (Condition("Ready", "True", "Converged", "", NOW),))
    recording = Recording(NOW, "two", "/recordings/a.mp4")
    document = encode(
        replace(room(live="one").with_live_name("two", NOW), status=status, recording=recording)
    )
    assert list(document) == [
        *("_id", "origin", "created", "key", "file", "spec", "modified", "generation"),
        *("invite_epoch", "bound", "kicked", "hold", "reader", "removed_at"),
        *("live", "sid", "retired", "adopted", "occupied", "recording", "agents", "status"),
    ]
    assert document["live"] == {"name": "two", "sid": None}
    assert document["retired"] == [{"name": "one", "at": NOW}]
    assert document["recording"] == {
        "attempt_at": NOW,
        "room": "two",
        "file": "/recordings/a.mp4",
        "egress_id": None,
        "empty_since": None,
    }
    assert document["status"] == {
        "observedGeneration": 3,
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "Converged",
                "message": "",
                "lastTransitionTime": NOW,
            }
        ],
    }
    assert document["spec"] == room().spec.as_dict()


def test_a_decoded_spec_equals_and_hashes_as_a_validated_one() -> None:
    record = decode(encode(room()))
    assert isinstance(record, RoomRecord)
    spec = record.spec
    assert spec == room().spec
    assert hash(spec) == hash(room().spec)
    assert spec.model_dump() == room().spec.model_dump()


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("key", 7, "cannot read key"),
        ("generation", "2", "cannot read generation"),
        ("generation", 1e300, "cannot read generation"),
        ("generation", -1, "cannot read generation"),
        ("created", "yesterday", "cannot read created"),
        ("modified", datetime(9999, 12, 31, tzinfo=UTC), "cannot read modified"),
        ("origin", "git", "cannot read origin"),
        ("removed_at", 5, "cannot read removed_at"),
        ("live", {"sid": "RM"}, "cannot read live"),
        ("live", "a name", "cannot read live"),
        ("live", {"name": ""}, "cannot read live"),
        ("sid", 7, "cannot read sid"),
        ("reader", "none", "cannot read reader"),
        ("invite_epoch", True, "cannot read invite_epoch"),
        ("invite_epoch", Int64(2**63 - 1), "cannot read invite_epoch"),
        ("retired", [{"name": "x"}], "cannot read retired"),
        ("retired", 3, "cannot read retired"),
        ("recording", {"room": "r", "file": "f"}, "cannot read recording"),
        ("recording", {"attempt_at": NOW, "room": 7, "file": "f"}, "cannot read recording"),
        ("recording", {"attempt_at": NOW, "room": "r", "file": "f", "egress_id": 7}, "cannot read recording"),
        ("recording", "EG_1", "cannot read recording"),
        ("agents", {"calls": []}, "cannot read agents"),
        ("agents", {"room": "r", "calls": [{"name": "a"}]}, "cannot read agents"),
        ("agents", ["a"], "cannot read agents"),
        ("status", {"conditions": [{}]}, "cannot read status"),
        ("status", [], "cannot read status"),
        ("spec", {}, "spec.max_participants is missing; spec.name is missing"),
        ("spec", None, "spec is missing"),
        ("spec", "a room", "cannot read spec"),
        ("spec", {**SPEC, "active": 1}, "cannot read spec.active"),
        ("spec", {**SPEC, "max_participants": True}, "cannot read spec.max_participants"),
        ("spec", {**SPEC, "max_participants": 0}, "cannot read spec.max_participants"),
        ("spec", {**SPEC, "mediaType": "SMELL"}, "cannot read spec.mediaType"),
        (
            "spec",
            {**SPEC, "record_mode": "ROOM_COMPOSITE_X", "name": 7},
            "cannot read spec.name, spec.record_mode",
        ),
    ],
)
def test_damaged_document_says_what_cannot_be_read(field: str, value: Any, problem: str) -> None:
    unusable = decode({**encode(room()), field: value})
    assert isinstance(unusable, UnusableRecord)
    assert (unusable.reason, unusable.problem) == (UnusableReason.RECORD_DAMAGED, problem)
    assert unusable.record.id == room().id


def test_damaged_document_keeps_the_parts_that_can_be_read() -> None:
    stored = room(live="one").with_live_name("two", NOW)
    unusable = decode({**encode(stored), "spec": {**SPEC, "mediaType": "SMELL", "allow_chat": True}})
    assert isinstance(unusable, UnusableRecord)
    assert (unusable.record.live, unusable.record.retired) == (stored.live, stored.retired)
    assert (unusable.record.spec.name, unusable.record.spec.allow_chat) == (stored.spec.name, True)


@pytest.mark.parametrize("field", [name for name in SPEC if name not in ("name", "max_participants")])
def test_absent_field_of_the_spec_has_its_default(field: str) -> None:
    document = encode(room())
    del document["spec"][field]
    record = decode(document)
    assert isinstance(record, RoomRecord)
    assert record.spec == RoomSpec.model_validate(document["spec"])


@pytest.mark.parametrize(
    ("field", "incomplete"),
    [
        ("origin", {"origin"}),
        ("created", {"created"}),
        ("modified", {"modified"}),
        ("generation", {"generation"}),
        ("status", {"status"}),
        ("retired", {"retired"}),
        ("invite_epoch", set()),
        ("reader", set()),
        *((name, set[str]()) for name in ("file", "removed_at", "live", "sid", "recording")),
    ],
)
def test_absent_field_reads_as_never_written(field: str, incomplete: set[str]) -> None:
    stored = replace(room(), file=None) if field == "file" else room()
    document = encode(stored)
    del document[field]
    record = decode(document)
    assert isinstance(record, RoomRecord)
    assert record.completed() == stored
    assert record.incomplete == incomplete


def test_absent_generation_is_no_older_than_the_status() -> None:
    document = encode(replace(room(), status=Status(7)))
    del document["generation"]
    record = decode(document)
    assert isinstance(record, RoomRecord)
    assert record.generation == 7


def test_generation_older_than_the_status_is_damage_and_restored_as_a_newer_one() -> None:
    unusable = decode({**encode(replace(room(), status=Status(7))), "generation": 3})
    assert isinstance(unusable, UnusableRecord)
    assert (unusable.damage, unusable.needs_manifest) == ({"generation": 3}, False)
    assert unusable.restored(None, RESTORED_AT).generation == 8


def test_absent_key_of_an_api_room_follows_from_its_id() -> None:
    document = encode(replace(room(), origin=Origin.API, file=None))
    del document["key"]
    record = decode(document)
    assert isinstance(record, RoomRecord)
    assert record.key == f"api/{room().id}"
    del document["origin"], document["created"], document["modified"]
    assert isinstance(decode(document), UnusableRecord)


@pytest.mark.parametrize("number", [Int64(20), 20.0])
def test_number_of_any_kind_of_bson_is_read(number: Any) -> None:
    document = {**encode(room()), "generation": number, "spec": {**SPEC, "max_participants": number}}
    record = decode(bson.decode(bson.encode(document), CodecOptions(tz_aware=True)))
    assert isinstance(record, RoomRecord)
    assert (record.generation, record.spec.max_participants) == (20, 20)
    assert type(record.spec.max_participants) is int


def test_record_of_a_newer_release_is_shown_and_not_acted_on() -> None:
    unusable = decode({**encode(room()), "reader": RECORD_SCHEMA + 1})
    assert isinstance(unusable, UnusableRecord)
    assert unusable.reason is UnusableReason.NEWER_RELEASE
    assert replace(unusable.record, reader=1) == room()
    assert not unusable.is_restorable


def test_text_that_is_no_utf8_makes_the_record_unusable() -> None:
    raw = bson.encode(encode(room())).replace(b"room-1", b"room-\xff")
    unusable = decode_bson(raw)
    assert isinstance(unusable, UnusableRecord)
    assert unusable.record.id == room().id
    assert not unusable.is_restorable


def test_time_beyond_the_calendar_is_damage() -> None:
    raw = bson.encode({**encode(room()), "created": DatetimeMS(2**62)})
    unusable = decode_bson(raw)
    assert isinstance(unusable, UnusableRecord)
    assert unusable.damaged_fields == {"created"}


def test_field_of_a_later_version_is_left_out() -> None:
    document = {**encode(room()), "weather": {"rain": True}}
    document["spec"] = {**SPEC, "later": {"a": 1}}
    assert decode(document) == room()


RESTORED_AT = NOW + timedelta(days=1)


def test_restored_record_keeps_what_can_be_read() -> None:
    stored = replace(room(live="one").with_live_name("two", NOW), invite_epoch=3)
    unusable = decode({**encode(stored), "spec": {**SPEC, "name": 7}})
    assert isinstance(unusable, UnusableRecord)
    wanted = ManifestRoom(
        "moved", "moved.yaml", RoomSpec(name="Again", max_participants=9), SourcePosition(1, 1)
    )
    restored = unusable.restored(wanted, RESTORED_AT)
    assert restored == replace(
        stored, key="moved", file="moved.yaml", spec=wanted.spec, generation=stored.generation + 1
    )


def test_restored_record_voids_invites_whose_epoch_is_lost() -> None:
    unusable = decode({**encode(replace(room(), invite_epoch=3)), "invite_epoch": "three"})
    assert isinstance(unusable, UnusableRecord)
    assert not unusable.needs_manifest
    assert unusable.restored(None, RESTORED_AT).invite_epoch > 1_000_000


def test_calls_of_agents_keep_what_a_newer_release_has_stored() -> None:
    stored = {"name": "a", "at": NOW, "state": "dreaming", "failure": "", "more": 1}
    document = encode(room(live="one")) | {"agents": {"room": "one", "calls": [stored]}}
    record = decode(document)
    assert isinstance(record, RoomRecord)
    assert record.agents == AgentCalls("one", calls=(AgentCall("a", NOW),))
    assert encode(record)["agents"]["calls"] == [stored | {"state": "called"}]


def test_the_calls_of_agents_read_back() -> None:
    call = AgentCall("", NOW, CallState.ENDED, "Lost")
    before = room(live="one").with_agents(AgentCalls("one", "RM_1", (call,), NOW))
    assert decode(encode(before)) == before
    assert before.agents is not None
    assert before.agents.version == 1


@pytest.mark.parametrize("agents", [[], ["helper"]])
def test_what_is_left_of_a_damaged_spec_can_be_compared(agents: list[str]) -> None:
    """A plan keeps it in sets."""
    document = encode(room(agents=agents))
    document["spec"]["max_participants"] = "many"
    damaged = decode(document)
    assert isinstance(damaged, UnusableRecord)
    assert hash(damaged) == hash(decode(document))
    assert [agent.name for agent in damaged.record.spec.agents] == agents
