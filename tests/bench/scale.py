"""Ten thousand rooms: an unchanged pass against parsing ListRooms' answer, memory, and a cold plan.

By hand: python -m tests.bench.scale [ROOMS]
"""

import asyncio
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import yaml
from livekit.api import LiveKitAPI
from livekit.protocol.room import ListRoomsRequest, ListRoomsResponse

from controller import app, connect, logs, one_shot
from controller.reconcile.reconciler import Reconciler
from controller.records import open_lease
from controller.records.ports import RoomStore
from controller.settings import Settings
from tests.bench.converge import Bench, servers
from tests.bench.manifests import rooms

PASSES = 7
MIB = 1024


async def main(count: int) -> None:
    logs.configure("json", "error")
    with rooms(count) as folder, tempfile.TemporaryDirectory() as work:
        async with servers(Path(work), folder) as bench:
            print(f"{count:,} rooms, Python {platform.python_version()}, {os.cpu_count()} cores")
            plain = cpu(lambda: [yaml.load(p.read_bytes(), yaml.CSafeLoader) for p in folder.rglob("*.yaml")])
            seconds = await asyncio.to_thread(cold_plan, bench)
            print(
                f"cold `roomctl plan`: {seconds:.2f} s, {seconds / plain:.2f} of PyYAML's own loader's time"
            )
            await one_shot.apply(bench.settings("scale"), confirm=lambda _plan: True)
            parsing = await parse_listing(bench)
            idle = await unchanged_pass(bench)
            print(f"parsing ListRooms' answer: {parsing * 1000:.0f} ms of CPU")
            print(
                f"an unchanged pass, all of it: {idle * 1000:.0f} ms of CPU, {idle / parsing:.1f} times that"
            )
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB
            print(f"peak memory of this process, which made and keeps them: {peak:.0f} MiB")


def cold_plan(bench: Bench) -> float:
    """Wall seconds of the verb as a process, with empty records and no live room."""
    settings = bench.settings("cold")
    environment = os.environ | {
        "LIVEKIT_URL": settings.livekit_url,
        "LIVEKIT_API_KEY": settings.livekit_api_key,
        "LIVEKIT_API_SECRET": settings.livekit_api_secret,
        "MONGODB_URI": settings.mongodb_uri,
        "MONGODB_DATABASE": "cold",
        "ROOMCTL_ROOMS_DIR": str(settings.rooms_dir),
    }
    begun = time.perf_counter()
    command = [sys.executable, "-m", "controller", "plan", "-o", "json"]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


async def parse_listing(bench: Bench) -> float:
    async with LiveKitAPI(bench.livekit.url, bench.livekit.key, bench.livekit.secret) as api:
        answer = (await api.room.list_rooms(ListRoomsRequest())).SerializeToString()
    return min(cpu(lambda: ListRoomsResponse.FromString(answer)) for _ in range(PASSES))


async def unchanged_pass(bench: Bench) -> float:
    """CPU seconds of a whole pass in this process, the best of several, nothing having changed."""
    async with settled(bench.settings("scale")) as (_, _, reconciler):
        return min([await one_pass(reconciler) for _ in range(PASSES)])


@asynccontextmanager
async def settled(settings: Settings) -> AsyncIterator[tuple[app.Process, RoomStore, Reconciler]]:
    """A controller in this process that has nothing left to do."""
    async with (
        connect.connection(settings) as live,
        connect.connect_store(settings, verb="run", read_only=False) as store,
        open_lease(store) as lease,
    ):
        await lease.acquire(20.0)
        process = app.Process.create(settings, live, store, prune_grace_seconds=10.0)
        parts = app.build_controller(process, store, lease)
        for _ in range(2):
            await parts.reconciler.reconcile(read_files=True)
            await parts.task_runner.wait_until_idle()
        yield process, store, parts.reconciler


async def one_pass(reconciler: Reconciler) -> float:
    begun = time.process_time()
    plan = await reconciler.reconcile(read_files=True)
    assert plan is not None
    assert plan.empty
    return time.process_time() - begun


def cpu(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
