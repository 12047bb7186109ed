"""The hook of .pre-commit-hooks.yaml in the example repository: pre-commit installs it, and git runs it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.support.documents import ROOT

LAYOUT: Final = ROOT / "deploy" / "example-repository"
PACKAGE: Final = ("pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml")


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": os.environ.get("HOME", "/"),  # pip keeps what it has fetched there
        "GIT_CONFIG_GLOBAL": os.devnull,
        "PRE_COMMIT_HOME": str(folder.parent / "pre-commit"),
    }
    return subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=False)


def git(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run(folder, "git", "-c", "user.name=Ann", "-c", "user.email=ann@example.org", *words)


def repository(folder: Path) -> Path:
    """All that is in the folder, committed, with the tag that the example names."""
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "All"), ("tag", "VERSION")):
        assert git(folder, *words).returncode == 0
    return folder


@pytest.fixture(name="roomctl")
def _roomctl(tmp_path: Path) -> Path:
    """The package as a repository of its own."""
    folder = tmp_path / "roomctl"
    ignored = shutil.ignore_patterns("__pycache__", "node_modules")
    shutil.copytree(ROOT / "controller", folder / "controller", ignore=ignored)
    for name in PACKAGE:
        shutil.copy(ROOT / name, folder / name)
    return repository(folder)


def test_a_wrong_manifest_is_not_committed(tmp_path: Path, roomctl: Path) -> None:
    rooms = tmp_path / "rooms"
    shutil.copytree(LAYOUT, rooms)
    config = rooms / ".pre-commit-config.yaml"
    config.write_text(config.read_text().replace("https://github.com/OWNER/roomctl", str(roomctl)))
    repository(rooms)
    installed = run(rooms, "pre-commit", "install", "--install-hooks")
    assert installed.returncode == 0, installed.stdout
    panel = rooms / "rooms.d" / "events" / "panel.yaml"
    for number, code in (("many", 1), ("9", 0)):
        panel.write_text(f"name: Panel\nmax_participants: {number}\n")
        git(rooms, "add", "-A")
        done = git(rooms, "commit", "-m", "Add the panel")
        assert done.returncode == code, done.stderr
        assert ("rooms.d/events/panel.yaml:2:19: max_participants: expected" in done.stderr) is bool(code)
