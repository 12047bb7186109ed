"""The command line as such: usage, exit codes, offline verbs, settings, colours. No server is needed."""

import json
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import pytest

from controller.settings import SETTINGS
from tests.real.cli.process import NOTHING, PROGRAM, on_terminal, roomctl
from tests.support.controller import Ended

SECRET = "the-secret-that-nobody-may-see-0123456789"
GOOD = "name: Keynote\npreset: guest-webinar\n"
VERBS = (
    *("run", "validate", "plan", "apply", "get", "wait", "status", "describe", "events", "recordings"),
    *("schema", "invite", "revoke", "doctor"),
)


USE_LIVEKIT = ("run", "plan", "apply", "doctor")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one good manifest and one with two errors."""
    rooms = tmp_path / "rooms.d" / "events"
    rooms.mkdir(parents=True)
    (rooms / "keynote.yaml").write_text(GOOD)
    (rooms / "bad, 100%.yaml").write_text("key: bad\nname: a_b\nmax_participants: 0\n")
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("nix",),
        ("--nix",),
        ("validate", "--nix"),
        ("validate", "-o", "xml"),
        ("schema", "surplus"),
        ("get", "--rooms-dir", "x"),
        ("plan", "--livekit-api-secret", "x"),
        ("wait", "--for", "Nix"),
        ("wait", "--timeout", "soon"),
        ("apply", "--allow-removals", "many", "--yes"),
        ("apply", "--allow-removals", "-1", "--yes"),
        ("apply",),
    ],
)
def test_wrong_usage_is_64_on_stderr(words: tuple[str, ...], tmp_path: Path) -> None:
    ended = roomctl(*words, cwd=tmp_path)
    assert ended.code == 64
    assert ended.out == ""
    assert ended.err
    assert "Traceback" not in ended.err


def test_an_apply_that_cannot_ask_says_what_to_write(tmp_path: Path) -> None:
    assert roomctl("apply", cwd=tmp_path).err == (
        "error: no terminal for the confirmation prompt; run `roomctl apply --yes`\n"
    )


def test_the_version_and_the_help_are_data(tmp_path: Path) -> None:
    version = roomctl("--version", cwd=tmp_path)
    assert (version.code, version.out.split()[0], version.err) == (0, "roomctl", "")
    text = roomctl("--help", cwd=tmp_path)
    assert (text.code, text.err) == (0, "")
    assert all(f"  {verb} " in text.out for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_a_flag_for_what_it_uses_and_none_for_a_secret(verb: str, tmp_path: Path) -> None:
    text = roomctl(verb, "--help", cwd=tmp_path, env={"GITHUB_ACTIONS": "1", "FORCE_COLOR": "1"}).out
    assert "\x1b[" not in text
    flags = {word for word in text.split() if word.startswith("--")}
    assert not {flag for flag in flags if "secret" in flag or "access-key" in flag or "uri" in flag}
    assert ("NAME_FILE" in text) == ("MONGODB_URI" in text) == ("--data-dir" in flags)
    assert ("LIVEKIT_API_SECRET." in text or "LIVEKIT_API_SECRET," in text) == (verb in USE_LIVEKIT)
    assert ("--data-dir" in text) == (verb not in {"validate", "schema"})
    assert ("--public-listen" in text) == (verb in {"run", "plan", "apply", "invite", "doctor"})


def test_validate_names_each_error_with_its_place(folder: Path) -> None:
    ended = roomctl("validate", cwd=folder)
    assert ended.code == 1
    assert [line.split(": ")[0] for line in ended.out.splitlines()] == [
        "rooms.d/events/bad, 100%.yaml:2:7",
        "rooms.d/events/bad, 100%.yaml:3:19",
    ]
    assert ended.err == "2 errors, 1 valid room\n"


def test_validate_speaks_json(folder: Path) -> None:
    document = json.loads(roomctl("validate", "-o", "json", cwd=folder).out)
    assert list(document) == ["version", "rooms", "errors"]
    assert (document["version"], document["rooms"]) == (1, 1)
    assert [list(error) for error in document["errors"]] == [["file", "line", "column", "message"]] * 2
    assert document["errors"][1]["file"] == "rooms.d/events/bad, 100%.yaml"
    assert (document["errors"][1]["line"], document["errors"][1]["column"]) == (3, 19)


def test_validate_speaks_to_github(folder: Path) -> None:
    line = roomctl("validate", "-o", "github", cwd=folder).out.splitlines()[1]
    assert line.startswith("::error file=rooms.d/events/bad%2C 100%25.yaml,line=3,col=19::max_participants")


def test_validate_takes_files_and_folders(folder: Path) -> None:
    good = roomctl("validate", "rooms.d/events/keynote.yaml", cwd=folder)
    assert (good.code, good.out, good.err) == (0, "", "1 room, no errors\n")
    assert roomctl("validate", "--rooms-dir", "rooms.d", cwd=folder).code == 1
    assert json.loads(roomctl("validate", "-o", "json", "rooms.d/events/keynote.yaml", cwd=folder).out) == {
        "version": 1,
        "rooms": 1,
        "errors": [],
    }


def test_validate_names_a_file_that_looks_meant_and_is_not_read(folder: Path) -> None:
    (folder / "rooms.d/events/bad, 100%.yaml").unlink()
    (folder / "rooms.d/events/a, 100%.YAML").write_text(GOOD)
    line = "rooms.d/events/a, 100%.YAML: not read by the controller; rename it to a, 100%.yaml\n"
    text = roomctl("validate", cwd=folder)
    assert (text.code, text.out, text.err) == (0, "", f"{line}1 room, no errors\n")
    document = roomctl("validate", "-o", "json", cwd=folder)
    assert (document.code, json.loads(document.out)) == (0, {"version": 1, "rooms": 1, "errors": []})
    assert line in document.err
    github = roomctl("validate", "-o", "github", cwd=folder)
    assert (github.code, github.err) == (0, "1 room, no errors\n")
    assert github.out == (
        "::warning file=rooms.d/events/a%2C 100%25.YAML,line=1,col=1::"
        "not read by the controller; rename it to a, 100%25.yaml\n"
    )


def test_where_no_manifest_is_found_validate_fails(tmp_path: Path) -> None:
    (tmp_path / "rooms.d").mkdir()
    ended = roomctl("validate", cwd=tmp_path)
    assert ended.code == 1
    assert "no manifest found in rooms.d" in ended.err
    assert roomctl("validate", "nowhere", cwd=tmp_path).code == 1


def test_the_schema_takes_the_good_manifest(folder: Path) -> None:
    ended = roomctl("schema", cwd=folder)
    schema = json.loads(ended.out)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert jsonschema.Draft202012Validator(schema).is_valid({"name": "Keynote", "preset": "guest-webinar"})
    assert (ended.code, ended.err) == (0, "")


@pytest.mark.parametrize("words", [("validate",), ("schema",), ("--version",)])
def test_an_offline_verb_checks_no_setting_and_imports_no_server(
    words: tuple[str, ...], folder: Path
) -> None:
    wrong = {setting.variable: "\x01" for setting in SETTINGS if setting.variable != "ROOMCTL_ROOMS_DIR"}
    env = {**NOTHING, **wrong, "PYTHONPROFILEIMPORTTIME": "1"}
    ended = subprocess.run(
        (*PROGRAM, *words), cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    lines = [line for line in ended.stderr.splitlines() if "import time:" in line]
    imported = {line.rpartition("|")[2].strip() for line in lines}
    assert ended.returncode == (1 if words == ("validate",) else 0)
    assert imported & {"typer", "controller.cli"} == {"typer", "controller.cli"}
    assert not imported & {"pymongo", "aiohttp", "livekit", "livekit.api", "uvloop"}


def test_a_mistyped_verb_has_the_nearest_one_suggested(tmp_path: Path) -> None:
    ended = roomctl("vaidate", cwd=tmp_path)
    assert (ended.code, ended.err) == (64, 'error: unknown command "vaidate"; did you mean validate?\n')


def test_a_missing_choice_is_one_line(tmp_path: Path) -> None:
    ended = roomctl("invite", "team", cwd=tmp_path)
    assert ended.err == "error: Missing option '--role'. Choose from: speaker, guest, hidden\n"
    ended = roomctl("invite", "team", "--role", "boss", cwd=tmp_path)
    roles = "'speaker', 'guest', 'hidden'"
    assert ended.err == f"error: Invalid value for '--role': 'boss' is not one of {roles}.\n"


@pytest.mark.parametrize("verb", VERBS)
def test_no_summary_is_cut_in_80_columns(verb: str, tmp_path: Path) -> None:
    text = roomctl("--help", cwd=tmp_path, env={"COLUMNS": "80"}).out
    (line,) = (line for line in text.splitlines() if line.split()[:1] == [verb])
    assert line.endswith(".")
    assert not line.endswith("...")


def test_the_doctor_checks_what_it_can_without_all_settings(tmp_path: Path) -> None:
    (tmp_path / "rooms.d").mkdir()
    env = {"ROOMCTL_TOKEN_TTL_SECONDS": "5", "MONGODB_URI": "mongodb://", "LIVEKIT_API_KEY": "key"}
    ended = roomctl("doctor", cwd=tmp_path, env=env)
    lines = [line.split(None, 3) for line in ended.out.splitlines()]
    assert (ended.code, ended.err) == (1, "")
    assert [line[2].rstrip(":") for line in lines if line[:2] == ["FAIL", "settings"]] == [
        "LIVEKIT_URL",
        "LIVEKIT_API_SECRET",
        "MONGODB_URI",
        "ROOMCTL_TOKEN_TTL_SECONDS",
    ]
    assert [line[1] for line in lines if line[0] == "skip"] == ["livekit", "clock", "recording", "mongodb"]
    assert ["warn", "manifests"] in [line[:2] for line in lines]
    assert "not checked; set LIVEKIT_URL, LIVEKIT_API_SECRET first" in ended.out


@pytest.mark.parametrize("verb", ["run", "plan"])
def test_what_is_missing_or_wrong_is_a_line_each(verb: str, tmp_path: Path) -> None:
    env = {"ROOMCTL_TOKEN_TTL_SECONDS": "5", "MONGODB_URI": "mongodb://127.0.0.1:1"}
    ended = roomctl(verb, "--instance", "a b", cwd=tmp_path, env=env)
    assert (ended.code, ended.out) == (1, "")
    assert [line.split(":")[1].strip() for line in ended.err.splitlines()] == [
        "LIVEKIT_URL",
        "LIVEKIT_API_KEY",
        "LIVEKIT_API_SECRET",
        "ROOMCTL_INSTANCE (--instance)",
        "ROOMCTL_TOKEN_TTL_SECONDS",
    ]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verb", ["get", "wait", "recordings"])
def test_a_verb_that_reads_records_checks_the_database_alone(verb: str, tmp_path: Path) -> None:
    env = {"LIVEKIT_URL": "x", "ROOMCTL_TOKEN_TTL_SECONDS": "5", "MONGODB_URI": "x"}
    ended = roomctl(verb, cwd=tmp_path, env=env)
    assert ended.code == 1
    assert [line.split(":")[1].strip() for line in ended.err.splitlines()] == ["MONGODB_URI"]


WITH_SECRETS = {
    "LIVEKIT_URL": "ws://127.0.0.1:1",
    "LIVEKIT_API_KEY": "APIkey",
    "LIVEKIT_API_SECRET": SECRET,
    "ROOMCTL_SECRET": SECRET + "-2",
    "MONGODB_URI": f"mongodb://user:{SECRET}@127.0.0.1:1/",
    "ROOMCTL_LOG_LEVEL": "debug",
}


@pytest.mark.parametrize(
    ("verb", "wrong"),
    [
        ("plan", {"ROOMCTL_RESYNC_SECONDS": "x", "LIVEKIT_URL": f"https://u:{SECRET}@127.0.0.1:1"}),
        ("run", {"LIVEKIT_API_SECRET_FILE": "/dev/null"}),
        ("doctor", {"MONGODB_URI": f"mongodb://u:{SECRET}@"}),
        ("get", {"MONGODB_URI": f"mongodb://u:{SECRET}/@127.0.0.1:1/"}),
        ("wait", {"MONGODB_URI": f"{SECRET}://127.0.0.1:1/"}),
    ],
)
def test_a_wrong_setting_shows_no_secret(verb: str, wrong: Mapping[str, str], folder: Path) -> None:
    assert_discreet(roomctl(verb, cwd=folder, env={**WITH_SECRETS, **wrong}))


def test_where_nothing_answers_no_secret_shows(folder: Path) -> None:
    """Each verb gives up within seconds; all at once, so that the test takes no longer than one."""
    lines = [
        ("plan",),
        ("apply", "--yes"),
        ("get",),
        ("wait", "--timeout", "0s"),
        ("recordings",),
        ("doctor",),
    ]
    with ThreadPoolExecutor(len(lines)) as pool:
        for ended in pool.map(lambda line: roomctl(*line, cwd=folder, env=WITH_SECRETS), lines):
            assert_discreet(ended)
            assert "127.0.0.1:1" in ended.err + ended.out


def assert_discreet(ended: Ended) -> None:
    """It failed in plain words, without a secret or a traceback."""
    assert ended.code == 1
    assert "error: " in ended.err or "FAIL" in ended.out
    for written in (ended.out, ended.err):
        assert SECRET not in written
        assert "Traceback" not in written
        assert "internal error" not in written


def test_a_terminal_shows_colours_unless_it_wants_none(folder: Path) -> None:
    env = {"LIVEKIT_URL": "x"}
    assert "\x1b[31" in on_terminal("plan", cwd=folder, env=env).out
    plain = on_terminal("plan", cwd=folder, env={**env, "NO_COLOR": "1"})
    assert "\x1b[" not in plain.out
    assert plain.out.startswith("error: LIVEKIT_URL: invalid URL")
    assert "\x1b[" not in roomctl("plan", cwd=folder, env={**env, "FORCE_COLOR": "1"}).err
