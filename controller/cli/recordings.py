"""roomctl recordings: the recordings and their state. Reads only the database."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from controller.cli.console import json_array, print_info, print_lines
from controller.cli.flags import OUTPUT, rooms_argument, with_settings
from controller.cli.rooms import report_unknown, select_rooms
from controller.cli.table import print_table
from controller.connect import connect_store
from controller.records.ports import Records
from controller.records.recordings import RecordingRow, RecordingState, RecordingStore, seconds_between
from controller.room import format_time, redact_key, redact_room_id
from controller.settings import SettingGroup, Settings

_STYLES: Final = {"recording": "green", "failed": "red", "lost": "red"}


RecordingsFormat = Literal["table", "json"]


@with_settings(SettingGroup.DATABASE)
async def recordings(
    settings: Settings,
    rooms: Annotated[
        list[str] | None, rooms_argument("Rooms whose recordings to list. [default: all]")
    ] = None,
    output: Annotated[RecordingsFormat, OUTPUT] = "table",
) -> int:
    """List recordings, newest first.

    Includes recordings of removed rooms.
    """
    async with connect_store(settings, verb="recordings", read_only=True) as store:
        matches, unknown = await of_rooms(store, store.recordings, tuple(rooms or ()))
        _show(matches, output, datetime.now(UTC))
        code = report_unknown(store, unknown)
    if not matches and not unknown:
        print_info("no recordings found")
    return code


async def of_rooms(
    records: Records, recordings: RecordingStore, names: tuple[str, ...]
) -> tuple[list[RecordingRow], list[str]]:
    """The rows of the rooms with these names (keys or ids; none: all), and the unknown names.

    A name means the room that has it now, and those that had it when they were recorded: recordings of a
    removed room stay, with its name.
    """
    if not names:
        return await recordings.find(), []
    rooms, missing = select_rooms(records, names)
    by_name = _by_name(await recordings.find_by_names(frozenset(names)))
    ids = {room.id for room in rooms}.union(*(by_name.get(name, ()) for name in names))
    matches = await recordings.find(frozenset(ids)) if ids else []
    return matches, [name for name in missing if name not in by_name]


def _by_name(rows: Iterable[RecordingRow]) -> Mapping[str, set[str]]:
    """Room ids by the names in the rows; an API room's short name only if it is unique."""
    short: dict[str, set[str]] = defaultdict(set)
    full: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        short[redact_key(row.key)].add(row.room_id)
        full[row.key].add(row.room_id)
        full[row.room_id].add(row.room_id)
    return {**{name: ids for name, ids in short.items() if len(ids) == 1}, **full}


def _show(rows: Sequence[RecordingRow], output: RecordingsFormat, now: datetime) -> None:
    if output == "json":
        print_lines(as_json(rows, now))
    elif rows:
        width = len(_HEADER) if any(row.error for row in rows) else len(_HEADER) - 1
        print_table(_HEADER[:width], [cells(row, now)[:width] for row in rows], {"STATE": _STYLES})


def as_json(rows: Sequence[RecordingRow], now: datetime) -> Iterator[str]:
    """The lines of `recordings -o json`."""
    return json_array([as_dict(row, now) for row in rows])


def as_dict(row: RecordingRow, now: datetime) -> dict[str, Any]:
    """One element of `recordings -o json`; `seconds` of one that still runs are counted until `now`."""
    return {
        "key": row.key,
        "room_id": row.room_id,
        "egress_id": row.egress_id,
        "file": row.file,
        "started": format_time(row.started),
        "ended": None if row.ended is None else format_time(row.ended),
        "seconds": seconds(row, now),
        "bytes": row.size,
        "state": str(row.state),
        "error": row.error or None,
    }


def seconds(row: RecordingRow, now: datetime) -> float:
    """How long it is, in whole milliseconds; 0 while its worker is still starting."""
    running = row.state is RecordingState.RECORDING
    return round(seconds_between(row.recorded_from, now) if running else row.seconds, 3)


_HEADER: Final = ("KEY", "STATE", "STARTED", "LENGTH", "SIZE", "FILE", "ERROR")


def cells(row: RecordingRow, now: datetime) -> tuple[str, ...]:
    """One row of the table. It has no room id, also not in a file name, since an id lets people join."""
    return (
        redact_key(row.key),
        str(row.state),
        format_time(row.started),
        _length(int(seconds(row, now))),
        f"{row.size / 1e6:.1f} MB" if row.size else "-",
        redact_room_id(row.file, row.room_id),
        redact_room_id(row.error, row.room_id),
    )


def _length(whole: int) -> str:
    """Seconds as 1:02:03, hours first."""
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
