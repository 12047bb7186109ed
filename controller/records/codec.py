"""RoomRecord <-> the BSON document of the collection `rooms`. Fields: docs/records.md#the-record. Pure.

Reading is tolerant, so that a release reads the records of every release before it, and of the next one. A
field that is absent has the model's default. A field that this release does not know is left out here and
kept in the database: no write touches it (change.py). A record that cannot be read becomes an
UnusableRecord, which names the fields and holds the rest; the other records are read as usual.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, TypeVar

import bson
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import BSONError
from pydantic import ValidationError

from controller.agents import read_agents
from controller.records.record import (
    AgentCall,
    AgentCalls,
    CallState,
    Condition,
    Hold,
    IdentityRule,
    LiveName,
    Origin,
    Recording,
    Retired,
    RoomRecord,
    Status,
    UnusableReason,
    UnusableRecord,
)
from controller.room import FIELDS, OUR_FIELDS, RoomSpec, api_key

RECORD_SCHEMA: Final = 2
"""The schema of records that this release understands: it acts on a record whose `reader` is no higher."""

Document = dict[str, Any]
T = TypeVar("T")

_AWARE: Final[CodecOptions[Mapping[str, Any]]] = CodecOptions(
    tz_aware=True, datetime_conversion=DatetimeConversion.DATETIME_AUTO
)
_LENIENT: Final = _AWARE.with_options(unicode_decode_error_handler="replace")
_REQUIRED: Final[Any] = object()
_ALL_FIELDS: Final = set(FIELDS)
_OUR_DEFAULTS: Final = {name: FIELDS[name].default for name in OUR_FIELDS}
"""Most rooms have these values, which need no check."""
_DEFAULTS: Final = {
    name: None if info.is_required() else info.default for name, info in RoomSpec.model_fields.items()
}
_MAX_WHOLE: Final = 2**53
"""Above it a float is not exact, and a count that increases would soon be too large for BSON."""
_LAST_YEAR: Final = 9998
"""Durations are added to a time: the result must be within the calendar, too."""
_UNKNOWN_TIME: Final = datetime.fromtimestamp(0, UTC)

_condition = lru_cache(4096)(Condition)
"""Rooms that were written together share their conditions: this saves time and memory."""


class UnreadablePartError(ValueError):
    """A stored value that cannot be read.

    `paths` name the wrong parts of it, '' the value itself; `readable` is the rest, with defaults.
    """

    def __init__(self, paths: Iterable[str] = ("",), readable: Any = None) -> None:
        super().__init__(", ".join(paths))
        self.paths, self.readable = tuple(paths), readable


# -- values ---------------------------------------------------------------------------------------------


def _a(kind: type[T]) -> Callable[[Any], T]:
    """Reads a value of that type; a boolean is not a number."""

    def read(stored: Any) -> T:
        if not isinstance(stored, kind) or isinstance(stored, bool):
            raise UnreadablePartError
        return stored

    return read


def _origin(stored: Any) -> Origin:
    if stored not in tuple(Origin):
        raise UnreadablePartError
    return Origin(stored)


_text = _a(str)


def _name(stored: Any) -> str:
    """A LiveKit name: not empty."""
    if not (name := _text(stored)):
        raise UnreadablePartError
    return name


def _time(stored: Any) -> datetime:
    if (moment := _a(datetime)(stored)).year > _LAST_YEAR:
        raise UnreadablePartError
    return moment


def _whole(stored: Any) -> int:
    """An integer, in any of BSON's three number types: the tools that people use differ."""
    number = int(_a(int)(_number(stored)))
    if not 0 <= number <= _MAX_WHOLE:
        raise UnreadablePartError
    return number


def _flag(stored: Any) -> bool:
    if not isinstance(stored, bool):
        raise UnreadablePartError
    return stored


def _optional(read: Callable[[Any], T], stored: Any) -> T | None:
    return None if stored is None else read(stored)


# -- parts ----------------------------------------------------------------------------------------------


def _read_spec(stored: Any) -> RoomSpec:
    """The spec, checked like any other, since people can edit the database."""
    if not isinstance(stored, Mapping):
        raise UnreadablePartError(readable=_partial_spec({}))
    given = {
        name: _number(value)
        for name in FIELDS
        if (value := stored.get(name)) is not None and value != _OUR_DEFAULTS.get(name)
    }
    try:
        spec = RoomSpec.model_validate(given)
    except ValidationError as error:
        wrong = {str(each["loc"][0]) for each in error.errors(include_url=False, include_input=False)}
        good = {name: value for name, value in given.items() if name not in wrong}
        raise UnreadablePartError(sorted(wrong), _partial_spec(good)) from None
    object.__setattr__(spec, "__pydantic_fields_set__", _ALL_FIELDS)  # one set for all: 700 bytes a room
    return spec


def _number(stored: Any) -> Any:
    return int(stored) if isinstance(stored, float) and stored.is_integer() else stored


def _partial_spec(values: Mapping[str, Any]) -> RoomSpec:
    """Only for display: fields that cannot be read have their default, required ones None."""
    read = {name: read_agents(value) if isinstance(value, list) else value for name, value in values.items()}
    return RoomSpec.model_construct(_ALL_FIELDS, **(_DEFAULTS | read))


def _read_live(stored: Any) -> LiveName:
    return LiveName(_name(stored["name"]), _optional(_text, stored.get("sid")))


def _write_part(part: LiveName | Recording | None) -> Document | None:
    return None if part is None else _fields(part)


def _fields(part: LiveName | Recording | AgentCalls) -> Document:
    """The part's fields by their own names."""
    return {each.name: getattr(part, each.name) for each in fields(part)}


def _read_retired(stored: Any) -> tuple[Retired, ...]:
    if not isinstance(stored, list):
        raise UnreadablePartError
    return tuple(
        Retired(_name(old["name"]), _time(old["at"]), {k: old[k] for k in old.keys() - {"name", "at"}})
        for old in stored
    )


def _write_retired(retired: tuple[Retired, ...]) -> list[Document]:
    return [{**old.unknown, "name": old.name, "at": old.at} for old in retired]


def _read_rules(stored: Any) -> tuple[IdentityRule, ...]:
    if not isinstance(stored, list):
        raise UnreadablePartError
    return tuple(
        IdentityRule(
            _name(rule["identity"]),
            _time(rule["until"]),
            {k: rule[k] for k in rule.keys() - {"identity", "until"}},
        )
        for rule in stored
    )


def _write_rules(rules: tuple[IdentityRule, ...]) -> list[Document]:
    return [{**rule.unknown, "identity": rule.identity, "until": rule.until} for rule in rules]


def read_hold(stored: Any) -> Hold:
    """A hold of a room, or of all rooms."""
    rest = {name: stored[name] for name in stored.keys() - {"by", "reason", "until"}}
    return Hold(_text(stored["by"]), _text(stored["reason"]), _time(stored["until"]), rest)


def write_hold(hold: Hold | None) -> Document | None:
    if hold is None:
        return None
    return {**hold.unknown, "by": hold.by, "reason": hold.reason, "until": hold.until}


def _read_recording(stored: Any) -> Recording:
    return Recording(
        attempt_at=_time(stored["attempt_at"]),
        room=_text(stored["room"]),
        file=_text(stored["file"]),
        egress_id=_optional(_text, stored.get("egress_id")),
        empty_since=_optional(_time, stored.get("empty_since")),
    )


def _read_agents(stored: Any) -> AgentCalls:
    return AgentCalls(
        room=_text(stored["room"]),
        sid=_text(stored.get("sid") or ""),
        calls=tuple(map(_read_call, stored.get("calls") or ())),
        empty_since=_optional(_time, stored.get("empty_since")),
        version=_whole(stored.get("version") or 0),
    )


def _read_call(stored: Any) -> AgentCall:
    """A state of a newer release may be that of an agent that is inside: it is not called again at once."""
    state = _text(stored["state"])
    known = {"name", "at", "state", "failure"}
    return AgentCall(
        _text(stored["name"]),
        _time(stored["at"]),
        CallState(state) if state in tuple(CallState) else CallState.CALLED,
        _text(stored.get("failure") or ""),
        {name: stored[name] for name in stored.keys() - known},
    )


def _write_agents(agents: AgentCalls | None) -> Document | None:
    if agents is None:
        return None
    calls = [
        {
            **call.unknown,
            "name": call.name,
            "at": call.at,
            "state": str(call.state),
            "failure": call.failure,
        }
        for call in agents.calls
    ]
    return {**_fields(agents), "calls": calls}


def _read_status(stored: Any) -> Status:
    conditions = tuple(
        _condition(
            _text(c["type"]),
            _text(c["status"]),
            _text(c["reason"]),
            _text(c["message"]),
            _time(c["lastTransitionTime"]),
        )
        for c in stored.get("conditions") or ()
    )
    return Status(_whole(stored.get("observedGeneration") or 0), conditions)


def _write_status(status: Status) -> Document:
    return {
        "observedGeneration": status.observed_generation,
        "conditions": [
            {
                "type": c.type,
                "status": c.status,
                "reason": c.reason,
                "message": c.message,
                "lastTransitionTime": c.last_transition,
            }
            for c in status.conditions
        ],
    }


# -- the record -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StoredField:
    """How a field of the record is read and written; `default` is what an absent one reads as.

    `nullable`: null is a value; otherwise null means that the field is absent.
    """

    read: Callable[[Any], Any]
    default: Any = _REQUIRED
    write: Callable[[Any], Any] = lambda value: value
    nullable: bool = False


STORED_FIELDS: Final[Mapping[str, StoredField]] = {
    "_id": StoredField(_text),
    "origin": StoredField(_origin, None, str),
    "created": StoredField(_time, None),
    "key": StoredField(_text, None),
    "file": StoredField(_text, None, nullable=True),
    "spec": StoredField(_read_spec, write=RoomSpec.as_dict),
    "modified": StoredField(_time, None),
    "generation": StoredField(_whole, None),
    "invite_epoch": StoredField(_whole, 0),
    "bound": StoredField(_read_rules, (), _write_rules),
    "kicked": StoredField(_read_rules, (), _write_rules),
    "hold": StoredField(read_hold, None, write_hold, nullable=True),
    "reader": StoredField(_whole, 1),
    "removed_at": StoredField(_time, None, nullable=True),
    "live": StoredField(_read_live, None, _write_part, nullable=True),
    "sid": StoredField(_text, None, nullable=True),
    "retired": StoredField(_read_retired, (), _write_retired),
    "adopted": StoredField(_read_live, None, _write_part, nullable=True),
    "occupied": StoredField(_flag, False),
    "recording": StoredField(_read_recording, None, _write_part, nullable=True),
    "agents": StoredField(_read_agents, None, _write_agents, nullable=True),
    "status": StoredField(_read_status, Status(), _write_status),
}
"""The document, field by field. A default of None that is not a value is derived from other fields."""

_NOT_REWRITTEN: Final = frozenset({"invite_epoch", "bound", "kicked", "reader", "occupied"})
"""Absent in records of older releases, and read as their default wherever they are compared."""


def encode(record: RoomRecord) -> Document:
    """The whole document of `record`, as it is inserted."""
    return {name: encode_field(name, value_of(record, name)) for name in STORED_FIELDS}


def encode_field(name: str, value: Any) -> Any:
    return STORED_FIELDS[name].write(value)


def value_of(record: RoomRecord, name: str) -> Any:
    """The record's value of a stored field."""
    return record.id if name == "_id" else getattr(record, name)


def decode(document: Mapping[str, Any]) -> RoomRecord | UnusableRecord:
    """The record in `document`, as far as this release can read it and may act on it."""
    values: dict[str, Any] = {}
    damage: dict[str, Any] = {}
    incomplete: set[str] = set()
    for name, field in STORED_FIELDS.items():
        stored = document.get(name)
        if stored is not None or field.default is _REQUIRED:
            values[name] = _read_part(name, field, stored, damage)
            continue
        values[name] = field.default
        if not field.nullable and name not in _NOT_REWRITTEN:
            incomplete.add(name)
    _derive(values, damage)
    record = RoomRecord(id=values.pop("_id"), **values, incomplete=frozenset(incomplete))
    if record.reader > RECORD_SCHEMA:
        return UnusableRecord(record, UnusableReason.NEWER_RELEASE, damage)
    return UnusableRecord(record, UnusableReason.RECORD_DAMAGED, damage) if damage else record


def decode_bson(raw: bytes) -> RoomRecord | UnusableRecord:
    """The record in the bytes of a document. Text that is not UTF-8 makes the whole record unusable."""
    try:
        return decode(bson.decode(raw, _AWARE))
    except BSONError:
        record = decode(bson.decode(raw, _LENIENT))
    if isinstance(record, UnusableRecord):
        record = record.record
    return UnusableRecord(record, UnusableReason.RECORD_DAMAGED, {"_id": None})


def _read_part(name: str, field: StoredField, stored: Any, damage: dict[str, Any]) -> Any:
    """The value; parts that cannot be read go into `damage`, by their dotted path."""
    try:
        return field.read(stored)
    except UnreadablePartError as error:
        for path in error.paths:
            damage[f"{name}.{path}" if path else name] = stored.get(path) if path else stored
        if error.readable is not None:
            return error.readable
    except (KeyError, TypeError, AttributeError):
        damage[name] = stored
    return str(stored) if field.default is _REQUIRED else field.default


def _derive(values: dict[str, Any], damage: dict[str, Any]) -> None:
    """Derives absent fields from others; a field that cannot be derived is damage."""
    created, modified = values["created"] or values["modified"], values["modified"] or values["created"]
    if created is None:
        damage |= dict.fromkeys(("created", "modified")) | damage
    values["created"], values["modified"] = created or _UNKNOWN_TIME, modified or _UNKNOWN_TIME
    observed = values["status"].observed_generation
    if values["generation"] is None:
        values["generation"] = max(1, observed)
    elif values["generation"] < observed:  # otherwise no status would be newer than the stored one
        damage["generation"], values["generation"] = values["generation"], observed
    if values["origin"] is None:
        api = str(values["key"]).startswith("api/")
        values["origin"] = Origin.API if api else Origin.MANIFEST
    if values["key"] is None:
        if values["origin"] is not Origin.API:
            damage.setdefault("key", None)
        values["key"] = api_key(values["_id"])
