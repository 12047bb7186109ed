"""roomctl on one machine: the rooms of rooms.d live on a real LiveKit, ready for guests, until Ctrl-C.

LiveKit is the one in LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET if they are set, else a
livekit-server on the PATH, else one that Go builds (once). Everything listens on loopback alone. Keys, ids
and records are fresh in each run, and gone after it; what was installed is kept in the user's cache, or in
the folder that ROOMCTL_QUICKSTART_CACHE names.

Recording takes a LiveKit with Redis and an egress worker, in LIVEKIT_URL. With --record rooms with
`record: true` are recorded there, to ROOMCTL_RECORDING_OUTPUT, or below /recordings as the worker sees it;
all ROOMCTL_RECORDING_* are passed on. Where Redis is missing this is said, and the rest goes on. Whether a
worker is there, a recording shows: --check --record tries one, and what is missing is the reason for a 1.
"""

import argparse
import asyncio
import contextlib
import json
import os
import re
import sys
import tempfile
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from console import bold, say, show
from controller_process import Controller, House, controlling, given_livekit, program, settings
from environment import environment, install, locked
from page import npm_packages
from processes import PORTS, Failure, Stopped, free_ports, run, start, unless_stopped
from recording import recorded_rooms, recording_settings, tell_recording
from server import livekit_server, serving

USAGE: Final = 64
CHECK_SECONDS: Final = 45.0
LINK_COLUMN: Final = 18
IN_THE_WAY: Final = re.compile(r"^ *(?:FAIL  livekit|error:) *(.+)", re.MULTILINE)
"""What `doctor` says of LiveKit, or instead of all checks."""

GUEST_CALLS: Final = """\
  curl -s {guests}/api/conferences-public/findLKRoomNameById \\
    -H 'Content-Type: application/json' \\
    -d '{{"id": "{id}"}}'

  curl -s {guests}/api/conferences-public/createToken \\
    -H 'Content-Type: application/json' \\
    -d '{{"room_id": "{id}",
         "LKRoomName": "{LKRoomName}",
         "participant_id": "guest-1", "participant_name": "Jane"}}'
"""
OPERATORS_CALL: Final = """\
  curl -s {operators}/api/conferences/create \\
    -H 'x-access-token: {token}' -H 'Content-Type: application/json' \\
    -d '{{"name": "Main stage", "max_participants": 50, "allow_chat": true}}'
"""


async def quickstart(*, check: bool, record: bool) -> None:
    """From nothing to rooms and guests; what was started ends with this, however it ends."""
    given = given_livekit()
    server = None if given else await livekit_server()
    await install()
    await npm_packages()
    async with contextlib.AsyncExitStack() as stack:
        async with locked():  # of two at once the second sees which ports the first has taken
            more = recording_settings() if record else {}
            house, controller, processes = await start_all(stack, server, more)
        await all_ready(house, strict=check)
        await show_rooms(house)
        await tell_recording(house, record=record, strict=check)
        if check:
            await walk_in(house, record=record)
            return
        await show_links(house)
        await show_calls(house)
        show_what_next(house)
        controller.shown = True
        with contextlib.suppress(asyncio.CancelledError):  # how it is meant to end
            await until_one_ends(processes)
        say("\n  ending ...")


async def start_all(
    stack: contextlib.AsyncExitStack, server: Path | None, more: Mapping[str, str]
) -> tuple[House, Controller, list[Process]]:
    """LiveKit (without `server`: the one that is given) and the controller, until `stack` is closed."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="roomctl-")))
    ports = free_ports(PORTS if server else ("guests", "operators"))
    house = House(folder, ports, settings(folder, ports, more, given=server is None))
    processes = []
    if server is None:
        await try_given(house)
        stack.push_async_callback(remove_rooms, house)
    else:
        key, secret = house.env["LIVEKIT_API_KEY"], house.env["LIVEKIT_API_SECRET"]
        processes.append(await stack.enter_async_context(serving(server, folder, ports, key, secret)))
    controller = await stack.enter_async_context(controlling(house))
    return house, controller, [controller.process, *processes]


async def try_given(house: House) -> None:
    """Failure at once where the LiveKit that is given does not let us in: `run` would wait for it. Likewise
    where a setting is wrong: nothing was made then that would have to be removed.
    """
    try:
        await house.roomctl("doctor")
    except Failure as failure:
        if wrong := IN_THE_WAY.findall(str(failure)):
            raise Failure("\n".join(wrong)) from None
    say(f"  LiveKit: {house.env['LIVEKIT_URL']}, as LIVEKIT_URL says; without a webhook to")
    say(f"  {house.operators}/livekit/webhook it is looked at every 5 s")


async def all_ready(house: House, *, strict: bool) -> None:
    """Wait for every room. What is wrong with one ends a check; else it is said, and the rest goes on."""
    try:
        await house.roomctl("wait", "--timeout", "60s")
    except Failure as failure:
        if strict:
            raise
        say(str(failure))


async def show_rooms(house: House) -> None:
    show("\n" + bold(f"The rooms of rooms.d, on {house.env['LIVEKIT_URL']}") + "\n")
    table = await start(program(), "get", env=house.env)
    await table.wait()
    show()


async def live_rooms(house: House) -> list[dict[str, Any]]:
    rooms: list[dict[str, Any]] = json.loads(await house.roomctl("get", "-o", "json"))
    return [room for room in rooms if room["LKRoomName"]]


async def show_links(house: House) -> None:
    """Each room's page, and a speaker's way into each webinar."""
    rooms = await live_rooms(house)
    webinars = [room["key"] for room in rooms if room["allow_webinar_mode"]]
    invited = await asyncio.gather(*(house.roomctl("invite", key, "--role", "speaker") for key in webinars))
    speakers = dict(zip(webinars, invited, strict=True))
    show(bold("Walk in with a browser") + "\n")
    for room in rooms:
        show(f"  {room['key']:<{LINK_COLUMN}}{house.guests}/join/{room['id']}")
        if link := speakers.get(room["key"]):
            show(f"  {'  as a speaker':<{LINK_COLUMN}}{link.splitlines()[-1]}")
    show()


async def a_room(house: House) -> dict[str, Any]:
    """The room that guests are shown: the standard team's, else the first that is live."""
    live = sorted(await live_rooms(house), key=lambda room: room["key"] != "standard-team")
    if not live:
        raise Failure("no room of rooms.d is live; `roomctl validate` says whether a manifest is wrong")
    return live[0]


async def show_calls(house: House) -> None:
    room = await a_room(house)
    show(bold(f"A guest of {room['key']} asks for the LiveKit room's name, then for a token,") + "\n")
    show(GUEST_CALLS.format(guests=house.guests, **room))
    show(f"and joins {house.env['LIVEKIT_URL']} with the participant_token, within five minutes.\n")
    if token := house.env.get("ACCESS_TOKEN"):
        show(bold("An operator makes a room over the private API, with this run's token,") + "\n")
        show(OPERATORS_CALL.format(operators=house.operators, token=token))
        show(f"and reads of all calls in a browser at {house.operators}/openapi.json\n")


def show_what_next(house: House) -> None:
    env = house.folder / "env"
    env.write_text(house.script())
    show(bold("Edit a file in rooms.d: what comes of it is logged below. In another terminal") + "\n")
    show(f"  . {env}")
    show("  roomctl get            (or plan, wait, doctor; roomctl --help)\n")
    show(bold("Ctrl-C ends it all, the rooms too.") + "\n")


async def walk_in(house: House, *, record: bool) -> None:
    """A guest resolves a room, gets a token, and joins with it; with `record` until the room is recorded."""
    rooms = await recorded_rooms(house) if record else []
    room = rooms[0] if rooms else await a_room(house)
    wishes = ("recorded",) if rooms else ()
    guest = Path(__file__).parent / "guest.py"
    python = environment() / "bin" / "python"
    call = (python, "-I", guest, house.guests, room["id"], *wishes)
    show(await run(*call, within=CHECK_SECONDS, env=house.env))


async def remove_rooms(house: House) -> None:
    """From a LiveKit that is not ours the rooms go the controller's own way: who is inside is not cut off."""
    nothing = house.folder / "nothing.d"
    nothing.mkdir()
    try:
        await house.roomctl("apply", "--yes", "--allow-removals", "100000", "--rooms-dir", str(nothing))
    except Failure as failure:
        say(f"  not every room is gone from LiveKit: {failure}")


async def until_one_ends(processes: Sequence[Process]) -> None:
    """None of them ends by itself; Failure where one does."""
    waits = [asyncio.create_task(process.wait()) for process in processes]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    raise Failure("the controller or livekit-server ended by itself; the lines above may say why")


def main() -> int:
    parser = Parser(
        prog="deploy/quickstart", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--check", action="store_true", help="let a guest walk into a room, then end: 0, or 1"
    )
    parser.add_argument(
        "--record",
        action="store_true",
        help="record rooms with record: true, where LiveKit has egress workers",
    )
    given = parser.parse_args()
    check: bool = given.check
    os.umask(0o077)
    try:
        asyncio.run(unless_stopped(quickstart(check=check, record=given.record)))
    except Stopped:
        say("\nquickstart: stopped before it was through")
        return 1
    except (Failure, OSError) as error:
        say(f"quickstart: {error}")
        return 1
    if not check:
        say("  ended; nothing is left")
    return 0


class Parser(argparse.ArgumentParser):
    """Ends with roomctl's own exit code where it is used wrongly."""

    def error(self, message: str) -> Any:
        self.exit(USAGE, f"quickstart: {message}; see deploy/quickstart --help\n")


if __name__ == "__main__":
    sys.exit(main())
