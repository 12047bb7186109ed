"""The user's cache, which stays between runs: a virtual environment for each checkout."""

import asyncio
import contextlib
import fcntl
import hashlib
import os
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, TextIO

from console import print_info, progress
from processes import DemoError, run, run_tidily

ROOT: Final = Path(__file__).resolve().parent.parent.parent
SECONDS: Final = 900.0


def cache() -> Path:
    """The folder: ROOMCTL_QUICKSTART_CACHE, otherwise `roomctl-quickstart` in the user's cache."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("ROOMCTL_QUICKSTART_CACHE") or Path(home) / "roomctl-quickstart").absolute()


def environment() -> Path:
    """The path of this checkout's environment for this Python."""
    mark = hashlib.sha256(f"{ROOT}\n{sys.base_prefix}\n{sys.version}".encode()).hexdigest()[:12]
    return cache() / f"venv-{mark}"


async def install() -> None:
    """Install roomctl with the embedded store, editable; again if pyproject.toml has changed."""
    venv, wanted = environment(), (ROOT / "pyproject.toml").read_bytes()
    installed = venv / "installed"
    async with locked():
        _drop_old()
        if installed.exists() and installed.read_bytes() == wanted:
            return
        async with progress(f"installing roomctl into {_short(venv)}"):
            if not (venv / "checkout").exists():
                await run(sys.executable, "-m", "venv", "--clear", venv, within=SECONDS)
                (venv / "checkout").write_text(str(ROOT))
            await _pip(venv, "install", "--quiet", "--editable", f"{ROOT}[embedded]")
        installed.write_bytes(wanted)


async def _pip(venv: Path, *arguments: str) -> None:
    pip = (venv / "bin" / "python", "-I", "-m", "pip", "--disable-pip-version-check", "--no-input")
    try:
        await run_tidily(*pip, *arguments, within=SECONDS, env=os.environ)
    except DemoError as failure:
        raise DemoError(
            f"roomctl could not be installed; is PyPI, or the index that pip is set to, in reach?\n{failure}"
        ) from None


def _drop_old() -> None:
    """Delete environments whose checkout is gone."""
    for made in cache().glob("venv-*/checkout"):
        if not Path(made.read_text()).is_dir():
            shutil.rmtree(made.parent, ignore_errors=True)


def _short(path: Path) -> str:
    """`path` for display."""
    return f"~/{path.relative_to(Path.home())}" if path.is_relative_to(Path.home()) else str(path)


@contextlib.asynccontextmanager
async def locked() -> AsyncIterator[None]:
    """One quickstart at a time installs, builds, or starts."""
    with _lock_file() as file:
        reported = False
        while not _lock(file.fileno()):
            if not reported:
                print_info("  another quickstart is getting ready; waiting for it")
            reported = True
            await asyncio.sleep(0.3)
        yield


def _lock_file() -> TextIO:
    try:
        cache().mkdir(parents=True, exist_ok=True)
        return (cache() / "lock").open("w")
    except OSError as error:
        why = f"{cache()} cannot be written ({error.strerror})"
        raise DemoError(f"{why}; name another folder in ROOMCTL_QUICKSTART_CACHE") from None


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
