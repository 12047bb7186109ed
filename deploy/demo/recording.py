"""Whether this run records, and in plain words what is missing where it does not."""

import json
import os
from typing import Any, Final

from console import bold, show
from controller_process import House, given_livekit
from processes import Failure

OUTPUT: Final = "file:///recordings/{key}/{start}-{id}.mp4"
PREFIX: Final = "ROOMCTL_RECORDING_"


def recording_settings() -> dict[str, str]:
    """Our environment's settings for recordings, and an output where it has none."""
    given = {name: value for name, value in os.environ.items() if name.startswith(PREFIX) and value}
    return {f"{PREFIX}OUTPUT": OUTPUT} | given


async def tell_recording(house: House, *, record: bool, strict: bool) -> None:
    """What becomes of rooms with `record: true`. With `strict` Failure where `record` cannot be had."""
    why = await missing(house) if record else _not_asked_for()
    if not why:
        show(bold("A room with record: true is recorded while somebody is inside, given an egress worker"))
        show(f"\n  to {house.env[f'{PREFIX}OUTPUT']}, as the egress worker sees it")
        show("  Whether a worker is there beside LiveKit's Redis shows when it is needed:")
        show("  deploy/quickstart --check --record    lets a guest in, and tries")
        show("  roomctl get -o wide                   says NoWorker where none took it")
        show("  roomctl recordings                    lists what was recorded\n")
        return
    if record and strict:
        raise Failure(f"nothing is recorded: {why}")
    show(bold("Nothing is recorded") + f", rooms with record: true neither:\n  {why}\n")


def _not_asked_for() -> str:
    if given_livekit():
        return "--record was not given; it takes a Redis and an egress worker beside this LiveKit"
    return (
        "the livekit-server of this run has no Redis, and so no egress worker. For a LiveKit that has both\n"
        "  set LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET, and run deploy/quickstart --record"
    )


async def missing(house: House) -> str:
    """What keeps rooms from being recorded, as the controller says it; '' where nothing does."""
    for room in await recorded_rooms(house):
        for said in room["status"]["conditions"]:
            if said["type"] == "Recording" and said["reason"] in ("NoEgressService", "NotConfigured"):
                return str(said["message"])
    return ""


async def recorded_rooms(house: House) -> list[dict[str, Any]]:
    """The live rooms with `record: true`."""
    rooms: list[dict[str, Any]] = json.loads(await house.roomctl("get", "-o", "json"))
    return [room for room in rooms if room["record"] and room["LKRoomName"]]
