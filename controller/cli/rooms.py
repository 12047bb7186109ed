"""The rooms of a verb: their selection and current status, and the error if there is none."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from controller.cli.console import Exit, print_error
from controller.cli.leader import Leader
from controller.errors import RoomctlError, StoreConflictError
from controller.reconcile.shown_conditions import unseen, unusable_condition
from controller.records.ports import Holder, Records, RecordStore
from controller.records.record import Condition, Origin, RoomRecord, UnusableRecord, to_api_dict
from controller.room import format_time, redact_key
from controller.settings import Settings
from controller.settings_parsers import mongodb_address
from controller.text import quote_excerpt, suggestion

CONTROLLER_AWAY: Final = "ControllerAway"
MAX_WRITE_ATTEMPTS: Final = 20
_ALWAYS: Final = ("Ready", "Live", "ManifestValid")


@dataclass(frozen=True, slots=True)
class RoomStatus:
    """One room; `participants` is None if unknown, `unreadable` names damaged fields."""

    record: RoomRecord
    conditions: tuple[Condition, ...]
    participants: int | None = None
    unreadable: frozenset[str] = frozenset()

    def condition(self, kind: str) -> Condition | None:
        return next((c for c in self.conditions if c.type == kind), None)


def room_status(
    record: RoomRecord, leader: Leader, now: datetime, unusable: UnusableRecord | None = None
) -> RoomStatus:
    """The status of `record`; conditions are Unknown if no controller is active, or it cannot reach LiveKit.

    `unusable`: set if the record must not be acted on, which this process finds itself.
    """
    if unusable is not None:
        return RoomStatus(record, (unusable_condition(unusable),), unreadable=unusable.damaged_fields)
    reported = _reported(record)
    if leader.is_stale(now):
        reported = tuple(_unknown(condition, leader.holder) for condition in reported)
    elif (since := leader.livekit_lost_since) is not None:
        reported = tuple(unseen(condition, leader.livekit_problem, since) for condition in reported)
    return RoomStatus(record, reported)


def statuses(store: Records, records: Sequence[RoomRecord], leader: Leader) -> list[RoomStatus]:
    """The status of each record now."""
    now = datetime.now(UTC)
    return [room_status(record, leader, now, store.unusable.get(record.id)) for record in records]


def _reported(record: RoomRecord) -> tuple[Condition, ...]:
    """The reported conditions, and Unknown for each that is always reported but not yet present."""
    kinds = _ALWAYS if record.origin is Origin.MANIFEST else _ALWAYS[:2]
    missing = [kind for kind in kinds if record.status.condition(kind) is None]
    pending = [
        Condition(kind, "Unknown", "Pending", "not reconciled yet", record.created) for kind in missing
    ]
    return (*pending, *record.status.conditions)


def _unknown(condition: Condition, holder: Holder | None) -> Condition:
    seen = f"last seen: {holder}" if holder is not None else "none has run yet"
    return replace(
        condition,
        status="Unknown",
        reason=CONTROLLER_AWAY,
        message=f"no controller is running; {seen}",
        last_transition=holder.renewed if holder is not None else condition.last_transition,
    )


def select_rooms(records: Records, names: tuple[str, ...]) -> tuple[list[RoomRecord], list[str]]:
    """The rooms with these names (keys or ids; none: all), by key, and the unknown names.

    Includes unusable records, as far as they can be read. The short name of an API room in text (`api/` and
    six digits) also works if it is unique.
    """
    shown = {**records.by_id, **{room_id: each.record for room_id, each in records.unusable.items()}}
    alive = [record for record in shown.values() if not record.removed]
    by_name = _by_name(alive)
    chosen = {by_name[name].key: by_name[name] for name in names if name in by_name}
    rooms = list(chosen.values()) if names else alive
    return sorted(rooms, key=lambda record: record.key), [name for name in names if name not in by_name]


def _by_name(records: list[RoomRecord]) -> Mapping[str, RoomRecord]:
    named: dict[str, list[RoomRecord]] = {}
    for record in records:
        named.setdefault(redact_key(record.key), []).append(record)
    unique = {name: matches[0] for name, matches in named.items() if len(matches) == 1}
    return {**unique, **{r.id: r for r in records}, **{r.key: r for r in records}}


def as_dict(room: RoomStatus) -> dict[str, Any]:
    """One element of `get -o json`: the reference's room object and our fields; damaged ones are null."""
    record = room.record
    shown = {
        **to_api_dict(record),
        "key": record.key,
        "origin": str(record.origin),
        "file": record.file,
        "LKRoomName": record.live.name if record.live is not None else None,
        "participants": room.participants,
        "generation": record.generation,
        "status": {
            "observedGeneration": record.status.observed_generation,
            "conditions": [_condition(condition) for condition in room.conditions],
        },
    }
    return shown | dict.fromkeys(shown.keys() & room.unreadable - {"status"})


def _condition(condition: Condition) -> dict[str, str]:
    return {
        "type": condition.type,
        "status": condition.status,
        "reason": condition.reason,
        "message": condition.message,
        "lastTransitionTime": format_time(condition.last_transition),
    }


def one_room(records: Records, name: str) -> RoomRecord:
    """The room with this key or id. RoomctlError if there is none, or if its record must not be acted on."""
    matches, _ = select_rooms(records, (name,))
    if matches and (unusable := records.unusable.get(matches[0].id)) is not None:
        raise RoomctlError(f"{redact_key(matches[0].key)}: {unusable.advice}")
    if matches:
        return matches[0]
    raise RoomctlError(not_found(records, name))


async def change_record(
    store: RecordStore, name: str, change: Callable[[RoomRecord], RoomRecord]
) -> RoomRecord:
    """Write a change of the room's record, even if others write it at the same time. RoomctlError."""
    for _ in range(MAX_WRITE_ATTEMPTS):
        record = one_room(store, name)
        try:
            return await store.save(record, change(record))
        except StoreConflictError:
            await store.refresh()
    raise RoomctlError(f"could not update {redact_key(record.key)}: the record keeps changing; try again")


def not_found(records: Records, name: str) -> str:
    """The error that no room has this key or id, with the nearest key if there is one."""
    keys = [redact_key(record.key) for record in select_rooms(records, ())[0]]
    hint = suggestion(name, keys, "run `roomctl get` to list the rooms")
    return f"room {quote_excerpt(redact_key(name))} not found; {hint}"


def report_unknown(records: Records, unknown: Sequence[str]) -> Exit:
    """Print an error for each unknown name; returns the exit code."""
    for name in unknown:
        print_error(not_found(records, name))
    return Exit.FAILED if unknown else Exit.FINE


def describe_database(settings: Settings) -> str:
    """Where the records are, without credentials."""
    if settings.mongodb_uri:
        return f"database {settings.mongodb_database} at {mongodb_address(settings.mongodb_uri)}"
    return f"embedded store in {settings.data_dir}"
