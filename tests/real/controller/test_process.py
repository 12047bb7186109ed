"""The process `roomctl run`: how it ends, what it refuses at its start, and who may be beside it."""

import asyncio
import signal
import socket
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.support.controller import Ended, Site
from tests.support.embedded import Server, secantus
from tests.support.livekit import LiveKitServer
from tests.support.participants import canary
from tests.support.proxy import Proxy, drop, http
from tests.support.wait import PATIENCE

SOON = 20.0
"""Seconds within which it ends: five (controller/docs/availability.md#start-and-end), and what a busy
machine adds.
"""
WARNING = "secret changed"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_signal_ends_it_and_the_rooms_stay(site: Site, number: signal.Signals) -> None:
    site.write("talk")
    async with site.run() as controller:
        record = (await site.converged())["talk"]
        async with canary(site.livekit.ws_url, await site.token(record.id, "ann")) as ann:
            controller.signal(number)
            assert await controller.end(SOON) == 0
            assert ann.inside
        assert len(await site.ours()) == 1
        assert len(controller.said("controller stopped")) == 1


async def test_sigterm_ends_it_while_both_servers_hang(tmp_path: Path) -> None:
    """Frozen in the middle of work: a new room is being made when LiveKit stops answering."""
    async with (
        LiveKitServer(tmp_path / "livekit") as livekit,
        secantus(tmp_path / "mongodb") as mongodb,
        Site(tmp_path, livekit, mongodb=mongodb.uri) as site,
    ):
        site.write("talk")
        async with site.run() as controller:
            await site.converged()
            livekit.pause()
            site.write("more")
            mongodb.signal(signal.SIGSTOP)
            await controller.until_logged("dependency unavailable")
            assert await controller.stop(SOON) == 0
        livekit.resume()
        mongodb.signal(signal.SIGCONT)


async def test_sigterm_gives_the_lease_back_in_the_middle_of_a_pass_that_hangs(
    tmp_path: Path, livekit: LiveKitServer, mongodb: Server
) -> None:
    async with (
        Proxy(livekit.port, http) as proxy,
        Site(tmp_path, livekit, mongodb=mongodb.uri, url=proxy.url) as site,
        site.run() as controller,
    ):
        proxy.request = drop
        await proxy.until(proxy.count + 1)
        assert await controller.stop(SOON) == 0
        assert len(controller.said("controller stopped")) == 1


async def test_sigterm_ends_it_before_it_has_reached_anybody(tmp_path: Path, livekit: LiveKitServer) -> None:
    async with Site(tmp_path, livekit, mongodb="mongodb://127.0.0.1:1/", url="http://127.0.0.1:1") as site:
        site.write("talk")
        async with site.run(ready=False) as controller:
            await controller.until_logged("dependency unavailable")
            assert await controller.stop(SOON) == 0


async def test_sigterm_ends_the_embedded_store_as_well(tmp_path: Path, livekit: LiveKitServer) -> None:
    async with Site(tmp_path, livekit) as site:
        async with site.run() as controller:
            assert await controller.stop(SOON) == 0
        async with site.run() as controller:  # its folder is free at once
            assert await controller.stop(SOON) == 0


async def test_a_second_run_on_one_embedded_store_names_the_first(
    tmp_path: Path, livekit: LiveKitServer
) -> None:
    async with Site(tmp_path, livekit) as site:
        site.write("talk")
        async with site.run() as controller:
            await site.converged()
            async with site.twin("second") as second:
                second.data_dir = site.data_dir
                ended = await asyncio.wait_for(second.verb("run"), PATIENCE)
            _refused(ended, f"`roomctl run`, pid {controller.pid}", "ROOMCTL_DATA_DIR")
            assert controller.running
            applied = await site.verb("apply", "--yes")
            assert applied.code == 3
            assert f"pid {controller.pid}" in applied.err
            assert "roomctl wait" in applied.err


async def test_an_embedded_store_is_free_again_after_a_kill(tmp_path: Path, livekit: LiveKitServer) -> None:
    """Its server ends with its parent, and what was acknowledged is there."""
    async with Site(tmp_path, livekit) as site:
        site.write("talk")
        async with site.run() as controller:
            before = await site.converged()
            await controller.kill()
        async with site.run():
            assert (await site.converged())["talk"].live == before["talk"].live


@pytest.mark.parametrize("listener", ["PUBLIC", "PRIVATE"])
async def test_a_port_in_use_is_named(site: Site, listener: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = await site.verb("run", **{f"ROOMCTL_{listener}_LISTEN": address})
        _refused(ended, address)


@pytest.mark.parametrize("place", ["below a file", "on a read-only file system"])
async def test_a_data_folder_that_cannot_be_written_is_named(
    tmp_path: Path, livekit: LiveKitServer, place: str
) -> None:
    (tmp_path / "file").write_text("")
    folder = str(tmp_path / "file" / "data") if place == "below a file" else "/proc/roomctl"
    async with Site(tmp_path, livekit) as site:
        _refused(await site.verb("run", ROOMCTL_DATA_DIR=folder), "ROOMCTL_DATA_DIR", folder)


async def test_wrong_settings_are_named_a_line_each(site: Site) -> None:
    wrong = {
        "LIVEKIT_URL": "nonsense",
        "LIVEKIT_API_KEY": "",
        "ROOMCTL_RESYNC_SECONDS": "soon",
        "ROOMCTL_TOKEN_TTL_SECONDS": "5",
        "ROOMCTL_PUBLIC_LISTEN": "nowhere",
        "MONGODB_URI": "mongodb:/of-nobody:hush-hush@x",
    }
    ended = await site.verb("run", **wrong)
    assert ended.code == 1
    lines = ended.err.splitlines()
    assert len(lines) == len(wrong), ended.err
    for variable in wrong:
        assert sum(variable in line for line in lines) == 1, ended.err
    assert "hush-hush" not in ended.err


async def test_another_instances_database_is_refused_with_the_way_to_rename(site: Site) -> None:
    site.write("talk")
    async with site.run() as controller:
        await site.converged()
        await controller.stop()
    rooms = await site.ours()
    for verb in ("plan", "run"):
        ended = await site.verb(verb, ROOMCTL_INSTANCE="another")
        _refused(ended, site.instance, "to rename")
    assert await site.ours() == rooms


async def test_another_secret_is_warned_of_and_changes_no_id(site: Site) -> None:
    site.write("talk")
    async with site.run() as controller:
        before = await site.converged()
        await controller.stop()
    site.secret = "another-secret-than-the-one-before"
    async with site.run() as changed:
        await changed.until_logged(WARNING)
        site.edit("talk", allow_chat=True)
        assert (await site.converged())["talk"].id == before["talk"].id
        warned = changed.said(WARNING)
        assert [event["level"] for event in warned] == ["warning"]
        assert "set ROOMCTL_SECRET_PREVIOUS to it" in warned[0]["hint"]


async def test_apply_beside_a_run_exits_3_and_names_it(site: Site, mongodb: Server) -> None:
    site.write("talk")
    async with site.run() as controller:
        await site.converged()
        async with site.twin("beside") as beside:
            applied = await beside.verb("apply", "--yes")
        assert applied.code == 3, applied
        assert f"pid {controller.pid}" in applied.err
        assert "roomctl wait" in applied.err
        assert str(mongodb.port) not in applied.out


def _refused(ended: Ended, *words: str) -> None:
    """It ended with 1, and one line on stderr that has all of these words."""
    assert ended.code == 1, ended
    complaints = [line for line in ended.err.splitlines() if not line.startswith("{")]
    assert len(complaints) == 1, ended
    for word in words:
        assert word in complaints[0], ended
    assert ended.out == ""


async def test_idle_guests_leave_it_files_to_open(site: Site) -> None:
    """Under the limit of 1,024 open files that most systems give a process, and 1,024 guests."""
    site.write("talk")
    site.open_files = 1024
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(site.run())
        await site.converged()
        for _ in range(1024):
            stack.enter_context(socket.create_connection(("127.0.0.1", site.public)))
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection("127.0.0.1", site.public)
            writer.write(b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b" 404 " in await reader.readline(), "an idle connection is closed for the newcomer"
            writer.close()
        site.write("more")
        await site.converged()
