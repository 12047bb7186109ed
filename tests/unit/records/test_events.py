"""Events as documents and back, and as JSON."""

from datetime import timedelta
from typing import Any

import bson
import pytest
from bson.codec_options import CodecOptions
from hypothesis import given
from hypothesis import strategies as st

from controller.records.events import (
    MAX_TEXT,
    Event,
    EventType,
    decode_event,
    encode_event,
    event_dict,
    new_event_id,
    newest_last,
)
from controller.room import FieldChange
from tests.support.rooms import NOW, room

EVENT = Event(
    at=NOW,
    type=EventType.UPDATE,
    key="events/a",
    room_id=room().id,
    reason="manifest changed",
    fields=(FieldChange("allow_chat", True, False),),
    disruption="restricts",
    participants=4,
    by="manifest events/a.yaml",
    revision="9f2c",
    seconds=0.25,
)

times = st.integers(0, 10**12).map(lambda millis: NOW + timedelta(milliseconds=millis))
texts = st.text(max_size=20)
maybe = st.none() | texts
values = st.none() | st.booleans() | st.integers(0, 100_000) | texts
events = st.builds(
    Event,
    at=times,
    type=st.sampled_from(EventType).map(str),
    key=maybe,
    room_id=maybe,
    reason=texts,
    fields=st.lists(st.builds(FieldChange, texts, values, values), max_size=3).map(tuple),
    disruption=maybe,
    participants=st.none() | st.integers(0, 100_000),
    by=texts.filter(bool),
    revision=texts,
    seconds=st.none() | st.floats(0, 10**6),
    error=maybe,
    count=st.none() | st.integers(1, 10**6),
)


@given(events, st.booleans())
def test_an_event_survives_bson(event: Event, pending: bool) -> None:
    raw = bson.encode(encode_event(event, pending=pending))
    assert decode_event(bson.decode(raw, CodecOptions(tz_aware=True))) == event


def test_the_document_has_the_fields_of_the_contract() -> None:
    fields = ["at", "key", "room_id", "type", "reason", "fields", "disruption", "participants", "by"]
    assert list(encode_event(EVENT, pending=False)) == [
        "_id",
        *fields,
        "revision",
        "seconds",
        "error",
        "count",
    ]
    assert encode_event(EVENT, pending=True)["pending"] is True


def test_a_long_text_is_cut() -> None:
    long = Event(at=NOW, type="fail", reason="r" * 5000, error="e" * 5000)
    document = encode_event(long, pending=False)
    assert (len(document["reason"]), len(document["error"])) == (MAX_TEXT, MAX_TEXT)


def test_only_time_type_and_id_are_needed() -> None:
    document = {"_id": "1", "at": NOW, "type": "start"}
    assert decode_event(document) == Event(id="1", at=NOW, type="start")


def test_a_type_of_a_later_release_is_read_as_it_is() -> None:
    event = decode_event({"_id": "1", "at": NOW, "type": "teleport"})
    assert event is not None
    assert event.type == "teleport"


@pytest.mark.parametrize("damage", [{"at": "noon"}, {"type": 7}, {"_id": 3}, {"at": None}])
def test_a_damaged_document_is_no_event(damage: dict[str, Any]) -> None:
    assert decode_event(encode_event(EVENT, pending=False) | damage) is None


@pytest.mark.parametrize("field", ["key", "reason", "fields", "participants", "seconds", "by", "error"])
def test_a_field_of_a_wrong_type_reads_as_missing(field: str) -> None:
    wrong = encode_event(EVENT, pending=False) | {field: object()}
    without = {name: value for name, value in encode_event(EVENT, pending=False).items() if name != field}
    assert decode_event(wrong) == decode_event(without)


def test_ids_of_one_process_sort_as_they_were_made() -> None:
    ids = [new_event_id() for _ in range(100)]
    assert ids == sorted(ids)
    assert len(set(ids)) == 100


def test_events_of_one_moment_are_in_the_order_in_which_they_were_made() -> None:
    first, second = Event(at=NOW, type="create"), Event(at=NOW, type="start")
    assert newest_last([second, first]) == [first, second]


def test_the_json_has_the_id_and_times_as_text() -> None:
    assert event_dict(EVENT) == {
        "id": EVENT.id,
        "at": "2026-03-24T16:00:00.123Z",
        "key": "events/a",
        "room_id": room().id,
        "type": "update",
        "reason": "manifest changed",
        "fields": [{"field": "allow_chat", "from": True, "to": False}],
        "disruption": "restricts",
        "participants": 4,
        "by": "manifest events/a.yaml",
        "revision": "9f2c",
        "seconds": 0.25,
        "error": None,
        "count": None,
    }
