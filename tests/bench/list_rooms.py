"""getAll, first page of many rooms, against getCount of one room: the same way there and back, on one server.

By hand: python -m tests.bench.list_rooms [ROOMS]
"""

import asyncio
import hashlib
import json
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp

from controller import logs
from controller.known import Known
from controller.metrics import Metrics
from controller.records import open_store
from controller.records.ports import RoomStore
from controller.records.record import Origin, RoomRecord
from controller.room import RoomSpec
from controller.settings import Address, Settings
from controller.sidecar import Backstage, Context, Sidecar
from tests.support.embedded import secantus
from tests.support.fake_live import FakeLive

ROUNDS = 50
START = datetime(2026, 3, 24, 16, tzinfo=UTC)
QUESTIONS = {
    "getCount, one room": ("getCount", "one", {}),
    "getAll, first 10 of all": ("getAll", "all", {"limit": 10}),
    "getAll, first 1,000 of all": ("getAll", "all", {"limit": 1000}),
    "getAll, 10 by name": ("getAll", "all", {"limit": 10, "sort": {"name": -1}}),
    "getAll, 10 by a filter": ("getAll", "all", {"limit": 10, "filter": {"name": {"$gt": "Hall 5"}}}),
    "getAll, everything": ("getAll", "all", {}),
}


def hall(number: int) -> RoomRecord:
    spec = RoomSpec(name=f"Hall {number}", user_id="one" if number == 0 else "many", max_participants=20)
    room_id = hashlib.sha256(str(number).encode()).hexdigest()[:24]
    at = START + timedelta(seconds=number)
    return RoomRecord(room_id, f"api/{room_id}", Origin.API, None, spec, at, at)


async def main(count: int) -> None:
    logs.configure("json", "error")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with (
            secantus(folder / "mongodb") as server,
            open_store(server.uri, "bench", folder, "bench") as store,
        ):
            await store.refresh()
            await asyncio.gather(*(store.insert(hall(number)) for number in range(count)))
            await measure(store, tokens(folder), count)


def tokens(folder: Path) -> Path:
    entries = [
        {"token_sha256": hashlib.sha256(user.encode()).hexdigest(), "user_id": user, "admin": user == "all"}
        for user in ("one", "all")
    ]
    path = folder / "tokens.json"
    path.write_text(json.dumps(entries))
    return path


async def measure(store: RoomStore, path: Path, count: int) -> None:
    free = Address("127.0.0.1", 0)
    settings = replace(Settings(), public_listen=free, private_listen=free, access_tokens_file=path)
    known = Known(store)
    known.mongodb.answered(time.monotonic())
    context = Context(settings, known, FakeLive(), Metrics(), Backstage(store))
    async with Sidecar(context).listening() as sidecar, aiohttp.ClientSession() as http:
        base = 0.0
        for title, (call, user, body) in QUESTIONS.items():
            url = f"http://{sidecar.private}/api/conferences/{call}"
            took = []
            for _ in range(ROUNDS):
                began = time.perf_counter()
                async with http.post(url, json=body, headers={"x-access-token": user}) as answer:
                    content = await answer.read()
                assert answer.status == 200, content
                took.append(time.perf_counter() - began)
            middle = statistics.median(took)
            base = base or middle
            print(
                f"{title:28} of {count:,}: first {took[0] * 1000:6.1f} ms, median {middle * 1000:6.2f} ms, "
                f"{middle / base:5.1f} times a getCount, {len(content) / 1024:7.1f} KiB"
            )


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
