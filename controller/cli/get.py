"""roomctl get: the rooms and their status. Reads the records, and LiveKit only to count participants."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Annotated, Final, Literal

import typer

from controller.access.people import is_person
from controller.cli.console import Exit, pause, print_data, print_error, print_info, to_yaml
from controller.cli.flags import OUTPUT, rooms_argument, with_settings
from controller.cli.leader import read_leader
from controller.cli.rooms import (
    RoomStatus,
    as_dict,
    describe_database,
    report_unknown,
    select_rooms,
    statuses,
)
from controller.cli.table import print_table
from controller.connect import connect_store, connect_store_for_watch, lookup
from controller.errors import LiveKitError, StoreUnavailableError
from controller.live.ports import RoomReader
from controller.records.ports import HeldRecords
from controller.records.record import RoomRecord
from controller.room import redact_key
from controller.settings import SettingGroup, Settings

POLL_INTERVAL_SECONDS: Final = 1.0
_STYLES: Final = {"True": "green", "False": "red", "Unknown": "yellow"}


COUNT_TIMEOUT_SECONDS: Final = 3.0
"""Seconds in all, so that the output does not wait long for LiveKit."""
RoomsFormat = Literal["table", "json", "yaml", "wide"]


@with_settings(SettingGroup.DATABASE)
def get(
    settings: Settings,
    rooms: Annotated[list[str] | None, rooms_argument("Rooms to show. [default: all]")] = None,
    output: Annotated[RoomsFormat, OUTPUT] = "table",
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
    except KeyboardInterrupt:  # ends a watch
        return Exit.FINE


async def _get(settings: Settings, names: tuple[str, ...], output: RoomsFormat) -> Exit:
    async with connect_store(settings, verb="get", read_only=True) as store:
        matches, unknown = await read_rooms(settings, store, names)
        _show(matches, output)
        code = report_unknown(store, unknown)
    if not matches and not unknown:
        print_info(f"no rooms found ({describe_database(settings)})")
    return code


async def _watch(settings: Settings, names: tuple[str, ...], output: RoomsFormat) -> Exit:
    """Print all rooms, then those that change. An outage of the database is reported once."""
    away = False
    async with connect_store(settings, verb="get", read_only=True) as store:
        matches, unknown = await read_rooms(settings, store, names)
        if code := report_unknown(store, unknown):
            return code
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
    """The status now of the rooms with these names, by key, and the unknown names."""
    records, unknown = select_rooms(store, names)
    leader, people = await asyncio.gather(read_leader(store), count_people(settings, records))
    rooms = statuses(store, records, leader)
    return [replace(room, participants=people.get(room.record.id)) for room in rooms], unknown


async def count_people(settings: Settings, records: Sequence[RoomRecord]) -> Mapping[str, int]:
    """People by room id, without rooms where that is unknown. Never fails."""
    if (livekit := lookup(settings, COUNT_TIMEOUT_SECONDS)) is None:
        return {}
    async with livekit:
        return await count_inside(livekit, records)


async def count_inside(reader: RoomReader, records: Sequence[RoomRecord]) -> Mapping[str, int]:
    """The same with a reader; ListParticipants for each live room, since ListRooms lags by seconds."""
    counts: dict[str, int] = {}

    async def count(record: RoomRecord, name: str) -> None:
        counts[record.id] = sum(is_person(person) for person in await reader.participants(name))

    with suppress(LiveKitError, TimeoutError):
        async with asyncio.timeout(COUNT_TIMEOUT_SECONDS):
            live = {room.name for room in await reader.rooms()}
            named = [(record, record.live.name) for record in records if record.live is not None]
            counts.update((r.id, 0) for r in records if r.live is None or r.live.name not in live)
            await asyncio.gather(
                *(count(record, name) for record, name in named if name in live), return_exceptions=True
            )
    return counts


def _show(rooms: Sequence[RoomStatus], output: RoomsFormat) -> None:
    match output:
        case "json":
            print_data(json.dumps([as_dict(room) for room in rooms], indent=2, ensure_ascii=False))
        case "yaml":
            print_data(to_yaml([as_dict(room) for room in rooms]))
        case "table" | "wide" if rooms:
            wide = output == "wide"
            header = _HEADER + (_WIDE_HEADER if wide else ())
            styles = {"READY": _STYLES, "LIVE": _STYLES}
            print_table(header, [_row(room, wide=wide) for room in rooms], styles)


_HEADER: Final = ("KEY", "READY", "REASON", "LIVE", "PEOPLE", "NOTE")
_WIDE_HEADER: Final = ("RECORDING", "AGENTS", "NAME", "FILE", "LKROOMNAME")
_NOTES: Final = (  # the first that applies: condition, its status, the note
    ("Held", "True", "Held"),
    ("Guarded", "True", "Guarded"),
    ("Deferred", "True", "Deferred"),
    ("ManifestValid", "False", "ManifestInvalid"),
    ("Stalled", "True", "Stalled"),
)


def _row(room: RoomStatus, *, wide: bool) -> tuple[str, ...]:
    """One room's cells. They have no id, since an id lets people join."""
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
    companions = (room.condition(kind) for kind in ("Recording", "Agents"))
    return (
        *cells,
        *(condition.reason if condition else "-" for condition in companions),
        record.spec.name,
        record.file or "-",
        record.live.name if record.live is not None else "-",
    )


def _note(room: RoomStatus) -> str:
    """The most important note on the room."""
    statuses = {(condition.type, condition.status) for condition in room.conditions}
    ready = room.condition("Ready")
    closed = "Closed" if ready is not None and ready.reason == "Closed" else "-"
    return next((word for kind, status, word in _NOTES if (kind, status) in statuses), closed)
