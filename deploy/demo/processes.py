"""Child processes that end with us, and ports for them."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from asyncio.subprocess import Process
from collections.abc import Callable, Coroutine, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from console import last_lines, print_info

HOST: Final = "127.0.0.1"
PORTS: Final = {
    "guests": 8080,
    "operators": 8081,
    "LiveKit": 7880,
    "media by TCP": 7881,
    "media by UDP": 7882,
}
"""The preferred ports, all on loopback."""


class DemoError(Exception):
    """Why it cannot continue: a sentence with a fix."""


class StoppedError(Exception):
    """Ctrl-C, SIGTERM or SIGHUP."""


async def start(*command: str | Path, orphan_gets: str = "KILL", **options: Any) -> Process:
    """A child in its own session, so that only we get the terminal's Ctrl-C.

    If the system supports it, it gets the signal `orphan_gets` when we are killed.
    """
    setpriv = shutil.which("setpriv")
    prefix = (setpriv, "--pdeathsig", orphan_gets, "--") if setpriv else ()
    return await asyncio.create_subprocess_exec(
        *prefix, *map(str, command), stdin=subprocess.DEVNULL, start_new_session=True, **options
    )


async def end(process: Process, grace: float) -> None:
    """SIGTERM, and after `grace` seconds SIGKILL to its whole session."""
    if process.returncode is None:
        process.terminate()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await process.wait()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


async def run(*command: str | Path, within: float, **options: Any) -> str:
    """Run to the end; returns the output. DemoError, with its last lines, if it fails or takes too long."""
    name = " ".join([Path(command[0]).name, *map(str, command[1:4]), *(["..."] if command[4:] else [])])
    process = await start(*command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    try:
        async with asyncio.timeout(within):
            output, _ = await process.communicate()
    except TimeoutError:
        raise DemoError(f"`{name}` did not end within {within:.0f} s") from None
    finally:
        await end(process, grace=0.5)
    text = output.decode(errors="replace").strip()
    if process.returncode:
        raise DemoError(f"`{name}` failed (exit {process.returncode}):\n{last_lines(text.splitlines())}")
    return text


async def run_tidily(*command: str | Path, within: float, env: Mapping[str, str], **options: Any) -> None:
    """The same for a command that leaves temporary files when it is interrupted."""
    with tempfile.TemporaryDirectory(prefix="roomctl-") as scratch:
        await run(*command, within=within, env={**env, "TMPDIR": scratch}, **options)


async def unless_stopped(work: Coroutine[Any, Any, None]) -> None:
    """Await `work`. The first signal cancels it, so that it ends what it started. Then StoppedError."""
    task, stopping = asyncio.ensure_future(work), False

    def stop() -> None:
        nonlocal stopping
        if not stopping:
            stopping = True
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    try:
        await task
    except asyncio.CancelledError:
        raise StoppedError from None


def free_ports(purposes: Iterable[str]) -> dict[str, int]:
    """A port for each: the preferred one, or any other if that is used."""
    return {what: _free_port(what) for what in purposes}


def _free_port(what: str) -> int:
    for port in (PORTS[what], 0):
        with contextlib.suppress(OSError), _bound(what, port) as held:
            got: int = held.getsockname()[1]
            if port == 0:
                print_info(f"  port {PORTS[what]} is taken: {got} instead, for {what}")
            return got
    raise DemoError(f"no port is free on {HOST}")


def _bound(what: str, port: int) -> socket.socket:
    if not what.endswith("UDP"):
        return socket.create_server((HOST, port))
    held = socket.socket(type=socket.SOCK_DGRAM)
    try:
        held.bind((HOST, port))
    except OSError:
        held.close()
        raise
    return held


async def until(holds: Callable[[], bool], process: Process, within: float) -> bool:
    """Whether `holds` became true within this time, while the process ran."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within):
            while process.returncode is None:
                if await asyncio.to_thread(holds):
                    return True
                await asyncio.sleep(0.1)
    return False
