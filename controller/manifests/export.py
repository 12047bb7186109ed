"""Writes a room as a manifest that reads back to exactly the same room. Pure."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from controller.manifests.document import NULLS
from controller.manifests.folder_policy import BUILT_IN, FolderPolicy
from controller.room import FIELDS, RoomSpec
from controller.text import escape_unprintable

MAX_NAME_LENGTH: Final = 80
"""Characters of a file's name at most, without its ending."""
NO_NAME: Final = "room"
_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]*(?: [A-Za-z0-9_./-]+)*")
_FREE_IN_PRESET: Final = {"max_participants", "active"}
"""What a room may have otherwise than its preset: with more, the fields alone are easier to read."""


@dataclass(frozen=True, slots=True)
class Export:
    """A room to write. `origin` says where it comes from, as a comment; `id` and `adopt` are None without."""

    spec: RoomSpec
    origin: str
    id: str | None = None
    adopt: str | None = None

    @property
    def title(self) -> str:
        """What the name of its file is made from."""
        return self.spec.name if self.adopt is None else self.adopt


def manifest_text(room: Export, policy: FolderPolicy = BUILT_IN) -> str:
    """The manifest: a comment, then only what differs from what a manifest without it would have.

    `policy` is that of the manifest's folder: the room is the same whatever its presets and defaults are.
    """
    values = room.spec.as_dict()
    written = min((_written(values, preset, policy) for preset in _fitting(values, policy)), key=len)
    pairs = {"name": room.spec.name, "id": room.id, "adopt": room.adopt, **written}
    lines = (f"{name}: {_scalar(value)}" for name, value in pairs.items() if value is not None)
    return "\n".join((f"# {escape_unprintable(room.origin)}", *lines, ""))


def _fitting(values: Mapping[str, Any], policy: FolderPolicy) -> Iterator[str | None]:
    """None, then the presets that the room follows in all but what is free."""
    yield None
    for name, preset in policy.presets.items():
        given = preset.values.items()
        if all(values[field] == value for field, value in given if field not in _FREE_IN_PRESET):
            yield name


def _written(values: Mapping[str, Any], preset: str | None, policy: FolderPolicy) -> dict[str, Any]:
    """The fields to write with this preset, and the preset."""
    usual = {name: field.default for name, field in FIELDS.items()} | dict(policy.defaults.values)
    usual |= policy.presets[preset].values if preset is not None else {}
    own = {name: value for name, value in values.items() if name != "name" and value != usual[name]}
    return own if preset is None else {"preset": preset, **own}


def file_names(titles: Sequence[str]) -> list[str]:
    """A file name without ending for each title, in their order: unique, and the same in any order of others.

    Titles that come to one name are numbered. Lower case alone, since some file systems know no other.
    """
    titles_of: defaultdict[str, list[int]] = defaultdict(list)
    for number, title in enumerate(titles):
        titles_of[_slug(title)].append(number)
    names, taken = [""] * len(titles), set(titles_of)
    for slug in sorted(titles_of):
        numbers = sorted(titles_of[slug], key=lambda number: titles[number])
        for number, name in zip(numbers, _numbered(slug, taken), strict=False):
            names[number] = name
    return names


def _numbered(slug: str, taken: set[str]) -> Iterator[str]:
    """`slug`, then `slug-2` and on, without names that are taken."""
    yield slug
    count = 2
    while True:
        name = f"{slug}-{count}"
        count += 1
        if name not in taken:
            taken.add(name)
            yield name


def _slug(title: str) -> str:
    kept = re.sub(r"[^a-z0-9]+", "-", title.lower())
    return kept[:MAX_NAME_LENGTH].strip("-") or NO_NAME


def _scalar(value: Any) -> str:
    """The value in YAML, on one line."""
    if isinstance(value, list):
        return f"[{', '.join(map(_scalar, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name}: {_scalar(each)}' for name, each in value.items())}}}"
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN.fullmatch(value) and value not in NULLS:
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escape_unprintable(escaped)}"'
