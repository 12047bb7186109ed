"""roomctl describe: all about one room on one page. Reads the records, and LiveKit for who is inside."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer

from controller.access.people import headcount
from controller.cli.console import Exit, print_data, print_error, to_yaml
from controller.cli.events import describe as describe_event
from controller.cli.events import event_keys
from controller.cli.flags import OUTPUT, with_settings
from controller.cli.leader import read_leader
from controller.cli.people import HEADER, person_dict, person_row
from controller.cli.rooms import RoomStatus, as_dict, not_found, room_status, select_rooms
from controller.cli.table import print_table, styled
from controller.connect import connect_store, lookup
from controller.errors import LiveKitError
from controller.git import Commit, GitReader
from controller.hours import ALWAYS
from controller.live.room import Participant
from controller.manifests.load import load_paths
from controller.manifests.snapshot import ManifestRoom
from controller.records.events import Event, EventType, event_dict
from controller.records.ports import RoomStore
from controller.records.record import Condition, RoomRecord
from controller.room import Disruption, RoomSpec, field_changes, format_time, redact_key
from controller.settings import SettingGroup, Settings
from controller.text import format_age

LAST_EVENTS: Final = 10
ASK_SECONDS: Final = 3.0
"""Timeout for reading from LiveKit who is inside."""
_STATUS_STYLES: Final = {"True": "green", "False": "red", "Unknown": "yellow"}

DescribeFormat = Literal["text", "json", "yaml"]


@dataclass(frozen=True, slots=True)
class Manifest:
    """The room's manifest in the caller's rooms directory; `room` is None if it is missing or invalid."""

    file: str
    room: ManifestRoom | None = None
    commit: Commit | None = None


@dataclass(frozen=True, slots=True)
class Description:
    """All that is known of a room at `now`. `people` is None if LiveKit did not respond; times are UTC."""

    room: RoomStatus
    manifest: Manifest | None
    people: Sequence[Participant] | None
    events: Sequence[Event]
    refusals: Sequence[Event]
    now: datetime

    @property
    def hours(self) -> str | None:
        """The current or the next window of the open hours; None without hours."""
        spec = self.room.record.spec
        opening = spec.opening(self.now)
        if opening is ALWAYS:
            return None
        if opening.window is None:
            return "closed, and does not open again"
        opens, closes = opening.opens(self.now), opening.window.closes
        state = f"closed; opens at {format_time(opens)}" if opens is not None else "open"
        end = f"until {format_time(closes)}" if closes is not None else "without an end"
        return f"{state}, {end}, overrun {spec.overrun}"

    @property
    def pending(self) -> list[str]:
        """What has not been done yet, and why."""
        record = self.room.record
        wanted = self.manifest.room if self.manifest is not None else None
        waits = [*_waits({c.type: c for c in self.room.conditions})]
        if wanted is not None and wanted.spec != record.spec:
            waits.append(f"the manifest has not been applied yet: {self._update(wanted.spec)}")
        elif record.status.observed_generation != record.generation:
            waits.append(f"generation {record.generation} has not been observed yet")
        return waits

    def _update(self, wanted: RoomSpec) -> str:
        """The fields that change, and what that does to the people inside."""
        changes = field_changes(self.room.record.spec, wanted)
        fields = ", ".join(change.field for change in changes)
        stops = self.room.record.spec.active and not wanted.active
        worst = Disruption.DISCONNECTS if stops else Disruption.worst(each.disruption for each in changes)
        if worst is Disruption.NONE:
            return fields
        people = "everybody inside" if self.people is None else headcount(None, self.people)
        return f"{fields} - {worst} {people}"


def _waits(conditions: Mapping[str, Condition]) -> Iterator[str]:
    """What waits, and for what; also a failure, after which it is tried again."""
    ready = conditions["Ready"]
    if ready.reason == "Failed":
        yield f"tried again: {ready.message}"
    true = {kind: each.message for kind, each in conditions.items() if each.status == "True"}
    yield from (true[kind] for kind in ("Deferred", "Guarded", "Stalled") if kind in true)
    if "Held" in true:
        yield ready.message if ready.reason == "Held" else f"changes held {true['Held']}"


@with_settings(SettingGroup.DATABASE | SettingGroup.ROOMS)
async def describe(
    settings: Settings,
    room: Annotated[str, typer.Argument(metavar="KEY|ID", help="The room to describe.")],
    output: Annotated[DescribeFormat, OUTPUT] = "text",
) -> int:
    """Show all about one room.

    Its manifest, spec, conditions, the people inside, and what was done.
    """
    async with connect_store(settings, verb="describe", read_only=True) as store:
        records, _ = select_rooms(store, (room,))
        if not records:
            print_error(not_found(store, room))
            return Exit.FAILED
        described = await _read(settings, store, records[0])
    match output:
        case "json":
            print_data(json.dumps(to_dict(described), indent=2, ensure_ascii=False))
        case "yaml":
            print_data(to_yaml(to_dict(described)))
        case "text":
            _show(described)
    return Exit.FINE


async def _read(settings: Settings, store: RoomStore, record: RoomRecord) -> Description:
    leader, now = await read_leader(store), datetime.now(UTC)
    keys, types = event_keys(record), frozenset(EventType) - {EventType.REFUSE}
    return Description(
        room_status(record, leader, now, store.unusable.get(record.id)),
        _manifest(settings.rooms_dir, record),
        await _people(settings, record),
        await store.events.find(keys, types=types, limit=LAST_EVENTS),
        await store.events.find(keys, types=[EventType.REFUSE], limit=LAST_EVENTS),
        now,
    )


def _manifest(rooms_dir: Path, record: RoomRecord) -> Manifest | None:
    if record.file is None:
        return None
    path = rooms_dir / record.file
    if not path.is_file():
        return Manifest(record.file)
    room = load_paths([path], rooms_dir).rooms.get(record.key)
    return Manifest(record.file, room, GitReader(rooms_dir).last_commit(record.file))


async def _people(settings: Settings, record: RoomRecord) -> list[Participant] | None:
    """Who is inside; None if LiveKit's settings are missing, or it does not respond in time."""
    if (livekit := lookup(settings, ASK_SECONDS)) is None:
        return None
    if record.live is None:
        return []
    with suppress(LiveKitError):
        async with livekit:
            return await livekit.participants(record.live.name)
    return None


def _show(described: Description) -> None:
    for title, text in _facts(described):
        print_data(f"{styled(f'{title}:', 'bold'):<{_width(title)}}{text}")
    _section("Conditions", _CONDITIONS, [*_conditions(described)], "none", {"STATUS": _STATUS_STYLES})
    people = described.people
    none = "unknown: LiveKit was not asked, or did not answer" if people is None else "nobody"
    _section("People", HEADER, [person_row(each, described.now) for each in people or ()], none)
    _section("Last events", _EVENTS, [_event(each, described.now) for each in described.events], "none")
    _section("Last refusals", _EVENTS, [_event(each, described.now) for each in described.refusals], "none")


def _width(title: str) -> int:
    """The visible width: colours have none."""
    return 14 + len(styled(f"{title}:", "bold")) - len(f"{title}:")


def _facts(described: Description) -> Iterator[tuple[str, str]]:
    record = described.room.record
    yield "Key", redact_key(record.key)
    yield "Name", record.spec.name
    yield "Manifest", _place(described)
    yield "LiveKit room", record.live.name if record.live is not None else "none"
    fields = {each.field: each.after for each in field_changes(None, record.spec)}
    yield "Spec", ", ".join(f"{name} {_value(value)}" for name, value in fields.items() if name != "name")
    yield "Generation", f"{record.generation}, modified {_ago(record.modified, described.now)}"
    if described.hours is not None:
        yield "Open hours", described.hours
    for kick in record.kicked:
        if kick.until > described.now:
            yield "Kicked", f"{kick.identity}, until {format_time(kick.until)}"
    for waits in described.pending or ["nothing"]:
        yield "Pending", waits


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _place(described: Description) -> str:
    manifest = described.manifest
    if manifest is None:
        return "none; made over the API"
    if manifest.room is None:
        invalid = any(
            each.type == "ManifestValid" and each.status == "False" for each in described.room.conditions
        )
        return f"{manifest.file} ({'invalid' if invalid else 'not in this rooms directory'})"
    commit = f", {manifest.commit.describe(described.now)}" if manifest.commit is not None else ""
    return f"{manifest.file}:{manifest.room.position.line}{commit}"


def _section(
    title: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    none: str,
    styles: dict[str, dict[str, str]] | None = None,
) -> None:
    if not rows:
        print_data(f"\n{styled(f'{title}:', 'bold')} {none}")
        return
    print_data(f"\n{styled(f'{title}:', 'bold')}")
    print_table(header, rows, styles or {})


_CONDITIONS: Final = ("TYPE", "STATUS", "REASON", "AGE", "MESSAGE")
_EVENTS: Final = ("WHEN", "TYPE", "WHAT", "BY")


def _conditions(described: Description) -> Iterator[tuple[str, ...]]:
    for each in described.room.conditions:
        age = format_age((described.now - each.last_transition).total_seconds())
        yield each.type, each.status, each.reason, age, each.message or "-"


def _event(each: Event, now: datetime) -> tuple[str, ...]:
    return _ago(each.at, now), each.type, describe_event(each) or "-", each.by


def _ago(at: datetime, now: datetime) -> str:
    return f"{format_age((now - at).total_seconds())} ago"


def to_dict(described: Description) -> dict[str, Any]:
    """The document of `describe -o json`: the room as in `get`, and the rest."""
    manifest, people = described.manifest, described.people
    room = manifest.room if manifest is not None else None
    commit = manifest.commit if manifest is not None else None
    return {
        **as_dict(described.room),
        "participants": None if people is None else len(people),
        "manifest": None
        if manifest is None
        else {
            "file": manifest.file,
            "line": None if room is None else room.position.line,
            "commit": None if commit is None else commit.as_dict(),
        },
        "pending": described.pending,
        "open_hours": _hours(described),
        "people": None if people is None else [person_dict(each) for each in people],
        "events": [event_dict(each) for each in described.events],
        "refusals": [event_dict(each) for each in described.refusals],
    }


def _hours(described: Description) -> dict[str, Any] | None:
    """The current or the next window; null for a room without open hours."""
    opening = described.room.record.spec.opening(described.now)
    if opening is ALWAYS:
        return None
    ends = opening.window or (None, None)
    opens, closes = (format_time(time) if time is not None else None for time in ends)
    return {"open": opening.is_open(described.now), "opens": opens, "closes": closes}
