"""Debian's programs for tests: from the PATH, or by apt-get where that is there and we are root."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.support.cache import cache_dir, locked

_UPDATE: Final = ("apt-get", "update", "--quiet")
_INSTALL: Final = ("apt-get", "install", "--quiet", "--yes", "--no-install-recommends")


def program(package: str, *names: str) -> Path:
    """The first of `names` on the PATH, out of `package`. RuntimeError says what to install."""
    with locked(cache_dir() / ".apt-get.lock"):
        path = _on_path(names)
        if path is None:
            _install(package)
            path = _on_path(names)
    if path is None:
        raise RuntimeError(_by_hand(package))
    return path


def _on_path(names: Sequence[str]) -> Path | None:
    path = next(filter(None, map(shutil.which, names)), None)
    return Path(path) if path else None


def _by_hand(package: str) -> str:
    return f"`{package}` is not on the PATH; install it (Debian: apt-get install {package}), then again"


def _install(package: str) -> None:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise RuntimeError(_by_hand(package))
    print(f"installing {package} by apt-get (once; a minute or two)", file=sys.stderr, flush=True)  # noqa: T201
    environ = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (_UPDATE, (*_INSTALL, package)):
        done = subprocess.run(command, env=environ, stdin=subprocess.DEVNULL, stdout=2, check=False)
        if done.returncode:
            said = f"{' '.join(command)} failed (exit {done.returncode}); its output stands above"
            raise RuntimeError(said)
