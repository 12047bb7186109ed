"""roomctl get: the rooms and their status. Reads the records, and LiveKit only to count participants."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Final

import typer
import yaml

from controller.app import connect_store, connect_store_for_watch
from controller.cli.console import print_data, print_error, print_info
from controller.cli.exit_codes import Exit
from controller.cli.flags import with_settings
from controller.cli.interrupt import pause
from controller.cli.leader import read_leader
from controller.cli.participant_counts import count_people
from controller.cli.room_status import RoomStatus, as_dict, room_status, select_rooms
from controller.cli.rooms import describe_database, not_found
from controller.cli.table import print_table
from controller.errors import StoreUnavailableError
from controller.records.ports import HeldRecords, Records
from controller.room import redact_key
from controller.settings import SettingGroup, Settings

POLL_INTERVAL_SECONDS: Final = 1.0
_STYLES: Final = {"True": "green", "False": "red", "Unknown": "yellow"}


class RoomsFormat(StrEnum):
    """How rooms are written."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    WIDE = "wide"


@with_settings(SettingGroup.DATABASE)
def get(
    settings: Settings,
    rooms: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY|ID", help="Rooms to show. [default: all]", show_default=False),
    ] = None,
    output: Annotated[RoomsFormat, typer.Option("--output", "-o", help="Output format.")] = RoomsFormat.TABLE,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Watch for changes until interrupted.")
    ] = False,
) -> int:
    """List rooms and their status."""
    names = tuple(rooms or ())
    if not watch:
        return asyncio.run(_get(settings, names, output))
    try:
        return asyncio.run(_watch(settings, names, output))
    except KeyboardInterrupt:  # how a watch ends
        return Exit.FINE


async def _get(settings: Settings, names: tuple[str, ...], output: RoomsFormat) -> Exit:
    async with connect_store(settings, verb="get", read_only=True) as store:
        matches, unknown = await read_rooms(settings, store, names)
        _show(matches, output)
        _no_rooms(store, unknown)
    if not matches and not unknown:
        print_info(f"no rooms found ({describe_database(settings)})")
    return Exit.FAILED if unknown else Exit.FINE


def _no_rooms(records: Records, unknown: Sequence[str]) -> None:
    for name in unknown:
        print_error(not_found(records, name))


async def _watch(settings: Settings, names: tuple[str, ...], output: RoomsFormat) -> Exit:
    """All rooms once, then those that changed. An outage of the database is reported once."""
    away = False
    async with connect_store(settings, verb="get", read_only=True) as store:
        matches, unknown = await read_rooms(settings, store, names)
        _no_rooms(store, unknown)
    if unknown:
        return Exit.FAILED
    if matches:
        _show(matches, output)
    async with connect_store_for_watch(settings, verb="get") as store:
        while True:
            try:
                await store.refresh()
                now, _ = await read_rooms(settings, store, names)
            except StoreUnavailableError as error:
                if not away:
                    print_error(f"{error}; retrying")
                away = True
            else:
                _show_changes(matches, now, output)
                matches, away = now, False
            await pause(POLL_INTERVAL_SECONDS)


def _show_changes(before: Sequence[RoomStatus], now: Sequence[RoomStatus], output: RoomsFormat) -> None:
    known = {room.record.id: room for room in before}
    if changed := [room for room in now if known.get(room.record.id) != room]:
        _show(changed, output)
    here = {room.record.id for room in now}
    for key in sorted(room.record.key for room in before if room.record.id not in here):
        print_info(f"{redact_key(key)}: removed")


async def read_rooms(
    settings: Settings, store: HeldRecords, names: tuple[str, ...]
) -> tuple[list[RoomStatus], list[str]]:
    """How the rooms that `names` mean stand now, by key, and the names that mean none."""
    records, unknown = select_rooms(store, names)
    leader = await read_leader(store)
    now = datetime.now(UTC)
    people = await count_people(settings, records)
    rooms = [room_status(record, leader, now, store.unusable.get(record.id)) for record in records]
    return [replace(room, participants=people.get(room.record.id)) for room in rooms], unknown


def _show(rooms: Sequence[RoomStatus], output: RoomsFormat) -> None:
    match output:
        case RoomsFormat.JSON:
            print_data(json.dumps([as_dict(room) for room in rooms], indent=2, ensure_ascii=False))
        case RoomsFormat.YAML:
            documents = [as_dict(room) for room in rooms]
            print_data(yaml.safe_dump(documents, sort_keys=False, allow_unicode=True).rstrip("\n"))
        case RoomsFormat.TABLE | RoomsFormat.WIDE if rooms:
            wide = output is RoomsFormat.WIDE
            header = _HEADER + (_WIDE_HEADER if wide else ())
            print_table(header, [_row(room, wide=wide) for room in rooms], _style)
        case _:
            pass


_HEADER: Final = ("KEY", "READY", "REASON", "LIVE", "PEOPLE", "NOTE")
_WIDE_HEADER: Final = ("RECORDING", "NAME", "FILE", "LKROOMNAME")
_NOTES: Final = (  # the first that a room has: condition, its status, the word for it
    ("Held", "True", "Held"),
    ("Guarded", "True", "Guarded"),
    ("Deferred", "True", "Deferred"),
    ("ManifestValid", "False", "ManifestInvalid"),
    ("Stalled", "True", "Stalled"),
)


def _row(room: RoomStatus, *, wide: bool) -> tuple[str, ...]:
    """One room's cells. No id among them: it is a capability."""
    record, ready, live = room.record, room.condition("Ready"), room.condition("Live")
    people = "-" if room.participants is None else f"{room.participants}/{record.spec.max_participants}"
    cells = (
        redact_key(record.key),
        ready.status if ready else "Unknown",
        ready.reason if ready else "",
        live.status if live else "Unknown",
        people,
        _note(room),
    )
    if not wide:
        return cells
    recording = room.condition("Recording")
    return (
        *cells,
        recording.reason if recording else "-",
        record.spec.name,
        record.file or "-",
        record.live.name if record.live is not None else "-",
    )


def _note(room: RoomStatus) -> str:
    """The word for what most needs to be known of the room; '' where there is nothing."""
    said = {(condition.type, condition.status) for condition in room.conditions}
    ready = room.condition("Ready")
    closed = "Closed" if ready is not None and ready.reason == "Closed" else ""
    return next((word for kind, status, word in _NOTES if (kind, status) in said), closed)


def _style(title: str, text: str) -> str:
    return _STYLES.get(text, "") if title in ("READY", "LIVE") else ""
