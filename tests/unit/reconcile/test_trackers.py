"""What the loop remembers: small machines over a monotonic clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.backoff import Backoff
from controller.reconcile.trackers import (
    FLAP_HEAL_INTERVAL_SECONDS,
    FLAP_THRESHOLD,
    FLAP_WINDOW_SECONDS,
    ORPHAN_CONFIRM_SECONDS,
    PRUNE_GRACE_SECONDS,
    AbsenceTracker,
    FlapDetector,
    OrphanTracker,
)


def test_absence_is_counted_from_the_first_snapshot_without_the_room() -> None:
    absence = AbsenceTracker()
    absence.observe({"a"}, counts=True, now=100.0)
    absence.observe({"a", "b"}, counts=True, now=104.0)
    assert absence.missing_for_seconds(110.0) == {"a": 10.0, "b": 6.0}
    assert absence.next_due(104.0) == 100.0 + PRUNE_GRACE_SECONDS


def test_what_is_due_and_waits_for_something_else_is_not_waited_for() -> None:
    absence = AbsenceTracker()
    absence.observe({"occupied"}, counts=True, now=0.0)
    absence.observe({"occupied", "new"}, counts=True, now=100.0)
    assert absence.next_due(100.0) == 100.0 + PRUNE_GRACE_SECONDS
    assert absence.next_due(100.0 + PRUNE_GRACE_SECONDS) is None


def test_a_room_that_came_back_begins_anew() -> None:
    absence = AbsenceTracker()
    for now, missing in ((0.0, {"a"}), (5.0, set[str]()), (6.0, {"a"})):
        absence.observe(missing, counts=True, now=now)
    assert absence.missing_for_seconds(10.0) == {"a": 4.0}


def test_a_snapshot_that_does_not_count_makes_all_begin_anew() -> None:
    absence = AbsenceTracker()
    absence.observe({"a"}, counts=True, now=0.0)
    absence.observe({"a"}, counts=False, now=9.0)
    assert (absence.missing_for_seconds(9.0), absence.next_due(9.0)) == ({}, None)
    absence.observe({"a"}, counts=True, now=9.5)
    assert absence.missing_for_seconds(10.0) == {"a": 0.5}


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.floats(0, 30)), max_size=20))
def test_absence_is_never_longer_than_the_last_unbroken_run(looks: list[tuple[bool, bool, float]]) -> None:
    absence, now, since = AbsenceTracker(), 0.0, None
    for missing, counts, step in looks:
        now += step
        absence.observe({"a"} if missing else set(), counts=counts, now=now)
        since = (now if since is None else since) if missing and counts else None
    assert absence.missing_for_seconds(now).get("a", 0.0) == (0.0 if since is None else now - since)


def test_an_orphan_is_ripe_when_two_looks_far_enough_apart_found_it_empty() -> None:
    orphans = OrphanTracker()
    assert orphans.due_for_check({"x"}, 0.0) == ["x"]
    orphans.observe("x", 0, 0.0)
    assert (orphans.due_for_check({"x"}, ORPHAN_CONFIRM_SECONDS - 0.1), orphans.ripe()) == ([], frozenset())
    assert orphans.due_for_check({"x"}, ORPHAN_CONFIRM_SECONDS) == ["x"]
    orphans.observe("x", 0, ORPHAN_CONFIRM_SECONDS)
    assert orphans.ripe() == {"x"}


def test_somebody_inside_at_either_look_makes_it_begin_anew() -> None:
    orphans = OrphanTracker()
    for now, people in ((0.0, 1), (30.0, 0), (60.0, 2), (90.0, 0)):
        assert orphans.due_for_check({"x"}, now) == ["x"]
        orphans.observe("x", people, now)
        assert orphans.ripe() == frozenset()
    orphans.observe("x", 0, 120.0)
    assert orphans.ripe() == {"x"}


def test_what_is_no_orphan_any_more_is_forgotten() -> None:
    orphans = OrphanTracker()
    orphans.observe("x", 0, 0.0)
    assert orphans.due_for_check(set(), 1.0) == []
    orphans.observe("x", 0, 30.0)
    assert orphans.ripe() == frozenset()


def test_the_fifth_time_is_told() -> None:
    flapping = FlapDetector()
    assert [flapping.vanished("a", float(second)) for second in range(FLAP_THRESHOLD + 1)] == [
        *[False] * (FLAP_THRESHOLD - 1),
        True,
        False,
    ]


def vanishing(times: int, every: float) -> tuple[FlapDetector, float]:
    flapping, now = FlapDetector(), 0.0
    for number in range(times):
        now = number * every
        flapping.vanished("a", now)
    return flapping, now


@pytest.mark.parametrize(
    ("times", "every", "stalled"),
    [
        (FLAP_THRESHOLD - 1, 1.0, False),
        (FLAP_THRESHOLD, 1.0, True),
        (FLAP_THRESHOLD, 150.0, True),
        (FLAP_THRESHOLD, 151.0, False),
        (9, 200.0, False),
    ],
)
def test_five_times_in_ten_minutes_is_flapping(times: int, every: float, stalled: bool) -> None:
    flapping, now = vanishing(times, every)
    assert flapping.stalled("a", now) is stalled
    assert flapping.stalled("b", now) is False


def test_a_stalled_room_is_healed_once_a_minute() -> None:
    flapping, now = vanishing(FLAP_THRESHOLD, 1.0)
    assert not flapping.vanished("a", now), "it is stalled already"
    assert not flapping.may_heal("a", now + FLAP_HEAL_INTERVAL_SECONDS - 0.1)
    assert flapping.may_heal("a", now + FLAP_HEAL_INTERVAL_SECONDS)
    assert flapping.may_heal("b", now)


def test_it_is_stalled_until_it_has_lived_ten_minutes() -> None:
    flapping, now = vanishing(FLAP_THRESHOLD, 1.0)
    assert flapping.stalled("a", now + FLAP_WINDOW_SECONDS - 0.1)
    assert not flapping.stalled("a", now + FLAP_WINDOW_SECONDS)
    flapping.vanished("a", now + FLAP_WINDOW_SECONDS + 1.0)
    assert not flapping.stalled("a", now + FLAP_WINDOW_SECONDS + 1.0)


def test_backoff_doubles_up_to_its_cap_and_forgets_on_success() -> None:
    backoff, now = Backoff(first=0.5, cap=10.0), 0.0
    delays = [backoff.failed("a", now, 1.0) for _ in range(7)]
    assert delays == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    assert backoff.is_backing_off("a", 9.9)
    assert not backoff.is_backing_off("a", 10.0)
    assert not backoff.is_backing_off("b", 0.0)
    backoff.succeeded("a")
    assert not backoff.is_backing_off("a", 0.0)
    assert backoff.failed("a", 0.0, 1.0) == 0.5


def test_what_was_away_is_back_for_everybody() -> None:
    backoff = Backoff()
    backoff.failed("a", 0.0, 1.0)
    backoff.clear()
    assert (backoff.is_backing_off("a", 0.0), backoff.count("a")) == (False, 0)


@given(st.integers(1, 3000), st.floats(0, 1, exclude_max=True))
def test_a_delay_lies_between_half_and_all_of_the_doubled_one(failures: int, chance: float) -> None:
    backoff, delay = Backoff(), 0.0
    for _ in range(min(failures, 40)):
        delay = backoff.failed("a", 0.0, chance)
    doubled = min(10.0, 0.5 * 2.0 ** (min(failures, 40) - 1))
    assert doubled / 2 <= delay <= doubled
