"""roomctl on one machine: the rooms of rooms.d are live on a real LiveKit until Ctrl-C.

LiveKit is the one in LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET if they are set, otherwise a
livekit-server on the PATH, otherwise one that Go builds (once). Everything listens only on loopback. Keys,
ids and records are new in each run, and deleted after it; installed files stay in the user's cache, or in
the folder ROOMCTL_QUICKSTART_CACHE.

Recording needs a LiveKit with Redis and an egress worker, in LIVEKIT_URL. With --record rooms with
`record: true` are recorded there, to ROOMCTL_RECORDING_OUTPUT, or below /recordings as the worker sees it;
all ROOMCTL_RECORDING_* are passed on. If Redis is missing, a message says so, and the rest runs. Only a
recording shows whether there is a worker: --check --record starts one, and ends with 1 if that fails.
"""

import argparse
import asyncio
import contextlib
import json
import os
import re
import shlex
import sys
import tempfile
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from console import bold, print_data, print_info
from controller_process import Controller, Site, controlling, given_livekit, program, settings
from environment import environment, install, locked
from page import npm_packages
from processes import PORTS, DemoError, StoppedError, free_ports, run, start, unless_stopped
from recording import print_recording, recorded_rooms, recording_settings
from server import livekit_server, serving

USAGE: Final = 64
CHECK_SECONDS: Final = 45.0
LINK_COLUMN: Final = 18
IN_THE_WAY: Final = re.compile(r"^ *(?:FAIL  (?:livekit|settings)|error:) *(.+)", re.MULTILINE)
"""The lines of `doctor` on LiveKit and invalid settings, or its error."""

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
    """Start everything and run until Ctrl-C; all started processes end with this one."""
    given = given_livekit()
    server = None if given else await livekit_server()
    await install()
    await npm_packages()
    async with contextlib.AsyncExitStack() as stack:
        async with locked():  # a second quickstart sees which ports are used
            more = recording_settings() if record else {}
            site, controller, processes = await start_all(stack, server, more)
        await all_ready(site, strict=check)
        await show_rooms(site)
        await print_recording(site, record=record, strict=check)
        if check:
            await join_as_guest(site, record=record)
            return
        rooms = await live_rooms(site)
        await show_links(site, rooms)
        show_calls(site, rooms)
        show_what_next(site)
        controller.shown = True
        with contextlib.suppress(asyncio.CancelledError):  # ended by Ctrl-C
            await until_one_ends(processes)
        print_info("\n  Stopping…")


async def start_all(
    stack: contextlib.AsyncExitStack, server: Path | None, more: Mapping[str, str]
) -> tuple[Site, Controller, list[Process]]:
    """LiveKit (without `server`: the one of LIVEKIT_URL) and the controller, until `stack` is closed."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="roomctl-")))
    ports = free_ports(PORTS if server else ("guests", "operators"))
    site = Site(folder, ports, settings(folder, ports, more, given=server is None))
    processes = []
    if server is None:
        await try_given(site)
        stack.push_async_callback(remove_rooms, site)
    else:
        key, secret = site.env["LIVEKIT_API_KEY"], site.env["LIVEKIT_API_SECRET"]
        processes.append(await stack.enter_async_context(serving(server, folder, ports, key, secret)))
    controller = await stack.enter_async_context(controlling(site))
    return site, controller, [controller.process, *processes]


async def try_given(site: Site) -> None:
    """DemoError if the given LiveKit refuses us, for which `run` would wait, or if a setting is invalid: then
    nothing was created that must be removed.
    """
    try:
        await site.roomctl("doctor")
    except DemoError as failure:
        if wrong := IN_THE_WAY.findall(str(failure)):
            raise DemoError("\n".join(wrong)) from None
    print_info(f"  LiveKit: {site.env['LIVEKIT_URL']}, as LIVEKIT_URL says; without a webhook to")
    print_info(f"  {site.operators}/livekit/webhook it is looked at every 5 s")


async def all_ready(site: Site, *, strict: bool) -> None:
    """Wait for every room. A failing room ends a check; otherwise it is printed, and the rest runs."""
    try:
        await site.roomctl("wait", "--timeout", "60s")
    except DemoError as failure:
        if strict:
            raise
        print_info(str(failure))


async def show_rooms(site: Site) -> None:
    print_data("\n" + bold(f"The rooms of rooms.d, on {site.env['LIVEKIT_URL']}") + "\n")
    table = await start(program(), "get", env=site.env)
    await table.wait()
    print_data()


async def live_rooms(site: Site) -> list[dict[str, Any]]:
    rooms: list[dict[str, Any]] = json.loads(await site.roomctl("get", "-o", "json"))
    return [room for room in rooms if room["LKRoomName"]]


async def show_links(site: Site, rooms: Sequence[Mapping[str, Any]]) -> None:
    """Print each room's page, and a speaker's link for each webinar."""
    webinars = [room["key"] for room in rooms if room["allow_webinar_mode"]]
    invited = await asyncio.gather(*(site.roomctl("invite", key, "--role", "speaker") for key in webinars))
    speakers = dict(zip(webinars, invited, strict=True))
    print_data(bold("Join in a browser") + "\n")
    for room in rooms:
        print_data(f"  {room['key']:<{LINK_COLUMN}}{site.guests}/join/{room['id']}")
        if link := speakers.get(room["key"]):
            print_data(f"  {'  as a speaker':<{LINK_COLUMN}}{link.splitlines()[-1]}")
    print_data()


def a_room(rooms: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The room for the examples: the standard team's, otherwise the first live one."""
    if not rooms:
        raise DemoError("no room of rooms.d is live; `roomctl validate` says whether a manifest is wrong")
    return min(rooms, key=lambda room: room["key"] != "standard-team")


def show_calls(site: Site, rooms: Sequence[Mapping[str, Any]]) -> None:
    room = a_room(rooms)
    print_data(bold(f"A guest of {room['key']} asks for the LiveKit room's name, then for a token,") + "\n")
    print_data(GUEST_CALLS.format(guests=site.guests, **room))
    print_data(f"and joins {site.env['LIVEKIT_URL']} with the participant_token, within five minutes.\n")
    if token := site.env.get("ACCESS_TOKEN"):
        print_data(bold("An operator makes a room over the private API, with this run's token,") + "\n")
        print_data(OPERATORS_CALL.format(operators=site.operators, token=token))
        print_data(f"and reads of all calls in a browser at {site.operators}/openapi.json\n")


def show_what_next(site: Site) -> None:
    env = site.write_script()
    print_data(bold("Edit a file in rooms.d to see the changes in the log below. In another terminal") + "\n")
    print_data(f"  . {shlex.quote(str(env))}")
    print_data("  roomctl get            (or plan, wait, doctor; roomctl --help)\n")
    print_data(bold("Press Ctrl+C to stop everything and remove the rooms.") + "\n")


async def join_as_guest(site: Site, *, record: bool) -> None:
    """A guest finds a room, gets a token, and joins with it; with `record` until the room is recorded."""
    rooms = await recorded_rooms(site) if record else []
    room = rooms[0] if rooms else a_room(await live_rooms(site))
    wishes = ("recorded",) if rooms else ()
    guest = Path(__file__).parent / "guest.py"
    python = environment() / "bin" / "python"
    call = (python, "-I", guest, site.guests, room["id"], *wishes)
    print_data(await run(*call, within=CHECK_SECONDS, env=site.env))


async def remove_rooms(site: Site) -> None:
    """Remove the rooms from a given LiveKit by the controller, which does not disconnect people."""
    nothing = site.folder / "nothing.d"
    nothing.mkdir()
    try:
        await site.roomctl("apply", "--yes", "--allow-removals", "100000", "--rooms-dir", str(nothing))
    except DemoError as failure:
        print_info(f"  not every room is gone from LiveKit: {failure}")


async def until_one_ends(processes: Sequence[Process]) -> None:
    """DemoError when one of them ends by itself."""
    waits = [asyncio.create_task(process.wait()) for process in processes]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    raise DemoError("the controller or livekit-server ended by itself; the lines above may say why")


def main() -> int:
    parser = Parser(
        prog="deploy/quickstart", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="join a room as a guest, then end: 0, or 1")
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
    except StoppedError:
        print_info("\nquickstart: stopped before it was through")
        return 1
    except (DemoError, OSError) as error:
        print_info(f"quickstart: {error}")
        return 1
    if not check:
        print_info("  ended; nothing is left")
    return 0


class Parser(argparse.ArgumentParser):
    """Exits with roomctl's code for wrong usage."""

    def error(self, message: str) -> Any:
        self.exit(USAGE, f"quickstart: {message}; see deploy/quickstart --help\n")


if __name__ == "__main__":
    sys.exit(main())
