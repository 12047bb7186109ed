"""What a running controller costs by its size: rooms on record, and how many of them are live.

By hand: python -m tests.bench.size [RECORDS:LIVE ...], for example 1000:1000 10000:10000 100000:1000
"""

import asyncio
import os
import platform
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from livekit.api import LiveKitAPI
from livekit.protocol.room import ListRoomsRequest

from controller import logs, one_shot
from tests.bench.converge import Bench, servers
from tests.support.ports import free_ports

DOCUMENTS_PER_FILE = 500
SETTLE_SECONDS, IDLE_SECONDS = 15, 30
MIB = 1024
HEADER = "| on record | live | apply | until ready | idle, CPU a second | a new room live | memory |"


@dataclass(frozen=True, slots=True)
class Run:
    """A controller as a process."""

    pid: int
    ready_after: float

    def cpu(self) -> float:
        """CPU seconds so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> int:
        """Resident MiB."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        (resident,) = (line for line in lines if line.startswith("VmRSS"))
        return int(resident.split()[1]) // MIB


async def main(sizes: list[str]) -> None:
    logs.configure("json", "error")
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores with both servers")
    print(HEADER)
    print("|---" * (HEADER.count("|") - 1) + "|")
    for size in sizes:
        records, live = map(int, size.split(":"))
        with tempfile.TemporaryDirectory() as work:
            folder = Path(work) / "rooms.d"
            write(folder, records, live)
            async with servers(Path(work), folder) as bench:
                print(await row(bench, records, live), flush=True)


def write(folder: Path, records: int, live: int) -> None:
    folder.mkdir()
    for first in range(0, records, DOCUMENTS_PER_FILE):
        numbers = range(first, min(first + DOCUMENTS_PER_FILE, records))
        rooms = (manifest(f"rooms/{number}", active=number < live) for number in numbers)
        (folder / f"rooms-{first}.yaml").write_text("---\n".join(rooms))


def manifest(key: str, *, active: bool) -> str:
    return f"key: {key}\nname: Room\npreset: standard-team\nactive: {str(active).lower()}\n"


async def row(bench: Bench, records: int, live: int) -> str:
    begun = time.perf_counter()
    report = await one_shot.apply(bench.settings("size"), confirm=lambda _plan: True)
    assert not report.failed
    applied = time.perf_counter() - begun
    async with running(bench) as run:
        await asyncio.sleep(SETTLE_SECONDS)
        before, since = run.cpu(), time.perf_counter()
        await asyncio.sleep(IDLE_SECONDS)
        idle = (run.cpu() - before) / (time.perf_counter() - since) * 1000
        new = await new_room(bench, live)
        return (
            f"| {records:,} | {live:,} | {applied:.0f} s | {run.ready_after:.1f} s | {idle:.0f} ms "
            f"| {new:.2f} s | {run.memory()} MiB |"
        )


async def new_room(bench: Bench, live: int) -> float:
    """Seconds from a new manifest until LiveKit lists its room."""
    begun = time.perf_counter()
    (bench.folder / "new.yaml").write_text(manifest("new", active=True))
    async with LiveKitAPI(bench.livekit.url, bench.livekit.key, bench.livekit.secret) as api:
        while len((await api.room.list_rooms(ListRoomsRequest())).rooms) <= live:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return time.perf_counter() - begun


@asynccontextmanager
async def running(bench: Bench) -> AsyncIterator[Run]:
    public, private = free_ports(2)
    environment = os.environ | {
        "LIVEKIT_URL": bench.livekit.url,
        "LIVEKIT_API_KEY": bench.livekit.key,
        "LIVEKIT_API_SECRET": bench.livekit.secret,
        "MONGODB_URI": bench.uri,
        "MONGODB_DATABASE": "size",
        "ROOMCTL_INSTANCE": "size",
        "ROOMCTL_ROOMS_DIR": str(bench.folder),
        "ROOMCTL_PUBLIC_LISTEN": f"127.0.0.1:{public}",
        "ROOMCTL_PRIVATE_LISTEN": f"127.0.0.1:{private}",
        "ROOMCTL_LOG_LEVEL": "error",
    }
    begun = time.perf_counter()
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "controller", "run", env=environment)
    try:
        await until_ready(f"http://127.0.0.1:{private}/readyz")
        yield Run(process.pid, time.perf_counter() - begun)
    finally:
        process.terminate()
        await process.wait()


async def until_ready(url: str) -> None:
    async with aiohttp.ClientSession() as http:
        while True:
            try:
                async with http.get(url) as answer:
                    if answer.ok:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.05)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:] or ["1000:1000", "10000:10000", "100000:1000"]))
