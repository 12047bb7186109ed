"""The events of verbs, with their author and reason."""

import os
import pwd
import socket
from datetime import UTC, datetime

from controller.cli.console import print_info
from controller.errors import StoreError
from controller.records.events import Event, EventType
from controller.records.ports import StoredEvents
from controller.records.record import RoomRecord
from controller.room import truncate_to_millis
from controller.settings import Settings


async def record_event(
    store: StoredEvents, settings: Settings, kind: EventType, room: RoomRecord | None, reason: str
) -> None:
    """Record what a verb did to a room (None: to all rooms). A failure of that is only a warning."""
    event = Event(
        at=truncate_to_millis(datetime.now(UTC)),
        type=kind,
        key=None if room is None else room.key,
        room_id=None if room is None else room.id,
        reason=reason,
        by=command_author(),
    )
    try:
        await store.events.append([event], pending=bool(settings.events_url))
    except StoreError as error:
        warn_of_missing_event(error)


def warn_of_missing_event(error: StoreError) -> None:
    print_info(f"warning: the event was not recorded: {error}")


def command_author() -> str:
    """The user and host of this process."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user may have no name
        user = str(os.getuid())
    return f"cli {user}@{socket.gethostname()}"
