"""Finds and reads manifests: regular files whose real path is below that of rooms.d.

Other files are never opened: links are resolved first, the mode shows a FIFO or a device, and listed files
are opened without following links and without waiting.
"""

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from controller.errors import RoomsDirError
from controller.manifests.document import UnreadableError
from controller.manifests.folder_policy import POLICY_FILE, POLICY_SPELLINGS, is_policy
from controller.manifests.keys import ENDINGS, meant_path
from controller.text import escape_unprintable

MAX_FILES: Final = 20_000
MAX_FOLDERS: Final = 20_000
MAX_FILE_BYTES: Final = 256 * 1024
MAX_BYTES: Final = 64 * 1024 * 1024

_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
_READS: Final = 5
_SWAPPED: Final = "..data"
"""The link that Kubernetes switches from one state of a mounted ConfigMap to the next."""

Stat: TypeAlias = tuple[int, int, int, int, int]
"""Identifies a content of a file: device, inode, size, mtime and ctime in nanoseconds."""


class TreeChangedError(Exception):
    """The folder changed while it was read: the result may be inconsistent, so it is read again."""


class ManifestFile(NamedTuple):
    """A listed manifest or policy file. `file` is its path below rooms.d, `path` the one to open.

    `problem` is why it is not read; then `stat` is None.
    """

    file: str
    path: str
    stat: Stat | None
    problem: str = ""


@dataclass(slots=True)
class ManifestListing:
    """All manifests and policy files below a folder, and the state of the links that led to them.

    `near_misses` are files that are not read, with the path under which they would be.
    """

    files: list[ManifestFile] = field(default_factory=list)
    near_misses: list[tuple[str, str]] = field(default_factory=list)
    links: dict[str, tuple[int, int, str]] = field(default_factory=dict)

    def has_changed(self) -> bool:
        """Whether one of these links has changed."""
        return any(_link(path) != before for path, before in self.links.items())


def stat_of(status: os.stat_result) -> Stat:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def list_manifests(root: str, start: str = "") -> ManifestListing:
    """The manifests in the folder `start` below `root`, a real path, with the policy files above them.

    RoomsDirError if the folder cannot be read, or contains more than the limits allow.
    """
    return _Walk(root).walk(start)


def list_one(root: str, file: str) -> ManifestListing:
    """The one manifest `file` below `root`, a real path, with any name, and the policy files above it."""
    walk = _Walk(root)
    walk.follow_policies(file)
    walk.follow(str(Path(root, file)), file, (), manifest=True)
    walk.pass_over(file)
    return walk.listing


def list_policies(root: str) -> ManifestListing:
    """The policy file of `root` itself, a real path; also one whose name is misspelled."""
    walk = _Walk(root)
    walk.follow_policies(POLICY_FILE)
    return walk.listing


def read_manifest(path: str) -> tuple[bytes, Stat]:
    """The file's bytes and their state. UnreadableError if it cannot be read, or TreeChangedError."""
    try:
        descriptor = os.open(path, _FLAGS)
    except (FileNotFoundError, NotADirectoryError) as gone:
        raise TreeChangedError from gone
    except OSError as wrong:
        raise UnreadableError(None, _cannot(wrong)) from None
    try:
        return _read(descriptor)
    except OSError as wrong:
        raise UnreadableError(None, _cannot(wrong)) from None
    finally:
        os.close(descriptor)


def _read(descriptor: int) -> tuple[bytes, Stat]:
    """Bytes of one state: a file that changes meanwhile is read again."""
    for _ in range(_READS):
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableError(None, _NO_FILE)
        if status.st_size > MAX_FILE_BYTES:
            raise UnreadableError(None, _too_large(status.st_size))
        content = os.pread(descriptor, status.st_size + 1, 0)
        if stat_of(os.fstat(descriptor)) == stat_of(status) and len(content) == status.st_size:
            return content, stat_of(status)
    raise UnreadableError(None, "file changed while it was read; write to a temporary file and rename it")


_NO_FILE: Final = "not a regular file, so it is not opened; replace it with a regular file"
_FOLDER: Final = "a directory with the name of a manifest; rename it"
_OUT: Final = "symbolic link to a path outside the rooms directory, not followed; replace it with the file"
_NOWHERE: Final = "broken symbolic link; correct or delete it"
_LOOP: Final = "symbolic link loop; delete it"
_NAME: Final = "file name contains unprintable characters; rename it"


def _too_large(size: int) -> str:
    return (
        f"file too large: {size:,} bytes (maximum {MAX_FILE_BYTES // 1024} KiB); split it into several files"
    )


def _cannot(wrong: OSError) -> str:
    return f"cannot be read ({os.strerror(wrong.errno or 0)}); check its permissions"


_NO_LINK: Final = (0, 0, "")


def _link(path: str) -> tuple[int, int, str]:
    """Identifies a state of a link; a missing link differs from all others."""
    try:
        status = os.lstat(path)
        return status.st_ino, status.st_ctime_ns, str(Path(path).readlink())
    except OSError:
        return _NO_LINK


def _exists(path: str) -> bool:
    """Whether there is such a file or link. OSError if that cannot be known."""
    try:
        os.lstat(path)
    except FileNotFoundError:
        return False
    return True


class _Walk:
    """One walk through the folders below one real path."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.inside = root.rstrip("/") + "/"
        self.listing = ManifestListing()
        self.folders: list[tuple[str, str, tuple[str, ...]]] = []
        self.seen = 0
        self._size = 0

    def walk(self, start: str) -> ManifestListing:
        if start:
            self.follow_policies(start)
            self.follow(str(Path(self.root, start)), start, (), manifest=False)
        else:
            self._enter(self.root, "", ())
        while self.folders:
            self._folder(*self.folders.pop())
        return self.listing

    def _folder(self, path: str, prefix: str, chain: tuple[str, ...]) -> None:
        swapped = f"{path}/{_SWAPPED}"
        before = _link(swapped)  # before it is followed
        if before != _NO_LINK:
            self.listing.links[swapped] = before
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    if entry.name[0] not in "._" or is_policy(entry.name):
                        self._entry(entry, prefix + entry.name, chain)
                    elif entry.name == _SWAPPED and before == _NO_LINK and entry.is_symlink():
                        raise TreeChangedError
        except FileNotFoundError as gone:
            raise TreeChangedError from gone
        except OSError as wrong:
            if not prefix:
                raise
            self._refuse(prefix.rstrip("/"), path, _cannot(wrong))

    def _entry(self, entry: os.DirEntry[str], file: str, chain: tuple[str, ...]) -> None:
        manifest = file.endswith(ENDINGS) or is_policy(file)
        if entry.is_symlink():
            self.follow(entry.path, file, chain, manifest=manifest)
        elif manifest:
            self._take(file, entry.path, entry.stat(follow_symlinks=False))
        elif entry.is_dir(follow_symlinks=False):
            self._enter(entry.path, file + "/", chain)
        else:
            self.pass_over(file)

    def follow_policies(self, file: str) -> None:
        """Take the policy files in the folders above `file`. OSError if one of the folders cannot be read."""
        for folder in Path(file).parents:
            for name in POLICY_SPELLINGS:
                path = str(Path(self.root, folder, name))
                if _exists(path):
                    self.follow(path, (folder / name).as_posix(), (), manifest=True)

    def pass_over(self, file: str) -> None:
        """A file whose name is not a manifest's."""
        if meant := meant_path(file):
            self.listing.near_misses.append((file, meant))

    def follow(self, path: str, file: str, chain: tuple[str, ...], *, manifest: bool) -> None:
        """Take the target of a link or of a path on the command line."""
        before = _link(path)
        real = os.path.realpath(path)
        try:
            status = os.lstat(real)
        except OSError:
            status = None
        folder = status is not None and stat.S_ISDIR(status.st_mode)
        if status is not None and not folder and not manifest:
            self.pass_over(file)
            return
        if real != self.root and not real.startswith(self.inside):
            self._refuse(file, path, _OUT)
        elif status is None or stat.S_ISLNK(status.st_mode):
            self._refuse(file, path, _NOWHERE)
        elif not folder or manifest:
            self._take(file, real, status)
        elif real in chain:
            self._refuse(file, path, _LOOP)
        else:
            self.listing.links[path] = before
            self._enter(real, file + "/", chain)

    def _enter(self, real: str, prefix: str, chain: tuple[str, ...]) -> None:
        self.seen += 1
        if self.seen > MAX_FOLDERS:
            raise RoomsDirError(f"{self.root} holds more than {MAX_FOLDERS:,} folders; take some away")
        if not prefix.isprintable():
            self._refuse(prefix.rstrip("/"), real, _NAME)
            return
        self.folders.append((real, prefix, (*chain, real)))

    def _take(self, file: str, path: str, status: os.stat_result) -> None:
        """Add a manifest, or the reason why it is not read."""
        if not stat.S_ISREG(status.st_mode):
            self._refuse(file, path, _FOLDER if stat.S_ISDIR(status.st_mode) else _NO_FILE)
        elif not file.isprintable():
            self._refuse(file, path, _NAME)
        elif status.st_size > MAX_FILE_BYTES:
            self._refuse(file, path, _too_large(status.st_size))
        else:
            self._size += status.st_size
            self._add(ManifestFile(file, path, stat_of(status)))

    def _refuse(self, file: str, path: str, problem: str) -> None:
        self._add(ManifestFile(escape_unprintable(file), path, None, problem))

    def _add(self, listed: ManifestFile) -> None:
        self.listing.files.append(listed)
        if len(self.listing.files) > MAX_FILES:
            raise RoomsDirError(f"{self.root} holds more than {MAX_FILES:,} manifests; take some away")
        if self._size > MAX_BYTES:
            raise RoomsDirError(
                f"{self.root} holds more than {MAX_BYTES >> 20} MiB of manifests; take some away"
            )
