"""Rooms on demand: from a find to its answer, at the holder of the lease and at a replica on standby.

`python -m tests.bench.on_demand [ROOMS] [ASKED]`: so many rooms sleep, and so many of them are woken at each
replica, one after another; then everybody asks for one of them at once. The goals are 1 s and 2.5 s.
"""

import asyncio
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.join_storm import PUBLIC, one_call, storm, two_calls
from tests.support.controller import Site
from tests.support.embedded import secantus
from tests.support.livekit import LiveKitServer

ROOMS, ASKED, GUESTS = 1_000, 50, 500


async def main(rooms: int, asked: int) -> None:
    print(f"{rooms:,} rooms on demand, Python {platform.python_version()}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        async with (
            LiveKitServer(folder / "livekit") as livekit,
            secantus(folder / "mongodb") as mongodb,
            Site(folder, livekit, mongodb=mongodb.uri, ROOMCTL_LOG_LEVEL="error") as holder,
            holder.twin("standby") as standby,
        ):
            write(holder.rooms_dir, rooms)
            async with holder.run(ROOMCTL_RESYNC_SECONDS="5"):
                await holder.until_leader(True)
                ids = await asleep(holder, rooms)
                async with standby.run(ROOMCTL_RESYNC_SECONDS="5"):
                    await report("at the holder", holder, ids[:asked])
                    await report("on standby", standby, ids[asked : 2 * asked])
                    for name, flow, room in (("two calls", two_calls, -1), ("one call", one_call, -2)):
                        _, seconds = await storm(holder.public, ids[room], flow, GUESTS)
                        print(f"{GUESTS} guests at a sleeping room, {name}: {seconds:.2f} s")


def write(rooms_dir: Path, rooms: int) -> None:
    for number in range(rooms):
        fields = {"name": f"Room {number}", "max_participants": 1_000, "live": "on-demand"}
        (rooms_dir / f"room-{number}.json").write_text(json.dumps(fields))


async def asleep(site: Site, rooms: int) -> list[str]:
    """Their ids, once all are on record and ready."""
    while True:
        records = list((await site.records()).values())
        ready = [each for each in records if each.status.observed_generation]
        if len(ready) == rooms:
            return [record.id for record in records]
        await asyncio.sleep(0.5)


async def report(where: str, site: Site, ids: list[str]) -> None:
    took = sorted([await seconds_to_find(site, room_id) for room_id in ids])
    p50, p95 = (took[int(len(took) * share)] for share in (0.5, 0.95))
    print(f"find {where}: p50 {p50 * 1000:.0f} ms, p95 {p95 * 1000:.0f} ms, max {took[-1] * 1000:.0f} ms")


async def seconds_to_find(site: Site, room_id: str) -> float:
    began = time.perf_counter()
    answer = await site.call("findLKRoomNameById", {"id": room_id})
    assert answer.status == 200, (PUBLIC, answer)
    return time.perf_counter() - began


if __name__ == "__main__":
    arguments = [int(each) for each in sys.argv[1:]]
    asyncio.run(main(*(arguments + [ROOMS, ASKED][len(arguments) :])))
