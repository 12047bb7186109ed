"""A real part that is missing, and cannot be fetched, is named with what to install."""

import json
from pathlib import Path

import pytest

from tests.support import chromium, livekit_client

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


def test_without_chromium_it_says_what_to_install(bare: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert chromium.main() == 1
    assert capsys.readouterr().err.startswith("Chromium is not on the PATH; install it")
    (bare / "chromium").write_text("#!/bin/sh\n")
    (bare / "chromium").chmod(0o755)
    assert chromium.main() == 0
    assert capsys.readouterr().out.strip() == str(bare / "chromium")


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
