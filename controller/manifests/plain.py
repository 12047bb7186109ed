"""A manifest of the common form, read at once: a flat mapping of fields, each value of its type. Pure.

Whatever is not certainly of that form is None here, and is read event by event: all with an error, a `key` or
an `id`. What is read here is read there alike; tests compare the two.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import ValidationError

from controller.limits import within
from controller.manifests.document import NULLS, position_after
from controller.manifests.folder_policy import BUILT_IN, FolderPolicy, Values
from controller.manifests.snapshot import SourcePosition
from controller.room import FIELDS, RoomSpec

_JSON: Final = {bool: bool, int: int, tuple: list}
_KINDS: Final[Mapping[str, type]] = {
    "preset": str,
    **{name: _JSON.get(each.kind, str) for name, each in FIELDS.items()},
}
_TEXT: Final = r"[A-Za-z0-9][A-Za-z0-9_./-]*+(?: [A-Za-z0-9_./-]++)*+"
_FIELD: Final = rf'({"|".join(_KINDS)}): ++(?:({_TEXT})|"([A-Za-z0-9 _./-]*+)")(?: ++#[ -~]*+| *+)'
_FIELDS = re.compile(rf"^{_FIELD}\r?$", re.MULTILINE)
_UNCAPTURED: Final = re.sub(r"\((?!\?)", "(?:", _FIELD)  # CPython fails at a group in what is repeated so
_FORM = re.compile(rf"(?:(?:{_UNCAPTURED}|#[ -~]*+|)\r?\n)*+")
"""Lines of a field each, with comments and empty lines between: YAML that has one meaning only."""

_BOOLEANS: Final = {"true": True, "false": False}
_INTEGER = re.compile(r"[1-9][0-9]{0,5}\Z")


def read_plain(
    text: str, *, is_json: bool, policy: FolderPolicy = BUILT_IN
) -> tuple[RoomSpec, SourcePosition] | None:
    """The room of a manifest of that form, and where its mapping begins; None for any other text."""
    fields = _json(text) if is_json else _yaml(text)
    start = text.find("{") if is_json else _start(text)
    if not fields or policy.problem:
        return None
    preset = policy.presets.get(fields.pop("preset")) if "preset" in fields else Values()
    if preset is None:
        return None
    try:
        spec = RoomSpec(**{**policy.defaults.values, **preset.values, **fields})
    except ValidationError:
        return None
    return (spec, position_after(text[:start])) if within(policy.limits, spec) else None


def _start(text: str) -> int:
    first = _FIELDS.search(text)
    return first.start() if first is not None else 0


def _json(text: str) -> dict[str, Any] | None:
    """The fields of a JSON object, without an escape: half of a surrogate pair would pass the scanner."""
    if "\\" in text:
        return None
    try:
        fields = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict) or any(type(value) is not _KINDS.get(n) for n, value in fields.items()):
        return None
    return fields


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError
    return fields


def _yaml(text: str) -> dict[str, Any] | None:
    if _FORM.fullmatch(text if text.endswith("\n") else text + "\n") is None:
        return None
    rows = _FIELDS.findall(text)
    fields = dict(_values(rows))
    return fields if len(fields) == len(rows) and None not in fields.values() else None


def _values(rows: list[tuple[str, str, str]]) -> Iterator[tuple[str, Any]]:
    """Each field's value by its kind, None where it has another one."""
    for name, plain, quoted in rows:
        kind = _KINDS[name]
        if kind is bool:
            yield name, _BOOLEANS.get(plain)
        elif kind is int:
            yield name, int(plain) if _INTEGER.match(plain) else None
        else:
            yield name, quoted if not plain else None if plain in NULLS else plain
