"""Where log lines cannot go, everything else goes on, and a signal ends the controller all the same."""

import asyncio
import fcntl
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.support.controller import ROOT, Site
from tests.support.wait import until

SOON = 20.0
"""Five seconds, and what a busy machine adds."""
PIPE_BYTES = 4096


@asynccontextmanager
async def _pipe_without_reader(folder: Path) -> AsyncIterator[Path]:
    """A named pipe that is open and never read: a page of text fills it."""
    path = folder / "unread"
    os.mkfifo(path)
    held = os.open(path, os.O_RDWR)
    fcntl.fcntl(held, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    try:
        yield path
    finally:
        os.close(held)


@asynccontextmanager
async def _running(site: Site, redirection: str) -> AsyncIterator[Process]:
    """`roomctl run` with its output redirected as in a shell."""
    command = f"exec {sys.executable} -m controller run {redirection}"
    process = await asyncio.create_subprocess_shell(command, cwd=ROOT, env=site.env, executable="/bin/bash")
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _answers(site: Site) -> bool:
    try:
        return (await site.get("/readyz")).status == 200
    except (aiohttp.ClientError, ConnectionError, TimeoutError):
        return False


async def _serves_and_ends(site: Site, redirection: str, number: signal.Signals) -> str:
    """It converges, answers, and ends; its metrics."""
    site.write("talk")
    async with _running(site, redirection) as process:
        await until(lambda: _answers(site))
        for turn in range(10):  # each edit is a few lines of log at level debug
            site.edit("talk", allow_chat=turn % 2 == 0)
            record = (await site.converged())["talk"]
        assert await site.token(record.id, "ann")
        metrics = await site.metrics()
        process.send_signal(number)
        async with asyncio.timeout(SOON):
            assert await process.wait() == 0
    return metrics


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_pipe_that_nobody_reads(site: Site, tmp_path: Path, number: signal.Signals) -> None:
    async with _pipe_without_reader(tmp_path) as pipe:
        await _serves_and_ends(site, f"2>{pipe}", number)


async def test_full_disk_costs_lines_that_are_counted(site: Site) -> None:
    metrics = await _serves_and_ends(site, "2>/dev/full", signal.SIGTERM)
    (dropped,) = [line for line in metrics.splitlines() if line.startswith("roomctl_log_lines_dropped_total")]
    assert float(dropped.split()[1]) > 0


async def test_streams_that_were_closed_by_the_caller(site: Site) -> None:
    await _serves_and_ends(site, "<&- >&- 2>&-", signal.SIGTERM)


async def test_reader_that_has_gone(site: Site) -> None:
    await _serves_and_ends(site, "2> >(exit 0)", signal.SIGTERM)
