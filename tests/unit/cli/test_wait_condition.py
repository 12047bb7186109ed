"""What `wait` waits for, and when it holds."""

from dataclasses import replace

import pytest

from controller.cli.rooms import CONTROLLER_AWAY, RoomStatus
from controller.cli.wait_condition import Target, WaitCondition, parse_condition, unmet_reason
from controller.records.record import Condition, Status
from controller.text import parse_duration
from tests.support.rooms import NOW, room

TARGET = Target("events/room-1")


def status_of(*conditions: Condition, generation: int = 1) -> RoomStatus:
    return RoomStatus(replace(room(), status=Status(generation, conditions)), conditions)


def condition(kind: str, status: str, reason: str = "Because", message: str = "") -> Condition:
    return Condition(kind, status, reason, message, NOW)


@pytest.mark.parametrize(
    ("text", "wait_condition"),
    [
        ("Ready", WaitCondition("Ready")),
        ("!Deferred", WaitCondition("Deferred", negated=True)),
        ("condition=Live", WaitCondition("Live")),
        ("delete", WaitCondition("delete")),
    ],
)
def test_goals_are_read(text: str, wait_condition: WaitCondition) -> None:
    assert parse_condition(text) == wait_condition


@pytest.mark.parametrize(
    "text", ["", "ready", "Readyy", "condition=", "!delete", "condition=delete", "Ready "]
)
def test_what_is_no_goal_is_refused_with_the_mend(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"^unknown condition .*; (did you mean (Ready|delete)\?|use Ready, Live, .*)$"
    ):
        parse_condition(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("60s", 60),
        ("5m", 300),
        ("1h30m", 5400),
        ("0s", 0),
        ("1h0m1s", 3601),
        ("30d", 2_592_000),
        ("1d1h", 90_000),
    ],
)
def test_times_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "60", "1w", "d", "-1s", "1.5s", "5m1h", "1h1d", "s", "٣s"])
def test_what_is_no_time_is_refused_with_the_mend(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"^invalid duration .*; use a number and a unit, for example 60s, 5m or 1h30m$"
    ):
        parse_duration(text)


def test_a_true_condition_of_this_generation_holds() -> None:
    assert unmet_reason(WaitCondition("Ready"), TARGET, status_of(condition("Ready", "True"))) == ""


@pytest.mark.parametrize(
    ("wait_condition", "current", "why"),
    [
        (
            WaitCondition("Ready"),
            condition("Ready", "False", "Failed", "no room"),
            "waiting for Ready: Ready is False (Failed: no room)",
        ),
        (
            WaitCondition("Ready"),
            condition("Ready", "Unknown", "Pending"),
            "waiting for Ready: Ready is Unknown (Pending)",
        ),
        (
            WaitCondition("Ready", negated=True),
            condition("Ready", "True", "AsSpecified"),
            "waiting for !Ready: Ready is True (AsSpecified)",
        ),
        (
            WaitCondition("Stalled"),
            condition("Ready", "True"),
            "waiting for Stalled: no Stalled condition yet",
        ),
    ],
)
def test_another_status_does_not_hold_and_is_named(
    wait_condition: WaitCondition, current: Condition, why: str
) -> None:
    assert unmet_reason(wait_condition, TARGET, status_of(current)) == why


def test_not_a_condition_holds_where_it_is_false_or_not_said() -> None:
    wait_condition = WaitCondition("Deferred", negated=True)
    assert unmet_reason(wait_condition, TARGET, status_of(condition("Deferred", "False"))) == ""
    assert unmet_reason(wait_condition, TARGET, status_of()) == ""


def test_nothing_holds_while_no_controller_is_at_work() -> None:
    away = status_of(condition("Ready", "Unknown", CONTROLLER_AWAY, "nobody"))
    for wait_condition in (WaitCondition("Ready"), WaitCondition("Deferred", negated=True)):
        assert (
            unmet_reason(wait_condition, TARGET, away)
            == f"waiting for {wait_condition}: {wait_condition.type} is Unknown (ControllerAway: nobody)"
        )


def test_a_ready_of_the_spec_before_does_not_count() -> None:
    ready = status_of(condition("Ready", "True"))
    other = room(allow_chat=True).spec
    assert unmet_reason(WaitCondition(), replace(TARGET, spec=room().spec), ready) == ""
    assert (
        unmet_reason(WaitCondition(), replace(TARGET, spec=other), ready)
        == "waiting for Ready: the manifest has not been applied yet"
    )
    old = status_of(condition("Ready", "True"), generation=0)
    assert (
        unmet_reason(WaitCondition(), TARGET, old)
        == "waiting for Ready: generation 1 has not been observed yet"
    )


def test_no_record_is_not_yet_unless_that_is_the_goal() -> None:
    assert unmet_reason(WaitCondition(), TARGET, None) == "waiting for Ready: room not found"
    assert unmet_reason(WaitCondition("delete"), TARGET, None) == ""
    assert (
        unmet_reason(WaitCondition("delete"), TARGET, status_of())
        == "waiting for delete: the room still exists"
    )
