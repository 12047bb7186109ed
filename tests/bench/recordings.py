"""How soon a recording is asked for, and what recordings cost a pass. `python -m tests.bench.recordings`

From the first person's join to the Start call, by webhook alone, on a real LiveKit with Redis and a worker:
told to the controller that acts, and to one that stands by and hands it on; and the CPU of a pass in memory
with 200 rooms being recorded, beside the same with none.
"""

import asyncio
import logging
import os
import platform
import statistics
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import structlog

from controller.companions.recording.config import RecordingConfig
from controller.live.egress import EgressStatus
from controller.live.room import Permission
from controller.recording_output import RecordingOutput
from tests.support.controller import Site
from tests.support.egress import RecordingStack
from tests.support.embedded import secantus
from tests.support.inprocess import InProcess
from tests.support.participants import guest, token
from tests.support.ports import free_ports
from tests.support.proxy import Fate, Message, Proxy, http
from tests.support.worlds import desired, manifest

JOINS, ROOMS, PASSES = 20, 200, 50
OUTPUT: Final = "file:///recordings/{key}/{start}-{id}.mp4"


class Starts:
    """When Start was called, as the proxy before LiveKit sees it."""

    def __init__(self) -> None:
        self._called: asyncio.Queue[float] = asyncio.Queue()

    async def passing(self, message: Message) -> Fate:
        if message.label == "StartRoomCompositeEgress":
            self._called.put_nowait(time.perf_counter())
        return Fate.PASS

    async def next(self) -> float:
        async with asyncio.timeout(60):
            return await self._called.get()


async def join_to_start(folder: Path, *, to_standby: bool) -> None:
    (private,) = free_ports(1)
    starts = Starts()
    async with AsyncExitStack() as stack:
        hook = f"http://127.0.0.1:{private}/livekit/webhook"
        recording_stack = await stack.enter_async_context(RecordingStack(folder / "stack", webhook_url=hook))
        mongodb = await stack.enter_async_context(secantus(folder / "mongodb"))
        proxy = await stack.enter_async_context(Proxy(recording_stack.livekit.port, http))
        proxy.request = starts.passing
        settings = {"ROOMCTL_RECORDING_OUTPUT": OUTPUT, "ROOMCTL_RESYNC_SECONDS": "3600"}
        site = Site(folder, recording_stack.livekit, mongodb=mongodb.uri, url=proxy.url, **settings)
        await stack.enter_async_context(site)
        standby = await stack.enter_async_context(site.twin("standby"))
        (standby if to_standby else site).private = private
        for number in range(JOINS):
            site.write(f"room-{number}", record=True)
        await stack.enter_async_context(site.run())
        records = await site.converged(60)
        await stack.enter_async_context(standby.run())
        names = [record.live.name for record in records.values() if record.live]
        delays = [await _join(site, name, starts, number / JOINS) for number, name in enumerate(names)]
    for what, seconds in zip(("is inside", "knocks"), zip(*delays, strict=True), strict=True):
        p50, p95 = statistics.median(seconds), sorted(seconds)[int(len(seconds) * 0.95)]
        triggered_by = "a standby" if to_standby else "who acts"
        print(
            f"from when the first person {what} to Start, {triggered_by} being told: "
            f"p50 {p50 * 1000:.0f} ms, p95 {p95 * 1000:.0f} ms"
        )


async def _join(site: Site, room: str, starts: Starts, after: float) -> tuple[float, float]:
    """Seconds until Start since LiveKit's client said that it is in, and since it was told to go in.

    It is told `after` seconds: else each would come right after the question that told of the one before it.
    """
    await asyncio.sleep(after)
    knocked = time.perf_counter()
    async with guest(site.livekit.ws_url, token(site.livekit, room, "ann")):
        inside = time.perf_counter()
        started = await starts.next()
    return started - inside, started - knocked


async def world(*, record: bool) -> InProcess:
    """Rooms with somebody in each; recorded or not."""
    config = RecordingConfig(RecordingOutput.read(OUTPUT), timedelta(seconds=60))
    process = InProcess(config=config)
    names = [f"room-{number:03}" for number in range(ROOMS)]
    process.manifests = desired(*(manifest(name, record=record) for name in names))
    await process.run_until_stable()
    for name in names:
        process.live.enter(process.name(name), "ann", Permission(can_publish=True, sources=("CAMERA",)))
    await process.run_until_stable()
    for egress in list(process.live.egresses.values()):
        process.live.becomes(egress.id, EgressStatus.ACTIVE)
    await process.run_until_stable()
    running = [one for one in process.live.egresses.values() if one.status is EgressStatus.ACTIVE]
    assert len(running) == (ROOMS if record else 0)
    return process


async def cpu_of_a_pass(process: InProcess, *, resync: bool) -> float:
    """Seconds of CPU, the median of many."""
    spent: list[float] = []
    for _ in range(PASSES):
        began = time.process_time()
        await process.reconcile(read_files=resync, audit=resync)
        spent.append(time.process_time() - began)
        process.time.seconds += 5.0
        for egress in list(process.live.egresses.values()):  # the worker speaks now and then
            process.live.egresses[egress.id] = replace(egress, updated=egress.updated + 1)
    return statistics.median(spent)


async def cost_of_a_pass() -> None:
    recorded, plain = await world(record=True), await world(record=False)
    for what, resync in (("a pass", False), ("a resync", True)):
        dear, cheap = await cpu_of_a_pass(recorded, resync=resync), await cpu_of_a_pass(plain, resync=resync)
        print(
            f"{what} of {ROOMS} rooms, all recorded: {dear * 1000:.1f} ms of CPU, {dear / cheap:.1f} times "
            f"that of none recorded ({cheap * 1000:.1f} ms)"
        )


async def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    await cost_of_a_pass()
    for to_standby in (False, True):
        with tempfile.TemporaryDirectory() as work:
            await join_to_start(Path(work), to_standby=to_standby)
    print(
        f"measured on {platform.machine()}, {os.cpu_count()} cores (load {os.getloadavg()[0]:.1f}), "
        f"Python {platform.python_version()}, everything on the same cores"
    )


if __name__ == "__main__":
    asyncio.run(main())
