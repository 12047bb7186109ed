"""ROOMCTL_DATA_DIR: the folder, its locks, and the files in it. Only its owner may read it (0700), if we own
it: a volume may belong to root, and be writable by our group.

`credentials` has the password of the embedded server; only its owner may read it (0600), in any directory.
`embedded.lock` is held by the process that runs the embedded server, and by the server; `folder.lock` by the
process that uses the folder's id (`id`). A lock ends when the last process that holds it ends.
"""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock that is held: the open file; a process that inherits it holds it too."""

    fd: int

    def sign(self, verb: str) -> None:
        """Write who holds it into the file, for the error of other processes."""
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, json.dumps({"pid": os.getpid(), "verb": verb}).encode(), 0)

    def close(self) -> None:
        os.close(self.fd)


def prepare(folder: Path) -> None:
    """Make the folder if it is missing, and deny others access. SettingsError if that fails.

    A folder that holds other files than ours, such as a home directory, keeps its mode. So does a folder of
    another user.
    """
    with files_of(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _is_ours(folder):
            with suppress(PermissionError):
                folder.chmod(0o700)
        probe = folder / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()


@contextmanager
def files_of(folder: Path) -> Iterator[None]:
    """A file of the folder that cannot be used, such as one of another user, is a SettingsError."""
    try:
        yield
    except OSError as error:
        where = error.filename or folder
        raise SettingsError(
            [f"ROOMCTL_DATA_DIR: cannot write to {where} ({error.strerror}); use another directory"]
        ) from None


def _is_ours(folder: Path) -> bool:
    entries = {path.name for path in folder.iterdir()}
    return not entries or not entries.isdisjoint({"folder.lock", "embedded.lock"})


def take_lock(path: Path) -> Lock | None:
    """The lock, or None if another process holds it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        return None
    return Lock(fd)


def signature(path: Path) -> str:
    """The process that signed the lock."""
    content = read_json(path)
    if not content:
        return "another process"
    return f"`roomctl {content.get('verb')}`, pid {content.get('pid')}"


def read_json(path: Path) -> dict[str, Any]:
    """The object in the file; {} if there is none (yet)."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def write_json(path: Path, content: dict[str, Any], mode: int = 0o666) -> None:
    """Replace the file atomically: a reader sees the old or the new content. The umask narrows its `mode`."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)  # of a process that died: it may have another mode
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(json.dumps(content))
    fresh.replace(path)


@contextmanager
def own_id(folder: Path) -> Iterator[str | None]:
    """The folder's id while only we use the folder; None if another process uses it, or we cannot write.

    With the id, a restart takes its own lease back at once; without it, it waits until the lease is stale.
    """
    identity = None
    with ExitStack() as stack:
        with suppress(OSError, SettingsError):
            prepare(folder)
            if (lock := take_lock(folder / "folder.lock")) is not None:
                stack.callback(lock.close)
                identity = _read_id(folder / "id")
        yield identity


def _read_id(path: Path) -> str:
    stored = read_json(path).get("id")
    if isinstance(stored, str) and stored:
        return stored
    identity = secrets.token_hex(12)
    write_json(path, {"id": identity})
    return identity
