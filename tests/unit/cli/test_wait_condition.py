"""What `wait` waits for, and when it holds."""

from dataclasses import replace

import pytest

from controller.cli.room_status import CONTROLLER_AWAY, Standing
from controller.cli.wait_condition import Goal, Target, missing_yet, read_goal, read_span
from controller.records.record import Condition, Status
from tests.support.rooms import NOW, room

TARGET = Target("events/room-1")


def stands(*conditions: Condition, generation: int = 1) -> Standing:
    return Standing(replace(room(), status=Status(generation, conditions)), conditions)


def condition(kind: str, status: str, reason: str = "Because", message: str = "") -> Condition:
    return Condition(kind, status, reason, message, NOW)


@pytest.mark.parametrize(
    ("text", "goal"),
    [
        ("Ready", Goal("Ready")),
        ("!Deferred", Goal("Deferred", negated=True)),
        ("condition=Live", Goal("Live")),
        ("delete", Goal("delete")),
    ],
)
def test_goals_are_read(text: str, goal: Goal) -> None:
    assert read_goal(text) == goal


@pytest.mark.parametrize(
    "text", ["", "ready", "Readyy", "condition=", "!delete", "condition=delete", "Ready "]
)
def test_what_is_no_goal_is_refused_with_the_mend(text: str) -> None:
    with pytest.raises(ValueError, match="write delete, or one of Ready, Live"):
        read_goal(text)


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
    assert read_span(text) == seconds


@pytest.mark.parametrize("text", ["", "60", "1w", "d", "-1s", "1.5s", "5m1h", "1h1d", "s", "٣s"])
def test_what_is_no_time_is_refused_with_the_mend(text: str) -> None:
    with pytest.raises(ValueError, match="write such as 60s, 5m, 1h30m or 7d"):
        read_span(text)


def test_a_true_condition_of_this_generation_holds() -> None:
    assert missing_yet(Goal("Ready"), TARGET, stands(condition("Ready", "True"))) == ""


@pytest.mark.parametrize(
    ("goal", "found", "why"),
    [
        (Goal("Ready"), condition("Ready", "False", "Failed", "no room"), "Ready is False: Failed, no room"),
        (Goal("Ready"), condition("Ready", "Unknown", "Pending"), "Ready is Unknown: Pending"),
        (
            Goal("Ready", negated=True),
            condition("Ready", "True", "AsSpecified"),
            "Ready is True: AsSpecified",
        ),
        (Goal("Stalled"), condition("Ready", "True"), "Stalled is not said of it"),
    ],
)
def test_another_status_does_not_hold_and_is_named(goal: Goal, found: Condition, why: str) -> None:
    assert missing_yet(goal, TARGET, stands(found)) == why


def test_not_a_condition_holds_where_it_is_false_or_not_said() -> None:
    goal = Goal("Deferred", negated=True)
    assert missing_yet(goal, TARGET, stands(condition("Deferred", "False"))) == ""
    assert missing_yet(goal, TARGET, stands()) == ""


def test_nothing_holds_while_no_controller_is_at_work() -> None:
    away = stands(condition("Ready", "Unknown", CONTROLLER_AWAY, "nobody"))
    for goal in (Goal("Ready"), Goal("Deferred", negated=True)):
        assert missing_yet(goal, TARGET, away) == f"{goal.type} is Unknown: ControllerAway, nobody"


def test_a_ready_of_the_spec_before_does_not_count() -> None:
    ready = stands(condition("Ready", "True"))
    other = room(allow_chat=True).spec
    assert missing_yet(Goal(), replace(TARGET, spec=room().spec), ready) == ""
    assert (
        missing_yet(Goal(), replace(TARGET, spec=other), ready)
        == "Ready: its record is not as its manifest yet"
    )
    old = stands(condition("Ready", "True"), generation=0)
    assert missing_yet(Goal(), TARGET, old) == "Ready: generation 1 was not looked at yet"


def test_no_record_is_not_yet_unless_that_is_the_goal() -> None:
    assert missing_yet(Goal(), TARGET, None) == "Ready: there is no record of it yet"
    assert missing_yet(Goal("delete"), TARGET, None) == ""
    assert missing_yet(Goal("delete"), TARGET, stands()) == "it is still there"
