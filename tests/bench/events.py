"""What events cost: of converging rooms from nothing, of an idle pass; and 100,000 of them on record.

By hand: python -m tests.bench.events [ROOMS]
"""

import asyncio
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import TypeAlias
from unittest.mock import patch

from controller import connect, logs, one_shot
from controller.events.log import EventLog
from controller.records.events import Event
from controller.room import truncate_to_millis
from tests.bench.converge import Bench, servers
from tests.bench.manifests import rooms
from tests.bench.scale import one_pass, settled

ROUNDS = 5
PASSES = 15
ON_RECORD = 100_000
RECENT = 1_000
ROOMS = 1_000
Cost: TypeAlias = tuple[float, float]
"""Wall seconds, and seconds of CPU."""


async def main(count: int) -> None:
    logs.configure("json", "error")
    with rooms(count) as folder, tempfile.TemporaryDirectory() as work:
        async with servers(Path(work), folder) as bench:
            print(f"{count:,} rooms, Python {platform.python_version()}, {os.cpu_count()} cores, in turn")
            without, with_events = await converge(bench)
            for name, measure in (("seconds", 0), ("seconds of CPU, both servers' too", 1)):
                less, more = (median(each[measure] for each in runs) for runs in (without, with_events))
                print(f"converging without events {less:6.2f} {name}, with events {more:6.2f}")
                print(f"events cost {(more - less) / less:6.1%} of it")
            quiet, watched = await idle_passes(bench)
            print(f"an idle pass without events {quiet * 1000:6.2f} ms of CPU")
            print(f"an idle pass with events    {watched * 1000:6.2f} ms of CPU")
            await many(bench)


async def converge(bench: Bench) -> tuple[list[Cost], list[Cost]]:
    """What `apply` takes, without and with events."""
    without, with_events = list[Cost](), list[Cost]()
    for turn in range(ROUNDS):
        with patch.object(EventLog, "record", lambda _self, _event: None):
            without.append(await apply(bench, f"without{turn}"))
        with_events.append(await apply(bench, f"with{turn}"))
    return without, with_events


async def apply(bench: Bench, name: str) -> Cost:
    begun, used = time.perf_counter(), cpu_seconds()
    report = await one_shot.apply(bench.settings(name), confirm=lambda _: True)
    assert not report.failed
    return time.perf_counter() - begun, cpu_seconds() - used


def cpu_seconds() -> float:
    """What this process and its children have used: on a busy machine it says more than the time."""
    children = Path("/proc/self/task", str(os.getpid()), "children").read_text().split()
    stats = (Path("/proc", child, "stat").read_text().rpartition(")")[2].split() for child in children)
    ticks = sum(int(stat[11]) + int(stat[12]) for stat in stats)
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


async def idle_passes(bench: Bench) -> tuple[float, float]:
    """CPU seconds of a pass in which nothing changes, without and with events, the best of several."""
    async with settled(bench.settings("with0")) as (process, store, reconciler):
        quiet = min([await one_pass(reconciler) for _ in range(PASSES)])
        async with process.events.written_to(store):
            watched = min([await one_pass(reconciler) for _ in range(PASSES)])
        return quiet, watched


async def many(bench: Bench) -> None:
    """A hundred thousand events on record: writing them, and what `roomctl events` takes."""
    settings = bench.settings("many")
    now = truncate_to_millis(datetime.now(UTC))
    async with connect.connect_store(settings, verb="events", read_only=False) as store:
        begun = time.perf_counter()
        for first in range(0, ON_RECORD, 1_000):
            await store.events.append([an_event(number, now) for number in range(first, first + 1_000)])
        print(f"writing {ON_RECORD:,} events: {time.perf_counter() - begun:.1f} s")
        begun = time.perf_counter()
        await store.refresh()
        print(f"making the indexes: {time.perf_counter() - begun:.1f} s")
        begun = time.perf_counter()
        found = await store.events.find(since=now - timedelta(hours=1))
        print(f"reading {len(found):,} of the last hour: {time.perf_counter() - begun:.2f} s")
        begun = time.perf_counter()
        last = await store.events.find({"room-7"}, limit=10)
        print(f"reading the last {len(last)} of a room: {time.perf_counter() - begun:.2f} s")
    for words in (("--help",), ("--since", "1h"), ("room-7",), ()):
        print(f"roomctl events {' '.join(words):12} {verb(bench, *words):.2f} s, start of Python included")


def an_event(number: int, now: datetime) -> Event:
    """A thousand in the last hour, the others over the 29 days before."""
    recent = number < RECENT
    back = timedelta(seconds=3 * number) if recent else timedelta(hours=2, seconds=25 * number)
    return Event(
        at=now - back,
        type="update",
        key=f"room-{number % ROOMS}",
        room_id=f"{number % ROOMS:024x}",
        reason="manifest changed",
        disruption="none",
        participants=3,
        by="git 1a2b3c4d5e6f Ann Example",
        revision="9f" * 32,
        seconds=0.012,
    )


def verb(bench: Bench, *words: str) -> float:
    """Wall seconds of the verb as a process, the best of three."""
    settings = bench.settings("many")
    environment = os.environ | {
        "MONGODB_URI": settings.mongodb_uri,
        "MONGODB_DATABASE": "many",
        "ROOMCTL_INSTANCE": "many",
    }
    command = [sys.executable, "-m", "controller", "events", *words]
    times = []
    for _ in range(3):
        begun = time.perf_counter()
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - begun)
    return min(times)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000))
