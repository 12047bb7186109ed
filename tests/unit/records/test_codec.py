"""Records as documents and back."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import bson
import pytest
from bson.codec_options import CodecOptions
from hypothesis import given
from hypothesis import strategies as st

from controller.records.codec import DamagedRecordError, decode, encode
from controller.records.record import Condition, LiveName, Origin, Recording, Retired, RoomRecord, Status
from controller.room import MediaType, RecordMode, RoomSpec
from tests.support.rooms import NOW, room

times = st.integers(0, 10**12).map(lambda millis: NOW + timedelta(milliseconds=millis))
texts = st.text(max_size=20)
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
    generation=st.integers(1, 2**31),
    removed_at=st.none() | times,
    live=st.none() | st.builds(LiveName, texts, st.none() | texts),
    sid=st.none() | texts,
    retired=st.lists(st.builds(Retired, texts, times), max_size=3).map(tuple),
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
        *("invite_epoch", "removed_at", "live", "sid", "retired", "recording", "status"),
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
    spec = decode(encode(room())).spec
    assert spec == room().spec
    assert hash(spec) == hash(room().spec)
    assert spec.model_dump() == room().spec.model_dump()


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("key", 7, "key"),
        ("generation", "2", "generation"),
        ("created", "yesterday", "created"),
        ("origin", "git", "git"),
        ("removed_at", 5, "removed_at"),
        ("live", {"sid": "RM"}, "name"),
        ("live", "a name", "wrong type"),
        ("retired", [{"name": "x"}], "at"),
        ("retired", 3, "wrong type"),
        ("recording", {"room": "r", "file": "f"}, "attempt_at"),
        ("recording", {"attempt_at": NOW, "room": 7, "file": "f"}, "room"),
        ("recording", {"attempt_at": NOW, "room": "r", "file": "f", "egress_id": 7}, "egress_id"),
        ("recording", "EG_1", "wrong type"),
        ("status", {"conditions": [{}]}, "type"),
        ("status", [], None),
        ("spec", {}, "name"),
        ("spec", None, "wrong type"),
        ("spec", {**room().spec.as_dict(), "active": 1}, "spec.active"),
        ("spec", {**room().spec.as_dict(), "max_participants": True}, "spec.max_participants"),
        ("spec", {**room().spec.as_dict(), "mediaType": "SMELL"}, "SMELL"),
    ],
)
def test_a_damaged_document_says_what_is_wrong(field: str, value: Any, named: str | None) -> None:
    document = {**encode(room()), field: value}
    if named is None:  # nothing there reads as the default
        assert decode(document) == room()
        return
    with pytest.raises(DamagedRecordError, match=named):
        decode(document)


@pytest.mark.parametrize("field", ["_id", "key", "origin", "spec", "created", "modified", "generation"])
def test_a_missing_field_is_damage(field: str) -> None:
    document = encode(room())
    del document[field]
    with pytest.raises(DamagedRecordError, match=field):
        decode(document)


def test_a_field_of_a_later_version_is_let_be() -> None:
    assert decode({**encode(room()), "weather": {"rain": True}}) == room()


def test_a_document_of_before_there_were_recordings_has_none() -> None:
    document = encode(room())
    del document["recording"]
    assert decode(document).recording is None
