"""What `validate` reads: files as they are called from here, keys as they would be in the rooms folder."""

from pathlib import Path

import pytest

from controller.manifests.load import load_paths
from controller.manifests.report import error_text
from controller.manifests.snapshot import Desired, RoomsDirState
from tests.unit.manifests.corpus import GOOD, GOOD_JSON

ROOMS = Path("rooms.d")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("rooms.d/a.yaml", "rooms.d/events/b.yaml", "other/c.yaml"):
        write(name)
    write("other/deep/d.json", GOOD_JSON)
    return tmp_path


def write(name: str, content: str = GOOD) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def check(*paths: str | Path) -> Desired:
    return load_paths([Path(path) for path in paths], ROOMS)


def keys(*paths: str | Path) -> dict[str, str]:
    desired = check(*paths)
    assert desired.errors == ()
    return {key: room.file for key, room in desired.rooms.items()}


def test_without_a_path_the_rooms_folder_is_read() -> None:
    assert keys() == {"a": "rooms.d/a.yaml", "events/b": "rooms.d/events/b.yaml"}


@pytest.mark.parametrize("path", ["rooms.d/events", "rooms.d/events/b.yaml", "./rooms.d/../rooms.d/events/"])
def test_inside_the_rooms_folder_keys_count_from_it(path: str) -> None:
    assert keys(path) == {"events/b": "rooms.d/events/b.yaml"}


def test_outside_of_it_keys_count_from_the_path() -> None:
    assert keys("other") == {"c": "other/c.yaml", "deep/d": "other/deep/d.json"}
    assert keys("other/deep/d.json") == {"d": "other/deep/d.json"}


def test_an_absolute_path_is_shown_from_here(here: Path) -> None:
    assert keys(here / "rooms.d/events") == {"events/b": "rooms.d/events/b.yaml"}


def test_from_another_folder(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(here / "other")
    desired = load_paths([], here / "rooms.d")
    assert {room.file for room in desired.rooms.values()} == {"../rooms.d/a.yaml", "../rooms.d/events/b.yaml"}


def test_what_is_named_twice_is_read_once() -> None:
    assert sorted(keys("rooms.d", "rooms.d/a.yaml", "./rooms.d/events")) == ["a", "events/b"]


def test_a_named_file_is_read_whatever_its_name() -> None:
    write("rooms.d/_draft.txt", f"key: draft\n{GOOD}")
    assert keys("rooms.d/_draft.txt") == {"draft": "rooms.d/_draft.txt"}


def test_a_file_that_looks_meant_is_named_as_it_is_called_from_here() -> None:
    write("rooms.d/events/c.YAML")
    for paths in ((), ("rooms.d/events",), ("rooms.d/events/c.YAML",)):
        desired = check(*paths)
        assert [error_text(unread) for unread in desired.unread] == [
            "rooms.d/events/c.YAML: not read by the controller; rename it to c.yaml"
        ]
        assert (desired.errors, desired.state) == ((), RoomsDirState.OK)


def test_what_is_not_read_is_named_once() -> None:
    write("rooms.d/c.yml.j2")
    assert len(check("rooms.d", "rooms.d/c.yml.j2", ".").unread) == 1


def test_a_folder_of_nothing_but_unread_files_is_empty() -> None:
    write("bare/c.YAML")
    assert check("bare").state is RoomsDirState.EMPTY
    assert [unread.file for unread in check("bare").unread] == ["bare/c.YAML"]


def test_paths_of_two_arguments_must_differ_in_more_than_case() -> None:
    write("other/A.yaml", f"key: b\n{GOOD}")
    write("other/a.yaml", f"key: c\n{GOOD}")
    assert [error.file for error in check("other/A.yaml", "other/a.yaml").errors] == [
        "other/A.yaml",
        "other/a.yaml",
    ]


def test_rooms_of_two_paths_must_not_be_one() -> None:
    write("other/a.yaml", "key: a\n" + GOOD)
    assert [(error.file, error.message) for error in check("rooms.d", "other/a.yaml").errors] == [
        ("other/a.yaml", 'duplicate key "a", also used in rooms.d/a.yaml:1:1; keys must be unique'),
        ("rooms.d/a.yaml", 'duplicate key "a", also used in other/a.yaml:1:6; keys must be unique'),
    ]


def test_errors_name_the_file_as_it_is_called_from_here() -> None:
    write("rooms.d/events/b.yaml", GOOD + "active: yes\n")
    (error,) = check("rooms.d/events").errors
    assert (error.file, error.key) == ("rooms.d/events/b.yaml", "events/b")


def test_a_path_that_is_not_there_is_an_error_and_the_others_are_read() -> None:
    desired = check("gone", "rooms.d/gone.yaml", "other")
    assert [error.file for error in desired.errors] == ["gone", "rooms.d/gone.yaml"]
    assert {error.message for error in desired.errors} == {"no such file or directory"}
    assert sorted(desired.rooms) == ["c", "deep/d"]


def test_a_missing_rooms_folder_is_an_error(here: Path) -> None:
    (error,) = load_paths([], here / "nothing").errors
    assert error.file == "nothing"


def test_a_named_link_that_leads_out_is_an_error() -> None:
    Path("rooms.d/x.yaml").symlink_to("../other/c.yaml")
    (error,) = check("rooms.d/x.yaml").errors
    assert error.message.startswith("symbolic link to a path outside the rooms directory")


def test_the_rooms_folder_may_be_a_link(here: Path) -> None:
    Path("current").symlink_to("rooms.d")
    desired = load_paths([Path("rooms.d/events")], here / "current")
    assert sorted(desired.rooms) == ["events/b"]


def test_where_no_manifest_is_found_it_is_empty() -> None:
    Path("bare").mkdir()
    assert check("bare").state is RoomsDirState.EMPTY
    assert check("bare", "other").state is RoomsDirState.OK
