"""A real part that is missing, and cannot be fetched, is named with what to install."""

import json
from pathlib import Path
from types import ModuleType

import pytest

from tests.support import chromium, egress, livekit_client, redis

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


@pytest.mark.parametrize(("part", "name"), [(chromium, "chromium"), (redis, "redis-server")])
def test_without_a_program_it_says_what_to_install(
    bare: Path, capsys: pytest.CaptureFixture[str], part: ModuleType, name: str
) -> None:
    assert part.main() == 1
    assert capsys.readouterr().err.startswith(f"`{name}` is not on the PATH; install it")
    (bare / name).write_text("#!/bin/sh\n")
    (bare / name).chmod(0o755)
    assert part.main() == 0
    assert capsys.readouterr().out.strip() == str(bare / name)


def test_without_go_it_says_what_to_install(bare: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert egress.main() == 1
    assert "`go` is not on the PATH; install Go" in capsys.readouterr().err
    assert not list(bare.rglob("egress.new"))


def test_without_npm_it_says_what_to_install(
    bare: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(livekit_client, "CLIENT", bare / "client.js")
    assert livekit_client.main() == 1
    assert capsys.readouterr().err.startswith("`npm` is not on the PATH; install it")


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
