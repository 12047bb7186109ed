"""The reference's room: ids, times and defaults by known answers."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import ValidationError

from controller.records.record import Origin, RoomRecord, to_api_dict
from controller.room import (
    Purpose,
    RoomSpec,
    derive_key,
    format_time,
    next_modified,
    redact_key,
    room_id,
)
from tests.support.reference import CREATE_ROOM

SECRET = "a-secret-of-the-tests"


def test_a_manifest_rooms_id_is_a_known_answer() -> None:
    """These change no link: the ids of every room in every git depend on them."""
    assert derive_key(SECRET, Purpose.ROOM_ID).hex() == (
        "6eb07e85ce08ec76498c0729fa66c3648431293f1ce79793118c5160103e4315"
    )
    assert room_id("events/keynote", derive_key(SECRET, Purpose.ROOM_ID)) == "63995e5193607b99c90ab333"


def test_each_purpose_has_a_key_of_its_own() -> None:
    assert len({derive_key(SECRET, purpose) for purpose in Purpose}) == len(Purpose)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 3, 24, 16, 0, tzinfo=UTC), "2026-03-24T16:00:00.000Z"),
        (datetime(2026, 3, 24, 16, 0, 0, 1_999, tzinfo=UTC), "2026-03-24T16:00:00.001Z"),
        (datetime(2026, 3, 24, 18, 0, tzinfo=timezone(timedelta(hours=2))), "2026-03-24T16:00:00.000Z"),
    ],
)
def test_a_time_is_utc_with_three_decimals(moment: datetime, text: str) -> None:
    assert format_time(moment) == text


def test_modified_never_stands_still_nor_goes_back() -> None:
    before = datetime(2026, 3, 24, 16, 0, tzinfo=UTC)
    assert next_modified(before, before) == before + timedelta(milliseconds=1)
    assert next_modified(before, before - timedelta(hours=1)) == before + timedelta(milliseconds=1)
    assert next_modified(before, before + timedelta(hours=1)) == before + timedelta(hours=1)


def test_a_room_is_returned_as_the_reference_prints_it() -> None:
    printed = CREATE_ROOM.answers
    spec = RoomSpec(
        name="Main stage room",
        user_id="69360341db559495f643de6a",
        max_participants=50,
        allow_webinar_mode=True,
        allow_chat=True,
        allow_share_screen=True,
    )
    room_id, created = printed["id"], datetime(2026, 3, 24, 16, 0, tzinfo=UTC)
    record = RoomRecord(room_id, "stage", Origin.MANIFEST, "stage.yaml", spec, created, created)
    answered = to_api_dict(record) | {"sid": "RM_x7h6k4example"}
    assert json.dumps(answered) == json.dumps(printed)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": " "},
        {"name": "a" * 101},
        {"name": "Käse"},
        {"name": "a\nb"},
        {"name": "a_b"},
        {"max_participants": 0},
        {"max_participants": 100_001},
        {"max_participants": "20"},
        {"max_participants": True},
        {"allow_chat": 1},
        {"user_id": ""},
        {"user_id": "a" * 129},
        {"mediaType": "VIDEO"},
        {"unknown": 1},
    ],
)
def test_a_spec_is_strict(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        RoomSpec.model_validate({"name": "A", "max_participants": 20} | wrong)


def test_an_api_rooms_key_is_shown_without_its_id() -> None:
    assert redact_key("api/69f013c1aa11bb22cc33dd44") == "api/69f013"
    assert redact_key("events/keynote") == "events/keynote"
