"""The open hours of a room: when it is open, and when that changes (docs/open-hours.md). Pure.

Windows are computed in the local time of a zone. In UTC, a time that does not exist there moves forward, and
of one that exists twice it is the first: what `fold=0` means.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import dropwhile
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dateutil.rrule import rrule, rrulestr

from controller.text import parse_duration

PREPARATION: Final = timedelta(seconds=60)
"""How long before it opens a room may be made."""
MAX_OVERRUN: Final = timedelta(hours=24)
YEARS: Final = range(2000, 2101)
MOMENT_PATTERN: Final = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?\Z"
"""A date and time; local to the room's zone without an offset."""
_MOMENT: Final = re.compile(MOMENT_PATTERN, re.ASCII)
_FREQUENCIES: Final = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})
_DAYS: Final = {"DAILY": 1, "WEEKLY": 7}
_RULE_PARTS: Final = frozenset(
    {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYSETPOS"}
    | {"BYDAY", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYMONTH"}
)
_NUMBERS: Final = {
    "BYMONTH": range(1, 13),
    "BYMONTHDAY": range(-31, 32),
    "BYYEARDAY": range(-366, 367),
    "BYWEEKNO": range(-53, 54),
    "BYSETPOS": range(-366, 367),
}
_NUMBER: Final = re.compile(r"[+-]?\d{1,3}\Z", re.ASCII)
_DAY: Final = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)\Z", re.ASCII)
_NO_ZONE: Final = re.compile(r"(posix|right)/|(posixrules|localtime|Factory)\Z")
"""Files among the time zones of a system that are no zone of IANA, or not the same everywhere."""
_MAX_RULE_LENGTH: Final = 500
_FIRST_WITHIN_YEARS: Final = 10
_WEEK: Final = timedelta(days=7)
_END: Final = datetime.max.replace(tzinfo=UTC)
_HORIZON: Final = timedelta(days=400)
"""A window that overlaps with the next ones for so long counts as one without an end."""
_MARGIN: Final = timedelta(days=2)
"""More than any overrun, and any change of a zone's offset."""
_CYCLE: Final = 7600
"""Dates are computed so many years later. The calendar repeats every 400 years, and rrule searches until the
year 9999: now it searches few years for a date of a rule that never fires."""


class Window(NamedTuple):
    """From `opens` (None: always so far) to `closes` (None: without an end), in UTC."""

    opens: datetime | None
    closes: datetime | None


class Opening(NamedTuple):
    """The current or the next window (None: there is none), and when the last one before it closed."""

    window: Window | None
    closed: datetime | None

    def is_open(self, now: datetime) -> bool:
        return self.window is not None and (self.window.opens is None or self.window.opens <= now)

    def is_prepared(self, now: datetime) -> bool:
        """Whether the room is made: it is open, or will be within a minute."""
        return self.is_open(now + PREPARATION)

    def opens(self, now: datetime) -> datetime | None:
        """When a room that is closed opens next; None if it is open, or never opens."""
        return self.window.opens if self.window is not None and not self.is_open(now) else None

    def closes(self, now: datetime) -> datetime | None:
        """When the live room of that time closes, or has closed; None: never."""
        return self.window.closes if self.window is not None and self.is_prepared(now) else self.closed

    def next_change(self, now: datetime, overrun: timedelta) -> datetime | None:
        """When it makes a difference next: the room is made, it closes, or it is cut off."""
        opens, closes = self.window or (None, None)
        prepared, cut_off = (opens and opens - PREPARATION, self.closed and self.closed + overrun)
        return min((each for each in (prepared, closes, cut_off) if each and each > now), default=None)


ALWAYS: Final = Opening(Window(None, None), None)


class _Rule(NamedTuple):
    """The dates of a rule, in the years in which they are computed.

    With a `period` the same dates come from each of its multiples on.
    """

    dates: rrule
    period: timedelta | None


class OpenHours:
    """The windows of a room: `opens` and `closes`, in local time without an offset, and their `rule`."""

    def __init__(
        self, opens: datetime | None, closes: datetime | None, zone: ZoneInfo, rule: _Rule | None
    ) -> None:
        self._opens, self._closes, self._zone, self._rule = opens, closes, zone, rule
        self._known: tuple[datetime, datetime, Opening] | None = None

    def at(self, now: datetime) -> Opening:
        """The window at `now` or after it. It is kept until the window ends: mostly time just passes."""
        if self._known is None or not self._known[0] <= now < self._known[1]:
            self._known = self._find(now)
        return self._known[2]

    def _find(self, now: datetime) -> tuple[datetime, datetime, Opening]:
        """The opening, and from when to when it is true."""
        opening = self._opening(now, self._recent(now))
        if opening.closed is None and self._opens is not None:  # the last one may be long over
            opening = self._opening(now, self._opens)
        closes = opening.window.closes if opening.window is not None else _END
        return opening.closed or now, closes or now + _MARGIN, opening

    def _opening(self, now: datetime, first: datetime) -> Opening:
        closed: datetime | None = None
        for window in _merged(self._windows(first), now + _HORIZON):
            if window.closes is None or window.closes > now:
                return Opening(window, closed)
            closed = window.closes
        return Opening(None, closed)

    def _recent(self, now: datetime) -> datetime:
        """A local time before any window that matters at `now`, and mostly before one more."""
        local = now.astimezone(self._zone).replace(tzinfo=None)
        lasts = self._closes - self._opens if self._closes and self._opens else timedelta()
        return local - lasts - max(_WEEK, (self._rule and self._rule.period) or _WEEK) - _MARGIN

    def _windows(self, first: datetime) -> Iterator[Window]:
        """Those from `first` on, in local time."""
        for opens, closes in self._local_windows(first):
            window = Window(opens and _to_utc(opens, self._zone), closes and _to_utc(closes, self._zone))
            if window.opens is None or window.closes is None or window.opens < window.closes:
                yield window

    def _local_windows(self, first: datetime) -> Iterator[tuple[datetime | None, datetime | None]]:
        if self._rule is None or self._opens is None or self._closes is None:
            yield self._opens, self._closes
            return
        lasts = self._closes - self._opens
        for opens in _starts(self._rule, self._opens, first):
            yield opens, opens + lasts


@lru_cache(maxsize=1 << 17)
def open_hours(opens: str, closes: str, timezone: str, repeats: str) -> OpenHours:
    """The hours that a room's fields describe; '' is a field that is not set.

    Cached, so that rooms with the same hours share them, and what they know. ValueError: a noun phrase, the
    value that `repeats` needs if it is set, otherwise `closes`.
    """
    zone = read_zone(timezone)
    first, last = (read_moment(text, zone) if text else None for text in (opens, closes))
    if repeats and not (first and last):
        raise ValueError("a rule together with both opens and closes")
    if first is None or last is None:
        return OpenHours(first, last, zone, None)
    if _to_utc(first, zone) >= _to_utc(last, zone):
        raise ValueError("a time after opens")
    if not repeats:
        return OpenHours(first, last, zone, None)
    rule = _read_rule(repeats, first, zone)
    start = next(_starts(rule, first, first), None)
    if start is None or start.year > first.year + _FIRST_WITHIN_YEARS:
        raise ValueError(f"a rule with a window in the {_FIRST_WITHIN_YEARS} years after opens")
    return OpenHours(first, last, zone, rule)


@lru_cache(maxsize=1024)
def read_zone(name: str) -> ZoneInfo:
    """The IANA time zone. ValueError: there is none of that name."""
    if _NO_ZONE.match(name) is None:
        with suppress(ZoneInfoNotFoundError, ValueError, OSError):
            return ZoneInfo(name)
    raise ValueError("an IANA time zone")


def read_moment(text: str, zone: ZoneInfo) -> datetime:
    """A date and time, local to `zone` and without an offset. ValueError: it is none from 2000 to 2100."""
    if _MOMENT.match(text) is None:
        raise ValueError("a date and time")
    moment = datetime.fromisoformat(text)
    with suppress(OverflowError):  # in the first and the last year of the calendar
        local = moment if moment.tzinfo is None else moment.astimezone(zone).replace(tzinfo=None)
        if local.year in YEARS:
            return local
    raise ValueError("a year from 2000 to 2100")


@lru_cache(maxsize=1024)
def read_overrun(text: str) -> timedelta:
    """How long people may stay after the room has closed. ValueError: it is none from 0s to 24h."""
    overrun = timedelta(seconds=parse_duration(text))
    if overrun > MAX_OVERRUN:
        raise ValueError("a duration from 0s to 24h")
    return overrun


def check_rule(text: str) -> None:
    """ValueError if it cannot be read as a rule, wherever it begins."""
    _read_rule(text, datetime(YEARS[0], 1, 1), ZoneInfo("UTC"))  # noqa: DTZ001 -- local


def _to_utc(local: datetime, zone: ZoneInfo) -> datetime:
    return local.replace(tzinfo=zone).astimezone(UTC)


def _merged(windows: Iterable[Window], horizon: datetime) -> Iterator[Window]:
    """Overlapping windows as one; one that goes on after `horizon` has no end."""
    last: Window | None = None
    for window in windows:
        end = last.closes if last is not None else None
        if last is None or end is None or window.opens is None or window.closes is None:
            last = window  # a window without an end, or a beginning, is the only one
        elif window.opens > end:
            yield last
            last = window
        elif window.closes > horizon:
            yield Window(last.opens, None)
            return
        else:
            last = Window(last.opens, max(end, window.closes))
    if last is not None:
        yield last


def _read_rule(text: str, opens: datetime, zone: ZoneInfo) -> _Rule:
    """The rule from `opens` on. ValueError: it is none of ours."""
    parts = _rule_parts(text)
    days = 0 if "COUNT" in parts else _DAYS.get(parts["FREQ"], 0) * int(parts.get("INTERVAL", "1"))
    until = parts.pop("UNTIL", None)
    rest = ";".join(f"{name}={value}" for name, value in parts.items())
    try:
        dates = rrulestr(rest, dtstart=_shifted(opens, _CYCLE))
        assert isinstance(dates, rrule)  # noqa: S101 -- only several lines of text are a set of rules
        if until is not None:
            dates = dates.replace(until=_shifted(_read_until(until, zone), _CYCLE))
    except (ValueError, TypeError, IndexError, OverflowError):
        raise ValueError("an RRULE") from None
    return _Rule(dates, timedelta(days=days) if days else None)


def _rule_parts(text: str) -> dict[str, str]:
    """The parts by name. ValueError: unknown or doubled ones, or a rule that is too long."""
    pairs = [part.partition("=")[::2] for part in text.upper().removeprefix("RRULE:").split(";")]
    parts = dict(pairs)
    known = parts.keys() <= _RULE_PARTS and len(parts) == len(pairs)
    readable = text.isascii() and len(text) <= _MAX_RULE_LENGTH
    counted = not {"COUNT", "UNTIL"} <= parts.keys()
    numbers = all(parts.get(name, "1").isdecimal() for name in ("INTERVAL", "COUNT"))
    if not (known and readable and counted and numbers and parts.get("FREQ") in _FREQUENCIES):
        raise ValueError("an RRULE")
    if not (0 < int(parts.get("INTERVAL", "1")) < _CYCLE and _dates_exist(parts)):
        raise ValueError("an RRULE")
    return parts


def _dates_exist(parts: Mapping[str, str]) -> bool:
    """Whether its months and days exist: dateutil ignores some that do not, and breaks off at others."""
    days = [_DAY.match(text) for text in parts.get("BYDAY", "MO").split(",")]
    counts = _weeks_to_count(parts)
    listed = [(text, name) for name in _NUMBERS for text in parts.get(name, "1").split(",")]
    return all(_is_number(text, _NUMBERS[name]) for text, name in listed) and all(
        day is not None and (day[1] is None or abs(int(day[1])) in counts) for day in days
    )


def _is_number(text: str, numbers: range) -> bool:
    return _NUMBER.match(text) is not None and int(text) != 0 and int(text) in numbers


def _weeks_to_count(parts: Mapping[str, str]) -> range:
    """Which Mondays `BYDAY=2MO` can name: those of a month or of a year, none where there is no such span."""
    if parts["FREQ"] == "MONTHLY" or (parts["FREQ"] == "YEARLY" and "BYMONTH" in parts):
        return range(1, 6)
    return range(1, 54) if parts["FREQ"] == "YEARLY" and "BYWEEKNO" not in parts else range(0)


def _read_until(text: str, zone: ZoneInfo) -> datetime:
    """The last moment at which a window opens, in local time; a date is the whole day."""
    if len(text) == len("20261231"):
        return datetime.strptime(text, "%Y%m%d") + timedelta(days=1, microseconds=-1)  # noqa: DTZ007 -- local
    if text.endswith("Z"):
        utc = datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        return utc.astimezone(zone).replace(tzinfo=None)
    return datetime.strptime(text, "%Y%m%dT%H%M%S")  # noqa: DTZ007 -- local


def _starts(rule: _Rule, opens: datetime, first: datetime) -> Iterator[datetime]:
    """When windows open, from `first` on, in local time."""
    dates = rule.dates
    if rule.period is not None and first > opens:
        later = opens + (first - opens) // rule.period * rule.period
        dates = dates.replace(dtstart=_shifted(later, _CYCLE))
    starts = (_shifted(date, -_CYCLE) for date in dates)
    return dropwhile(lambda start: start < first, starts)


def _shifted(moment: datetime, years: int) -> datetime:
    return moment.replace(year=moment.year + years)
