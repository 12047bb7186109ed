"""Everybody at one room's door at once, against one guest alone. `python -m tests.bench.join_storm [GUESTS]`

A real controller on a real LiveKit; each guest has a connection of their own, open before the start, and
comes again after Retry-After where the door says so, as the join page does. A no for good ends it.
"""

import asyncio
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.controller import Site
from tests.support.embedded import secantus
from tests.support.livekit import LiveKitServer

GUESTS, ALONE = 500, 50
PUBLIC = "/api/conferences-public"


@dataclass
class Admission:
    """One connection, and what was said at it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    turned_away: int = 0
    seconds: list[float] = field(default_factory=list)

    async def ask(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The answer's body, once it is a yes; RuntimeError where it is a no for good."""
        while True:
            began = time.perf_counter()
            status, headers, answer = await self._exchange(path, body)
            if 200 <= status < 300:
                self.seconds.append(time.perf_counter() - began)
                return answer
            if "retry-after" not in headers:
                raise RuntimeError(f"{path} answered {status}: {answer}")
            self.turned_away += 1
            await asyncio.sleep(float(headers["retry-after"]))

    async def _exchange(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, str], dict[str, Any]]:
        content = json.dumps(body).encode()
        self.writer.write(
            f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Length: {len(content)}\r\n\r\n".encode()
            + content
        )
        first, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines if line)
        answer = json.loads(await self.reader.readexactly(int(headers["content-length"])))
        return int(first.split()[1]), headers, answer


async def two_calls(door: Admission, room_id: str, identity: str) -> None:
    """The reference's join flow."""
    answer = await door.ask(f"{PUBLIC}/findLKRoomNameById", {"id": room_id})
    body = {"room_id": room_id, "LKRoomName": answer["LKRoomName"], "participant_id": identity}
    await door.ask(f"{PUBLIC}/createToken", body)


async def one_call(door: Admission, room_id: str, identity: str) -> None:
    """The join page's, and every SDK's."""
    await door.ask("/livekit/token", {"room_name": room_id, "participant_identity": identity})


Flow = Callable[[Admission, str, str], Awaitable[None]]


async def storm(port: int, room_id: str, flow: Flow, guests: int) -> tuple[list[Admission], float]:
    """All of them at once; their doors, and the seconds until the last had a token."""
    doors = [Admission(*await asyncio.open_connection("127.0.0.1", port)) for _ in range(guests)]
    began = time.perf_counter()
    await asyncio.gather(*(flow(door, room_id, f"guest-{number}") for number, door in enumerate(doors)))
    seconds = time.perf_counter() - began
    for door in doors:
        door.writer.close()
    return doors, seconds


async def main(guests: int) -> None:
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        async with (
            LiveKitServer(folder / "livekit") as livekit,
            secantus(folder / "mongodb") as mongodb,
            Site(folder, livekit, mongodb=mongodb.uri, ROOMCTL_LOG_LEVEL="error") as site,
        ):
            site.write("hall", max_participants=guests)
            async with site.run():
                room_id = (await site.converged())["hall"].id
                for name, flow in (("find and createToken", two_calls), ("/livekit/token", one_call)):
                    await measure(site.public, room_id, name, flow, guests)
    print(
        f"measured on {platform.machine()}, {os.cpu_count()} cores (load {os.getloadavg()[0]:.1f}), "
        f"Python {platform.python_version()}, guests and controller on the same cores"
    )


async def measure(port: int, room_id: str, name: str, flow: Flow, guests: int) -> None:
    alone = [(await storm(port, room_id, flow, 1))[1] for _ in range(ALONE)]
    doors, seconds = await storm(port, room_id, flow, guests)
    answers = sorted(each for door in doors for each in door.seconds)
    p50, p99 = (answers[int(len(answers) * share)] * 1000 for share in (0.5, 0.99))
    one = statistics.median(alone)
    away = sum(door.turned_away for door in doors)
    print(
        f"{name}: {guests} at once, all inside after {seconds:.2f} s, {seconds / (one * guests):.2f} of one "
        f"after another ({one * 1000:.1f} ms each)"
    )
    print(
        f"  an answer: p50 {p50:.0f} ms, p99 {p99:.0f} ms; "
        f"told to come again: {away / guests:.2f} times a guest"
    )


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else GUESTS))
