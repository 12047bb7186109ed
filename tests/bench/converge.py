"""Converging rooms from nothing, against bare clients that do the same writes and the same CreateRoom calls.

By hand: python -m tests.bench.converge [ROOMS]
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

from livekit.api import LiveKitAPI
from livekit.protocol.room import CreateRoomRequest
from pymongo import AsyncMongoClient, InsertOne, UpdateOne

from controller import logs, one_shot
from controller.live.room import EMPTY_TIMEOUT_SECONDS
from controller.plan.model import Plan
from controller.settings import SettingGroup, Settings
from tests.bench.manifests import rooms
from tests.support.embedded import secantus
from tests.support.livekit import LiveKitServer
from tests.support.settings import load_settings

MAX_TOKEN_REQUESTS_IN_FLIGHT = 32
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Bench:
    """Where both sides work: each round has a database of its own, and LiveKit rooms of its own."""

    uri: str
    livekit: LiveKitServer
    folder: Path

    def settings(self, database: str) -> Settings:
        environment = {
            "LIVEKIT_URL": self.livekit.url,
            "LIVEKIT_API_KEY": self.livekit.key,
            "LIVEKIT_API_SECRET": self.livekit.secret,
            "MONGODB_URI": self.uri,
            "MONGODB_DATABASE": database,
            "ROOMCTL_INSTANCE": database,
            "ROOMCTL_ROOMS_DIR": str(self.folder),
            "ROOMCTL_DATA_DIR": str(self.folder.parent / f"data-{database}"),
        }
        return load_settings({}, environment, SettingGroup.ALL)


async def main(count: int) -> None:
    logs.configure("json", "error")
    with rooms(count) as folder, tempfile.TemporaryDirectory() as work:
        async with servers(Path(work), folder) as bench:
            bare, ours, confirmed = [], [], []
            for turn in range(ROUNDS):
                bare.append(await by_hand(bench, f"bare{turn}", count))
                whole, after = await by_roomctl(bench, f"ours{turn}", count)
                ours.append(whole)
                confirmed.append(after)
    machine = f"Python {platform.python_version()}, {os.cpu_count()} cores shared with both servers"
    fast = min(bare)
    print(f"{count:,} rooms, {machine}; seconds, best of {ROUNDS} rounds in turn")
    print(f"bare clients, {MAX_TOKEN_REQUESTS_IN_FLIGHT} in flight         {fast:6.2f}   rate 1.00")
    print(f"apply, from the confirmed plan  {min(confirmed):6.2f}   rate {fast / min(confirmed):.2f}")
    print(f"apply, reading and planning too {min(ours):6.2f}   rate {fast / min(ours):.2f}")


@asynccontextmanager
async def servers(work: Path, folder: Path) -> AsyncIterator[Bench]:
    async with secantus(work / "store") as store, LiveKitServer(work / "livekit") as livekit:
        yield Bench(store.uri, livekit, folder)


async def by_hand(bench: Bench, name: str, count: int) -> float:
    """The same bulk writes and calls, without anything that decides: insert, create, update."""
    metadata = "x" * 300
    begun = time.perf_counter()
    lane = asyncio.Semaphore(MAX_TOKEN_REQUESTS_IN_FLIGHT)
    client: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(bench.uri, w="majority", journal=True)
    async with client, LiveKitAPI(bench.livekit.url, bench.livekit.key, bench.livekit.secret) as api:
        records = client[name]["rooms"]
        await records.create_index("key", unique=True)
        documents: list[dict[str, object]] = [
            {"_id": f"{i:024x}", "key": f"k{i}", "spec": {"name": metadata}} for i in range(count)
        ]
        await records.bulk_write([InsertOne(document) for document in documents], ordered=False)

        async def create(number: int) -> str:
            async with lane:
                room = await api.room.create_room(
                    CreateRoomRequest(
                        name=f"{name}-{number}",
                        metadata=metadata,
                        empty_timeout=EMPTY_TIMEOUT_SECONDS,
                        departure_timeout=EMPTY_TIMEOUT_SECONDS,
                    )
                )
            return room.sid

        sids = await asyncio.gather(*(create(number) for number in range(count)))
        updates = [
            UpdateOne({"_id": f"{number:024x}"}, {"$set": {"sid": sid, "status": {"message": metadata}}})
            for number, sid in enumerate(sids)
        ]
        await records.bulk_write(updates, ordered=False)
        return time.perf_counter() - begun


async def by_roomctl(bench: Bench, name: str, count: int) -> tuple[float, float]:
    """`roomctl apply` as it is; the whole of it, and what comes after the plan is confirmed."""
    confirmed = 0.0

    def confirm(plan: Plan) -> bool:
        nonlocal confirmed
        confirmed = time.perf_counter()
        return len(plan.changes) == count

    begun = time.perf_counter()
    report = await one_shot.apply(bench.settings(name), confirm=confirm)
    ended = time.perf_counter()
    assert not report.failed
    return ended - begun, ended - confirmed


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000))
