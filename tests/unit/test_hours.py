"""Open hours: windows, their zones, their rules, and what can be wrong with them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given
from hypothesis import strategies as st

from controller.hours import ALWAYS, OpenHours, Opening, Window, check_rule, open_hours

BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"
DAY = timedelta(days=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def hours(opens: str = "", closes: str = "", timezone: str = "UTC", repeats: str = "") -> OpenHours:
    return open_hours(opens, closes, timezone, repeats)


def test_one_window() -> None:
    evening = hours("2026-12-01T14:00:00+01:00", "2026-12-01T16:00:00", BERLIN)
    window = Window(utc("2026-12-01T13:00"), utc("2026-12-01T15:00"))
    before, during, after = (evening.at(utc(f"2026-12-01T{at}")) for at in ("12:59:59", "13:00", "15:00"))
    assert before == during == Opening(window, None)
    assert not before.is_open(utc("2026-12-01T12:59:59"))
    assert during.is_open(utc("2026-12-01T13:00"))
    assert after == Opening(None, utc("2026-12-01T15:00"))
    assert not after.is_open(utc("2026-12-01T15:00"))
    assert before.opens(utc("2026-12-01T12:00")) == utc("2026-12-01T13:00")
    assert after.opens(utc("2026-12-02T12:00")) is None


def test_each_end_may_stand_alone() -> None:
    opens, closes = hours("2026-12-01T14:00"), hours(closes="2026-12-01T14:00")
    assert not opens.at(utc("2026-12-01T13:59")).is_open(utc("2026-12-01T13:59"))
    assert opens.at(utc("2090-01-01")).is_open(utc("2090-01-01"))
    assert closes.at(utc("2000-01-01")).is_open(utc("2000-01-01"))
    assert closes.at(utc("2026-12-01T14:00")) == Opening(None, utc("2026-12-01T14:00"))
    assert ALWAYS.is_open(utc("2026-12-01"))
    assert ALWAYS.next_change(utc("2026-12-01"), DAY) is None


def test_a_room_is_prepared_a_minute_before_it_opens() -> None:
    opening = hours("2026-12-01T14:00").at(utc("2026-12-01"))
    assert not opening.is_prepared(utc("2026-12-01T13:58:59"))
    assert opening.is_prepared(utc("2026-12-01T13:59"))


def test_what_changes_next() -> None:
    day = hours("2026-12-01T14:00", "2026-12-01T16:00", repeats="FREQ=DAILY")
    quarter = timedelta(minutes=15)

    def next_change(text: str) -> datetime | None:
        return day.at(utc(text)).next_change(utc(text), quarter)

    assert next_change("2026-12-03T12:00") == utc("2026-12-03T13:59")
    assert next_change("2026-12-03T13:59") == utc("2026-12-03T16:00")
    assert next_change("2026-12-03T16:00") == utc("2026-12-03T16:15")
    assert next_change("2026-12-03T16:15") == utc("2026-12-04T13:59")


def test_when_a_live_room_closes_stays_the_same_while_it_lives() -> None:
    day = hours("2026-12-01T14:00", "2026-12-01T16:00", repeats="FREQ=DAILY")
    moments = [utc(f"2026-12-03T{at}") for at in ("13:59", "14:00", "15:59", "16:00", "16:14")]
    assert {day.at(now).closes(now) for now in moments} == {utc("2026-12-03T16:00")}


@pytest.mark.parametrize(
    ("zone", "opens", "window"),
    [  # on the first night of each zone the time does not exist, on the second it exists twice
        (BERLIN, "2027-03-28T02:30", ("2027-03-28T01:30", "2027-03-28T02:00")),
        (BERLIN, "2027-10-31T02:30", ("2027-10-31T00:30", "2027-10-31T03:00")),
        (NEW_YORK, "2027-03-14T02:30", ("2027-03-14T07:30", "2027-03-14T08:00")),
        (NEW_YORK, "2027-11-07T01:30", ("2027-11-07T05:30", "2027-11-07T09:00")),
        (LORD_HOWE, "2027-10-03T02:15", ("2027-10-02T15:45", "2027-10-02T17:00")),  # by half an hour
        (LORD_HOWE, "2027-04-04T01:45", ("2027-04-03T14:45", "2027-04-03T17:30")),
    ],
)
def test_a_time_that_does_not_exist_moves_forward_and_of_two_the_first_counts(
    zone: str, opens: str, window: tuple[str, str]
) -> None:
    time = opens.partition("T")[2]
    nightly = hours(f"2026-01-01T{time}", "2026-01-01T04:00", zone, "FREQ=DAILY")
    before = utc(window[0]) - timedelta(hours=1)
    assert nightly.at(before).window == Window(*map(utc, window))


def test_a_window_within_the_hour_that_does_not_exist_is_none() -> None:
    nightly = hours("2026-01-01T02:30", "2026-01-01T03:15", BERLIN, "FREQ=DAILY")
    assert nightly.at(utc("2027-03-27T12:00")).opens(utc("2027-03-27T12:00")) == utc("2027-03-29T00:30")


def test_overlapping_windows_are_one() -> None:
    long = hours("2026-12-01T22:00", "2026-12-02T22:00", repeats="FREQ=DAILY;COUNT=3")
    assert long.at(utc("2026-12-02T12:00")).window == Window(utc("2026-12-01T22:00"), utc("2026-12-04T22:00"))
    endless = hours("2026-12-01T22:00", "2026-12-03T22:00", repeats="FREQ=DAILY")
    opening = endless.at(utc("2031-12-02T12:00"))
    assert opening.is_open(utc("2031-12-02T12:00"))
    assert opening.window is not None
    assert opening.window.closes is None


@pytest.mark.parametrize(
    "rule",
    [
        "",
        "FREQ",
        "FREQ=HOURLY",
        "FREQ=SECONDLY",
        "FREQ=MINUTELY;COUNT=1000000000",
        "FREQ=DAILY;BYHOUR=3",
        "FREQ=DAILY;BYMINUTE=3",
        "FREQ=DAILY;BYSECOND=3",
        "FREQ=DAILY;FREQ=WEEKLY",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=MONTHLY;BYDAY=9MO,1TU",  # dateutil breaks off at this one in December
        "FREQ=YEARLY;BYMONTH=12;BYDAY=20MO",
        "FREQ=YEARLY;BYDAY=54MO",
        "FREQ=MONTHLY;BYDAY=0MO",
        "FREQ=WEEKLY;BYDAY=2MO",  # and reads this one as each Monday
        "FREQ=YEARLY;BYWEEKNO=5;BYDAY=2MO",
        "FREQ=MONTHLY;BYMONTHDAY=1,99",
        "FREQ=MONTHLY;BYMONTHDAY=0",
        "FREQ=YEARLY;BYMONTH=1,13",
        "FREQ=YEARLY;BYMONTH=-1",
        "FREQ=DAILY;COUNT=\N{ARABIC-INDIC DIGIT ONE}",
        "FREQ=DAILY;INTERVAL=-1",
        "FREQ=DAILY;COUNT=2;UNTIL=20270101",
        "FREQ=DAILY;UNTIL=tomorrow",
        "FREQ=DAILY;BYDAY=XX",
        "FREQ=MONTHLY;BYMONTHDAY=first",
        "FREQ=DAILY;BYEASTER=1",
        "INTERVAL=1",
        "FREQ=DAILY\nDTSTART:19970902T090000",
        "FREQ=DAILY;" + "BYMONTH=" + ",".join(["1"] * 300),
    ],
)
def test_what_is_no_rule(rule: str) -> None:
    with pytest.raises(ValueError, match="RRULE"):
        check_rule(rule)


@pytest.mark.parametrize(
    "rule",
    ["FREQ=MONTHLY;BYDAY=-5FR", "FREQ=YEARLY;BYDAY=53MO,+1TU", "FREQ=YEARLY;BYMONTHDAY=-31;BYYEARDAY=-366"],
)
def test_a_rule_counts_days_from_the_end_too(rule: str) -> None:
    check_rule(rule)


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=WEEKLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;UNTIL=20261130",
        "FREQ=DAILY;COUNT=0",
        "FREQ=YEARLY;INTERVAL=20;BYMONTH=1",
        "FREQ=MONTHLY;BYMONTHDAY=99",
    ],
)
def test_a_rule_that_never_fires_is_wrong(rule: str) -> None:
    with pytest.raises(ValueError, match=r"10 years after opens|RRULE"):
        hours("2026-12-01T14:00", "2026-12-01T16:00", repeats=rule)


def test_a_bomb_costs_nothing() -> None:
    bomb = hours("2026-12-01T14:00", "2026-12-01T16:00", repeats="FREQ=DAILY;COUNT=1000000000")
    assert bomb.at(utc("2027-03-01T15:00")).is_open(utc("2027-03-01T15:00"))


def test_a_date_as_the_end_of_a_rule_is_the_whole_day() -> None:
    until = hours("2026-12-01T14:00", "2026-12-01T16:00", repeats="FREQ=DAILY;UNTIL=20261202")
    assert until.at(utc("2026-12-02T15:00")).is_open(utc("2026-12-02T15:00"))
    assert until.at(utc("2026-12-02T16:00")).window is None


@pytest.mark.parametrize(
    ("fields", "needs"),
    [
        (("2026-12-01T14:00", "2026-12-01T14:00"), "after opens"),
        (("2026-12-01T14:00", "2026-12-01T12:00"), "after opens"),
        (("2026-12-01T14:00+01:00", "2026-12-01T13:00Z"), "after opens"),
        (("2026-12-01T14:00", "", "UTC", "FREQ=DAILY"), "both opens and closes"),
        (("", "2026-12-01T14:00", "UTC", "FREQ=DAILY"), "both opens and closes"),
        (("1999-12-31T14:00",), "2000 to 2100"),
        (("2101-01-01T14:00",), "2000 to 2100"),
        (("0001-01-01T00:00+14:00",), "2000 to 2100"),
        (("9999-12-31T23:00-14:00",), "2000 to 2100"),
        (("", "", "Mars/Base"), "IANA"),
        (("", "", "../../etc/passwd"), "IANA"),
        (("", "", "right/Europe/Berlin"), "IANA"),
        (("", "", "localtime"), "IANA"),
    ],
)
def test_what_does_not_fit_together(fields: tuple[str, ...], needs: str) -> None:
    with pytest.raises(ValueError, match=needs):
        hours(*fields)


def test_a_clock_that_jumps_is_followed() -> None:
    day = hours("2026-12-01T14:00", "2026-12-01T16:00", repeats="FREQ=DAILY")
    for text, is_open in (
        ("2026-12-03T15:00", True),
        ("2026-12-01T13:00", False),
        ("2027-12-01T14:30", True),
    ):
        assert day.at(utc(text)).is_open(utc(text)) is is_open


# -- against a plain enumeration ---------------------------------------------------------------------------

_FREQUENCIES = st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"])
_OPTIONAL = {
    "INTERVAL": st.integers(1, 5),
    "COUNT": st.integers(1, 40),
    "BYDAY": st.sampled_from(["MO", "MO,WE,FR", "SA,SU"]),
    "BYMONTHDAY": st.sampled_from(["1", "-1", "31", "13,14"]),
    "BYMONTH": st.sampled_from(["1", "3,10", "2,6,12"]),
    "BYSETPOS": st.sampled_from(["1", "-1"]),
    "WKST": st.sampled_from(["MO", "SU"]),
}


@st.composite
def rules(draw: st.DrawFn) -> str:
    names = draw(st.lists(st.sampled_from(sorted(_OPTIONAL)), unique=True, max_size=3))
    if "BYSETPOS" in names and not {"BYDAY", "BYMONTHDAY", "BYMONTH"} & set(names):
        names.remove("BYSETPOS")
    parts = [f"{name}={draw(_OPTIONAL[name])}" for name in names]
    return ";".join([f"FREQ={draw(_FREQUENCIES)}", *parts])


_MINUTE = timedelta(minutes=1)
_STARTS = st.integers(0, 8 * 365 * 24 * 60).map(lambda minutes: utc("2020-01-01") + minutes * _MINUTE)
_LENGTHS = st.integers(1, 9 * 24 * 60).map(lambda minutes: minutes * _MINUTE)
_ZONES = st.sampled_from(["UTC", BERLIN, NEW_YORK, LORD_HOWE])


def enumerated(
    opens: datetime, lasts: timedelta, zone: ZoneInfo, rule: str
) -> Iterator[tuple[datetime, datetime]]:
    """Every window of eight years, computed as it is described."""
    for start in rrulestr(rule, dtstart=opens):
        if start > opens + timedelta(days=3000):
            return
        first, last = (each.replace(tzinfo=zone).astimezone(UTC) for each in (start, start + lasts))
        if first < last:
            yield first, last


@given(rules(), _STARTS, _LENGTHS, _ZONES, st.timedeltas(-DAY, timedelta(days=900)))
def test_windows_are_those_of_a_plain_enumeration(
    rule: str, start: datetime, lasts: timedelta, zone: str, after: timedelta
) -> None:
    opens, now = start.replace(tzinfo=None), start + after
    try:
        found = open_hours(opens.isoformat(), (opens + lasts).isoformat(), zone, rule)
    except ValueError:
        assert not [*enumerated(opens, lasts, ZoneInfo(zone), rule)]
        return
    windows = [*enumerated(opens, lasts, ZoneInfo(zone), rule)]
    opening = found.at(now)
    assert opening.is_open(now) is any(first <= now < last for first, last in windows)
    if not opening.is_open(now):
        assert opening.opens(now) == min(
            (first for first, _ in windows if first > now), default=opening.opens(now)
        )
    elif opening.window is not None and (closes := opening.window.closes) is not None:
        assert closes in {last for _, last in windows}
        assert not any(first <= closes < last for first, last in windows)
