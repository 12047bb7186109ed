"""How soon an agent is called, and what agents cost a pass. `python -m tests.bench.agents`

From the first person's join to the call (CreateDispatch), by webhook alone, on a real LiveKit, told to the
controller that acts and to one that stands by; and the CPU of a resync in memory: 200 rooms with an agent and
a person each, and 2,000 idle rooms, beside the same rooms without agents.
"""

import asyncio
import logging
import os
import platform
import statistics
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

import structlog

from controller.agents import read_agents
from controller.live.room import Permission
from tests.support.controller import Site
from tests.support.embedded import secantus
from tests.support.fake_live import FakeLive
from tests.support.inprocess import InProcess
from tests.support.livekit import LiveKitServer
from tests.support.participants import guest, token
from tests.support.ports import free_ports
from tests.support.proxy import Fate, Message, Proxy, http
from tests.support.worlds import desired, manifest

JOINS, OCCUPIED, IDLE, PASSES = 20, 200, 2_000, 30


async def join_to_call(folder: Path, *, to_standby: bool) -> None:
    calls: asyncio.Queue[float] = asyncio.Queue()

    async def passing(message: Message) -> Fate:
        if message.label == "CreateDispatch":
            calls.put_nowait(time.perf_counter())
        return Fate.PASS

    (private,) = free_ports(1)
    hook = f"http://127.0.0.1:{private}/livekit/webhook"
    async with AsyncExitStack() as stack:
        livekit = await stack.enter_async_context(LiveKitServer(folder / "livekit", webhook_url=hook))
        mongodb = await stack.enter_async_context(secantus(folder / "mongodb"))
        proxy = await stack.enter_async_context(Proxy(livekit.port, http))
        proxy.request = passing
        settings = {"ROOMCTL_RESYNC_SECONDS": "3600"}
        site = Site(folder, livekit, mongodb=mongodb.uri, url=proxy.url, **settings)
        await stack.enter_async_context(site)
        standby = await stack.enter_async_context(site.twin("standby"))
        (standby if to_standby else site).private = private
        for number in range(JOINS):
            site.write(f"room-{number}", agents=["helper"])
        await stack.enter_async_context(site.run())
        records = await site.converged(60)
        await stack.enter_async_context(standby.run())
        seconds = []
        for number, record in enumerate(records.values()):
            assert record.live is not None
            await asyncio.sleep(number / JOINS)  # else each would come right after what the one before caused
            async with guest(livekit.ws_url, token(livekit, record.live.name, "ann")), asyncio.timeout(60):
                inside = time.perf_counter()
                seconds.append(await calls.get() - inside)
    p50, p95 = statistics.median(seconds), sorted(seconds)[int(len(seconds) * 0.95)]
    told = "a standby" if to_standby else "who acts"
    print(f"from the first join to the call, {told} being told: p50 {p50 * 1e3:.0f}, p95 {p95 * 1e3:.0f} ms")


async def world(rooms: int, *, agents: bool, people: bool) -> InProcess:
    live = FakeLive()
    live.workers = {"helper"}
    process, names = InProcess(live), [f"room-{number:04}" for number in range(rooms)]
    wanted = read_agents(["helper"] if agents else [])
    process.manifests = desired(*(manifest(name, agents=wanted) for name in names))
    await process.run_until_stable()
    for name in names if people else ():
        live.enter(process.name(name), "ann", Permission(can_publish=True))
    for _ in range(8):
        await process.reconcile(audit=True)
    assert len(live.called) == (rooms if agents and people else 0)
    return process


async def cpu_of_a_resync(process: InProcess) -> tuple[float, float]:
    """Seconds of CPU: the median of many, and the worst."""
    spent = []
    for _ in range(PASSES):
        process.time.seconds += 5.0
        began = time.process_time()
        await process.reconcile(audit=True)
        spent.append(time.process_time() - began)
    return statistics.median(spent), max(spent)


async def cost_of_a_resync() -> None:
    for rooms, people in ((OCCUPIED, True), (IDLE, False)):
        dear, worst = await cpu_of_a_resync(await world(rooms, agents=True, people=people))
        cheap, _ = await cpu_of_a_resync(await world(rooms, agents=False, people=people))
        what = "with a person and an agent each" if people else "idle, with agents"
        print(
            f"a resync of {rooms:,} rooms {what}: {dear * 1e3:.1f} ms of CPU, at worst {worst * 1e3:.1f}, "
            f"{dear / cheap:.1f} times that without agents ({cheap * 1e3:.1f} ms)"
        )


async def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    await cost_of_a_resync()
    for to_standby in (False, True):
        with tempfile.TemporaryDirectory() as work:
            await join_to_call(Path(work), to_standby=to_standby)
    print(
        f"measured on {platform.machine()}, {os.cpu_count()} cores (load {os.getloadavg()[0]:.1f}), "
        f"Python {platform.python_version()}, everything on the same cores"
    )


if __name__ == "__main__":
    asyncio.run(main())
