"""roomctl events: what was done to rooms, why, and by whom. Reads only the database."""

import asyncio
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal

import typer

from controller.cli.console import Exit, json_array, pause, print_error, print_info, print_lines
from controller.cli.flags import OUTPUT, read_option, rooms_argument, with_settings
from controller.cli.rooms import describe_database, report_unknown, select_rooms
from controller.cli.table import print_table
from controller.connect import connect_store, connect_store_for_watch
from controller.errors import StoreUnavailableError
from controller.records.events import Event, EventStore, EventType, event_dict
from controller.records.ports import StoredEvents
from controller.records.record import RoomRecord
from controller.room import FieldChange, api_key, format_time, redact_key, redact_room_id
from controller.settings import SettingGroup, Settings
from controller.text import parse_duration, pluralize

POLL_INTERVAL_SECONDS: Final = 1.0
OVERLAP: Final = timedelta(seconds=60)
"""How far back each read goes: others write their events a little later, and with other clocks."""
_STYLES: Final[Mapping[str, str]] = {
    **dict.fromkeys((EventType.FAIL, EventType.REFUSE), "red"),
    **dict.fromkeys((EventType.GUARD, EventType.DEFER, EventType.HOLD), "yellow"),
    **dict.fromkeys((EventType.CREATE, EventType.START, EventType.HEAL, EventType.ADOPT), "green"),
}


EventsFormat = Literal["table", "json"]


def _since(text: str | None) -> datetime | None:
    if text is None:
        return None
    return datetime.now(UTC) - timedelta(seconds=read_option(parse_duration, text, "--since"))


@with_settings(SettingGroup.DATABASE)
def events(
    settings: Settings,
    rooms: Annotated[list[str] | None, rooms_argument("Rooms whose events to list. [default: all]")] = None,
    *,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION", help="List the events of this time, for example 1h.", show_default=False
        ),
    ] = None,
    types: Annotated[
        list[EventType] | None,
        typer.Option(
            "--type", metavar="TYPE", help="List events of this type; may be repeated.", show_default=False
        ),
    ] = None,
    output: Annotated[EventsFormat, OUTPUT] = "table",
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Watch for new events until interrupted.")
    ] = False,
) -> int:
    """List what was done to rooms, why and by whom, newest last.

    Includes removed rooms. Events are kept for 30 days.
    """
    query = _Query(tuple(rooms or ()), _since(since), frozenset(types) if types else None)
    if not watch:
        return asyncio.run(_events(settings, query, output))
    try:
        return asyncio.run(_watch(settings, query, output))
    except KeyboardInterrupt:  # ends a watch
        return Exit.FINE


@dataclass(frozen=True, slots=True)
class _Query:
    """The requested events: of the rooms with these names, since this time, of these types (None: all)."""

    names: tuple[str, ...]
    since: datetime | None
    types: frozenset[EventType] | None

    async def find(
        self, events: EventStore, keys: Collection[str] | None, since: datetime | None = None
    ) -> list[Event]:
        """The events of these keys; with `since` only newer ones."""
        return await events.find(keys, max(filter(None, (since, self.since)), default=None), self.types)


async def _events(settings: Settings, query: _Query, output: EventsFormat) -> Exit:
    async with connect_store(settings, verb="events", read_only=True) as store:
        keys, unknown = await find_keys(store, query.names)
        found = await query.find(store.events, keys)
        _show(found, output)
        code = report_unknown(store, unknown)
    if not found and not unknown:
        print_info(f"no events found ({describe_database(settings)})")
    return code


async def _watch(settings: Settings, query: _Query, output: EventsFormat) -> Exit:
    """Print all requested events, then new ones. An outage of the database is reported once."""
    async with connect_store(settings, verb="events", read_only=True) as store:
        keys, unknown = await find_keys(store, query.names)
        if code := report_unknown(store, unknown):
            return code
        shown = await query.find(store.events, keys)
    if shown:
        _show(shown, output)
    answered, away = datetime.now(UTC), False
    async with connect_store_for_watch(settings, verb="events") as store:
        while True:
            try:
                await store.refresh()
                recent = await query.find(store.events, keys, answered - OVERLAP)
            except StoreUnavailableError as error:
                if not away:
                    print_error(f"{error}; last answer at {format_time(answered)}; retrying")
                away = True
            else:
                known = {event.id for event in shown}
                if new := [event for event in recent if event.id not in known]:
                    _show(new, output)
                shown, answered, away = recent, datetime.now(UTC), False
            await pause(POLL_INTERVAL_SECONDS)


def event_keys(room: RoomRecord) -> frozenset[str]:
    """The keys of a room's events: one that a manifest took over from the API also has its earlier key."""
    return frozenset({room.key, api_key(room.id)})


async def find_keys(store: StoredEvents, names: tuple[str, ...]) -> tuple[frozenset[str] | None, list[str]]:
    """The keys of the rooms with these names (keys or ids), None for all, and the unknown names.

    A removed room is found by its events, an API room by its short name if that is unique.
    """
    if not names:
        return None, []
    present, missing = select_rooms(store, names)
    keys, unknown = set[str]().union(*map(event_keys, present)), list[str]()
    for name in missing:
        found = await store.events.keys(name)
        if len(found) == 1:
            keys |= found
        else:
            unknown.append(name)
    return frozenset(keys), unknown


def _show(found: Sequence[Event], output: EventsFormat) -> None:
    if output == "json":
        print_lines(json_array([event_dict(event) for event in found]))
    elif found:
        print_table(_HEADER, [cells(event) for event in found], {"TYPE": _STYLES})


_HEADER: Final = ("TIME", "KEY", "TYPE", "WHAT", "BY")


def cells(event: Event) -> tuple[str, ...]:
    """One row of the table; the time is UTC. It has no room id, since an id lets people join."""
    return (
        f"{event.at.astimezone(UTC):%m-%d %H:%M:%S}",
        redact_key(event.key) if event.key else "-",
        event.type,
        describe(event),
        event.by,
    )


def describe(event: Event) -> str:
    """What was done and why, in one line."""
    changes = ", ".join(map(_change, event.fields))
    parts = [event.error or "", changes or event.reason, _people(event)]
    text = "; ".join(filter(None, parts)) + (f" ({pluralize(event.count, 'time')})" if event.count else "")
    return redact_room_id(text, event.room_id) if event.room_id else text


def _change(change: FieldChange) -> str:
    after = json.dumps(change.after, ensure_ascii=False)
    if change.before is None:
        return f"{change.field} {after}"
    return f"{change.field} {json.dumps(change.before, ensure_ascii=False)} -> {after}"


def _people(event: Event) -> str:
    """How many people were affected, '' for none."""
    return f"{event.participants} inside" if event.participants else ""
