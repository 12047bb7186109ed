"""The npm packages of the pages, livekit-client and Swagger UI, installed by the pages' own lock file."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from controller.sidecar.pages.assets import FOLDER, PACKAGES, missing_packages
from tests.support.cache import cache_dir, locked

(CLIENT,) = PACKAGES["livekit-client"]
LOCK: Final = FOLDER / "package-lock.json"
PUT: Final = FOLDER / "node_modules" / ".package-lock.json"
"""What is to be there, and what npm says that it has put there."""

COMMAND: Final = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
_NO_NPM: Final = "`npm` is not on the PATH; install it (Debian: apt-get install npm), then again"


def livekit_client() -> Path:
    """The script, fetched unless it is there by this very lock file. RuntimeError says what is missing."""
    with locked(cache_dir() / ".npm.lock"):
        if missing_packages() or not in_place(CLIENT, LOCK, PUT):
            npm_ci(FOLDER, "livekit-client and Swagger UI")
    return CLIENT


def in_place(client: Path, lock: Path, put: Path) -> bool:
    """Whether `client` is there, and all that `lock` names."""
    return client.is_file() and put.is_file() and _packages(lock) == _packages(put)


def _packages(lock: Path) -> dict[str, tuple[Any, Any]]:
    packages = json.loads(lock.read_text())["packages"]
    return {place: (each["version"], each["integrity"]) for place, each in packages.items() if place}


def npm_installed(source: Path, package: str, file: str) -> Path:
    """A file of the package that the lock file in `source` names, in the cache. As for `npm_ci`."""
    lock = (source / "package-lock.json").read_bytes()
    folder = cache_dir() / package / hashlib.sha256(lock).hexdigest()[:16]
    installed = folder / "node_modules" / package / file
    with locked(cache_dir() / ".npm.lock"):
        if not installed.is_file():
            shutil.copytree(source, folder, dirs_exist_ok=True)
            npm_ci(folder, package)
    return installed


def npm_ci(folder: Path, what: str) -> None:
    """Install what the lock file in `folder` names. RuntimeError says what is missing."""
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError(_NO_NPM)
    print(f"fetching {what}: {' '.join(COMMAND)} (once)", file=sys.stderr, flush=True)  # noqa: T201
    done = subprocess.run([npm, *COMMAND[1:]], cwd=folder, stdin=subprocess.DEVNULL, stdout=2, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(COMMAND)} failed (exit {done.returncode}); its output stands above")
