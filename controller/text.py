"""Text for people: quoted input in errors, the nearest known word, counts and durations. Pure."""

import difflib
import re
from collections.abc import Iterable
from typing import Final

MAX_QUOTED_CHARS: Final = 80
"""The maximum of characters that an error quotes."""
_DURATION: Final = re.compile(
    r"(?:(?P<d>[0-9]{1,3})d)?(?:(?P<h>[0-9]{1,4})h)?(?:(?P<m>[0-9]{1,5})m)?(?:(?P<s>[0-9]{1,6})s)?"
)


def escape_unprintable(text: str) -> str:
    """`text` in printable characters; all others (controls, bidi, line breaks) as escapes."""
    return text if text.isprintable() else "".join(c if c.isprintable() else _escape(c) for c in text)


def quote_excerpt(text: str) -> str:
    """The invalid text as an error shows it: escaped, and cut to 80 characters."""
    shown = escape_unprintable(text[: MAX_QUOTED_CHARS + 1])
    return f'"{shown}"' if len(shown) <= MAX_QUOTED_CHARS else f'"{shown[: MAX_QUOTED_CHARS - 1]}…"'


def closest_match(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant, or None if none is similar."""
    folded = {_fold(each): each for each in known}
    near = difflib.get_close_matches(_fold(word[:MAX_QUOTED_CHARS]), folded, n=1, cutoff=0.65)
    return folded[near[0]] if near else None


def suggestion(word: str, known: Iterable[str], otherwise: str) -> str:
    """The fix for an unknown word: the known one that was probably meant, or `otherwise`."""
    near = closest_match(word, known)
    return f"did you mean {near}?" if near else otherwise


def _fold(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "").replace(" ", "")


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def pluralize(number: int, thing: str, things: str = "") -> str:
    """`1 room`, `2 rooms`."""
    return f"{number} {thing if number == 1 else things or thing + 's'}"


def format_age(seconds: float) -> str:
    """A duration in its largest unit: `4 s`, `12 min`, `3 h`, `8 d`."""
    whole = max(0, round(seconds))
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if whole >= 2 * size:
            return f"{whole // size} {unit}"
    return f"{whole} s"


def parse_duration(text: str) -> float:
    """Seconds of 60s, 5m, 1h30m, 7d or 0s. ValueError says how to fix it."""
    matched = _DURATION.fullmatch(text)
    if matched is None or not text:
        raise ValueError(
            f"invalid duration {quote_excerpt(text)}; use a number and a unit, for example 60s, 5m or 1h30m"
        )
    days, hours, minutes, seconds = (int(matched[unit] or 0) for unit in "dhms")
    return days * 86400.0 + hours * 3600.0 + minutes * 60.0 + seconds
