"""Our sidecar with one live room of twenty people, every check and limit at work, no LiveKit behind it."""

import asyncio
import sys
import time
from dataclasses import replace

import uvloop

from controller.live.room import Participant
from controller.settings_parsers import Address
from controller.sidecar import Context, Sidecar
from tests.unit.sidecar.harness import ROOM_NAME, SETTINGS, Harness, record, spec

PLENTY = 10_000_000


async def serve(port: int) -> None:
    settings = replace(
        SETTINGS,
        public_listen=Address("127.0.0.1", port),
        room_tokens_per_second=PLENTY,
        address_requests_per_second=PLENTY,
    )
    harness = Harness(settings)
    harness.put(record(spec=spec(max_participants=200)))
    harness.people.inside[ROOM_NAME] = [Participant(f"guest-{n}") for n in range(20)]
    harness.state.mongodb.record_success(time.monotonic())
    harness.state.livekit.record_success(time.monotonic())
    sidecar = Sidecar(Context(settings, harness.state, harness.people, harness.metrics, harness.events))
    async with sidecar.listening():
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
