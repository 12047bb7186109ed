"""ROOMCTL_RECORDING_OUTPUT, and the file names made from it (docs/recording.md#output). Pure.

A name contains its room and a random part, so names never collide, and the name of a listed recording shows
whether it is ours.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

ENDING: Final = ".mp4"
KNOWN: Final = ("{key}", "{room_id}", "{start}", "{id}")
FIX: Final = (
    "use file:///recordings/{key}/{start}-{id}.mp4 as the egress worker sees it, "
    "or s3://BUCKET/{key}/{start}-{id}.mp4"
)
_PART: Final = re.compile(r"(\{[^{}]*\})")
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_NOT_PLAIN: Final = re.compile(r"[^A-Za-z0-9 ._+=@~,/-]")
_WORD: Final = "[A-Za-z0-9]+"
_START: Final = "%Y%m%dT%H%M%SZ"
"""UTC, sortable: 20260324T160000Z."""


@dataclass(frozen=True, slots=True)
class RecordingOutput:
    """`bucket` is '' for a file; `template` is the path, from / for a file; it contains {id}."""

    bucket: str
    template: str

    @classmethod
    def read(cls, text: str) -> "RecordingOutput":
        """Parse `text`. ValueError has the problem and the fix."""
        scheme, _, rest = text.partition("://")
        match scheme:
            case "file":
                bucket, path = "", rest
            case "s3":
                bucket, _, path = rest.partition("/")
            case _:
                raise ValueError(f"must start with file:// or s3://; {FIX}")
        _check(scheme, bucket, path)
        return cls(bucket, path if "{id}" in path else f"{path.removesuffix(ENDING)}-{{id}}{ENDING}")

    def path(self, key: str, room_id: str, start: datetime, chance: str) -> str:
        """The path of a new recording; `chance` is a random word of letters and digits."""
        began = start.astimezone(UTC).strftime(_START)
        words = {"{key}": key, "{room_id}": room_id, "{start}": began, "{id}": chance}
        return _filled(self.template, words, str)

    def location(self, path: str) -> str:
        """The path as it is shown: an S3 object with its bucket."""
        return f"s3://{self.bucket}/{path}" if self.bucket else path

    def is_of(self, location: str, key: str, room_id: str) -> bool:
        """Whether a recording at `location` was made for this room."""
        return _pattern(self.location(self.template), key, room_id).fullmatch(location) is not None


def _check(scheme: str, bucket: str, path: str) -> None:
    unknown = [part for part in _PART.findall(path) if part not in KNOWN]
    if unknown:
        raise ValueError(f"unknown placeholder {unknown[0][:40]}; use {' '.join(KNOWN)}")
    if scheme == "file" and not path.startswith("/"):
        raise ValueError(f"the path must be absolute; {FIX}")
    if scheme == "s3" and not _BUCKET.fullmatch(bucket):
        raise ValueError(f"invalid or missing bucket name; {FIX}")
    if not path.endswith(ENDING) or path.endswith("/" + ENDING):
        raise ValueError(f"must end with a file name and {ENDING}; {FIX}")
    if odd := _odd(path.removeprefix("/") if scheme == "file" else path):
        raise ValueError(f"path contains {odd!r}, which is not allowed; {FIX}")


def _odd(path: str) -> str:
    """What is not allowed in a path without its first /: a character, or a part like `/../`; or ''."""
    if match := _NOT_PLAIN.search(_PART.sub("", path)):
        return match[0]
    return next((f"/{part}/" for part in path.split("/") if part in {"", ".", ".."}), "")


@lru_cache(maxsize=1 << 14)
def _pattern(template: str, key: str, room_id: str) -> re.Pattern[str]:
    """The pattern of a room's names; accepts other forms of {start} and {id}, for other versions.

    Each is one word, so that `a` does not match `a-b`.
    """
    words = {"{key}": re.escape(key), "{room_id}": re.escape(room_id), "{start}": _WORD, "{id}": _WORD}
    return re.compile(_filled(template, words, re.escape))


def _filled(template: str, words: Mapping[str, str], plain: Callable[[str], str]) -> str:
    """`template` with its known parts replaced, and `plain` applied to the text between them."""
    return "".join(words[text] if text in words else plain(text) for text in _PART.split(template))
