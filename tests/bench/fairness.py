"""Guests of a room while one address floods it. `python -m tests.bench.fairness [SECONDS]`

A real controller on a real LiveKit, with the limits that it has by default. The flood sends 500 requests a
second for one room from one address. Guests come from other addresses, an owner and an invited speaker from
the flood's own. Goal: nobody of them is refused, and a guest's p99 is under 100 ms.
"""

import asyncio
import json
import os
import platform
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from tests.support.api_callers import write_tokens
from tests.support.controller import Site
from tests.support.embedded import secantus
from tests.support.livekit import LiveKitServer

SECONDS = 15.0
FLOOD, GUESTS, PROVEN = 500, 20, 4
"""Requests a second: of the flood, of all guests, and of each of the two with a proof."""
FLOODER = "127.0.0.2"


@dataclass
class Tally:
    """Statuses, and the seconds that each answer took, its connection included.

    `late`: by how many seconds each request was sent too late, which is what a busy machine adds by itself.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)

    def percentile_ms(self, share: float) -> float:
        return _percentile(self.seconds, share) * 1000

    def __str__(self) -> str:
        refused = sum(number for status, number in self.statuses.items() if status != 201)
        p50, p99 = self.percentile_ms(0.5), self.percentile_ms(0.99)
        return f"{len(self.seconds):6} requests, {refused:5} refused   p50 {p50:6.1f} ms   p99 {p99:6.1f} ms"


def _percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


async def one(port: int, room_id: str, address: str, headers: Mapping[str, str], tally: Tally) -> None:
    """One request from `address`, over a connection of its own."""
    began = time.perf_counter()
    body = json.dumps({"room_name": room_id}).encode()
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"POST /livekit/token HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n{lines}"
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    answer = await reader.read()
    tally.seconds.append(time.perf_counter() - began)
    tally.statuses[int(answer[9:12])] += 1
    writer.close()


@dataclass(frozen=True)
class Sender:
    """Sends `rate` requests a second from `addresses`, in turn, whether or not earlier ones were answered."""

    rate: float
    addresses: tuple[str, ...]
    headers: Mapping[str, str] = field(default_factory=dict)

    async def send(self, port: int, room_id: str, seconds: float) -> Tally:
        tally, began = Tally(), time.perf_counter()
        async with asyncio.TaskGroup() as requests:
            for number in count():
                at = began + number / self.rate
                if at > began + seconds:
                    break
                await asyncio.sleep(max(0.0, at - time.perf_counter()))
                tally.late.append(time.perf_counter() - at)
                address = self.addresses[number % len(self.addresses)]
                requests.create_task(one(port, room_id, address, self.headers, tally))
        return tally


async def main(seconds: float) -> None:
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        tokens = str(write_tokens(folder))
        async with (
            LiveKitServer(folder / "livekit") as livekit,
            secantus(folder / "mongodb") as mongodb,
            Site(
                folder,
                livekit,
                mongodb=mongodb.uri,
                ROOMCTL_LOG_LEVEL="error",
                ROOMCTL_ACCESS_TOKENS_FILE=tokens,
            ) as site,
        ):
            site.write("hall", max_participants=1000, user_id="anna")
            async with site.run():
                room_id = (await site.converged())["hall"].id
                link = (await site.verb("invite", "hall", "--role", "speaker")).out.strip()
                invite = {"Authorization": f"Bearer {link.partition('#invite=')[2]}"}
                await measure(site.public, room_id, invite, seconds)
    print(
        f"measured on {platform.machine()}, {os.cpu_count()} cores (load {os.getloadavg()[0]:.1f}), "
        f"Python {platform.python_version()}, all clients and the controller on the same cores"
    )


async def measure(port: int, room_id: str, invite: Mapping[str, str], seconds: float) -> None:
    guests = Sender(GUESTS, tuple(f"127.0.1.{number}" for number in range(1, 251)))
    senders = {
        f"the flood, {FLOOD}/s of one address": Sender(FLOOD, (FLOODER,)),
        "guests of 250 other addresses": guests,
        "the room's owner, at the flood's address": Sender(
            PROVEN, (FLOODER,), {"x-access-token": "anna-token"}
        ),
        "an invited speaker, there too": Sender(PROVEN, (FLOODER,), invite),
    }
    alone = await guests.send(port, room_id, seconds)
    print(f"{'guests without a flood':42}{alone}")
    tallies = await asyncio.gather(*(sender.send(port, room_id, seconds) for sender in senders.values()))
    for name, tally in zip(senders, tallies, strict=True):
        print(f"{name:42}{tally}")
    late_ms = [_percentile(tally.late, 0.99) * 1000 for tally in (alone, tallies[0])]
    print(f"the clients sent late: p99 {late_ms[0]:.0f} ms without the flood, {late_ms[1]:.0f} ms with it")
    flooded = tallies[1]
    ratio = flooded.percentile_ms(0.99) / alone.percentile_ms(0.99)
    print(f"a guest's p99 is {ratio:.1f} times that without the flood (goal: under 100 ms, nobody refused)")


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS))
