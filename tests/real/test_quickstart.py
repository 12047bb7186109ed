"""deploy/quickstart as a newcomer runs it: what it shows, what it picks, what it leaves behind."""

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import stat
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.request import urlopen

import pytest

from controller.live.client import ApiReader, ApiWriter
from tests.support.cache import cache_dir
from tests.support.documents import ROOT, page, shell_block
from tests.support.egress import RecordingStack
from tests.support.livekit import LiveKitServer, livekit_binary
from tests.support.wait import until

README: Final = (ROOT / "README.md").read_text()
QUICKSTART: Final = ROOT / "deploy" / "quickstart"
FLOWS: Final = (
    *(shell_block(README, title) for title in ("Invite people", "Operate", "Use the API")),
    *(shell_block(page("http-api.md"), title) for title in ("createToken", "Example")),
)
"""What the documents have a reader type into the shell beside a running quickstart."""
ROOMS: Final = ("audio-briefing", "guest-webinar", "recorded-speaker", "standard-team")
LAST_LINE: Final = "Press Ctrl+C to stop"


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return newcomer(tmp_path)


def newcomer(home: Path) -> dict[str, str]:
    """The environment of one: a livekit-server on the PATH, no settings, and a folder for temporary files."""
    programs = home / "bin"
    programs.mkdir()
    (programs / "livekit-server").symlink_to(livekit_binary())
    (home / "tmp").mkdir()
    return {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        "PYTHON": sys.executable,
        "ROOMCTL_QUICKSTART_CACHE": str(cache_dir() / "quickstart"),
        "MONGODB_URI": "mongodb://somebody-elses.invalid",
        "ROOMCTL_INSTANCE": "somebody-elses",
    }


async def finished(env: Mapping[str, str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a run that ends by itself."""
    process = await asyncio.create_subprocess_exec(QUICKSTART, *arguments, env=env, stdout=PIPE, stderr=PIPE)
    output, errors = await process.communicate()
    return await process.wait(), output.decode(), errors.decode()


@asynccontextmanager
async def started(env: Mapping[str, str], *arguments: str) -> AsyncIterator[tuple[Process, str]]:
    """A run that is up, and all that it showed until then."""
    process = await asyncio.create_subprocess_exec(
        QUICKSTART,
        *arguments,
        env=env,
        stdout=PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout is not None
    shown = ""
    try:
        while LAST_LINE not in shown:
            line = await process.stdout.readline()
            assert line, f"it ended:\n{shown}"
            shown += line.decode()
        yield process, shown
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


def left_behind(env: Mapping[str, str]) -> list[str]:
    """What is in the folder for temporary files, and who works there."""
    return [*map(str, Path(env["TMPDIR"]).iterdir()), *at_work(env)]


def at_work(env: Mapping[str, str]) -> Iterator[str]:
    """The command lines of all processes that know this run's folder for temporary files."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (
                env["TMPDIR"].encode()
                in (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
            ):
                yield (process / "cmdline").read_text().replace("\0", " ")


@dataclass(frozen=True)
class Run:
    """One that several tests look at: its environment, and what it showed."""

    env: dict[str, str]
    shown: str


@pytest.fixture(scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Run]:
    """One that goes on."""
    env = newcomer(tmp_path_factory.mktemp("running"))
    async with started(env) as (_, shown):
        yield Run(env, shown)


@dataclass(frozen=True)
class Checks:
    """Two checks at once in one environment: what came of each."""

    env: dict[str, str]
    ends: tuple[tuple[int, str, str], ...]


@pytest.fixture(scope="module")
async def checks(tmp_path_factory: pytest.TempPathFactory) -> Checks:
    env = newcomer(tmp_path_factory.mktemp("checks"))
    return Checks(env, await asyncio.gather(finished(env, "--check"), finished(env, "--check")))


def test_two_at_once_do_not_get_in_each_others_way(checks: Checks) -> None:
    assert [code for code, _, _ in checks.ends] == [0, 0], checks.ends


def test_check_lets_a_guest_walk_into_a_room_and_leaves_nothing(checks: Checks) -> None:
    code, output, errors = checks.ends[0]
    assert code == 0, errors
    assert [line.split()[:2] for line in output.splitlines() if line.startswith(ROOMS)] == [
        [key, "True"] for key in ROOMS
    ]
    assert "ok  joined" in output
    assert "\033" not in output + errors
    assert left_behind(checks.env) == []


def test_without_redis_it_says_plainly_that_nothing_is_recorded_and_what_that_takes(checks: Checks) -> None:
    _, output, _ = checks.ends[1]
    assert "Nothing is recorded" in output
    assert "the livekit-server of this run has no Redis, and so no egress worker" in output
    assert (
        "set LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET, and run deploy/quickstart --record"
        in output
    )


async def test_takes_other_ports_and_the_calls_it_shows_work_as_they_stand(env: dict[str, str]) -> None:
    with taken(8080), taken(7880):
        async with started(env) as (_, shown):
            assert "port 8080 is taken" in shown
            assert "port 7880 is taken" in shown
            calls = re.sub(
                r"(?m)^(?:An|and) .*", "", shown[shown.index("  curl") : shown.rindex("\nand reads")]
            )
            shell = await asyncio.create_subprocess_exec("bash", "-ec", calls, stdout=PIPE)
            answers, _ = await shell.communicate()
    listed, granted, made = (json.loads(text + "}") for text in answers.decode().split("}")[:3])
    assert listed["success"] is True
    assert granted["success"] is True
    assert listed["LKRoomName"] == granted["LKRoomName"]
    assert made["sid"]


async def test_shows_a_link_to_each_room_and_a_speakers_to_each_webinar(running: Run) -> None:
    links = re.findall(r"http://\S+/join/\S+", running.shown)
    opened = await asyncio.gather(*(asyncio.to_thread(urlopen, link) for link in links))
    assert [answer.status for answer in opened] == [200] * 6
    assert ["#invite=" in link for link in links] == [False, False, True, False, True, False]
    for answer in opened:
        answer.close()


async def test_offers_the_verbs_to_another_terminal(running: Run) -> None:
    file = next(line.strip() for line in running.shown.splitlines() if line.startswith("  . "))
    command = f"{file}; roomctl get -o json; roomctl wait; roomctl plan"
    settings = Path(file.removeprefix(". "))
    assert "*" not in file
    assert [stat.S_IMODE(path.stat().st_mode) for path in (settings, settings.parent)] == [0o600, 0o700]
    shell = await asyncio.create_subprocess_exec("sh", "-ec", command, env=running.env, stdout=PIPE)
    output, _ = await shell.communicate()
    rooms, planned = output.decode().rsplit("\n]\n")
    assert [room["key"] for room in json.loads(rooms + "]")] == list(ROOMS)
    assert planned == f"{len(ROOMS)} rooms are Ready\nNo changes.\n"


async def test_the_commands_of_the_documents_run_as_printed(env: dict[str, str]) -> None:
    """Only the ports may be others here, and the file of settings has a folder of its own."""
    async with started(env) as (_, shown):
        (settings,) = re.findall(r"^  \. (\S+/env)$", shown, re.MULTILINE)
        private = re.findall(r"http://127\.0\.0\.1:\d+(?=/api/conferences/create)", shown)[0]
        public = re.findall(r"http://127\.0\.0\.1:\d+(?=/api/conferences-public)", shown)[0]
        script = "\n".join(FLOWS).replace("/tmp/roomctl-XXXXXXXX/env", settings)  # noqa: S108
        script = script.replace("http://127.0.0.1:8081", private).replace("http://127.0.0.1:8080", public)
        shell = await asyncio.create_subprocess_exec("sh", "-ec", script, stdout=PIPE, stderr=PIPE)
        output, errors = (text.decode() for text in await shell.communicate())
    assert shell.returncode == 0, errors
    assert "/join/" in output
    assert "No changes." in output
    assert re.search(r"^standard-team +True", output, re.MULTILINE)
    assert output.count('"participant_token": "') == 1
    assert '"name": "Main stage"' in output
    answers = output[output.index('"name": "Side stage"') :]  # listed, updated, stopped, removed
    assert answers.count('"success": true') == 4
    assert '"allow_chat": true' in answers


async def test_leaves_nothing_where_it_is_stopped_while_it_installs(
    env: dict[str, str], tmp_path: Path
) -> None:
    fresh = env | {"ROOMCTL_QUICKSTART_CACHE": str(tmp_path / "cache")}
    process = await asyncio.create_subprocess_exec(QUICKSTART, env=fresh, stderr=PIPE)
    assert process.stderr is not None
    while b"installing" not in await process.stderr.readline():
        pass
    process.terminate()
    _, errors = await process.communicate()
    assert (process.returncode, errors.decode()) == (1, "\nquickstart: stopped before it was through\n")
    assert left_behind(env) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_ends_all_that_it_started(env: dict[str, str], number: signal.Signals) -> None:
    async with started(env) as (process, _):
        assert len(list(at_work(env))) >= 4
        os.killpg(process.pid, number)
        assert await process.wait() == 0
    assert left_behind(env) == []


async def test_what_it_started_ends_even_if_it_is_killed(env: dict[str, str]) -> None:
    async with started(env) as (process, _):
        process.kill()

    async def nothing_left() -> bool:
        return not list(at_work(env))

    await until(nothing_left)


async def test_uses_the_livekit_it_is_given_and_takes_its_own_rooms_away_again(
    env: dict[str, str], livekit: LiveKitServer, writer: ApiWriter, reader: ApiReader
) -> None:
    await writer.create_room("somebody-elses", "", 10)
    others = {room.name for room in await reader.rooms()}
    given = {
        "LIVEKIT_URL": livekit.ws_url,
        "LIVEKIT_API_KEY": livekit.key,
        "LIVEKIT_API_SECRET": livekit.secret,
    }
    code, output, errors = await finished(env | given, "--check")
    assert code == 0, errors
    assert f"on {livekit.ws_url}" in output
    assert f"LiveKit: {livekit.ws_url}, as LIVEKIT_URL says" in errors
    left = {room.name for room in await reader.rooms()}
    assert left <= others
    assert "somebody-elses" in left


async def test_a_wrong_key_is_the_reason_given(env: dict[str, str], livekit: LiveKitServer) -> None:
    given = {
        "LIVEKIT_URL": livekit.ws_url,
        "LIVEKIT_API_KEY": livekit.key,
        "LIVEKIT_API_SECRET": "not-the-secret-of-this-server-at-all",
    }
    code, _, errors = await finished(env | given, "--check")
    assert code == 1
    assert f"quickstart: authentication with LiveKit at 127.0.0.1:{livekit.port} failed" in errors
    assert "not-the-secret" not in errors


async def test_half_a_livekit_is_refused(env: dict[str, str]) -> None:
    code, _, errors = await finished(env | {"LIVEKIT_URL": "ws://127.0.0.1:1"}, "--check")
    assert code == 1
    assert errors == (
        "quickstart: LIVEKIT_URL is set, and LIVEKIT_API_KEY or LIVEKIT_API_SECRET is not; "
        "set all three, or none\n"
    )


async def test_asked_to_record_without_redis_it_says_what_is_missing_and_goes_on(env: dict[str, str]) -> None:
    async with started(env, "--record") as (_, shown):
        assert "Nothing is recorded" in shown
        assert "runs without Redis" in shown
        assert "add Redis and an egress worker" in shown


async def test_a_check_of_recording_fails_where_nothing_can_be_recorded(env: dict[str, str]) -> None:
    code, _, errors = await finished(env, "--check", "--record")
    assert code == 1
    assert "quickstart: nothing is recorded: LiveKit at " in errors
    assert left_behind(env) == []


async def test_with_an_egress_at_hand_it_records(env: dict[str, str], tmp_path: Path) -> None:
    """A guest walks into a room with `record: true`, and the worker has a file of it when all has ended."""
    async with RecordingStack(tmp_path / "stack") as stack:
        given = {
            "LIVEKIT_URL": stack.livekit.ws_url,
            "LIVEKIT_API_KEY": stack.livekit.key,
            "LIVEKIT_API_SECRET": stack.livekit.secret,
            "ROOMCTL_RECORDING_OUTPUT": "file:///mine/{key}/{id}.mp4",
        }
        code, output, errors = await finished(env | given, "--check", "--record")
        assert code == 0, errors
        assert "to file:///mine/{key}/{id}.mp4, as the egress worker sees it" in output
        assert "ok  recorded" in output
        files = list(stack.worker.file("/mine/recorded-speaker").glob("*.mp4"))
        assert (len(files), await stack.worker.jobs()) == (1, [])


async def test_with_redis_it_says_that_a_worker_must_be_there_and_how_that_is_tried(
    env: dict[str, str], tmp_path: Path
) -> None:
    async with RecordingStack(tmp_path / "stack") as stack:
        stack.worker.kill()
        given = {
            "LIVEKIT_URL": stack.livekit.ws_url,
            "LIVEKIT_API_KEY": stack.livekit.key,
            "LIVEKIT_API_SECRET": stack.livekit.secret,
        }
        async with started(env | given, "--record") as (_, shown):
            assert "recorded while somebody is inside, given an egress worker" in shown
            assert "deploy/quickstart --check --record    lets a guest in, and tries" in shown
        code, _, errors = await finished(env | given, "--check", "--record")
        assert code == 1
        assert "is an egress worker there, and free?" in errors


async def test_a_wrong_setting_of_recording_is_the_only_reason_given(
    env: dict[str, str], livekit: LiveKitServer
) -> None:
    given = {
        "LIVEKIT_URL": livekit.ws_url,
        "LIVEKIT_API_KEY": livekit.key,
        "LIVEKIT_API_SECRET": livekit.secret,
        "ROOMCTL_RECORDING_OUTPUT": "file:///recordings/{key}.mkv",
    }
    code, _, errors = await finished(env | given, "--check", "--record")
    assert code == 1
    assert "quickstart: ROOMCTL_RECORDING_OUTPUT: must end with a file name and .mp4" in errors
    assert "not every room is gone" not in errors


async def test_the_settings_of_recording_reach_another_terminal_but_for_what_opens_the_bucket(
    env: dict[str, str], livekit: LiveKitServer
) -> None:
    given = {
        "LIVEKIT_URL": livekit.ws_url,
        "LIVEKIT_API_KEY": livekit.key,
        "LIVEKIT_API_SECRET": livekit.secret,
        "ROOMCTL_RECORDING_OUTPUT": "s3://a-bucket/{key}/{id}.mp4",
        "ROOMCTL_RECORDING_S3_ACCESS_KEY": "AKIAquickstart",
        "ROOMCTL_RECORDING_S3_SECRET": "the-secret-of-the-bucket",
    }
    async with started(env | given, "--record") as (_, shown):
        (file,) = re.findall(r"^  \. (\S+/env)$", shown, re.MULTILINE)
        written = await asyncio.to_thread(Path(file).read_text)
    assert "ROOMCTL_RECORDING_OUTPUT='s3://a-bucket/{key}/{id}.mp4'" in written
    assert [secret for secret in ("AKIA", "the-secret") if secret in written + shown] == []


async def test_says_what_to_install_where_there_is_no_python(env: dict[str, str]) -> None:
    del env["PYTHON"]
    code, _, errors = await finished(env | {"PATH": only(env, "dirname")})
    assert code == 1
    assert "no Python 3.11 to 3.14 with venv was found; install one" in errors


async def test_says_what_to_do_where_there_is_no_livekit(env: dict[str, str]) -> None:
    code, _, errors = await finished(env | {"PATH": only(env, "dirname")})
    assert code == 1
    assert "no LiveKit to be had" in errors
    assert "install Go" in errors


async def test_says_that_go_is_too_old(env: dict[str, str]) -> None:
    path = Path(only(env, "dirname"))
    (path / "go").write_text("#!/bin/sh\necho go version go1.19.8 linux/amd64\n")
    (path / "go").chmod(0o755)
    code, _, errors = await finished(env | {"PATH": str(path)})
    assert code == 1
    assert "too old to build livekit-server (go version go1.19.8 linux/amd64)" in errors


async def test_names_the_folder_that_it_cannot_write(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, _, errors = await finished(env | {"ROOMCTL_QUICKSTART_CACHE": str(tmp_path / "file" / "cache")})
    assert code == 1
    assert f"{tmp_path}/file/cache cannot be written (Not a directory); name another folder" in errors


async def test_an_unknown_flag_is_wrong_usage(env: dict[str, str]) -> None:
    code, _, errors = await finished(env, "--chekc")
    assert code == 64
    assert "--help" in errors


def only(env: Mapping[str, str], *programs: str) -> str:
    """A folder with these programs and no other."""
    folder = Path(env["HOME"], "only")
    folder.mkdir()
    for program in programs:
        (folder / program).symlink_to(str(shutil.which(program)))
    return str(folder)


@contextmanager
def taken(port: int) -> Iterator[None]:
    """A port that somebody listens on: we, if nobody else does."""
    with ExitStack() as stack:
        with suppress(OSError):
            stack.enter_context(socket.create_server(("127.0.0.1", port)))
        yield
