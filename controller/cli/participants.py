"""roomctl participants: who is inside the rooms right now, by LiveKit."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from controller.cli.console import json_array, print_info, print_lines
from controller.cli.flags import OUTPUT, rooms_argument, with_settings
from controller.cli.people import HEADER, person_dict, person_row
from controller.cli.rooms import report_unknown, select_rooms
from controller.cli.table import print_table
from controller.connect import connect_store, connection
from controller.live.ports import LiveKitReader
from controller.live.room import Participant
from controller.records.record import RoomRecord
from controller.room import redact_key
from controller.settings import SettingGroup, Settings

ASK_SECONDS: Final = 5.0

ParticipantsFormat = Literal["table", "json"]
RoomPeople = tuple[RoomRecord, Sequence[Participant]]


@with_settings(SettingGroup.DATABASE | SettingGroup.LIVEKIT)
async def participants(
    settings: Settings,
    rooms: Annotated[
        list[str] | None, rooms_argument("Rooms whose participants to list. [default: all]")
    ] = None,
    output: Annotated[ParticipantsFormat, OUTPUT] = "table",
) -> int:
    """List who is inside.

    Includes hidden participants, agents and recorders.
    """
    async with connect_store(settings, verb="participants", read_only=True) as store:
        records, unknown = select_rooms(store, tuple(rooms or ()))
        async with connection(settings, deadline=ASK_SECONDS) as opened:
            inside = await read_people(opened.reader(), records)
        code = report_unknown(store, unknown)
    _show(inside, output, datetime.now(UTC))
    return code


async def read_people(reader: LiveKitReader, records: Sequence[RoomRecord]) -> list[RoomPeople]:
    """The participants of the rooms that have some, in the order of `records`. LiveKitError."""
    occupied = {room.name for room in await reader.rooms()}
    live = [(record, record.live.name) for record in records if record.live is not None]
    asked = [(record, name) for record, name in live if name in occupied]
    people = await asyncio.gather(*(reader.participants(name) for _, name in asked))
    there = [[one for one in inside if not one.gone] for inside in people]
    return [(record, inside) for (record, _), inside in zip(asked, there, strict=True) if inside]


def _show(inside: Sequence[RoomPeople], output: ParticipantsFormat, now: datetime) -> None:
    each = [(redact_key(record.key), one) for record, people in inside for one in people]
    if output == "json":
        print_lines(json_array([{"key": key, **person_dict(one)} for key, one in each]))
    elif each:
        print_table(("KEY", *HEADER), [(key, *person_row(one, now)) for key, one in each], {})
    else:
        print_info("no participants found")
