"""What the policy files above a manifest say together: presets, defaults and limits. Pure.

A preset extends one that its own file can see: of the file itself, of a file above it, or a built-in one. So
a file never changes what a file above it means.
"""

from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from pathlib import PurePosixPath
from typing import Any, Final

from controller.limits import MAX_SHOWN, Limit, are_compatible
from controller.manifests.document import Diagnostic
from controller.manifests.report import error_text
from controller.manifests.snapshot import ManifestError, SourcePosition
from controller.room import PRESETS
from controller.text import pluralize, quote_excerpt, suggestion

POLICY_FILE: Final = "_policy.yaml"
POLICY_SPELLINGS: Final = (POLICY_FILE, "_policy.yml", "_policy.json")
"""The name of policy files, and names that are probably meant to be it: an error."""

MAX_NESTED: Final = 32
"""Policy files that may hold for one manifest."""
SECTIONS: Final = ("presets", "defaults", "limits")


def is_policy(file: str) -> bool:
    """Whether a path is that of a policy file, or of one whose name is misspelled."""
    name = file.rpartition("/")[2]
    return name[:1] == "_" and name.lower() in POLICY_SPELLINGS


def policy_files(file: str) -> tuple[str, ...]:
    """The paths of the policy files that may hold for a manifest, by its path below rooms.d."""
    return tuple(str(folder / POLICY_FILE) for folder in PurePosixPath(file).parents)


@dataclass(frozen=True, slots=True)
class Values:
    """Values for fields that a manifest does not give, and the places in policy files that have them."""

    values: Mapping[str, Any] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)

    def over(self, below: "Values") -> "Values":
        """These values, and those of `below` for all other fields."""
        return Values({**below.values, **self.values}, {**below.places, **self.places})


@dataclass(frozen=True, slots=True)
class Preset:
    """A preset as a policy file has it; `base` is the one that it extends, at `base_position`."""

    own: Values
    base: str | None
    base_position: SourcePosition


@dataclass(frozen=True, slots=True)
class PolicyContent:
    """The content of one valid policy file."""

    presets: Mapping[str, Preset]
    defaults: Values
    limits: tuple[Limit, ...]


@dataclass(frozen=True, slots=True)
class FolderPolicy:
    """The policy for the manifests of one folder.

    `presets` has a map for each policy file, that of the nearest first, and one of the built-in ones.
    `errors` are those of its own policy file. `problem` says which policy file above the manifests is wrong:
    while it is not empty, no manifest is valid.
    """

    presets: ChainMap[str, Values]
    defaults: Values = field(default_factory=Values)
    limits: tuple[Limit, ...] = ()
    errors: tuple[ManifestError, ...] = ()
    problem: str = ""


BUILT_IN: Final = FolderPolicy(ChainMap({name: Values(values) for name, values in PRESETS.items()}))
"""The policy where there is no policy file."""


def extend(
    above: FolderPolicy, file: str, content: PolicyContent | None, errors: Iterable[ManifestError]
) -> FolderPolicy:
    """The policy of a folder: its policy file, with the policy of the folders above.

    `content` is None if the file is wrong, as `errors` say.
    """
    if content is None or above.problem:
        return _wrong(above, tuple(errors))
    presets, diagnostics = _presets(content.presets, above)
    limits = (*above.limits, *content.limits)
    found = [*_nesting(above), *diagnostics, *_conflicts(content.limits, limits)]
    if found:
        found.sort(key=lambda each: (each.position.line, each.position.column))
        return _wrong(above, tuple(ManifestError(file, text, position) for position, text in found))
    return FolderPolicy(above.presets.new_child(presets), content.defaults.over(above.defaults), limits)


def _nesting(above: FolderPolicy) -> Iterator[Diagnostic]:
    if len(above.presets.maps) > MAX_NESTED:
        message = f"more than {MAX_NESTED} policy files above each other; merge some"
        yield Diagnostic(SourcePosition(1, 1), message)


def _wrong(above: FolderPolicy, errors: tuple[ManifestError, ...]) -> FolderPolicy:
    return FolderPolicy(
        above.presets, above.defaults, above.limits, errors, above.problem or _problem(errors)
    )


def _problem(errors: tuple[ManifestError, ...]) -> str:
    """The error of each manifest below a wrong policy file."""
    more = f" (and {pluralize(len(errors) - 1, 'more error')})" if len(errors) > 1 else ""
    return f"not applied, since a policy file is wrong: {error_text(errors[0])}{more}"


def _presets(own: Mapping[str, Preset], above: FolderPolicy) -> tuple[dict[str, Values], list[Diagnostic]]:
    """The presets of a file with what they extend, and the errors of what they extend."""
    bases = {name: {preset.base or ""} & own.keys() for name, preset in own.items()}
    try:
        order = tuple(TopologicalSorter(bases).static_order())
    except CycleError as error:
        return {}, [_cycle(own, error.args[1][:0:-1])]
    known = above.presets.new_child()
    diagnostics: list[Diagnostic] = []
    for name in order:
        preset = own[name]
        if preset.base is not None and preset.base not in known:
            diagnostics.append(Diagnostic(preset.base_position, unknown_preset(preset.base, known)))
        known[name] = preset.own.over(known.get(preset.base or "", Values()))
    return {name: known[name] for name in own}, diagnostics


def unknown_preset(name: str, known: Iterable[str]) -> str:
    """The error of a preset that does not exist."""
    return f"preset: unknown preset {quote_excerpt(name)}; {_known_preset(name, tuple(known))}"


@lru_cache(maxsize=64)  # of thousands of manifests with one preset that has gone each would search
def _known_preset(name: str, known: tuple[str, ...]) -> str:
    more = f" or one of {len(known) - MAX_SHOWN} more" if len(known) > MAX_SHOWN else ""
    return suggestion(name, known, f"use {', '.join(known[:MAX_SHOWN])}{more}")


def _cycle(own: Mapping[str, Preset], members: list[str]) -> Diagnostic:
    """The error of presets that extend each other, at the first of them in the file."""
    first = next(name for name in own if name in members)
    start = members.index(first)
    chain = [*members[start:], *members[:start], first]
    shown = chain if len(chain) <= MAX_SHOWN else [*chain[: MAX_SHOWN - 1], "…"]
    message = f"preset: {first} extends itself ({' -> '.join(shown)}); remove one `preset`"
    return Diagnostic(own[first].base_position, message)


def _conflicts(own: Iterable[Limit], limits: tuple[Limit, ...]) -> Iterator[Diagnostic]:
    """An error for each limit of a file that leaves no value, with the limits above it."""
    for limit in own:
        others = [each for each in limits if each.field == limit.field and each is not limit]
        if not are_compatible([*others, limit]):
            places = ", ".join(each.place for each in others)
            message = f"{limit.field}: no value is within this limit and that of {places}; change one of them"
            yield Diagnostic(SourcePosition(limit.line, limit.column), message)
