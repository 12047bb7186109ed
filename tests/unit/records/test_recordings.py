"""Rows of the collection `recordings` as documents and back."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import bson
import pytest
from bson.codec_options import CodecOptions
from hypothesis import given
from hypothesis import strategies as st

from controller.records.recordings import (
    DamagedRowError,
    RecordingRow,
    RecordingState,
    decode_row,
    encode_row,
    latest_first,
)
from tests.support.rooms import NOW, room

ROW = RecordingRow("EG_1", "events/a", room().id, "/recordings/events/a/1.mp4", NOW)

times = st.integers(0, 10**12).map(lambda millis: NOW + timedelta(milliseconds=millis))
rows = st.builds(
    RecordingRow,
    egress_id=st.text(max_size=20),
    key=st.text(max_size=20),
    room_id=st.text(max_size=24),
    file=st.text(max_size=20),
    started=times,
    ended=st.none() | times,
    seconds=st.floats(0, 10**7),
    size=st.integers(0, 2**62),
    state=st.sampled_from(RecordingState),
    error=st.text(max_size=20),
    recorded_from=st.none() | times,
)


@given(rows)
def test_a_row_survives_bson(row: RecordingRow) -> None:
    raw = bson.encode(encode_row(row))
    assert decode_row(bson.decode(raw, CodecOptions(tz_aware=True))) == row


def test_the_document_has_the_fields_of_the_contract() -> None:
    assert list(encode_row(ROW)) == [
        *("_id", "key", "room_id", "file", "started", "ended", "seconds", "bytes", "state", "error"),
        "recorded_from",
    ]


@pytest.mark.parametrize("field", ["ended", "seconds", "bytes", "error", "recorded_from"])
def test_a_row_can_do_without(field: str) -> None:
    document = encode_row(ROW)
    del document[field]
    assert decode_row(document) == ROW


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("_id", 7),
        ("key", None),
        ("room_id", 7),
        ("file", ["a"]),
        ("started", None),
        ("ended", "later"),
        ("seconds", float("nan")),
        ("bytes", float("inf")),
        ("bytes", "many"),
        ("state", "singing"),
        ("state", {}),
        ("state", None),
    ],
)
def test_a_damaged_document_names_its_field(field: str, value: Any) -> None:
    document: Mapping[str, Any] = {**encode_row(ROW), field: value}
    with pytest.raises(DamagedRowError, match=field):
        decode_row(document)


def test_two_of_one_moment_have_an_order_too() -> None:
    other = replace(ROW, egress_id="EG_2")
    assert latest_first([ROW, other]) == latest_first([other, ROW])
