"""A pass reads one consistent snapshot, however the folder is swapped under it."""

import shutil
import sys
import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Protocol

import pytest

from controller.manifests.files import Stat, read_manifest
from controller.manifests.load import MAX_SNAPSHOT_ATTEMPTS, Cache, load
from controller.manifests.snapshot import Desired, RoomsDirState

MODULE = sys.modules["controller.manifests.load"]
FILES = [f"{team}/room-{n}.yaml" for team in ("east", "west") for n in range(4)]


class Publisher(Protocol):
    """Puts version after version of the same files in place of the one before."""

    rooms: Path

    def publish(self) -> None: ...


def fill(folder: Path, version: int) -> None:
    for file in FILES:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(f"name: version {version}\nmax_participants: 3\n")


def swap(link: Path, target: str) -> str | None:
    """Make `link` lead to `target` at once; where it led before."""
    before = str(link.readlink()) if link.is_symlink() else None
    fresh = link.with_name(f"{link.name}_tmp")
    fresh.symlink_to(target)
    fresh.rename(link)
    return before


class ConfigMap:
    """As Kubernetes mounts it: files are links through `..data`, which is swapped; what was before goes."""

    def __init__(self, folder: Path) -> None:
        self.rooms = folder / "rooms.d"
        self.rooms.mkdir()
        self._versions = count(1)
        self.publish()
        for team in {Path(file).parts[0] for file in FILES}:
            (self.rooms / team).symlink_to(f"..data/{team}")

    def publish(self) -> None:
        version = next(self._versions)
        fill(self.rooms / f"..v{version}", version)
        if before := swap(self.rooms / "..data", f"..v{version}"):
            shutil.rmtree(self.rooms / before)


class FlatConfigMap(ConfigMap):
    """The same with a link for each file."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        for team in {Path(file).parts[0] for file in FILES}:
            (self.rooms / team).unlink()
        for file in FILES:
            (self.rooms / file.replace("/", "-")).symlink_to(f"..data/{file}")


class GitSync:
    """As git-sync publishes it: a link above the folder leads to the worktree of a commit."""

    def __init__(self, folder: Path) -> None:
        self._link = folder / "current"
        self.rooms = self._link / "rooms.d"
        self._versions = count(1)
        self.publish()

    def publish(self) -> None:
        version = next(self._versions)
        fill(self._link.parent / f".worktrees/{version}/rooms.d", version)
        if before := swap(self._link, f".worktrees/{version}"):
            shutil.rmtree(self._link.parent / before)


PUBLISHERS = [ConfigMap, FlatConfigMap, GitSync]
publishers = pytest.mark.parametrize("make", PUBLISHERS, ids=lambda make: make.__name__)


def version(desired: Desired) -> int:
    """The one version that a snapshot is of."""
    assert desired.errors == ()
    assert len(desired.rooms) == len(FILES)
    (name,) = {room.spec.name for room in desired.rooms.values()}
    return int(name.split()[1])


def before_reading(monkeypatch: pytest.MonkeyPatch, act: Callable[[int], None]) -> None:
    """Have `act(n)` done before the n-th file is read."""
    numbers = count()

    def read(path: str) -> tuple[bytes, Stat]:
        act(next(numbers))
        return read_manifest(path)

    monkeypatch.setattr(MODULE, "read_manifest", read)


@publishers
def test_a_published_folder_is_read(tmp_path: Path, make: Callable[[Path], Publisher]) -> None:
    publisher = make(tmp_path)
    cache = Cache()
    assert version(load(publisher.rooms, cache)) == 1
    publisher.publish()
    assert version(load(publisher.rooms, cache)) == 2


@publishers
@pytest.mark.parametrize("moment", range(len(FILES)))
def test_a_swap_in_the_middle_of_a_pass_gives_the_new_version_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], Publisher], moment: int
) -> None:
    publisher = make(tmp_path)
    before_reading(monkeypatch, lambda n: publisher.publish() if n == moment else None)
    assert version(load(publisher.rooms, Cache())) == 2


@publishers
def test_a_folder_that_never_stands_still_is_unreadable_and_no_mixture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], Publisher]
) -> None:
    publisher = make(tmp_path)
    swaps: list[int] = []

    def publish(n: int) -> None:
        swaps.append(n)
        publisher.publish()

    before_reading(monkeypatch, publish)
    desired = load(publisher.rooms)
    assert (desired.state, desired.rooms) == (RoomsDirState.UNREADABLE, {})
    assert desired.problem == f"{publisher.rooms}: the directory kept changing while it was read"
    assert len(swaps) >= MAX_SNAPSHOT_ATTEMPTS


@publishers
def test_under_swaps_no_pass_is_a_mixture_and_none_goes_back(
    tmp_path: Path, make: Callable[[Path], Publisher]
) -> None:
    publisher = make(tmp_path)
    done = threading.Event()
    passes = threading.Semaphore(0)

    def publish() -> None:
        for _ in range(60):
            publisher.publish()
            passes.acquire()
        done.set()

    writer = threading.Thread(target=publish)
    writer.start()
    cache, seen = Cache(), [0]
    while not done.is_set():
        desired = load(publisher.rooms, cache)
        passes.release()
        if desired.state is RoomsDirState.OK:
            seen.append(version(desired))
    writer.join()
    assert seen == sorted(seen)
    assert len(set(seen)) > 10
    assert version(load(publisher.rooms, cache)) == 61
