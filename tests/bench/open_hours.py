"""Open hours: an unchanged pass with and without them, and rooms that all open at one moment.

The goals are a tenth more for the pass, and 10,000 rooms live within 30 s of their opening.
By hand: python -m tests.bench.open_hours [ROOMS]
"""

import asyncio
import os
import platform
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from livekit.api import LiveKitAPI
from livekit.protocol.room import ListRoomsRequest

from controller import logs, one_shot
from tests.bench.converge import Bench, servers
from tests.bench.manifests import MANIFEST, rooms
from tests.bench.scale import one_pass, settled

PASSES = 9
HOURS = """\
opens: 2020-01-01T00:00
closes: 2020-01-01T23:59:59
repeats: FREQ=DAILY
timezone: Europe/Berlin
overrun: 24h
"""
SETTLING = timedelta(minutes=5)
"""Until the rooms open: by a minute before that `apply` has to be over, and `run` to be ready."""


async def main(count: int) -> None:
    logs.configure("json", "error")
    print(f"{count:,} rooms, Python {platform.python_version()}, {os.cpu_count()} cores")
    passes = []
    for hours in (
        "",
        HOURS,
    ):  # on servers of their own: rooms that were just changed cost more for some minutes
        with rooms(count) as folder, tempfile.TemporaryDirectory() as work:
            write(folder, count, hours)
            async with servers(Path(work), folder) as bench:
                passes.append(await unchanged_pass(bench))
                late = await open_together(bench, folder, count) if hours else 0.0
    plain, hours_pass = passes
    print(f"an unchanged pass: {plain * 1000:.0f} ms of CPU")
    print(f"with open hours:   {hours_pass * 1000:.0f} ms, {hours_pass / plain:.2f} of that")
    print(f"all rooms live {late:+.1f} s after their opening")


def write(folder: Path, count: int, hours: str) -> None:
    for number in range(count):
        path = folder / f"team-{number // 100}" / f"room-{number}.yaml"
        path.write_text(MANIFEST.format(number=number) + hours)
    time.sleep(2.1)


async def unchanged_pass(bench: Bench) -> float:
    """CPU seconds, the best of several."""
    await one_shot.apply(bench.settings("hours"), confirm=lambda _plan: True)
    async with settled(bench.settings("hours")) as (_, _, reconciler):
        return min([await one_pass(reconciler) for _ in range(PASSES)])


async def open_together(bench: Bench, folder: Path, count: int) -> float:
    """Seconds from the opening until LiveKit lists the last room; negative: all were made before it."""
    opens = datetime.now(UTC) + SETTLING
    write(folder, count, f"opens: {opens.isoformat(timespec='seconds')}\n")
    await one_shot.apply(bench.settings("hours"), confirm=lambda _plan: True)
    environment = os.environ | {
        "LIVEKIT_URL": bench.livekit.url,
        "LIVEKIT_API_KEY": bench.livekit.key,
        "LIVEKIT_API_SECRET": bench.livekit.secret,
        "MONGODB_URI": bench.uri,
        "MONGODB_DATABASE": "hours",
        "ROOMCTL_INSTANCE": "hours",
        "ROOMCTL_ROOMS_DIR": str(folder),
        "ROOMCTL_PUBLIC_LISTEN": "127.0.0.1:0",
        "ROOMCTL_PRIVATE_LISTEN": "127.0.0.1:0",
        "ROOMCTL_LOG_LEVEL": "error",
    }
    command = [sys.executable, "-m", "controller", "run"]
    run = await asyncio.create_subprocess_exec(*command, env=environment)
    try:
        async with LiveKitAPI(bench.livekit.url, bench.livekit.key, bench.livekit.secret) as api:
            while len((await api.room.list_rooms(ListRoomsRequest())).rooms) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.5)
        return (datetime.now(UTC) - opens).total_seconds()
    finally:
        run.terminate()
        await run.wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
