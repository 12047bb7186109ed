"""The access tokens' file: who calls, what is wrong with it, and how a change takes effect."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from controller.errors import SettingsError
from controller.sidecar.access_tokens import AccessTokens, ApiCaller
from controller.sidecar.token_file import FILE_LIMIT
from tests.unit.sidecar.harness import SETTINGS, Clock, Harness, record, spec


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def entry(token: str, user_id: str, more: str = "") -> str:
    return f"- token_sha256: {digest(token)}\n  user_id: {user_id}\n{more}"


def access_tokens(path: Path, text: str, clock: Clock | None = None) -> AccessTokens:
    path.write_text(text)
    return AccessTokens(path, clock or Clock())


def who(known: AccessTokens, token: str) -> ApiCaller | None:
    return known.authenticate({"x-access-token": token})


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.yaml"


def test_a_token_is_known_by_its_hash(path: Path) -> None:
    known = access_tokens(path, entry("one", "anna") + entry("two", "007", "  admin: true\n"))
    assert who(known, "one") == ApiCaller("anna", admin=False)
    assert who(known, "two") == ApiCaller("007", admin=True)
    for other in ("", "three", digest("one"), "one ", "\udcff"):
        assert who(known, other) is None
    assert known.authenticate({}) is None


def test_without_a_file_nobody_is_known() -> None:
    assert who(AccessTokens(None, Clock()), "one") is None


def test_a_user_owns_their_rooms_and_an_admin_all() -> None:
    room = record(spec=spec(user_id="anna"))
    assert ApiCaller("anna").owns(room)
    assert not ApiCaller("bert").owns(room)
    assert ApiCaller("bert", admin=True).owns(room)


def test_an_explicitly_empty_list_is_nobody(path: Path) -> None:
    assert who(access_tokens(path, "[]"), "one") is None


def test_json_and_capital_digits_are_fine(path: Path) -> None:
    text = f'[{{"token_sha256": "{digest("one").upper()}", "user_id": "anna", "admin": false}}]'
    assert who(access_tokens(path, text), "one") == ApiCaller("anna")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "expected a list of `- {token_sha256"),
        ("# nobody yet\n", "expected a list of `- {token_sha256"),
        ("anna", "line 1: expected a list of `- {token_sha256"),
        ("token_sha256: x\n", "line 1: expected a list of `- {token_sha256"),
        ("- anna\n", "line 1: an entry is not a mapping"),
        ("- user_id: anna\n", "line 1: token_sha256 is required"),
        (f"- token_sha256: {digest('x')}\n", "line 1: user_id is required"),
        (entry("x", "anna", "  admn: true\n"), "line 3: unknown key; did you mean admin?"),
        (entry("x", "anna", "  zzz: 1\n"), "line 3: unknown key; use token_sha256, user_id, admin"),
        (entry("x", "anna", "  admin: yes\n"), "line 3: admin must be true or false"),
        (entry("x", "anna", "  admin: 'true'\n"), "line 3: admin must be true or false"),
        (entry("x", "anna", "  user_id: bert\n"), "line 3: duplicate user_id"),
        (entry("x", ""), "line 2: user_id must be 1 to 128 characters"),
        (entry("x", "~"), "line 2: user_id must be 1 to 128 characters"),
        (entry("x", "u" * 129), "line 2: user_id must be 1 to 128 characters"),
        (entry("x", "[anna]"), "line 2: user_id must be a single value"),
        (entry("x", "&a anna"), "line 2: anchors and tags cannot be used"),
        (entry("x", "!!str anna"), "line 2: anchors and tags cannot be used"),
        ("- &a {}\n", "line 1: anchors and tags cannot be used"),
        ("- token_sha256: hunter2\n  user_id: anna\n", "line 1: token_sha256 must be the 64 hex digits"),
        (entry("", "anna"), "line 1: token_sha256 is that of an empty token"),
        (entry("x", "anna") + entry("x", "bert"), "line 3: duplicate token_sha256"),
        (entry("x", "anna") + "---\n[]\n", "several documents"),
        ("- {\n", "invalid YAML"),
        ("[" * 100_000, "line 1: invalid YAML"),
        ("#" * (FILE_LIMIT + 1), "the file is longer than 1024 KiB"),
    ],
)
def test_what_is_wrong_at_the_start_is_an_error_of_the_setting(path: Path, text: str, reason: str) -> None:
    with pytest.raises(SettingsError) as wrong:
        access_tokens(path, text)
    (problem,) = wrong.value.problems
    assert problem.startswith("ROOMCTL_ACCESS_TOKENS_FILE: ")
    assert reason in problem
    assert "\n" not in problem
    assert "hunter2" not in problem


def test_a_file_that_is_no_text_is_an_error(path: Path) -> None:
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="UTF-8"):
        AccessTokens(path, Clock())


def test_what_cannot_be_read_is_an_error_of_the_setting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for name, reason in (
        ("none", "no such file"),
        ("fifo", "not a regular file"),
        (".", "not a regular file"),
    ):
        with pytest.raises(SettingsError, match=f"ROOMCTL_ACCESS_TOKENS_FILE: .*{reason}"):
            AccessTokens(tmp_path / name, Clock())


def test_a_change_takes_effect_within_a_second(path: Path) -> None:
    clock = Clock()
    known = access_tokens(path, entry("one", "anna"), clock)
    path.write_text(entry("two", "bert") + entry("three", "cleo"))
    assert who(known, "one") == ApiCaller("anna")  # looked at a moment ago
    clock.now += 1
    assert who(known, "one") is None
    assert who(known, "two") == ApiCaller("bert")


def test_the_swap_of_a_kubernetes_secret_takes_effect(tmp_path: Path) -> None:
    clock = Clock()
    for folder, user_id in (("..1", "anna"), ("..2", "bert")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "tokens").write_text(entry("one", user_id))
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "tokens").symlink_to("..data/tokens")
    known = AccessTokens(tmp_path / "tokens", clock)
    assert who(known, "one") == ApiCaller("anna")
    (tmp_path / "..next").symlink_to("..2")
    (tmp_path / "..next").replace(tmp_path / "..data")
    clock.now += 1
    assert who(known, "one") == ApiCaller("bert")


def test_the_last_good_file_stays_in_force_and_a_bad_one_is_said_once(path: Path) -> None:
    clock = Clock()
    known = access_tokens(path, entry("one", "anna"), clock)
    with capture_logs() as logs:
        for text in ("", "- token_sha256: hunter2\n", None):
            path.unlink() if text is None else path.write_text(text)
            for _ in range(3):
                clock.now += 1
                assert who(known, "one") == ApiCaller("anna")
    said = [str(event["error"]) for event in logs]
    assert [event["log_level"] for event in logs] == ["error"] * 3
    assert "expected a list of `- {token_sha256" in said[0]
    assert "user_id is required" in said[1]
    assert "no such file" in said[2]
    assert not any("hunter2" in reason for reason in said)
    path.write_text(entry("two", "bert"))
    clock.now += 1
    assert who(known, "one") is None
    assert who(known, "two") == ApiCaller("bert")


def test_a_file_that_could_not_be_read_is_read_when_it_can_be(path: Path) -> None:
    clock = Clock()
    known = access_tokens(path, entry("one", "anna"), clock)
    aside = path.with_name("aside")
    path.rename(aside)
    clock.now += 1
    who(known, "one")
    aside.rename(path)  # the very state that was seen before
    clock.now += 1
    with capture_logs() as logs:
        assert who(known, "one") == ApiCaller("anna")
    assert logs == [{"event": "access tokens reloaded", "count": 1, "log_level": "info"}]


def test_a_sidecar_is_not_built_on_a_wrong_file(path: Path) -> None:
    path.write_text("nonsense")
    with pytest.raises(SettingsError):
        Harness(replace(SETTINGS, access_tokens_file=path))
