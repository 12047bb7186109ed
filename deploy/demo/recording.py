"""Whether this run records, and what is missing if it does not."""

import json
import os
from typing import Any, Final

from console import bold, print_data
from controller_process import Site, given_livekit
from processes import DemoError

OUTPUT: Final = "file:///recordings/{key}/{start}-{id}.mp4"
PREFIX: Final = "ROOMCTL_RECORDING_"


def recording_settings() -> dict[str, str]:
    """Our environment's settings for recordings, and a default output."""
    given = {name: value for name, value in os.environ.items() if name.startswith(PREFIX) and value}
    return {f"{PREFIX}OUTPUT": OUTPUT} | given


async def print_recording(site: Site, *, record: bool, strict: bool) -> None:
    """Print whether rooms are recorded. With `strict` DemoError if `record` is not possible."""
    why = await missing(site) if record else _not_asked_for()
    if not why:
        print_data(
            bold("A room with record: true is recorded while somebody is inside, given an egress worker")
        )
        print_data(f"\n  to {site.env[f'{PREFIX}OUTPUT']}, as the egress worker sees it")
        print_data("  Whether a worker is there beside LiveKit's Redis shows when it is needed:")
        print_data("  deploy/quickstart --check --record    lets a guest in, and tries")
        print_data("  roomctl get -o wide                   says NoWorker where none took it")
        print_data("  roomctl recordings                    lists what was recorded\n")
        return
    if record and strict:
        raise DemoError(f"nothing is recorded: {why}")
    print_data(bold("Nothing is recorded") + f", rooms with record: true neither:\n  {why}\n")


def _not_asked_for() -> str:
    if given_livekit():
        return "--record was not given; it takes a Redis and an egress worker beside this LiveKit"
    return (
        "the livekit-server of this run has no Redis, and so no egress worker. For a LiveKit that has both\n"
        "  set LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET, and run deploy/quickstart --record"
    )


async def missing(site: Site) -> str:
    """Why rooms are not recorded, as the controller reports it; '' if they are."""
    for room in await recorded_rooms(site):
        for condition in room["status"]["conditions"]:
            if condition["type"] == "Recording" and condition["reason"] in (
                "NoEgressService",
                "NotConfigured",
            ):
                return str(condition["message"])
    return ""


async def recorded_rooms(site: Site) -> list[dict[str, Any]]:
    """The live rooms with `record: true`."""
    rooms: list[dict[str, Any]] = json.loads(await site.roomctl("get", "-o", "json"))
    return [room for room in rooms if room["record"] and room["LKRoomName"]]
