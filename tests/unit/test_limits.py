"""Limits of fields: what they allow, how they are said, and whether several leave anything."""

from typing import Any

import pytest

from controller.limits import MAX_SHOWN, Allowed, Limit, are_compatible, exceeded, within
from controller.room import FIELDS, RoomSpec


def limit(field: str, allowed: Allowed) -> Limit:
    return Limit(field, allowed, "_policy.yaml", 3, 7)


@pytest.mark.parametrize(
    ("field", "allowed", "inside", "outside"),
    [
        ("max_participants", 20, [1, 20], [21]),
        ("reserved_seats", 0, [0], [1]),
        ("record", (False,), [False], [True]),
        ("mediaType", ("MEDIA_TYPE_VIDEO_AUDIO",), ["MEDIA_TYPE_VIDEO_AUDIO"], ["MEDIA_TYPE_AUDIO_ONLY"]),
        (
            "user_id",
            ("events", "e-*", "[ab]?"),
            ["events", "e-", "e-1", "ax"],
            ["Events", "xe-1", "cx", "abc"],
        ),
        ("timezone", ("Europe/*",), ["Europe/Berlin"], ["UTC"]),
        ("opens", ("2026-*",), ["2026-12-01T14:00:00", ""], ["2027-01-01T00:00:00"]),
    ],
)
def test_a_limit_allows_what_it_lists(
    field: str, allowed: Allowed, inside: list[Any], outside: list[Any]
) -> None:
    one = limit(field, allowed)
    assert all(one.allows(value) for value in (*inside, None))
    assert not any(one.allows(value) for value in outside)


def test_the_limits_that_a_room_exceeds_are_named_with_their_place() -> None:
    limits = (limit("max_participants", 5), limit("record", (False,)), limit("join", ("link",)))
    spec = RoomSpec(name="A", max_participants=6, record=True)
    assert [each.field for each in exceeded(limits, spec.as_dict())] == ["max_participants", "record"]
    assert limits[0].place == "_policy.yaml:3:7"
    assert not within(limits, spec)
    assert within(limits, RoomSpec(name="A", max_participants=5))
    assert within((), spec)


def test_a_rule_is_short() -> None:
    assert limit("max_participants", 5).rule == "at most 5"
    assert limit("record", (False, True)).rule == "false, true"
    names = tuple(f"n{number}" for number in range(MAX_SHOWN + 3))
    assert limit("user_id", names).rule == f"{', '.join(names[:MAX_SHOWN])} or one of 3 more"


@pytest.mark.parametrize(
    ("field", "lists", "compatible"),
    [
        ("user_id", [("a", "b"), ("b", "c")], True),
        ("user_id", [("a",), ("b",)], False),
        ("user_id", [("a*",), ("b*",)], True),  # patterns are not compared
        ("user_id", [("a*",), ("ab", "b"), ("*b",)], True),
        ("user_id", [("a*",), ("b",), ("*b",)], False),
        ("record", [(True,), (True, False), (False,)], False),
        ("max_participants", [3, 1], True),
    ],
)
def test_several_limits_leave_a_value_or_not(field: str, lists: list[Allowed], compatible: bool) -> None:
    limits = [limit(field, allowed) for allowed in lists]
    assert are_compatible(limits) == compatible
    assert are_compatible(limits[::-1]) == compatible


def test_every_field_has_a_kind_that_can_be_limited() -> None:
    assert all(issubclass(field.kind, str | int | tuple) for field in FIELDS.values())
