"""roomctl kick: removes a participant from a room, and blocks the identity for a time."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import typer

from controller.cli.console import Exit, pause, print_error, print_info
from controller.cli.flags import read_option, with_settings
from controller.cli.in_force import report_in_force
from controller.cli.record_event import record_event
from controller.cli.rooms import change_record, one_room
from controller.connect import connect_store, connection
from controller.errors import LiveKitError
from controller.live.ports import LiveKitReader
from controller.records.events import EventType
from controller.records.record import RoomRecord
from controller.room import Join, format_time, redact_key, truncate_to_millis
from controller.settings import SettingGroup, Settings
from controller.text import parse_duration, quote_excerpt

DEFAULT: Final = "1h"
MAX_SECONDS: Final = 365 * 24 * 3600
MAX_IDENTITY_LENGTH: Final = 1_000
WAIT_SECONDS: Final = 15.0
"""How long the controller has: it sees the change after a second, or at the next resync."""
POLL_INTERVAL_SECONDS: Final = 0.25


@with_settings(SettingGroup.DATABASE | SettingGroup.LIVEKIT | SettingGroup.EVENTS)
async def kick(
    settings: Settings,
    room: Annotated[str, typer.Argument(metavar="KEY|ID", help="Room of the participant.")],
    identity: Annotated[str, typer.Argument(metavar="IDENTITY", help="Identity of the participant.")],
    lasts: Annotated[
        str, typer.Option("--for", metavar="DURATION", help="How long the identity stays out; 365d at most.")
    ] = DEFAULT,
) -> int:
    """Remove a participant for a time.

    Until then the identity gets no token, and is removed again if it joins with an older one.
    """
    seconds = _seconds(lasts)
    if not 0 < len(identity) <= MAX_IDENTITY_LENGTH:
        raise typer.BadParameter(f"1 to {MAX_IDENTITY_LENGTH} characters", param_hint="IDENTITY")
    async with connection(settings) as opened, connect_store(settings, verb="kick", read_only=True) as seen:
        reader, before = opened.reader(), one_room(seen, room)  # before anything is created for writing
        was_inside = await _was_inside(reader, before, identity)
        async with connect_store(settings, verb="kick", read_only=False) as store:
            now = truncate_to_millis(datetime.now(UTC))
            until = now + timedelta(seconds=seconds)
            record = await change_record(store, room, lambda before: before.with_kick(identity, until, now))
            reason = f"{quote_excerpt(identity)} until {format_time(record.kicked_until(identity))}"
            await record_event(store, settings, EventType.KICK, record, reason)
            code = await report_in_force(store)
        return await _report(reader, record, identity, was_inside=was_inside) or code


def _seconds(text: str) -> float:
    seconds = read_option(parse_duration, text, "--for")
    if not 0 < seconds <= MAX_SECONDS:
        raise typer.BadParameter(f"{text} is out of range; use 1s to 365d", param_hint="--for")
    return seconds


async def _was_inside(reader: LiveKitReader, record: RoomRecord, identity: str) -> bool | None:
    """Whether such a participant is inside now; None if LiveKit does not say: the kick is written anyway."""
    try:
        return await _is_inside(reader, record, identity)
    except LiveKitError:
        return None


async def _is_inside(reader: LiveKitReader, record: RoomRecord, identity: str) -> bool:
    people = await reader.participants(record.live.name) if record.live is not None else ()
    return any(one.identity == identity for one in people)


async def left(reader: LiveKitReader, record: RoomRecord, identity: str) -> bool:
    """Whether the participant is outside, after at most 15 seconds. LiveKitError."""
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            while await _is_inside(reader, record, identity):
                await pause(POLL_INTERVAL_SECONDS)
    except TimeoutError:
        return False
    return True


async def _report(
    reader: LiveKitReader, record: RoomRecord, identity: str, *, was_inside: bool | None
) -> Exit:
    key, who = redact_key(record.key), quote_excerpt(identity)
    until = format_time(record.kicked_until(identity))
    try:
        is_out = await left(reader, record, identity)
    except LiveKitError as error:
        print_error(f"{key}: {who} gets no token until {until}, but may still be inside: {error}")
        return Exit.FAILED
    if not is_out:
        print_error(f"{key}: {who} is still inside; to see whether a controller is at work: roomctl status")
        return Exit.FAILED
    where = "was not inside" if was_inside is False else "is out"
    print_info(f"{key}: {who} {where}, and gets no token until {until}")
    if record.spec.join is Join.LINK:
        print_info(
            "warning: the room is open to everyone with its id, so this person can come back under another "
            "identity; `join: invite` closes it"
        )
    return Exit.FINE
