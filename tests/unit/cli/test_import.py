"""`roomctl import`: what it writes, what it leaves out, and what it says."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest

from controller.cli import run_verb
from controller.cli.console import Exit
from controller.cli.import_sources import foreign_rooms
from controller.live.room import LiveRoom
from controller.manifests.export import manifest_text
from controller.manifests.load import load
from controller.plan.metadata import Owner, room_metadata
from controller.records.record import LiveName
from controller.room import MAX_PARTICIPANTS
from tests.support.rooms import NOW, records, room

ID = "69f013c1aa11bb22cc33dd44"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the verb in `tmp_path`: the exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("ROOMCTL_", "LIVEKIT_", "MONGODB_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr("controller.cli.flags.configure", lambda *_, **__: None)  # logs are the process's

    def run(*words: str, rooms: list[dict[str, Any]] | None = None) -> tuple[int, str, str]:
        if rooms is not None:
            Path("rooms.json").write_text(json.dumps(rooms))
        code = run_verb(["import", *words])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def entry(name: str = "Main stage", **fields: Any) -> dict[str, Any]:
    return {"name": name, "max_participants": 20, **fields}


def test_file_becomes_manifests_without_any_setting(run: Run) -> None:
    code, out, err = run("--from", "rooms.json", rooms=[entry(id=ID), entry("Lobby")])
    assert (code, out) == (Exit.FINE, "rooms.d/imported/lobby.yaml\nrooms.d/imported/main-stage.yaml\n")
    assert err == "2 manifests written to rooms.d/imported; check with `roomctl plan`, then commit\n"
    loaded = load(Path("rooms.d"))
    assert loaded.errors == ()
    assert loaded.rooms["imported/main-stage"].pinned_id == ID


def test_rooms_of_one_name_are_numbered_and_order_does_not_matter(run: Run) -> None:
    same = [entry(max_participants=1), entry(id="f" * 24), entry(id="a" * 24)]
    texts = []
    for folder, rooms in (("one", same), ("two", same[::-1])):
        assert run("--from", "rooms.json", "--to", folder, rooms=rooms)[0] == Exit.FINE
        texts.append([file.read_text() for file in sorted(Path(folder).iterdir())])
    assert texts[0] == texts[1]
    assert "a" * 24 in Path("one/main-stage.yaml").read_text()


def test_ten_thousand_rooms(run: Run) -> None:
    rooms = [entry(f"Room {number % 100}", id=f"{number:024x}") for number in range(10_000)]
    assert run("--from", "rooms.json", rooms=rooms)[0] == Exit.FINE
    loaded = load(Path("rooms.d"))
    assert (len(loaded.rooms), loaded.errors) == (10_000, ())


def test_rooms_with_a_manifest_are_skipped(run: Run) -> None:
    run("--from", "rooms.json", rooms=[entry(id=ID)])
    code, out, err = run("--from", "rooms.json", "--to", "rooms.d/more", rooms=[entry(id=ID), entry("New")])
    assert (code, out) == (Exit.FINE, "rooms.d/more/new.yaml\n")
    assert 'skipped "Main stage": its manifest is rooms.d/imported/main-stage.yaml\n' in err
    assert "1 manifest written to rooms.d/more, 1 room skipped;" in err
    _, out, err = run("--from", "rooms.json", rooms=[entry(id=ID)])
    assert (out, err.splitlines()[1]) == ("", "no room to import, 1 room skipped")


def test_file_that_exists_is_named_and_stays(run: Run) -> None:
    there = Path("rooms.d/imported/main-stage.yaml")
    there.parent.mkdir(parents=True)
    there.write_text("mine")
    code, out, err = run("--from", "rooms.json", rooms=[entry(), entry("Other")])
    assert (code, out) == (Exit.FAILED, "")
    assert "--to: rooms.d/imported/main-stage.yaml" in err
    assert "use another folder with --to" in err
    assert [file.name for file in there.parent.iterdir()] == ["main-stage.yaml"]
    assert there.read_text() == "mine"


def test_bad_entry_is_named_and_nothing_is_written(run: Run) -> None:
    code, out, err = run("--from", "rooms.json", rooms=[entry(), entry("Rät")])
    assert (code, out) == (Exit.FAILED, "")
    assert err.startswith('error: rooms.json[1].name: invalid value "Rät"; use 1 to 100')
    assert not Path("rooms.d").exists()


def test_standard_input_is_a_file_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(json.dumps([entry()]).encode())))
    assert run("--from", "-")[:2] == (Exit.FINE, "rooms.d/imported/main-stage.yaml\n")
    assert Path("rooms.d/imported/main-stage.yaml").read_text().startswith("# Imported from standard input.")


def test_json_names_files_keys_and_what_was_skipped(run: Run) -> None:
    run("--from", "rooms.json", rooms=[entry(id=ID)])
    code, out, _ = run("--from", "rooms.json", "-o", "json", rooms=[entry(id=ID), entry("New", __v=1)])
    assert (code, json.loads(out)) == (
        Exit.FINE,
        {
            "version": 1,
            "written": [{"file": "rooms.d/imported/new.yaml", "key": "imported/new", "name": "New"}],
            "skipped": [
                {"name": '"Main stage"', "reason": "its manifest is rooms.d/imported/main-stage.yaml"}
            ],
        },
    )
    assert ID not in out


def test_policy_file_changes_no_room_and_its_limits_are_reported(run: Run) -> None:
    Path("rooms.d").mkdir()
    policy = "defaults: {user_id: events, allow_chat: true}\nlimits: {max_participants: 10}\n"
    Path("rooms.d/_policy.yaml").write_text(policy)
    rooms = [entry(max_participants=10), entry("Hall"), entry("Hall", user_id="events")]
    code, _, err = run("--from", "rooms.json", rooms=rooms)
    assert code == Exit.FINE
    place = "rooms.d/_policy.yaml:2:"
    assert f"warning: 2 manifests are invalid: max_participants is beyond the limit of {place}" in err
    (room,) = load(Path("rooms.d")).rooms.values()
    assert (room.spec.user_id, room.spec.allow_chat) == ("rooms", False)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--from", "nope.json"), "--from: cannot read nope.json: no such file or directory"),
        (("--from", "."), "--from: cannot read .: is a directory"),
        (("--from", "rooms.json", "--to", "rooms.d/My rooms"), "--to: rooms.d/My rooms makes no valid key"),
        (("--from", "rooms.json", "--to", "rooms.d/_x"), "--to: manifests in rooms.d/_x are not read"),
        (("--from", "rooms.json", "--to", "rooms.json"), "--to: cannot write to rooms.json: file exists"),
        (("--from", "live"), "LIVEKIT_URL: required"),
    ],
)
def test_what_cannot_be_done_says_why(run: Run, words: tuple[str, ...], problem: str) -> None:
    code, out, err = run(*words, rooms=[entry()])
    assert (code, out) == (Exit.FAILED, "")
    assert problem in err


def test_folder_outside_of_the_rooms_directory_makes_no_keys(run: Run) -> None:
    code, out, _ = run("--from", "rooms.json", "--to", "My rooms", "-o", "json", rooms=[entry()])
    assert (code, json.loads(out)["written"][0]["key"]) == (Exit.FINE, None)


# -- LiveKit


def theirs(name: str, metadata: str = "", **fields: Any) -> LiveRoom:
    return LiveRoom(name, f"RM_{name}", metadata, **fields)


def test_only_rooms_without_mark_and_record_are_adopted() -> None:
    ours = room(1, live="ours").with_live_name("current", NOW)
    other = room_metadata(ours.spec, ours.id, Owner("other", (b"k",)), "", NOW)
    listed = [theirs("current"), theirs("ours"), theirs("marked", other), theirs("foo", '{"a": 1}')]
    found = foreign_rooms(listed, records(ours))
    assert [each.adopt for each in found.rooms] == ["foo"]
    assert [each.name for each in found.skipped] == ['"marked"']


def test_adopting_manifest_takes_no_right() -> None:
    (limited, unlimited) = foreign_rooms(
        [theirs("a|b é", max_participants=7), theirs("ß\n")], records()
    ).rooms
    assert manifest_text(limited).splitlines()[1:] == [
        "name: a-b",
        'adopt: "a|b é"',
        "preset: standard-team",
        "max_participants: 7",
    ]
    assert (unlimited.spec.name, unlimited.spec.max_participants) == ("Room", MAX_PARTICIPANTS)
    assert '# Imported from the LiveKit room "ß\\n".' in manifest_text(unlimited)


def test_name_that_no_manifest_can_hold_is_skipped() -> None:
    found = foreign_rooms([theirs(""), theirs("x" * 257)], records())
    assert found.rooms == ()
    assert {each.reason for each in found.skipped} == {"its name is not 1 to 256 bytes long"}


def test_room_that_a_record_still_names_is_left_out() -> None:
    adopted = replace(room(1), live=LiveName("foo", "RM_old"), adopted=LiveName("foo", "RM_old"))
    assert foreign_rooms([theirs("foo")], records(adopted)).rooms == ()
