"""Our sidecar with one live room of twenty people, every check and limit at work, no LiveKit behind it."""

import asyncio
import sys
import time
from dataclasses import replace

import uvloop

from controller.live.room import Participant
from controller.settings import Address
from controller.sidecar import Context, Sidecar
from tests.unit.sidecar.harness import ROOM_NAME, SETTINGS, House, record, spec

PLENTY = 10_000_000


async def serve(port: int) -> None:
    settings = replace(
        SETTINGS,
        public_listen=Address("127.0.0.1", port),
        room_tokens_per_second=PLENTY,
        address_requests_per_second=PLENTY,
    )
    house = House(settings)
    house.put(record(spec=spec(max_participants=200)))
    house.people.inside[ROOM_NAME] = [Participant(f"guest-{n}") for n in range(20)]
    house.known.mongodb.answered(time.monotonic())
    house.known.livekit.answered(time.monotonic())
    sidecar = Sidecar(Context(settings, house.known, house.people, house.metrics))
    async with sidecar.listening():
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
