"""roomctl release: what a hold blocked is done."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from controller.cli.console import print_info
from controller.cli.flags import rooms_argument, with_settings
from controller.cli.hold import check_targets, put_hold
from controller.cli.in_force import report_in_force
from controller.cli.record_event import record_event
from controller.cli.rooms import one_room
from controller.connect import connect_store
from controller.records.events import EventType
from controller.records.ports import RoomStore
from controller.records.record import Hold, RoomRecord
from controller.room import redact_key
from controller.settings import SettingGroup, Settings


@with_settings(SettingGroup.DATABASE | SettingGroup.EVENTS)
async def release(
    settings: Settings,
    rooms: Annotated[list[str] | None, rooms_argument("Rooms to release.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="End the hold on all rooms.")] = False,
) -> int:
    """End holds.

    A hold on rooms and a hold on all rooms are two: this ends the one that it names.
    """
    check_targets(rooms, everything=everything)
    async with connect_store(settings, verb="release", read_only=True) as seen:
        for name in rooms or ():
            one_room(seen, name)  # nothing is written before all rooms are known
        async with connect_store(settings, verb="release", read_only=False) as store:
            await _end(store, settings, rooms or ())
            return await report_in_force(store)


async def _end(store: RoomStore, settings: Settings, rooms: Sequence[str]) -> None:
    if not rooms:
        held = store.hold_all
        await store.put_hold_all(None)
        if held is not None:
            await record_event(store, settings, EventType.RELEASE, None, f"all rooms, held {held}")
        print_info("the hold on all rooms is over" if held is not None else "there was no hold on all rooms")
    for name in rooms:
        record, before = await put_hold(store, name, None)
        if before is not None:
            await record_event(store, settings, EventType.RELEASE, record, f"held {before}")
        print_info(_outcome(record, before, store.hold_all))


def _outcome(record: RoomRecord, before: Hold | None, hold_all: Hold | None) -> str:
    key = redact_key(record.key)
    text = f"{key}: released" if before is not None else f"{key}: not held"
    still = record.hold_at(datetime.now(UTC), hold_all)
    more = f"; all rooms are held {still}; to end that: roomctl release --all"
    return text if still is None else text + more
