"""A livekit-server for one run: from the PATH, from the cache, or built by Go."""

import contextlib
import json
import os
import re
import shutil
import socket
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final

from console import last_lines, print_info, progress
from environment import cache, locked
from processes import HOST, DemoError, end, run, run_tidily, start, until

VERSION: Final = "1.13.3"
MODULE: Final = f"github.com/livekit/livekit-server/cmd/server@v{VERSION}"
BUILD_SECONDS: Final = 1800.0
START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 2.0
"""Seconds from SIGTERM to SIGKILL: it would wait for the people inside."""

NO_LIVEKIT: Final = """\
there is no LiveKit to be had. One of these will do:
  - set LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET of a server you have
  - put a livekit-server on the PATH: https://docs.livekit.io/home/self-hosting/local
  - install Go 1.21 or newer, and it is built here: https://go.dev/dl"""


async def livekit_server() -> Path:
    """The program."""
    on_path = shutil.which("livekit-server")
    if on_path is not None:
        print_info(f"  LiveKit: {await run(on_path, '--version', within=10)}, from the PATH")
        return Path(on_path)
    binary = cache() / f"livekit-server-{VERSION}" / "server"
    async with locked():
        if not binary.exists():
            await _build(binary)
    print_info(f"  LiveKit: livekit-server {VERSION}, built by Go")
    return binary


async def _build(binary: Path) -> None:
    go = await _suitable_go()
    fresh = binary.parent / "fresh"
    fresh.mkdir(parents=True, exist_ok=True)
    env = {**os.environ, "GOBIN": str(fresh), "GOFLAGS": "-buildvcs=false"}
    try:
        async with progress(f"building livekit-server {VERSION}, once, about 2 minutes"):
            await run_tidily(go, "install", MODULE, within=BUILD_SECONDS, env=env, cwd=fresh)
    except DemoError as failure:
        git = "" if shutil.which("git") else " (and git installed, where Go fetches by git)"
        raise DemoError(
            f"livekit-server could not be built; Go's module proxy must be in reach{git}\n{failure}"
        ) from None
    (fresh / "server").replace(binary)


async def _suitable_go() -> str:
    """The command: Go 1.26, or one from 1.21 on that downloads it."""
    go = shutil.which("go")
    if go is None:
        raise DemoError(NO_LIVEKIT)
    output = await run(go, "version", within=30)
    toolchain = await run(go, "env", "GOTOOLCHAIN", within=30)
    match = re.search(r"go(\d+)\.(\d+)", output)
    version = (int(match[1]), int(match[2])) if match else (0, 0)
    if version < (1, 21) or (version < (1, 26) and toolchain == "local"):
        raise DemoError(f"this Go is too old to build livekit-server ({output}), and {NO_LIVEKIT}")
    return go


@contextlib.asynccontextmanager
async def serving(
    program: Path, folder: Path, ports: Mapping[str, int], key: str, secret: str
) -> AsyncIterator[Process]:
    """The server, once it responds, until the block ends."""
    config, log = folder / "livekit.json", folder / "livekit.log"
    config.write_text(json.dumps(_config(ports, key, secret)))  # JSON is YAML
    with log.open("wb") as output:
        process = await start(program, "--config", config, stdout=output, stderr=output)
    try:
        if not await until(lambda: _answers(ports["LiveKit"]), process, START_SECONDS):
            lines = last_lines(log.read_text(errors="replace").splitlines())
            raise DemoError(f"livekit-server did not start; it says:\n{lines}")
        yield process
    finally:
        await end(process, STOP_SECONDS)


def _answers(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


def _config(ports: Mapping[str, int], key: str, secret: str) -> dict[str, Any]:
    """Only loopback, only rooms of the controller, and a webhook to it."""
    return {
        "port": ports["LiveKit"],
        "bind_addresses": [HOST],
        "rtc": {
            "tcp_port": ports["media by TCP"],
            "udp_port": ports["media by UDP"],
            "use_external_ip": False,
            "node_ip": HOST,
            "enable_loopback_candidate": True,
            "interfaces": {"includes": ["lo", "lo0"]},
        },
        "room": {"auto_create": False},
        "keys": {key: secret},
        "webhook": {"api_key": key, "urls": [f"http://{HOST}:{ports['operators']}/livekit/webhook"]},
        "logging": {"level": "warn"},
    }
