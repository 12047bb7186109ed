"""The limits of the policy file of rooms.d itself, for rooms that are made over the API."""

import os
import threading
from pathlib import Path

from controller.limits import Limit
from controller.manifests.document import UnreadableError
from controller.manifests.files import ManifestFile, TreeChangedError, list_policies, read_manifest
from controller.manifests.parse import parse_policy
from controller.manifests.policies import Policies


class RootLimits:
    """Reads the limits again when the file changes. The last good ones hold while the file is wrong.

    They also hold while rooms.d is missing or cannot be read.
    """

    def __init__(self, rooms_dir: Path) -> None:
        self._rooms_dir = rooms_dir
        self._lock = threading.Lock()
        self._content: dict[str, bytes] | None = None
        self._limits: tuple[Limit, ...] | None = ()
        self._was_good = False

    def read(self) -> tuple[Limit, ...] | None:
        """The limits; None if the file is wrong, and was so since the start. Blocks on the disk."""
        with self._lock:
            try:
                self._read()
            except UnreadableError:
                self._content = None
                self._set(None)
            except (OSError, TreeChangedError):
                pass  # rooms.d is missing, unreadable, or being replaced
            return self._limits

    def _read(self) -> None:
        root = os.path.realpath(self._rooms_dir, strict=True)
        content = {listed.file: _content(listed) for listed in list_policies(root).files}
        if content != self._content:
            policy = Policies({file: parse_policy(content[file], file) for file in content}).of_folder("")
            self._set(None if policy.problem else policy.limits)
            self._content = content

    def _set(self, limits: tuple[Limit, ...] | None) -> None:
        if limits is not None or not self._was_good:
            self._limits = limits
        self._was_good |= limits is not None


def _content(listed: ManifestFile) -> bytes:
    if listed.stat is None:
        raise UnreadableError(None, listed.problem)
    content, _ = read_manifest(listed.path)
    return content
