"""The access tokens' file: a YAML list of {token_sha256, user_id, admin}, parsed strictly. Pure.

An error has the line and the problem, but no content of the file.
"""

import hashlib
import re
from collections.abc import Iterator
from typing import Final

import yaml

from controller.text import suggestion

FILE_LIMIT: Final = 1024 * 1024
USER_ID_LENGTH: Final = 128
KEYS: Final = ("token_sha256", "user_id", "admin")

TokenOwner = tuple[str, bool]
"""`user_id` and `admin`."""

_HASH: Final = re.compile(r"[0-9a-fA-F]{64}")
_EMPTY: Final = hashlib.sha256(b"").digest()
_FORM: Final = "expected a list of `- {token_sha256: HEX, user_id: TEXT, admin: false}`"


class TokenFileError(ValueError):
    """The problem with the file, and its line, without any content."""


def read_tokens(content: bytes) -> dict[bytes, TokenOwner]:
    """The owners by SHA-256 of the token; `[]` means none. TokenFileError if anything is invalid."""
    if len(content) > FILE_LIMIT:
        raise TokenFileError(f"the file is longer than {FILE_LIMIT // 1024} KiB")
    try:
        text = content.decode("utf-8-sig")
        return _entries(yaml.parse(text, Loader=yaml.CSafeLoader))
    except yaml.MarkedYAMLError as wrong:
        line = wrong.problem_mark.line + 1 if wrong.problem_mark is not None else 1
        raise TokenFileError(f"line {line}: invalid YAML; {_FORM}") from None
    except UnicodeError:
        raise TokenFileError("not UTF-8 text; save it as UTF-8") from None
    except yaml.YAMLError:
        raise TokenFileError(f"invalid YAML; {_FORM}") from None


def _entries(events: Iterator[yaml.Event]) -> dict[bytes, TokenOwner]:
    """The one document of the stream, entry by entry."""
    before = (yaml.StreamStartEvent, yaml.DocumentStartEvent)
    root = next((event for event in events if not isinstance(event, before)), None)
    if not isinstance(root, yaml.SequenceStartEvent):
        raise TokenFileError(f"{_at(root)}{_FORM}")
    _refuse_properties(root)
    entries: dict[bytes, TokenOwner] = {}
    for event in events:
        if isinstance(event, yaml.SequenceEndEvent):
            break
        digest, owner = _entry(event, events)
        if digest in entries:
            raise TokenFileError(f"{_at(event)}duplicate token_sha256")
        entries[digest] = owner
    if any(isinstance(event, yaml.DocumentStartEvent) for event in events):
        raise TokenFileError(f"several documents; {_FORM}")
    return entries


def _entry(start: yaml.Event, events: Iterator[yaml.Event]) -> tuple[bytes, TokenOwner]:
    if not isinstance(start, yaml.MappingStartEvent):
        raise TokenFileError(f"{_at(start)}an entry is not a mapping; {_FORM}")
    _refuse_properties(start)
    values: dict[str, yaml.ScalarEvent] = {}
    for event in events:
        if isinstance(event, yaml.MappingEndEvent):
            break
        name = _key(event)
        if name in values:
            raise TokenFileError(f"{_at(event)}duplicate {name}")
        values[name] = _scalar(next(events), name)
    for name in ("token_sha256", "user_id"):
        if name not in values:
            raise TokenFileError(f"{_at(start)}{name} is required")
    return _hash(values["token_sha256"]), (_user_id(values["user_id"]), _admin(values.get("admin")))


def _key(event: yaml.Event) -> str:
    scalar = _scalar(event, "a key")
    if scalar.value in KEYS:
        return scalar.value
    hint = suggestion(scalar.value, KEYS, f"use {', '.join(KEYS)}")
    raise TokenFileError(f"{_at(event)}unknown key; {hint}")


def _scalar(event: yaml.Event, name: str) -> yaml.ScalarEvent:
    if not isinstance(event, yaml.ScalarEvent):
        raise TokenFileError(f"{_at(event)}{name} must be a single value")
    _refuse_properties(event)
    return event


def _hash(scalar: yaml.ScalarEvent) -> bytes:
    if _HASH.fullmatch(scalar.value) is None:
        raise TokenFileError(f"{_at(scalar)}token_sha256 must be the 64 hex digits of the token's SHA-256")
    digest = bytes.fromhex(scalar.value)
    if digest == _EMPTY:
        raise TokenFileError(f"{_at(scalar)}token_sha256 is that of an empty token")
    return digest


def _user_id(scalar: yaml.ScalarEvent) -> str:
    absent = not scalar.style and scalar.value in ("", "~", "null", "Null", "NULL")
    if absent or not 1 <= len(scalar.value) <= USER_ID_LENGTH:
        raise TokenFileError(f"{_at(scalar)}user_id must be 1 to {USER_ID_LENGTH} characters")
    return scalar.value


def _admin(scalar: yaml.ScalarEvent | None) -> bool:
    if scalar is None:
        return False
    if scalar.style or scalar.value not in ("true", "false"):
        raise TokenFileError(f"{_at(scalar)}admin must be true or false")
    return scalar.value == "true"


def _refuse_properties(event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
    if event.anchor is not None or event.tag is not None:
        raise TokenFileError(f"{_at(event)}anchors and tags cannot be used; remove them")


def _at(event: yaml.Event | None) -> str:
    mark = event.start_mark if event is not None else None
    return f"line {mark.line + 1}: " if mark is not None else ""
