"""Reads rooms.d as one consistent snapshot: `Desired`. A file is parsed once per content, not once per pass.

Kubernetes switches a mounted ConfigMap by its `..data` link, git-sync a worktree by a link above it. So the
links on the path are read before and after the files, and if one has changed everything is read again.
"""

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import is_
from pathlib import Path
from typing import Final

from controller.errors import RoomsDirError
from controller.manifests.claims import resolve_claims
from controller.manifests.document import UnreadableError
from controller.manifests.files import (
    ManifestFile,
    ManifestListing,
    Stat,
    TreeChangedError,
    list_manifests,
    list_one,
    read_manifest,
)
from controller.manifests.folder_policy import BUILT_IN, FolderPolicy, is_policy
from controller.manifests.keys import path_key
from controller.manifests.parse import Parsed, parse, parse_policy
from controller.manifests.policies import Policies
from controller.manifests.snapshot import Desired, ManifestError, RoomsDirState
from controller.text import escape_unprintable

MAX_SNAPSHOT_ATTEMPTS: Final = 20
"""How often a folder that changes while it is read is read again, before it counts as unreadable."""

RECENT_CHANGE_NS: Final = 2_000_000_000
"""Nanoseconds: a file that changed this recently may change again with the same time stamps."""


@dataclass(slots=True)
class _Entry:
    """A file's content in one state, read with one policy.

    It is trusted if a later change would show in `stat`.
    """

    stat: Stat
    trusted: bool
    parsed: Parsed
    policy: FolderPolicy = BUILT_IN


class Cache:
    """What earlier passes have read; one thread at a time uses it, others wait.

    `now` returns the time of day in nanoseconds, as in file time stamps.
    """

    def __init__(self, now: Callable[[], int] = time.time_ns) -> None:
        self.lock = threading.Lock()
        self._now = now
        self._entries: dict[str, _Entry] = {}
        self._listed: tuple[list[ManifestFile], list[tuple[str, str]]] | None = None
        self._parsed: list[Parsed] = []
        self._policies = Policies({})
        self._desired: Desired | None = None

    def desired(self, listing: ManifestListing) -> Desired:
        """The content of the listed files; the same object while nothing has changed."""
        seen = (listing.files, listing.near_misses)
        if self._desired is not None and self._listed == seen:
            return self._desired
        files = sorted(listing.files)
        policy_files = {file.file: self._file(file, BUILT_IN) for file in files if is_policy(file.file)}
        policies = self._policies = Policies(policy_files, self._policies)
        parsed = [
            policy_files.get(listed.file) or self._file(listed, policies.of_file(listed.file))
            for listed in files
        ]
        self._entries = {f.file: self._entries[f.file] for f in files if f.file in self._entries}
        same = len(parsed) == len(self._parsed) and all(map(is_, parsed, self._parsed))
        unread = _unread(listing)
        if self._desired is None or not same or self._desired.unread != unread:
            self._parsed, self._desired = parsed, _desired(parsed, policies.errors, unread)
        # While an entry is not trusted its file must be read again: no listing may count as unchanged.
        all_trusted = all(entry.trusted for entry in self._entries.values())
        self._listed = seen if all_trusted else None
        return self._desired

    def _file(self, listed: ManifestFile, policy: FolderPolicy) -> Parsed:
        known = self._entries.get(listed.file)
        if listed.stat is None:
            return self._refused(listed, listed.problem)
        if known is not None and known.policy is not policy:
            known = None
        if known is not None and known.trusted and known.stat == listed.stat:
            return known.parsed
        now = self._now()
        try:
            content, state = read_manifest(listed.path)
        except UnreadableError as wrong:
            return self._refused(listed, wrong.message)
        parsed = known.parsed if known is not None and known.parsed.digest == _digest(content) else None
        parsed = parsed or _parse(content, listed, listed.file, policy)
        self._entries[listed.file] = _Entry(state, max(state[3:]) + RECENT_CHANGE_NS < now, parsed, policy)
        return parsed

    def _refused(self, listed: ManifestFile, problem: str) -> Parsed:
        """The file's error; the same object while it is the same error."""
        known = self._entries.get(listed.file)
        refused = Parsed(listed.file, errors=(ManifestError(listed.file, problem),))
        if known is not None and known.parsed == refused:
            return known.parsed
        trusted = listed.stat is None
        self._entries[listed.file] = _Entry(listed.stat or (0, 0, 0, 0, 0), trusted, refused)
        return refused


def load(rooms_dir: Path, cache: Cache | None = None) -> Desired:
    """One consistent snapshot of `rooms_dir`. Never raises: errors are part of the result.

    Blocks on the disk: call it in a thread. With a `cache` only changed files are read.
    """
    cache = cache or Cache()
    try:
        for _ in range(MAX_SNAPSHOT_ATTEMPTS):
            try:
                with cache.lock:
                    return _snapshot(rooms_dir, cache)
            except TreeChangedError:
                continue
    except (FileNotFoundError, NotADirectoryError) as wrong:
        missing = isinstance(wrong, FileNotFoundError)
        problem = "directory not found; create it or set ROOMCTL_ROOMS_DIR" if missing else "not a directory"
        return _no_folder(rooms_dir, RoomsDirState.MISSING if missing else RoomsDirState.UNREADABLE, problem)
    except RoomsDirError as wrong:
        return Desired({}, (), "", RoomsDirState.UNREADABLE, str(wrong))
    except OSError as wrong:
        problem = f"cannot be read ({os.strerror(wrong.errno or 0)})"
        return _no_folder(rooms_dir, RoomsDirState.UNREADABLE, problem)
    return _no_folder(rooms_dir, RoomsDirState.UNREADABLE, "the directory kept changing while it was read")


def load_paths(paths: Sequence[Path], rooms_dir: Path) -> Desired:
    """The manifests at `paths` (none: all of `rooms_dir`), for `validate`. Never raises.

    A policy file stands for all manifests below it. In errors and rooms `file` is relative to the current
    folder. Default keys are relative to `rooms_dir` for a path inside it, otherwise to the path itself.
    EMPTY if no manifest was found.
    """
    parsed: dict[str, Parsed] = {}
    unread: dict[ManifestError, None] = {}
    listed: dict[Path, dict[str, ManifestFile]] = {}
    for path in paths or (rooms_dir,):
        try:
            base, listing = _listed(path, rooms_dir)
        except _UnlistedError as wrong:
            parsed.setdefault(wrong.error.file, Parsed(wrong.error.file, errors=(wrong.error,)))
            continue
        unread |= dict.fromkeys(_unread(listing, base))
        listed.setdefault(base, {}).update((each.file, each) for each in listing.files)
    errors: list[ManifestError] = []
    for base, files in listed.items():
        read, policies = _read_all(base, files)
        errors.extend(policies.errors)
        parsed = {each.file: each for each in read} | parsed
    has_files = any(is_policy(path.name) for path in paths)
    return _desired(
        sorted(parsed.values(), key=lambda each: each.file), errors, tuple(unread), has_files=has_files
    )


def load_policies(rooms_dir: Path) -> Policies:
    """The policy files of `rooms_dir`, for `schema`; none if it cannot be read. Never raises."""
    try:
        listing = list_manifests(os.path.realpath(rooms_dir, strict=True))
    except (OSError, RoomsDirError, TreeChangedError):
        return Policies({})
    return _read_policies(rooms_dir, {listed.file: listed for listed in listing.files})


def _snapshot(rooms_dir: Path, cache: Cache) -> Desired:
    root = os.path.realpath(rooms_dir, strict=True)
    listing = list_manifests(root)
    desired = cache.desired(listing)
    if listing.has_changed() or os.path.realpath(rooms_dir) != root:
        raise TreeChangedError
    return desired


def _no_folder(rooms_dir: Path, state: RoomsDirState, problem: str) -> Desired:
    return Desired({}, (), "", state, f"{rooms_dir}: {problem}")


def _desired(
    parsed: Sequence[Parsed],
    policy_errors: Iterable[ManifestError],
    unread: tuple[ManifestError, ...],
    *,
    has_files: bool = False,
) -> Desired:
    """All files together; rooms that share a key, id or path are left out, with an error each.

    `has_files`: the folder is not EMPTY even if there is no manifest.
    """
    rooms, clashes = resolve_claims(parsed)
    errors = {error: None for file in parsed for error in file.errors} | dict.fromkeys(policy_errors)
    has_files |= any(not is_policy(file.file) for file in parsed)
    return Desired(
        rooms,
        tuple(sorted([*errors, *clashes], key=_place)),
        _revision(parsed),
        RoomsDirState.OK if has_files else RoomsDirState.EMPTY,
        unread=unread,
    )


def _unread(listing: ManifestListing, base: Path | None = None) -> tuple[ManifestError, ...]:
    """Unread files with similar names, except copies of a manifest that is read (backups, templates).

    Paths are relative to the current folder if they are below `base`.
    """
    read = {listed.file for listed in listing.files}
    errors = []
    for file, meant in sorted(listing.near_misses):
        is_longer = len(file) > len(meant)
        if is_longer and meant in read:
            continue
        advice = "write the manifest to" if is_longer else "rename it to"
        message = f"not read by the controller; {advice} {escape_unprintable(Path(meant).name)}"
        shown = file if base is None else os.path.relpath(base / file)
        errors.append(ManifestError(escape_unprintable(shown), message, exists=False))
    return tuple(errors)


def _place(error: ManifestError) -> tuple[str, int, int]:
    return (error.file, error.position.line, error.position.column) if error.position else (error.file, 0, 0)


def _revision(parsed: Iterable[Parsed]) -> str:
    lines = sorted(f"{file.digest} {file.file}\n" for file in parsed if file.digest)
    return _digest("".join(lines).encode())


class _UnlistedError(Exception):
    """Why a path of the command line cannot be listed."""

    def __init__(self, path: Path, problem: str, *, exists: bool = True) -> None:
        self.error = ManifestError(escape_unprintable(os.path.relpath(path)), problem, exists=exists)
        super().__init__(problem)


def _listed(path: Path, rooms_dir: Path) -> tuple[Path, ManifestListing]:
    """The folder to which the files at one path of the command line are relative, and these files."""
    try:
        path.lstat()
        base, file = _base(path.parent if is_policy(path.name) else path, rooms_dir)
        root = os.path.realpath(base, strict=True)
        is_folder = path.is_dir() or is_policy(path.name)
        return base, list_manifests(root, file) if is_folder else list_one(root, file)
    except RoomsDirError as wrong:
        raise _UnlistedError(path, str(wrong)) from None
    except FileNotFoundError:
        raise _UnlistedError(path, "no such file or directory", exists=False) from None
    except (OSError, TreeChangedError) as wrong:
        reason = os.strerror(wrong.errno or 0) if isinstance(wrong, OSError) else "it kept changing"
        raise _UnlistedError(path, f"cannot be read ({reason})") from None


def _read_all(base: Path, files: Mapping[str, ManifestFile]) -> tuple[list[Parsed], Policies]:
    """The manifests and policy files of one folder, with paths relative to the current folder."""
    policies = _read_policies(base, files)
    manifests = [
        _read_one(listed, os.path.relpath(base / file), policies.of_file(file))
        for file, listed in files.items()
        if not is_policy(file)
    ]
    return [*policies.files, *manifests], policies


def _read_policies(base: Path, files: Mapping[str, ManifestFile]) -> Policies:
    listed = {file: each for file, each in files.items() if is_policy(file)}
    return Policies(
        {file: _read_one(each, os.path.relpath(base / file), BUILT_IN) for file, each in listed.items()}
    )


def _base(path: Path, rooms_dir: Path) -> tuple[Path, str]:
    """The folder to which keys are relative, and the path below it ('' for the folder itself)."""
    rooms, named = _absolute(rooms_dir), _absolute(path)
    for top, below in ((rooms, named), (_real(rooms), _real(named))):
        if below.is_relative_to(top):
            return top, "" if below == top else below.relative_to(top).as_posix()
    return (named, "") if named.is_dir() else (named.parent, named.name)


def _absolute(path: Path) -> Path:
    return Path(os.path.normpath(path.absolute()))


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _read_one(listed: ManifestFile, shown: str, policy: FolderPolicy) -> Parsed:
    if listed.stat is None:
        return _unreadable(shown, listed.problem)
    try:
        content, _ = read_manifest(listed.path)
    except UnreadableError as wrong:
        return _unreadable(shown, wrong.message)
    except TreeChangedError:
        return _unreadable(shown, "file was deleted while it was read")
    return _parse(content, listed, shown, policy)


def _parse(content: bytes, listed: ManifestFile, shown: str, policy: FolderPolicy) -> Parsed:
    """Parse a manifest or a policy file; `shown` is its name in errors."""
    if is_policy(listed.file):
        return parse_policy(content, shown)
    return parse(content, shown, path_key(listed.file), policy)


def _unreadable(file: str, problem: str) -> Parsed:
    return Parsed(file, errors=(ManifestError(file, problem),))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
