"""A real part that is missing, and cannot be fetched, is named with what to install."""

import json
from pathlib import Path

import pytest

from tests.support import livekit_client
from tests.support.parts import PARTS, get, needed

LOCK = {
    "packages": {
        "": {"name": "page"},
        "node_modules/a": {"version": "1.0.0", "integrity": "sha512-a"},
    }
}


@pytest.fixture(name="bare")
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine with nothing on the PATH, and an empty cache."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("ROOMCTL_TEST_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.mark.parametrize(("part", "name"), [("chromium", "chromium"), ("redis", "redis-server")])
def test_without_a_program_it_says_what_to_install(bare: Path, part: str, name: str) -> None:
    with pytest.raises(RuntimeError, match=f"^`{name}` is not on the PATH; install it"):
        get(part)
    (bare / name).write_text("#!/bin/sh\n")
    (bare / name).chmod(0o755)
    assert get(part) == bare / name


def test_without_faketime_it_says_what_to_install(bare: Path) -> None:
    with pytest.raises(RuntimeError, match=r"^`faketime` is not on the PATH; install it"):
        get("faketime")
    (bare / "faketime").touch(mode=0o755)
    with pytest.raises(RuntimeError, match=r"^`faketime` has no libfaketime.so.1 below .*; install it again"):
        get("faketime")


def test_without_go_it_says_what_to_install(bare: Path) -> None:
    with pytest.raises(RuntimeError, match=r"^`go` is not on the PATH; install Go"):
        get("egress")
    assert not list(bare.rglob("egress.new"))


def test_without_npm_it_says_what_to_install(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(livekit_client, "CLIENT", bare / "client.js")
    with pytest.raises(RuntimeError, match=r"^`npm` is not on the PATH; install it"):
        get("livekit_client")


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ([], set(PARTS)),
        (["--thorough", "-k", "plan"], set(PARTS)),
        (["tests/unit"], set()),
        (["tests/real/manifests", "tests/real/records/test_lease.py::test_x"], {"ferret"}),
        (["tests/real/cli/test_recordings.py", "-k", "red"], {"livekit"}),
        (["tests/real/recordings/test_kept.py"], {"livekit", "redis", "egress"}),
        (["tests/real/faults/test_clock.py"], {"livekit", "faketime"}),
        (["tests/browser", "tests/unit"], {"livekit", "livekit_client", "chromium", "axe"}),
    ],
)
def test_a_run_needs_the_parts_of_its_tests_alone(arguments: list[str], parts: set[str]) -> None:
    assert set(needed(arguments)) == parts


def test_what_npm_has_put_is_known_by_the_lock_file(tmp_path: Path) -> None:
    client, lock, put = (tmp_path / name for name in ("client.js", "lock.json", "put.json"))
    lock.write_text(json.dumps(LOCK))
    assert not livekit_client.in_place(client, lock, put)
    client.touch()
    put.write_text(
        json.dumps(
            {"packages": LOCK["packages"] | {"node_modules/a": {"version": "0.9.0", "integrity": "sha512-a"}}}
        )
    )
    assert not livekit_client.in_place(client, lock, put)
    put.write_text(json.dumps({"packages": {"node_modules/a": LOCK["packages"]["node_modules/a"]}}))
    assert livekit_client.in_place(client, lock, put)
