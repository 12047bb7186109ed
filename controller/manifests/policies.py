"""The policy of each folder, from the policy files that were read. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from controller.manifests.folder_policy import BUILT_IN, FolderPolicy, extend
from controller.manifests.parse import Parsed
from controller.manifests.snapshot import ManifestError


class _Made(NamedTuple):
    """A folder's policy, and what it was made of."""

    above: FolderPolicy
    files: tuple[Parsed, ...]
    policy: FolderPolicy


class Policies:
    """The policies of the folders with a policy file; `files` are these files by their paths below rooms.d.

    What is made of the same objects as in `before` is the same object: so manifests are read again only if
    their policy changed.
    """

    def __init__(self, files: Mapping[str, Parsed], before: "Policies | None" = None) -> None:
        self.made: dict[str, _Made] = {}
        self._by_folder: dict[str, FolderPolicy] = {}
        known = before.made if before is not None else {}
        for folder, parsed in sorted(_by_folder(files).items()):  # a folder comes before those in it
            above = self.of_folder(folder)
            made = known.get(folder)
            if made is None or made.above is not above or made.files != parsed:
                made = _Made(above, parsed, _policy(above, parsed))
            self.made[folder] = made
            self._by_folder[folder] = made.policy

    @property
    def files(self) -> Iterator[Parsed]:
        """The policy files."""
        return (file for made in self.made.values() for file in made.files)

    @property
    def errors(self) -> Iterator[ManifestError]:
        """The errors of all policy files."""
        return (error for made in self.made.values() for error in made.policy.errors)

    @property
    def presets(self) -> Iterable[str]:
        """The names of all presets, also of the built-in ones."""
        policies = (BUILT_IN, *self._by_folder.values())
        return dict.fromkeys(name for policy in policies for name in policy.presets)

    @property
    def defaults(self) -> frozenset[str]:
        """The fields that have a default in some folder."""
        return frozenset(name for policy in self._by_folder.values() for name in policy.defaults.values)

    def of_file(self, file: str) -> FolderPolicy:
        """The policy for a manifest, by its path below rooms.d."""
        return self.of_folder(file.rpartition("/")[0])

    def of_folder(self, folder: str) -> FolderPolicy:
        """The policy of the nearest folder that has one, from `folder` upwards."""
        while folder and folder not in self._by_folder:
            folder = folder.rpartition("/")[0]
        return self._by_folder.get(folder, BUILT_IN)


def _by_folder(files: Mapping[str, Parsed]) -> dict[str, tuple[Parsed, ...]]:
    groups: dict[str, tuple[Parsed, ...]] = {}
    for file in sorted(files):
        folder = file.rpartition("/")[0]
        groups[folder] = (*groups.get(folder, ()), files[file])
    return groups


def _policy(above: FolderPolicy, files: Iterable[Parsed]) -> FolderPolicy:
    """The policy of a folder; several files are one policy file, and others with a misspelled name."""
    *_, last = files = tuple(files)
    errors = tuple(error for file in files for error in file.errors)
    return extend(above, last.file, last.policy if not errors else None, errors)
