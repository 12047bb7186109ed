"""A file is parsed once per content, and a pass over unchanged files gives the very same object."""

import os
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from controller.manifests.files import Stat, read_manifest
from controller.manifests.folder_policy import FolderPolicy
from controller.manifests.load import RECENT_CHANGE_NS, Cache, load
from controller.manifests.parse import Parsed, parse
from controller.manifests.snapshot import RoomsDirState
from tests.unit.manifests.corpus import GOOD

MODULE = sys.modules["controller.manifests.load"]


class Work:
    """How often each file was read and parsed."""

    def __init__(self) -> None:
        self.read: Counter[str] = Counter()
        self.parsed: Counter[str] = Counter()

    def read_manifest(self, path: str) -> tuple[bytes, Stat]:
        self.read[Path(path).name] += 1
        return read_manifest(path)

    def parse(self, content: bytes, file: str, default_key: str, policy: FolderPolicy) -> Parsed:
        self.parsed[file] += 1
        return parse(content, file, default_key, policy)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    work = Work()
    monkeypatch.setattr(MODULE, "read_manifest", work.read_manifest)
    monkeypatch.setattr(MODULE, "parse", work.parse)
    return work


@pytest.fixture
def rooms(tmp_path: Path) -> Path:
    folder = tmp_path / "rooms.d"
    folder.mkdir()
    for name in ("a", "b", "c"):
        (folder / f"{name}.yaml").write_text(GOOD)
    return folder


def rewrite(path: Path, text: str | None = None) -> None:
    """Write it, or touch it, until the file system's clock has moved on since it was written last."""
    before = path.stat().st_ctime_ns
    while path.stat().st_ctime_ns == before:
        path.touch() if text is None else path.write_text(text)


def trusted_cache() -> Cache:
    """A cache by whose clock every file is old enough to be trusted."""
    return Cache(lambda: time.time_ns() + 2 * RECENT_CHANGE_NS)


def test_a_pass_over_unchanged_files_reads_nothing_and_gives_the_same_object(rooms: Path, work: Work) -> None:
    cache = trusted_cache()
    first = load(rooms, cache)
    assert load(rooms, cache) is first
    assert load(rooms, cache) is first
    assert work.read == {"a.yaml": 1, "b.yaml": 1, "c.yaml": 1}


def test_of_changed_files_only_they_are_parsed(rooms: Path, work: Work) -> None:
    cache = trusted_cache()
    first = load(rooms, cache)
    rewrite(rooms / "b.yaml", GOOD.replace("A", "B"))
    second = load(rooms, cache)
    assert second.rooms["b"].spec.name == "B"
    assert second.rooms["a"] is first.rooms["a"]
    assert work.parsed == {"a.yaml": 1, "b.yaml": 2, "c.yaml": 1}
    assert second.revision != first.revision


def test_a_file_that_was_only_touched_is_read_and_not_parsed(rooms: Path, work: Work) -> None:
    cache = trusted_cache()
    first = load(rooms, cache)
    rewrite(rooms / "b.yaml")
    assert load(rooms, cache) is first
    assert work.read["b.yaml"] == 2
    assert work.parsed["b.yaml"] == 1


def test_the_same_content_in_another_worktree_is_not_parsed_again(tmp_path: Path, work: Work) -> None:
    for tree in ("one", "two"):
        (tmp_path / tree).mkdir()
        (tmp_path / tree / "a.yaml").write_text(GOOD)
    link = tmp_path / "rooms.d"
    link.symlink_to("one")
    cache = trusted_cache()
    first = load(link, cache)
    link.unlink()
    link.symlink_to("two")
    assert load(link, cache) is first
    assert work.read["a.yaml"] == 2
    assert work.parsed["a.yaml"] == 1


def test_a_change_that_keeps_size_and_mtime_is_seen(rooms: Path) -> None:
    cache = trusted_cache()
    load(rooms, cache)
    before = (rooms / "a.yaml").stat()
    rewrite(rooms / "a.yaml", GOOD.replace("A", "B"))
    os.utime(rooms / "a.yaml", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert load(rooms, cache).rooms["a"].spec.name == "B"


def test_a_file_too_young_to_be_trusted_is_read_again_and_not_parsed(rooms: Path, work: Work) -> None:
    young = max((rooms / name).stat().st_ctime_ns for name in ("a.yaml", "b.yaml", "c.yaml"))
    cache = Cache(lambda: young + RECENT_CHANGE_NS)
    first = load(rooms, cache)
    assert load(rooms, cache) is first
    assert work.read["c.yaml"] == 2
    assert work.parsed == {"a.yaml": 1, "b.yaml": 1, "c.yaml": 1}


def test_files_come_and_go(rooms: Path) -> None:
    cache = trusted_cache()
    load(rooms, cache)
    (rooms / "a.yaml").unlink()
    (rooms / "d.yaml").write_text(GOOD)
    assert sorted(load(rooms, cache).rooms) == ["b", "c", "d"]
    (rooms / "d.yaml").rename(rooms / "e.yaml")
    assert sorted(load(rooms, cache).rooms) == ["b", "c", "e"]


def test_errors_that_stay_give_the_same_object_and_mended_ones_go(rooms: Path) -> None:
    (rooms / "a.yaml").write_text("name: [\n")
    (rooms / "b.yaml").unlink()
    (rooms / "b.yaml").symlink_to("gone")
    cache = trusted_cache()
    first = load(rooms, cache)
    assert [error.file for error in first.errors] == ["a.yaml", "b.yaml"]
    assert load(rooms, cache) is first
    (rooms / "b.yaml").unlink()
    (rooms / "b.yaml").write_text(GOOD)
    (rooms / "a.yaml").write_text(GOOD)
    assert sorted(load(rooms, cache).rooms) == ["a", "b", "c"]
    assert load(rooms, cache).errors == ()


def test_files_that_are_not_read_come_and_go(rooms: Path, work: Work) -> None:
    cache = trusted_cache()
    first = load(rooms, cache)
    (rooms / "d.YAML").write_text(GOOD)
    second = load(rooms, cache)
    assert [unread.file for unread in second.unread] == ["d.YAML"]
    assert second.rooms == first.rooms
    assert load(rooms, cache) is second
    (rooms / "d.YAML").unlink()
    assert load(rooms, cache).unread == ()
    assert work.parsed == {"a.yaml": 1, "b.yaml": 1, "c.yaml": 1}


def test_a_folder_that_is_emptied_at_once_is_empty(rooms: Path) -> None:
    young = max((rooms / name).stat().st_ctime_ns for name in ("a.yaml", "b.yaml", "c.yaml"))
    cache = Cache(lambda: young + RECENT_CHANGE_NS)
    load(rooms, cache)
    for file in rooms.iterdir():
        file.unlink()
    assert load(rooms, cache).state is RoomsDirState.EMPTY


def test_a_folder_that_goes_and_comes_back_is_the_same_again(rooms: Path) -> None:
    cache = trusted_cache()
    first = load(rooms, cache)
    rooms.rename(rooms.with_name("away"))
    assert load(rooms, cache).rooms == {}
    rooms.with_name("away").rename(rooms)
    assert load(rooms, cache) is first


def test_no_cache_is_a_cold_read(rooms: Path) -> None:
    assert load(rooms) == load(rooms)
    assert load(rooms) is not load(rooms)
