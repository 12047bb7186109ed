"""Where the real parts that tests run against are built and kept: a folder outside the tree.

`python -m tests.support.cache` prints it.
"""

import fcntl
import hashlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

PROGRESS_EVERY = 10.0
"""Seconds between two lines that say a build is still going on."""


def cache_dir() -> Path:
    """The folder, made where it is missing: ROOMCTL_TEST_CACHE, else `roomctl-tests` in the user's cache."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(os.environ.get("ROOMCTL_TEST_CACHE") or Path(home) / "roomctl-tests").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def go_install(module: str, binary: str) -> Path:
    """The program `binary` of `module` (path@version), built by `go install` unless it is there already."""
    folder = cache_dir() / "go" / re.sub(r"[^A-Za-z0-9.@-]+", "-", module)
    return _built(folder / binary, ("go", "install", module), Path.cwd(), {"GOBIN": str(folder)})


def go_build(source: Path, binary: str) -> Path:
    """The program in the folder `source` (with go.mod and go.sum), built anew when one of them changed."""
    digest = hashlib.sha256()
    for file in sorted(p for p in source.iterdir() if p.suffix in (".go", ".mod", ".sum")):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    program = cache_dir() / "go" / f"{binary}-{digest.hexdigest()[:16]}" / binary
    return _built(program, ("go", "build", "-o", f"{program}.new", "."), source, {})


def python_with(requirement: str) -> Path:
    """The interpreter of a virtual environment with this package, for what only a few tests start."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = cache_dir() / "python" / f"{version}-{re.sub(r'[^A-Za-z0-9.-]+', '-', requirement)}"
    made, python = folder / "made", folder / "bin" / "python"
    steps = ('"$0" -m venv "$1"', '"$1/bin/python" -m pip install --quiet "$2"', 'touch "$1/made.new"')
    command = ("sh", "-ec", "\n".join(steps), sys.executable, str(folder), requirement)
    _built(made, command, Path.cwd(), {"PIP_DISABLE_PIP_VERSION_CHECK": "1"})
    return python


def _built(program: Path, command: Sequence[str], where: Path, env: dict[str, str]) -> Path:
    """`program`, made by `command` where it is missing; processes that want the same one build it once."""
    program.parent.mkdir(parents=True, exist_ok=True)
    with locked(program.parent / ".lock"):
        if not program.exists():
            _run(command, where, env)
            fresh = program.with_name(program.name + ".new")
            if fresh.exists():
                fresh.rename(program)
    return program


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process at a time; the others wait."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _run(command: Sequence[str], where: Path, env: dict[str, str]) -> None:
    """Run a build with signs of life; its own output goes to stderr as it comes."""
    began = time.monotonic()
    _say(f"building: {' '.join(command)} (once; minutes at most)")
    environ = {**os.environ, "GOFLAGS": "-buildvcs=false", **env}
    try:
        build = subprocess.Popen(command, cwd=where, env=environ, stdout=2, stderr=2)
    except FileNotFoundError:
        raise RuntimeError(
            f"`{command[0]}` is not on the PATH; install Go 1.24 or newer, then again"
        ) from None
    while True:
        try:
            code = build.wait(PROGRESS_EVERY)
            break
        except subprocess.TimeoutExpired:
            _say(f"  still building, {time.monotonic() - began:.0f} s")
    if code:
        raise RuntimeError(f"{' '.join(command)} failed (exit {code}); its output stands above")
    _say(f"built in {time.monotonic() - began:.0f} s")


def _say(line: str) -> None:
    print(line, file=sys.__stderr__, flush=True)


if __name__ == "__main__":
    print(cache_dir())  # noqa: T201
