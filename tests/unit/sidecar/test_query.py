"""filter and sort: what they mean, what they refuse, and that nothing else ever comes of them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.records.record import Origin, RoomRecord, to_api_dict
from controller.room import FIELDS, MediaType, RecordMode, RoomSpec
from controller.sidecar.http.response import ApiError, Code
from controller.sidecar.rooms.query import NAMES, OPERATORS, compile_filter, parse_sort, sort_records
from tests.unit.sidecar.harness import record, spec

START = datetime(2026, 3, 24, 16, tzinfo=UTC)
NAMED = ["A room", "B", "a room", "Z-9"]
IDS = [f"{number:024x}" for number in (1, 2, 10, 255)]
SIDS = [None, "RM_a", "RM_b"]


@st.composite
def rooms(draw: Callable[..., Any]) -> RoomRecord:
    flags = ("allow_webinar_mode", "allow_chat", "allow_share_screen", "record", "active")
    wanted = RoomSpec(
        name=draw(st.sampled_from(NAMED)),
        user_id=draw(st.sampled_from(["anna", "bert"])),
        mediaType=draw(st.sampled_from(MediaType)),
        record_mode=draw(st.sampled_from(RecordMode)),
        max_participants=draw(st.integers(1, 4)),
        **{flag: draw(st.booleans()) for flag in flags},
    )
    at = [START + timedelta(milliseconds=draw(st.integers(0, 3))) for _ in range(2)]
    room_id = draw(st.sampled_from(IDS))
    return RoomRecord(
        room_id, f"api/{room_id}", Origin.API, None, wanted, at[0], at[1], sid=draw(st.sampled_from(SIDS))
    )


OPERANDS: dict[str, st.SearchStrategy[Any]] = {
    **{name: st.just(field.default) for name, field in FIELDS.items()},  # enough for one that is newer
    "_id": st.sampled_from(IDS),
    "id": st.sampled_from(IDS),
    "sid": st.sampled_from(SIDS),
    "name": st.sampled_from(NAMED),
    "user_id": st.sampled_from(["anna", "bert", ""]),
    "mediaType": st.sampled_from([*map(str, MediaType), "other"]),
    "record_mode": st.sampled_from([*map(str, RecordMode)]),
    "max_participants": st.integers(0, 5),
    **dict.fromkeys(
        ("allow_webinar_mode", "allow_chat", "allow_share_screen", "record", "active"), st.booleans()
    ),
    **dict.fromkeys(
        ("created", "modified"), st.integers(0, 3).map(lambda ms: f"2026-03-24T16:00:00.{ms:03d}Z")
    ),
}


@st.composite
def comparisons(draw: Callable[..., Any]) -> dict[str, Any]:
    name = draw(st.sampled_from(NAMES))
    operand = draw(OPERANDS[name])
    word = draw(st.sampled_from(["", *OPERATORS]))
    if word in ("$in", "$nin"):
        return {name: {word: draw(st.lists(OPERANDS[name], max_size=3))}}
    if word[:3] in ("$gt", "$lt") and (isinstance(operand, bool) or operand is None):
        word = "$ne"
    return {name: {word: operand} if word else operand}


def _branches(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    lists = st.lists(inner, min_size=1, max_size=2)
    return st.one_of(lists.map(lambda each: {"$and": each}), lists.map(lambda each: {"$or": each}))


FLAT = st.lists(comparisons(), max_size=3).map(lambda each: {k: v for part in each for k, v in part.items()})
NESTED = st.one_of(FLAT, _branches(FLAT), _branches(st.one_of(FLAT, _branches(FLAT))))


def meant(room: dict[str, Any], content: dict[str, Any]) -> bool:
    """The filter on the room as it is returned, word for word; the times there order as text."""
    for name, value in content.items():
        if name in ("$and", "$or"):
            parts = [meant(room, each) for each in value]
            if not (all(parts) if name == "$and" else any(parts)):
                return False
            continue
        for word, operand in value.items() if isinstance(value, dict) else [("$eq", value)]:
            if not _holds(room[name], word, operand):
                return False
    return True


def _holds(value: Any, word: str, operand: Any) -> bool:
    match word:
        case "$eq":
            return bool(value == operand)
        case "$ne":
            return bool(value != operand)
        case "$in":
            return value in operand
        case "$nin":
            return value not in operand
    if value is None:
        return False
    return bool(
        {"$gt": value > operand, "$gte": value >= operand, "$lt": value < operand, "$lte": value <= operand}[
            word
        ]
    )


@given(NESTED, rooms())
def test_a_filter_means_what_it_says(content: dict[str, Any], room: RoomRecord) -> None:
    assert compile_filter(content)(room) is meant(to_api_dict(room), content)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*NAMES, *OPERATORS, "$and", "$or", "$where", "$expr", "success"])
            | st.text(max_size=8),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


def fault(read: Callable[[], Any]) -> str | None:
    """What a refusal names; None where there was none. Nothing else is ever raised."""
    try:
        read()
    except ApiError as refusal:
        return f"{refusal.code}: {refusal.error}"
    return None


@given(JSON, rooms())
def test_whatever_is_sent_is_a_filter_or_refused(content: Any, room: RoomRecord) -> None:
    named = fault(lambda: compile_filter(content)(room))
    assert named is None or named.startswith("INVALID_FIELD: filter")


@given(JSON)
def test_whatever_is_sent_is_an_order_or_refused(content: Any) -> None:
    named = fault(lambda: parse_sort(content))
    assert named is None or named.startswith("INVALID_FIELD: sort")


@given(
    st.lists(rooms(), max_size=6, unique_by=lambda room: room.id),
    st.dictionaries(st.sampled_from(NAMES), st.sampled_from([1, -1]), min_size=1, max_size=3),
)
def test_rooms_come_in_the_order_asked_for(records: list[RoomRecord], sort: dict[str, int]) -> None:
    listed = sort_records(records, parse_sort(sort))
    assert sorted(room.id for room in listed) == sorted(room.id for room in records)
    for first, second in pairwise(listed):
        assert _rank(first, second, sort) < 0


def _rank(first: RoomRecord, second: RoomRecord, sort: dict[str, int]) -> int:
    """Below 0 where `first` comes first."""
    one, other = to_api_dict(first), to_api_dict(second)
    for name, direction in {**sort, **({} if "id" in sort else {"id": 1})}.items():
        a, b = ((room[name] is not None, room[name] or 0) for room in (one, other))
        if a[0] != b[0]:
            return direction * (a[0] - b[0])
        if a[1] != b[1]:
            return direction * (1 if a[1] > b[1] else -1)
    return 0


def refusal(content: Any) -> str:
    with pytest.raises(ApiError) as refused:
        compile_filter(content)
    assert refused.value.code is Code.INVALID_FIELD
    return refused.value.error


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([], "filter must be an object"),
        ("active", "filter must be an object"),
        ({"$or": ["active"]}, "filter must be an object"),
        ({"activ": True}, 'filter: unknown field "activ"; did you mean active?'),
        ({"$where": "sleep(1000)"}, 'filter: unknown field "$where"; supported: _id'),
        ({"$nor": [{"active": True}]}, 'filter: unknown field "$nor"; did you mean $or?'),
        ({"spec.name": "x"}, 'filter: unknown field "spec.name"'),
        ({"success": True}, 'filter: unknown field "success"'),
        ({"name": {"$regex": ".*"}}, 'filter.name: unknown operator "$regex"'),
        ({"name": {"$exists": True}}, 'filter.name: unknown operator "$exists"'),
        ({"name": {"eq": "x"}}, 'filter.name: unknown operator "eq"; did you mean $eq?'),
        ({"name": {"$not": {"$eq": "x"}}}, 'filter.name: unknown operator "$not"'),
        ({"name": {}}, "filter.name must be a value"),
        ({"name": ["x"]}, "filter.name must be a string"),
        ({"name": None}, "filter.name must be a string"),
        ({"name": {"$eq": {"$gt": ""}}}, "filter.name must be a string"),
        ({"name": {"$in": "x"}}, "filter.name must have a list beside $in and $nin"),
        ({"name": {"$in": ["x", 1]}}, "filter.name must be a string"),
        ({"max_participants": True}, "filter.max_participants must be a whole number"),
        ({"max_participants": 20.0}, "filter.max_participants must be a whole number"),
        ({"max_participants": "20"}, "filter.max_participants must be a whole number"),
        ({"active": 1}, "filter.active must be true or false"),
        ({"active": {"$gt": False}}, "filter.active does not support range operators; use"),
        ({"sid": {"$gte": None}}, "filter.sid does not support range operators; use"),
        ({"created": "yesterday"}, "filter.created must be a time such as"),
        ({"created": 1_795_000_000}, "filter.created must be a time such as"),
        ({"created": "2026-03-24T16:00:00"}, "filter.created must be a time such as"),
        ({"created": "2026-02-30T16:00:00Z"}, "filter.created must be a time such as"),
        ({"created": "0001-01-01T00:00:00+01:00"}, "filter.created must be a time such as"),
        ({"$and": []}, "filter.$and must be a list of filters"),
        ({"$or": {"active": True}}, "filter.$or must be a list of filters"),
        ({"$or": [{"max_participants": n} for n in range(33)]}, "filter has more than 32 terms; use fewer."),
        ({"$or": [{}] * 33}, "filter has more than 32 terms; use fewer."),
    ],
)
def test_what_a_filter_may_not_say_is_named(content: Any, reason: str) -> None:
    assert refusal(content).startswith(reason)


def nested(levels: int) -> dict[str, Any]:
    content: dict[str, Any] = {"active": True}
    for level in range(levels):
        content = {"$and" if level % 2 else "$or": [content]}
    return content


def test_and_and_or_nest_three_deep() -> None:
    assert compile_filter(nested(3))(record())
    assert refusal(nested(4)) == "filter nests $and and $or deeper than 3; nest fewer."


def test_thirty_two_terms_are_fine() -> None:
    assert compile_filter({"$or": [{"max_participants": n} for n in range(32)]})(record())
    assert compile_filter({"max_participants": {"$in": list(range(1000))}})(record())


@pytest.mark.parametrize(
    "time",
    [
        "2026-03-24T16:00:00.000Z",
        "2026-03-24T16:00:00Z",
        "2026-03-24t16:00:00z",
        "2026-03-24 16:00:00.000000000Z",
        "2026-03-24T18:30:00+02:30",
        "2026-03-23T23:00:00.0-17:00",
    ],
)
def test_a_time_may_be_written_in_any_way_of_rfc_3339(time: str) -> None:
    assert compile_filter({"created": time})(record())
    assert compile_filter({"created": {"$gte": time, "$lte": time}})(record())
    assert not compile_filter({"created": {"$gt": time}})(record())


def test_a_room_that_was_never_active_has_a_null_sid_and_is_in_no_range() -> None:
    room = record(sid=None)
    assert compile_filter({"sid": None})(room)
    assert compile_filter({"sid": {"$in": ["RM_a", None]}})(room)
    assert compile_filter({"sid": {"$ne": "RM_a"}})(room)
    assert not compile_filter({"sid": {"$lt": "z"}})(room)
    assert not compile_filter({"sid": {"$ne": None}})(room)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([], "sort must be an object"),
        ("created", "sort must be an object"),
        ({"craeted": 1}, 'sort: unknown field "craeted"; did you mean created?'),
        ({"$natural": 1}, 'sort: unknown field "$natural"'),
        ({"created": True}, "sort.created must be 1 or -1"),
        ({"created": 1.0}, "sort.created must be 1 or -1"),
        ({"created": 0}, "sort.created must be 1 or -1"),
        ({"created": "asc"}, "sort.created must be 1 or -1"),
        ({"created": {"$meta": "textScore"}}, "sort.created must be 1 or -1"),
    ],
)
def test_what_a_sort_may_not_say_is_named(content: Any, reason: str) -> None:
    with pytest.raises(ApiError) as refused:
        parse_sort(content)
    assert refused.value.code is Code.INVALID_FIELD
    assert refused.value.error.startswith(reason)


def test_the_default_order_is_that_of_creation() -> None:
    assert parse_sort({}) == (("created", 1),)


def test_null_comes_before_everything_and_ties_go_by_id() -> None:
    records = [record(id=room_id, sid=sid, spec=spec()) for room_id, sid in zip("cba", SIDS, strict=True)]
    assert [room.sid for room in sort_records(records, parse_sort({"sid": 1}))] == SIDS
    assert [room.sid for room in sort_records(records, parse_sort({"sid": -1}))] == SIDS[::-1]
    assert [room.id for room in sort_records(records, parse_sort({"name": -1}))] == ["a", "b", "c"]
