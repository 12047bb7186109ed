"""The answer of getAll is read as the API would take it; every problem has its place."""

import json
from typing import Any

import pytest

from controller.manifests.api_export import BadExportError, read_api_export
from controller.room import REFERENCE_FIELDS, MediaType, RoomSpec
from tests.support.reference import ANSWER

ID = "69f013c1aa11bb22cc33dd44"
GOOD: dict[str, Any] = {"name": "Room", "max_participants": 20}


def problems(*entries: object) -> list[str]:
    with pytest.raises(BadExportError) as refused:
        read_api_export(json.dumps(entries).encode(), "x")
    return list(refused.value.problems)


def test_room_of_the_reference_keeps_its_id_and_all_its_fields() -> None:
    read = read_api_export(f"[{ANSWER}]".encode(), "Where from.")
    (room,) = read.rooms
    assert (room.id, room.origin, read.ignored) == (ID, "Where from.", ())
    returned = json.loads(ANSWER)
    assert {name: returned[name] for name in REFERENCE_FIELDS} == {
        name: value for name, value in room.spec.as_dict().items() if name in REFERENCE_FIELDS
    }


def test_null_and_a_byte_order_mark_are_nothing() -> None:
    content = b"\xef\xbb\xbf" + json.dumps([GOOD | {"user_id": None, "_id": None}]).encode()
    (room,) = read_api_export(content, "x").rooms
    assert (room.spec, room.id) == (RoomSpec(**GOOD), None)


@pytest.mark.parametrize("name", ["_id", "id"])
def test_id_of_24_digits_is_kept(name: str) -> None:
    (room,) = read_api_export(json.dumps([GOOD | {name: ID.upper()}]).encode(), "x").rooms
    assert room.id == ID


def test_what_is_ignored_is_reported() -> None:
    entries = [GOOD | {"__v": 1, "id": "7"}, GOOD | {"__v": 2, "allow_chatt": True}]
    assert read_api_export(json.dumps(entries).encode(), "x").ignored == (
        'unknown field "__v" ignored in 2 rooms',
        'unknown field "allow_chatt" ignored in 1 room; did you mean allow_chat?',
        "1 room gets another id, and other links: the id is not 24 hexadecimal digits",
    )


def test_every_problem_of_every_room_is_reported() -> None:
    assert problems(
        GOOD,
        {"name": "Räume", "max_participants": "20", "allow_chat": 1},
        3,
        {"max_participants": 0},
        GOOD | {"mediaType": "VIDEO", "reserved_seats": 20},
        GOOD | {"_id": ID, "id": "0" * 24},
        GOOD | {"id": 7},
    ) == [
        '[1].name: invalid value "Räume"; use 1 to 100 characters: A-Z a-z 0-9, space and -',
        '[1].max_participants: invalid value "20"; use an integer from 1 to 100000',
        '[1].allow_chat: invalid value "1"; use true or false',
        "[2]: expected a room, got a number",
        "[3].name: required; use 1 to 100 characters: A-Z a-z 0-9, space and -",
        '[3].max_participants: invalid value "0"; use an integer from 1 to 100000',
        f'[4].mediaType: invalid value "VIDEO"; use {", ".join(MediaType)}',
        '[4].reserved_seats: invalid value "20"; use an integer from 0 to max_participants - 1',
        "[5].id: differs from _id; remove one",
        '[6].id: expected a string, got "7"',
    ]


def test_shared_id_names_both_rooms_and_not_the_id() -> None:
    assert problems(GOOD | {"id": ID}, GOOD, GOOD | {"_id": ID}) == [
        "[2].id: the same as in [0]; ids must be unique"
    ]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"\xff[]", "invalid UTF-8"),
        (b"", "invalid JSON at line 1, column 1"),
        (b"[\n{]", "invalid JSON at line 2, column 2"),
        (b'{"success": false}', "expected the array that getAll returns, got an object"),
        (b"7", "got a number"),
        (b"null", "got null"),
        (b'[{"name": "a", "name": "b"}]', 'duplicate field "name"; remove one'),
        (b'[{"max_participants": NaN}]', "NaN is not a number in JSON"),
        (b"[" * 100_000, "invalid JSON"),
    ],
)
def test_file_of_another_form_is_refused(content: bytes, problem: str) -> None:
    with pytest.raises(BadExportError) as refused:
        read_api_export(content, "x")
    assert problem in str(refused.value)


def test_half_of_a_surrogate_pair_is_a_wrong_value() -> None:
    with pytest.raises(BadExportError, match=r"\[0\].user_id: invalid value"):
        read_api_export(b'[{"name": "a", "max_participants": 2, "user_id": "\\ud800"}]', "x")
