"""Which files below rooms.d are read, and which are errors without being opened."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from controller.manifests import files
from controller.manifests.document import UnreadableError
from controller.manifests.files import MAX_FILE_BYTES, TreeChangedError, read_manifest
from controller.manifests.load import load
from controller.manifests.report import error_text
from controller.manifests.snapshot import RoomsDirState
from tests.unit.manifests.corpus import GOOD, GOOD_JSON

NOBODY = 65534
OUT = "symbolic link to a path outside the rooms directory, not followed; replace it with the file"
NOWHERE = "broken symbolic link; correct or delete it"
NO_FILE = "not a regular file, so it is not opened; replace it with a regular file"
FOLDER = "a directory with the name of a manifest; rename it"
LOOP = "symbolic link loop; delete it"
UNREADABLE = "cannot be read (Permission denied); check its permissions"


@pytest.fixture
def rooms(tmp_path: Path) -> Path:
    folder = tmp_path / "rooms.d"
    folder.mkdir()
    write(folder / "good.yaml")
    return folder


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that the loader opens."""
    seen: list[str] = []
    really = os.open

    def spy(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        seen.append(Path(path).name)
        return really(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", spy)
    return seen


def write(path: Path, content: str = GOOD) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def said(folder: Path) -> dict[str, str]:
    """By file what is wrong with it, where there is no place; the good room must not be held back."""
    desired = load(folder)
    assert "good" in desired.rooms
    assert all(error.position is None and error.key is None for error in desired.errors)
    return {error.file: error.message for error in desired.errors}


@contextmanager
def as_somebody() -> Iterator[None]:
    """Without root's leave to read everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_only_the_three_endings_are_manifests(rooms: Path) -> None:
    for name in ("a.yml", "c.txt", "README.md", "d.yaml.bak", "yaml", "e.YAML"):
        write(rooms / name)
    write(rooms / "b.json", GOOD_JSON)
    assert sorted(load(rooms).rooms) == ["a", "b", "good"]


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("a.YAML", "rename it to a.yaml"),
        ("a.Yml", "rename it to a.yml"),
        ("a.JSON", "rename it to a.json"),
        ("a.ymal", "rename it to a.yaml"),
        ("a.yamll", "write the manifest to a.yaml"),
        ("a.yaml ", "write the manifest to a.yaml"),
        ("a.jsonc", "write the manifest to a.json"),
        ("a.json5", "write the manifest to a.json"),
        ("team/a.yml.j2", "write the manifest to a.yml"),
        ("a.YAML.tmpl", "write the manifest to a.yaml"),
        ("v1.2.yaml.txt", "write the manifest to v1.2.yaml"),
        ("a.yaml.yml.sample", "write the manifest to a.yaml.yml"),
        ("good.YAML", "rename it to good.yaml"),
        ("good.yaml.d/a.yaml.off", "write the manifest to a.yaml"),
    ],
)
def test_a_file_that_looks_meant_is_named_and_is_no_error(rooms: Path, name: str, advice: str) -> None:
    write(rooms / name, "not: [even\n")
    desired = load(rooms)
    assert [error_text(unread) for unread in desired.unread] == [
        f"{name}: not read by the controller; {advice}"
    ]
    assert (desired.errors, sorted(desired.rooms)) == ((), ["good"])


@pytest.mark.parametrize(
    "name",
    [
        *("good.yaml.bak", "good.yaml.orig", "good.yaml.j2", "good.yaml.sig", "good.yamll", "good.YAML.bak"),
        *("gone.yaml~", "#gone.yaml#", ".gone.YAML", "_gone.yml.j2", "_gone/a.YAML", ".git/a.YAML"),
        *("README.md", "yaml", "json.txt", "schema.toml", "YAML/README", "a.yaml.tar.gz", "config.js"),
    ],
)
def test_copies_and_other_files_are_not_named(rooms: Path, name: str) -> None:
    write(rooms / name)
    assert load(rooms).unread == ()


def test_a_link_is_named_by_the_name_it_is_listed_under_and_never_opened(
    rooms: Path, opened: list[str]
) -> None:
    (rooms / "a.YAML").symlink_to("good.yaml")
    (rooms / "b.yml.j2").symlink_to("/etc/passwd")
    (rooms / "c.yaml").symlink_to("good.yaml")
    os.mkfifo(rooms / "d.YML")
    desired = load(rooms)
    assert [unread.file for unread in desired.unread] == ["a.YAML", "b.yml.j2", "d.YML"]
    assert sorted(desired.rooms) == ["c", "good"]
    assert opened == ["good.yaml", "good.yaml"]


def test_an_unread_name_that_cannot_be_shown_is_escaped(rooms: Path) -> None:
    write(rooms / "a\n.YAML")
    (unread,) = load(rooms).unread
    assert error_text(unread) == r"a\n.YAML: not read by the controller; rename it to a\n.yaml"


@pytest.mark.parametrize(
    "name", [".a.yaml", "_a.yaml", ".git/a.yaml", "_drafts/a.yaml", "x/_y/a.yaml", "..a/a.yaml"]
)
def test_names_that_begin_with_a_dot_or_underscore_are_no_manifests(rooms: Path, name: str) -> None:
    write(rooms / name, "not: [even\n")
    assert sorted(load(rooms).rooms) == ["good"]
    assert said(rooms) == {}


def test_a_link_is_known_by_the_name_it_is_listed_under(rooms: Path) -> None:
    write(rooms / "_store/a.yaml")
    (rooms / "shown.yaml").symlink_to("_store/a.yaml")
    (rooms / "team").symlink_to("_store")
    (rooms / "_hidden.yaml").symlink_to("good.yaml")
    assert sorted(load(rooms).rooms) == ["good", "shown", "team/a"]
    assert said(rooms) == {}


def test_a_link_that_leads_out_is_an_error_and_never_opened(rooms: Path, opened: list[str]) -> None:
    secret = write(rooms.parent / "secret.yaml", "token: hunter2\n")
    (rooms / "a.yaml").symlink_to(secret)
    (rooms / "b.yaml").symlink_to("../secret.yaml")
    (rooms / "c.yaml").symlink_to("/etc/passwd")
    (rooms / "d.yaml").symlink_to("/dev/zero")
    (rooms / "team").symlink_to("..")
    assert said(rooms) == dict.fromkeys(["a.yaml", "b.yaml", "c.yaml", "d.yaml", "team"], OUT)
    assert opened == ["good.yaml"]


def test_a_folder_whose_name_begins_alike_is_outside(rooms: Path) -> None:
    write(rooms.parent / "rooms.d.old/a.yaml")
    (rooms / "a.yaml").symlink_to("../rooms.d.old/a.yaml")
    assert said(rooms) == {"a.yaml": OUT}


def test_a_link_that_leads_nowhere_is_an_error(rooms: Path) -> None:
    (rooms / "a.yaml").symlink_to("gone.yaml")
    (rooms / "b.yaml").symlink_to("b.yaml")
    (rooms / "team").symlink_to("gone")
    assert said(rooms) == dict.fromkeys(["a.yaml", "b.yaml", "team"], NOWHERE)


def test_a_link_that_leads_back_is_an_error_and_no_endless_walk(rooms: Path) -> None:
    (rooms / "loop").symlink_to(".")
    write(rooms / "a/x.yaml")
    write(rooms / "b/y.yaml")
    (rooms / "a/b").symlink_to("../b")
    (rooms / "b/a").symlink_to("../a")
    assert said(rooms) == dict.fromkeys(["loop", "a/b/a", "b/a/b"], LOOP)
    assert sorted(load(rooms).rooms) == ["a/b/y", "a/x", "b/a/x", "b/y", "good"]


def test_what_is_no_file_is_an_error_and_never_opened(rooms: Path, opened: list[str]) -> None:
    os.mkfifo(rooms / "pipe.yaml")
    os.mkfifo(rooms / "pipe")
    (rooms / "linked.yaml").symlink_to("pipe.yaml")
    write(rooms / "folder.yaml/a.yaml")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.path.relpath(rooms / "s.yaml"))
        assert said(rooms) == {
            "pipe.yaml": NO_FILE,
            "linked.yaml": NO_FILE,
            "s.yaml": NO_FILE,
            "folder.yaml": FOLDER,
        }
    assert opened == ["good.yaml"]


def test_a_pipe_that_takes_a_files_place_does_not_hang(rooms: Path) -> None:
    os.mkfifo(rooms / "a.yaml")
    with pytest.raises(UnreadableError, match="not a regular file"):
        read_manifest(str(rooms / "a.yaml"))


def test_a_link_that_takes_a_files_place_is_not_followed(rooms: Path) -> None:
    (rooms / "a.yaml").symlink_to("/etc/passwd")
    with pytest.raises(UnreadableError, match="cannot be read"):
        read_manifest(str(rooms / "a.yaml"))


def test_a_file_that_went_away_means_that_the_folder_moved(rooms: Path) -> None:
    with pytest.raises(TreeChangedError):
        read_manifest(str(rooms / "a.yaml"))


def test_a_file_that_may_not_be_read_is_an_error(shared: Path) -> None:
    write(shared / "a.yaml").chmod(0)
    with as_somebody():
        assert said(shared) == {"a.yaml": UNREADABLE}


def test_a_folder_that_may_not_be_read_is_an_error(shared: Path) -> None:
    write(shared / "team/a.yaml")
    (shared / "team").chmod(0)
    with as_somebody():
        assert said(shared) == {"team": UNREADABLE}
    (shared / "team").chmod(0o755)


def test_a_name_that_cannot_be_shown_is_an_error(rooms: Path) -> None:
    write(rooms / "a\nb.yaml", f"key: a\n{GOOD}")
    (rooms / os.fsdecode(b"\xff.yaml")).write_text(f"key: b\n{GOOD}")
    write(rooms / "te\u202eam/a.yaml")
    rename = "file name contains unprintable characters; rename it"
    assert said(rooms) == dict.fromkeys([r"a\nb.yaml", r"\udcff.yaml", r"te\u202eam"], rename)


def test_a_name_that_is_shown_as_another_is_no_second_path(rooms: Path) -> None:
    write(rooms / "a\nb.yaml", f"key: a\n{GOOD}")
    write(rooms / r"a\nb.yaml", f"key: b\n{GOOD}")
    assert said(rooms) == {r"a\nb.yaml": "file name contains unprintable characters; rename it"}
    assert sorted(load(rooms).rooms) == ["b", "good"]


def test_a_file_may_hold_256_kib_and_not_a_byte_more(rooms: Path) -> None:
    full = GOOD + "#" * (MAX_FILE_BYTES - len(GOOD))
    write(rooms / "full.yaml", full)
    write(rooms / "over.yaml", full + "#")
    message = "file too large: 262,145 bytes (maximum 256 KiB); split it into several files"
    assert said(rooms) == {"over.yaml": message}
    assert "full" in load(rooms).rooms


def test_a_file_that_grows_after_it_was_listed_is_not_read_whole(rooms: Path) -> None:
    with pytest.raises(UnreadableError, match=r"\(maximum 256 KiB\)"):
        read_manifest(str(write(rooms / "a.yaml", "#" * (MAX_FILE_BYTES + 1))))


def test_a_file_of_a_gigabyte_costs_nothing(rooms: Path, opened: list[str]) -> None:
    with (rooms / "huge.yaml").open("wb") as sparse:
        sparse.truncate(1 << 30)
    assert list(said(rooms)) == ["huge.yaml"]
    assert opened == ["good.yaml"]


def test_a_file_holds_at_most_a_thousand_rooms(rooms: Path) -> None:
    room = f"---\nkey: k%d\n{GOOD}"
    write(rooms / "many.yaml", "".join(room % n for n in range(1_000)))
    assert len(load(rooms).rooms) == 1_001


@pytest.mark.parametrize(
    ("limit", "problem"),
    [
        ("MAX_FILES", "holds more than 2 manifests; take some away"),
        ("MAX_FOLDERS", "holds more than 2 folders; take some away"),
        ("MAX_BYTES", "holds more than 0 MiB of manifests; take some away"),
    ],
)
def test_a_folder_beyond_the_limits_is_unreadable(
    rooms: Path, monkeypatch: pytest.MonkeyPatch, limit: str, problem: str
) -> None:
    for n in range(2):
        write(rooms / f"f{n}/a.yaml")
    monkeypatch.setattr(files, limit, 2)
    desired = load(rooms)
    assert (desired.state, desired.rooms) == (RoomsDirState.UNREADABLE, {})
    assert desired.problem == f"{rooms} {problem}"


def test_a_folder_that_is_not_there_is_missing(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("gone")
    for name in ("gone", "link"):
        desired = load(tmp_path / name)
        assert desired.state is RoomsDirState.MISSING
        assert (
            desired.problem == f"{tmp_path / name}: directory not found; create it or set ROOMCTL_ROOMS_DIR"
        )


def test_a_file_in_the_folders_place_is_unreadable(tmp_path: Path) -> None:
    desired = load(write(tmp_path / "rooms.d"))
    assert (desired.state, desired.problem) == (
        RoomsDirState.UNREADABLE,
        f"{tmp_path}/rooms.d: not a directory",
    )


def test_a_folder_that_may_not_be_entered_is_unreadable(shared: Path) -> None:
    shared.chmod(0)
    with as_somebody():
        desired = load(shared)
    assert desired.state is RoomsDirState.UNREADABLE
    assert desired.problem == f"{shared}: cannot be read (Permission denied)"


def test_a_folder_without_a_manifest_is_empty(tmp_path: Path) -> None:
    write(tmp_path / "README.md")
    write(tmp_path / "_drafts/a.yaml")
    desired = load(tmp_path)
    assert (desired.state, desired.rooms, desired.errors) == (RoomsDirState.EMPTY, {}, ())


def test_a_folder_with_nothing_but_errors_is_not_empty(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", "")
    assert load(tmp_path).state is RoomsDirState.OK


def test_the_revision_is_the_content_and_its_places(tmp_path: Path) -> None:
    first, second, third = (tmp_path / name for name in ("one", "two", "three"))
    for folder in (first, second):
        write(folder / "a.yaml")
        write(folder / "b/c.yaml")
    write(third / "a.yaml")
    write(third / "c.yaml")
    assert load(first).revision == load(second).revision != load(third).revision
    assert len(load(first).revision) == 64
