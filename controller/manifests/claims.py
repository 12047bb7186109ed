"""Finds manifests with the same key, id, room to adopt or path, of which none is applied. Pure."""

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import takewhile

from controller.manifests.parse import Claim, Parsed
from controller.manifests.snapshot import ManifestError, ManifestRoom, SourcePosition
from controller.text import quote_excerpt

_NAMED = 3
_RULES = {
    "key": "keys must be unique",
    "id": "ids must be unique",
    "adopt": "one room takes it over, remove `adopt:` from the others",
}


def resolve_claims(files: Sequence[Parsed]) -> tuple[Mapping[str, ManifestRoom], list[ManifestError]]:
    """The rooms with unique claims by key, and an error for each claim that is shared.

    An invalid document also claims its key and id: its correction may keep them. A file claims its path in
    every case and Unicode form: some file systems keep only one of them.
    """
    claims = [claim for file in files for claim in file.claims]
    shared_paths = _shared_paths(files)
    shared_keys = _shared(claims, lambda claim: claim.key)
    shared_ids = _shared(claims, lambda claim: claim.id)
    adopted_twice = _shared(claims, lambda claim: claim.adopt)
    errors = [
        *_errors("key", shared_keys, lambda claim: claim.key_position),
        *_errors("id", shared_ids, lambda claim: claim.id_position),
        *_errors("adopt", adopted_twice, lambda claim: claim.adopt_position or claim.position),
        *(error for file in files if file.file in shared_paths for error in _path_errors(file, shared_paths)),
    ]
    rooms = {
        claim.room.key: claim.room
        for claim in claims
        if claim.room is not None
        and claim.key not in shared_keys
        and claim.id not in shared_ids
        and claim.adopt not in adopted_twice
        and claim.file not in shared_paths
    }
    return rooms, errors


def _shared(claims: Iterable[Claim], by: Callable[[Claim], str | None]) -> dict[str, list[Claim]]:
    groups: dict[str, list[Claim]] = {}
    for claim in claims:
        if (value := by(claim)) is not None:
            groups.setdefault(value, []).append(claim)
    return {value: group for value, group in groups.items() if len(group) > 1}


def _errors(
    name: str, shared: Mapping[str, Sequence[Claim]], at: Callable[[Claim], SourcePosition]
) -> Iterable[ManifestError]:
    for value, group in shared.items():
        places = [f"{claim.file}:{at(claim).line}:{at(claim).column}" for claim in group[: _NAMED + 1]]
        for index, claim in enumerate(group):
            others = [place for i, place in enumerate(places) if i != index][:_NAMED]
            more = len(group) - 1 - len(others)
            also = ", ".join(others) + (f" and {more} more" if more else "")
            message = f"duplicate {name} {quote_excerpt(value)}, also used in {also}; {_RULES[name]}"
            yield ManifestError(claim.file, message, at(claim), claim.key)


def _shared_paths(files: Sequence[Parsed]) -> dict[str, str]:
    """By file, another file whose path differs only in case or Unicode form."""
    groups: dict[str, list[str]] = {}
    for file in {each.file: None for each in files}:
        groups.setdefault(unicodedata.normalize("NFC", file.lower()), []).append(file)
    shared = (group for group in groups.values() if len(group) > 1)
    return {file: group[index - 1] for group in shared for index, file in enumerate(group)}


def _path_errors(file: Parsed, others: Mapping[str, str]) -> Iterable[ManifestError]:
    """An error for each document of the file, since each has another key."""
    other = others[file.file]
    here, there = _difference(file.file, other), _difference(other, file.file)
    message = (
        f"path differs from {other} only in case or Unicode form ({here} here, {there} there); rename one"
    )
    if not file.claims:
        yield ManifestError(file.file, message)
    for claim in file.claims:
        yield ManifestError(file.file, message, claim.position, claim.key)


def _difference(path: str, other: str) -> str:
    """The first character in which `path` differs from `other`, with its code points: "é" U+00E9."""
    start = next(index for index, (a, b) in enumerate(zip(path, other, strict=False)) if a != b)
    char = path[start] + "".join(takewhile(unicodedata.combining, path[start + 1 :]))
    return " ".join([f'"{char}"', *(f"U+{ord(point):04X}" for point in char)])
