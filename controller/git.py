"""The Git commit of a directory, and the last commit of each file in it.

Git only reads: the repository's settings cannot make it run a program or open a connection. Without Git, or
outside a work tree, the history is unknown, which is not an error.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from controller.text import format_age

MAX_COMMITS: Final = 5_000
"""How many commits are searched for the last one of each file."""
GIT_TIMEOUT_SECONDS: Final = 2.0
"""Seconds for one call of Git: the manifests wait for it."""
_SAFE: Final = (
    "--no-pager",
    "-c", "safe.directory=*",  # a mounted checkout belongs to another user
    "-c", "core.fsmonitor=false",
    "-c", "log.showSignature=false",
    "-c", "protocol.allow=never",
)  # fmt: skip
_ENVIRONMENT: Final = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "LC_ALL": "C.UTF-8",
}
_FORMAT: Final = "--format=%x01%H%x00%an%x00%cI%x00%s%x00"


@dataclass(frozen=True, slots=True)
class Commit:
    """A git commit; `id` is its hash in hex, `time` when it was committed."""

    id: str
    author: str
    time: datetime
    subject: str

    @property
    def short(self) -> str:
        return self.id[:12]

    def as_dict(self) -> dict[str, str]:
        """As JSON values; the time in UTC."""
        time = f"{self.time.astimezone(UTC):%Y-%m-%dT%H:%M:%S.000Z}"
        return {"id": self.id, "author": self.author, "time": time, "subject": self.subject}

    def describe(self, now: datetime) -> str:
        """`commit COMMIT by AUTHOR AGE ago: SUBJECT`."""
        age = format_age((now - self.time).total_seconds())
        return f"commit {self.short} by {self.author} {age} ago: {self.subject}"


@dataclass(frozen=True, slots=True)
class History:
    """A folder's commit, and by path below the folder the last commit that touched a file."""

    head: Commit | None = None
    files: Mapping[str, Commit] = field(default_factory=dict)


class GitReader:
    """Reads the history of one folder; again only when HEAD has moved. Blocks: call it in a thread."""

    def __init__(self, folder: Path, path: str | None = None) -> None:
        """`path` is the PATH on which to find git, by default that of this process."""
        self._folder, self._program = folder, shutil.which("git", path=path)
        self._place: Path | None = None
        self._position: tuple[str, ...] = ()
        self._history = History()

    def history(self) -> History:
        """The current history; the cached one if HEAD has not moved."""
        place = Path(os.path.realpath(self._folder))
        if place != self._place:
            self._place, self._position, self._history = place, (), History()
        position = self._current_position(place)
        if position != self._position or not position:
            self._position, self._history = position, self._read(place) if position else History()
        return self._history

    def author_of(self, *files: str) -> str | None:
        """`git COMMIT AUTHOR` of the last commit of any of the files, by the last read; None if unknown."""
        commits = [self._history.files[file] for file in files if file in self._history.files]
        last = max(commits, key=lambda commit: commit.time, default=None)
        return None if last is None else f"git {last.short} {last.author}"

    def last_commit(self, file: str) -> Commit | None:
        """The last commit of one file, without the history of the others; None if unknown."""
        place = Path(os.path.realpath(self._folder))
        if not self._current_position(place):
            return None
        return next(
            (commit for commit, _ in _parse(self._run(place, "log", "-1", _FORMAT, "--", file))), None
        )

    def _current_position(self, place: Path) -> tuple[str, ...]:
        """Values that change when HEAD moves; () outside a work tree. Starts no process."""
        folder = next((each for each in (place, *place.parents) if (each / ".git").exists()), None)
        if folder is None:
            return ()
        try:
            own = _git_folder(folder / ".git")
            head = (own / "HEAD").read_text("utf-8")
            shared = _common_folder(own)
        except (OSError, UnicodeDecodeError):
            return ()
        reference = shared / head.removeprefix("ref:").strip()
        packed = shared / "packed-refs"
        return str(own), head, _text(reference) if head.startswith("ref:") else "", _modified(packed)

    def _read(self, place: Path) -> History:
        """HEAD, and the last commit of each file; reads only new commits if the known ones are ancestors."""
        head = next((commit for commit, _ in _parse(self._run(place, "log", "-1", _FORMAT))), None)
        before = self._history
        goes_on = before.head is not None and self._is_ancestor(place, before.head)
        since = [f"{before.head.id}.."] if goes_on and before.head is not None else []
        files: dict[str, Commit] = {}
        below = ("--name-only", "--no-renames", "--relative", "-z", _FORMAT, *since, "--", ".")
        for commit, names in _parse(self._run(place, "log", f"--max-count={MAX_COMMITS}", *below)):
            for name in names:
                files.setdefault(name, commit)
        return History(head, {**before.files, **files} if goes_on else files)

    def _is_ancestor(self, place: Path, commit: Commit) -> bool:
        """Whether the commit is an ancestor of HEAD: not after the branch was rewritten."""
        return self._run(place, "rev-list", "--count", f"HEAD..{commit.id}").strip() == "0"

    def _run(self, place: Path, *arguments: str) -> str:
        """The output of Git; after a timeout the part that was read; '' without Git."""
        if self._program is None:
            return ""
        try:
            done = subprocess.run(  # noqa: S603 - no argument comes from outside
                [self._program, *_SAFE, *arguments],
                cwd=place,
                env=_ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=GIT_TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            return (late.output or b"").rpartition(b"\x01")[0].decode("utf-8", "replace")
        except OSError:
            return ""
        return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""


def _parse(log: str) -> Iterator[tuple[Commit, list[str]]]:
    for entry in log.split("\x01")[1:]:
        commit, author, time, subject, names = (*entry.split("\x00", 4), "")[:5]
        yield (
            Commit(commit, author, datetime.fromisoformat(time), subject),
            [name.strip("\n") for name in names.split("\x00") if name.strip("\n")],
        )


def _git_folder(place: Path) -> Path:
    """The folder with HEAD: `.git` itself, or the target of a work tree's `.git` file."""
    if place.is_dir():
        return place
    return (place.parent / place.read_text("utf-8").removeprefix("gitdir:").strip()).resolve()


def _common_folder(own: Path) -> Path:
    """The folder with the branches, which all work trees of a repository share."""
    pointer = own / "commondir"
    return (own / pointer.read_text("utf-8").strip()).resolve() if pointer.exists() else own


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _modified(path: Path) -> str:
    try:
        return str(path.stat().st_mtime_ns)
    except OSError:
        return ""
