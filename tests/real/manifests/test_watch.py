"""The watch on a real file system: it wakes when something may have changed, whatever comes of the folder."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from controller.manifests.load import load
from controller.manifests.watch import ManifestWatcher
from tests.support.wait import PATIENCE

IDENTITY_POLL_SECONDS = 0.1


class Woken:
    """What a watch has said so far."""

    def __init__(self, rooms: Path) -> None:
        self.stop = asyncio.Event()
        self.watch = ManifestWatcher(rooms, self.stop, IDENTITY_POLL_SECONDS)
        self._items: asyncio.Queue[None] = asyncio.Queue()

    async def run(self) -> None:
        async for _ in self.watch:
            self._items.put_nowait(None)

    async def wake(self) -> None:
        """Until the watch says something."""
        async with asyncio.timeout(PATIENCE):
            await self._items.get()

    async def quiet(self, seconds: float = 4 * IDENTITY_POLL_SECONDS) -> bool:
        """Whether the watch says nothing for a while."""
        try:
            async with asyncio.timeout(seconds):
                await self._items.get()
        except TimeoutError:
            return True
        return False

    async def begun(self) -> None:
        """Until the watch runs, and has nothing more to say of what was before."""
        await self.wake()
        await self.until_quiet()

    async def until_quiet(self) -> None:
        """Until the watch has nothing more to say of what was."""
        async with asyncio.timeout(PATIENCE):
            while not await self.quiet():
                pass


@asynccontextmanager
async def watching(rooms: Path) -> AsyncIterator[Woken]:
    woken = Woken(rooms)
    task = asyncio.create_task(woken.run())
    try:
        yield woken
    finally:
        woken.stop.set()
        async with asyncio.timeout(PATIENCE):
            await task


@pytest.fixture
def rooms(tmp_path: Path) -> Path:
    folder = tmp_path / "rooms.d"
    folder.mkdir()
    return folder


def write(path: Path, content: str = "name: A\nmax_participants: 3\n") -> Path:
    path.write_text(content)
    return path


def replace(rooms: Path) -> None:
    """An empty folder in place of what was there."""
    if rooms.is_file():
        rooms.unlink()
    elif rooms.is_dir():
        rooms.rmdir()
    rooms.mkdir()


async def test_it_wakes_when_it_begins_and_is_quiet_after_that(rooms: Path) -> None:
    async with watching(rooms) as woken:
        await woken.wake()
        assert await woken.quiet()


async def test_it_wakes_for_a_file_that_comes_changes_is_renamed_and_goes(rooms: Path) -> None:
    async with watching(rooms) as woken:
        await woken.begun()
        path = write(rooms / "a.yaml")
        await woken.wake()
        await woken.until_quiet()
        write(path, "name: B\nmax_participants: 3\n")
        await woken.wake()
        await woken.until_quiet()
        moved = path.rename(rooms / "b.yaml")
        await woken.wake()
        await woken.until_quiet()
        moved.unlink()
        await woken.wake()


async def test_it_wakes_for_a_policy_file_that_comes_changes_and_goes(rooms: Path) -> None:
    (rooms / "team").mkdir()
    async with watching(rooms) as woken:
        await woken.begun()
        policy = write(rooms / "team" / "_policy.yaml", "limits: {}\n")
        await woken.wake()
        await woken.until_quiet()
        write(policy, "defaults: {}\n")
        await woken.wake()
        await woken.until_quiet()
        policy.unlink()
        await woken.wake()


async def test_it_wakes_for_files_in_folders_that_came_later(rooms: Path) -> None:
    async with watching(rooms) as woken:
        await woken.begun()
        (rooms / "team").mkdir()
        await woken.wake()
        await woken.until_quiet()
        write(rooms / "team/a.yaml")
        await woken.wake()


async def test_reading_does_not_wake_it(rooms: Path) -> None:
    write(rooms / "a.yaml")
    async with watching(rooms) as woken:
        await woken.begun()
        await asyncio.to_thread(load, rooms)
        assert await woken.quiet()


async def test_what_git_does_in_its_own_folder_does_not_wake_it(rooms: Path) -> None:
    (rooms / ".git/refs").mkdir(parents=True)
    async with watching(rooms) as woken:
        await woken.begun()
        write(rooms / ".git/refs/head")
        assert await woken.quiet()


async def test_a_folder_inside_of_a_git_folder_is_watched_all_the_same(tmp_path: Path) -> None:
    rooms = tmp_path / ".git/worktrees/rooms.d"
    rooms.mkdir(parents=True)
    async with watching(rooms) as woken:
        await woken.begun()
        write(rooms / "a.yaml")
        await woken.wake()


async def test_a_folder_that_comes_later_is_watched(tmp_path: Path) -> None:
    rooms = tmp_path / "rooms.d"
    async with watching(rooms) as woken:
        assert await woken.quiet()
        replace(rooms)
        await woken.wake()
        await woken.until_quiet()
        write(rooms / "a.yaml")
        await woken.wake()


async def test_a_folder_that_goes_and_comes_back_is_watched(rooms: Path) -> None:
    async with watching(rooms) as woken:
        await woken.begun()
        shutil.rmtree(rooms)
        await woken.wake()
        await woken.until_quiet()
        replace(rooms)
        await woken.wake()
        await woken.until_quiet()
        write(rooms / "a.yaml")
        await woken.wake()


async def test_a_folder_that_is_replaced_at_once_is_watched(rooms: Path) -> None:
    """The new folder often has the inode of the old one."""
    async with watching(rooms) as woken:
        await woken.begun()
        replace(rooms)
        await woken.wake()
        await woken.until_quiet()
        write(rooms / "a.yaml")
        await woken.wake()


async def test_a_swapped_link_above_the_folder_wakes_it_and_moves_the_watch(tmp_path: Path) -> None:
    for tree in ("one", "two"):
        (tmp_path / tree / "rooms.d").mkdir(parents=True)
    link = tmp_path / "current"
    link.symlink_to("one")
    async with watching(link / "rooms.d") as woken:
        await woken.begun()
        (tmp_path / "fresh").symlink_to("two")
        (tmp_path / "fresh").rename(link)
        await woken.wake()
        await woken.begun()  # the watch of the other folder
        write(tmp_path / "one/rooms.d/a.yaml")
        assert await woken.quiet()
        write(tmp_path / "two/rooms.d/a.yaml")
        await woken.wake()


async def test_a_swapped_configmap_wakes_it(rooms: Path) -> None:
    for version in ("..one", "..two"):
        (rooms / version).mkdir()
        write(rooms / version / "a.yaml")
    (rooms / "..data").symlink_to("..one")
    (rooms / "a.yaml").symlink_to("..data/a.yaml")
    async with watching(rooms) as woken:
        await woken.begun()
        (rooms / "..data_tmp").symlink_to("..two")
        await woken.until_quiet()
        (rooms / "..data_tmp").rename(rooms / "..data")
        await woken.wake()


async def test_a_file_in_the_folders_place_ends_nothing(tmp_path: Path) -> None:
    rooms = write(tmp_path / "rooms.d")
    async with watching(rooms) as woken:
        await woken.begun()
        replace(rooms)
        await woken.wake()


async def test_a_restart_watches_anew_and_says_so(rooms: Path) -> None:
    async with watching(rooms) as woken:
        await woken.begun()
        woken.watch.restart()
        await woken.wake()
        await woken.until_quiet()
        write(rooms / "a.yaml")
        await woken.wake()


@pytest.mark.parametrize("there", [True, False])
async def test_it_stops_when_it_is_cancelled(tmp_path: Path, there: bool) -> None:
    rooms = tmp_path / "rooms.d"
    if there:
        rooms.mkdir()
    woken = Woken(rooms)
    task = asyncio.create_task(woken.run())
    if there:
        await woken.wake()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        async with asyncio.timeout(PATIENCE):
            await task
    assert task.cancelled()


async def test_where_nothing_can_be_watched_it_says_so_once_and_goes_on(
    rooms: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_watches_left(*_: object, **__: object) -> object:
        raise OSError("no inotify watches left")

    monkeypatch.setattr("controller.manifests.watch.awatch", no_watches_left)
    with capture_logs() as said:
        async with watching(rooms) as woken:
            assert await woken.quiet()
            shutil.move(rooms, f"{rooms}.away")
            await woken.wake()
            shutil.move(f"{rooms}.away", rooms)
            await woken.wake()
            monkeypatch.undo()
            await woken.wake()
    assert [(line["log_level"], line["error_type"]) for line in said] == [("warning", "OSError")]


async def test_it_ends_where_it_was_stopped_before_it_began(rooms: Path) -> None:
    async with watching(rooms) as woken:
        woken.stop.set()
    assert await woken.quiet(0.1)
