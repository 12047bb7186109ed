"""roomctl hold: changes of rooms wait, until a time that is known in advance."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import typer

from controller.cli.console import print_info
from controller.cli.flags import read_option, rooms_argument, with_settings
from controller.cli.in_force import report_in_force
from controller.cli.record_event import command_author, record_event
from controller.cli.rooms import change_record, one_room
from controller.connect import connect_store
from controller.records.events import EventType
from controller.records.ports import RoomStore
from controller.records.record import Hold, RoomRecord
from controller.room import redact_key, truncate_to_millis
from controller.settings import SettingGroup, Settings
from controller.text import escape_unprintable, parse_duration, quote_excerpt

LONGEST: Final = timedelta(days=30)
MAX_REASON_LENGTH: Final = 500
MAX_NAME_LENGTH: Final = 128


@with_settings(SettingGroup.DATABASE | SettingGroup.EVENTS)
async def hold(
    settings: Settings,
    *,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; shown wherever the hold is.")],
    rooms: Annotated[list[str] | None, rooms_argument("Rooms to hold.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Hold all rooms, also later ones.")] = False,
    lasts: Annotated[
        str | None,
        typer.Option("--for", metavar="DURATION", help="How long, at most 30d.", show_default=False),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Until when, as 2026-12-01T18:00:00Z.", show_default=False),
    ] = None,
    by: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who holds. [default: USER@HOST]", show_default=False)
    ] = None,
) -> int:
    """Have changes of rooms wait.

    Edits, stops, recreates and removals wait until the hold ends. Rooms are healed, recorded and joined as
    always.
    """
    check_targets(rooms, everything=everything)
    now = truncate_to_millis(datetime.now(UTC))
    placed = Hold(
        _text(by or _author(), "--by", MAX_NAME_LENGTH),
        _text(reason, "--reason", MAX_REASON_LENGTH),
        _end(lasts, until, now),
    )
    async with connect_store(settings, verb="hold", read_only=True) as seen:
        for name in rooms or ():
            one_room(seen, name)  # nothing is written before all rooms are known
        async with connect_store(settings, verb="hold", read_only=False) as store:
            await _place(store, settings, rooms or (), placed)
            return await report_in_force(store)


async def _place(store: RoomStore, settings: Settings, rooms: Sequence[str], placed: Hold) -> None:
    if not rooms:
        before = store.hold_all
        await store.put_hold_all(placed)
        await record_event(store, settings, EventType.HOLD, None, f"all rooms {placed}")
        print_info(f"all rooms are held {placed}{_replaced(before)}")
    for name in rooms:
        record, before = await put_hold(store, name, placed)
        await record_event(store, settings, EventType.HOLD, record, str(placed))
        print_info(f"{redact_key(record.key)}: held {placed}{_replaced(before)}")


async def put_hold(store: RoomStore, name: str, placed: Hold | None) -> tuple[RoomRecord, Hold | None]:
    """The room with this hold, or with None without one; and the hold that this ended, even a new one."""
    before: list[Hold | None] = []

    def change(room: RoomRecord) -> RoomRecord:
        before.append(room.hold)
        return room.with_hold(placed)

    return await change_record(store, name, change), before[-1]


def _replaced(before: Hold | None) -> str:
    """Of two holds on one target the later one counts, so whoever placed the first should know."""
    in_force = before is not None and before.until > datetime.now(UTC)
    return f"; this replaces the hold {before}" if in_force else ""


def check_targets(rooms: Sequence[str] | None, *, everything: bool) -> None:
    """Rooms or --all, and not both."""
    if bool(rooms) == everything:
        raise typer.BadParameter("name rooms, or use --all", param_hint="KEY|ID")


def _author() -> str:
    return command_author().removeprefix("cli ")


def _text(text: str, option: str, longest: int) -> str:
    """One line that people can read."""
    line = text.strip()
    if not 0 < len(line) <= longest or escape_unprintable(line) != line:
        raise typer.BadParameter(f"1 to {longest} printable characters", param_hint=option)
    return line


def _end(lasts: str | None, until: str | None, now: datetime) -> datetime:
    if (lasts is None) == (until is None):
        raise typer.BadParameter("use one of --for and --until", param_hint="--for")
    if lasts is not None:
        hint, end = "--for", now + timedelta(seconds=read_option(parse_duration, lasts, "--for"))
    else:
        hint, end = "--until", read_option(_moment, until or "", "--until")
    if not now < end <= now + LONGEST:
        raise typer.BadParameter("a hold ends in the future, within 30 days", param_hint=hint)
    return truncate_to_millis(end)


def _moment(text: str) -> datetime:
    """ValueError says how to fix it."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError(
            f"invalid time {quote_excerpt(text)}; use a date and time with an offset, as 2026-12-01T18:00:00Z"
        )
    return moment.astimezone(UTC)
