"""roomctl revoke: makes all earlier invites of a room invalid."""

from typing import Annotated

import typer

from controller.cli.console import print_info
from controller.cli.flags import with_settings
from controller.cli.in_force import report_in_force
from controller.cli.record_event import record_event
from controller.cli.rooms import change_record, one_room
from controller.connect import connect_store
from controller.records.events import EventType
from controller.records.record import RoomRecord
from controller.room import redact_key
from controller.settings import SettingGroup, Settings


@with_settings(SettingGroup.DATABASE | SettingGroup.EVENTS)
async def revoke(
    settings: Settings,
    room: Annotated[str, typer.Argument(metavar="KEY|ID", help="Room whose invites to revoke.")],
) -> int:
    """Revoke all invites of a room.

    Participants in the room stay connected.
    """
    async with connect_store(settings, verb="revoke", read_only=True) as seen:
        one_room(seen, room)  # before anything is created or started for writing
        async with connect_store(settings, verb="revoke", read_only=False) as store:
            record = await change_record(store, room, RoomRecord.with_next_invite_epoch)
            await record_event(store, settings, EventType.REVOKE, record, "all invites revoked")
            code = await report_in_force(store)
    key = redact_key(record.key)
    print_info(f"{key}: all invites revoked; run `roomctl invite {key} --role speaker` to create a new one")
    return code
