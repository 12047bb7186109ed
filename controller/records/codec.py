"""RoomRecord <-> the BSON document of the collection `rooms`. Fields: docs/records.md#the-record. Pure.

Reading trusts types, not values: a document that does not have the expected shape raises Damaged, with
the field named, and never takes the other records of a read with it.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from controller.records.record import (
    Condition,
    LiveName,
    Origin,
    Recording,
    Retired,
    RoomRecord,
    Status,
)
from controller.room import FIELDS, MediaType, RecordMode, RoomSpec

Document = dict[str, Any]

_MEDIA: Final[Mapping[str, MediaType]] = {str(m): m for m in MediaType}
_MODES: Final[Mapping[str, RecordMode]] = {str(m): m for m in RecordMode}
_ORIGINS: Final[Mapping[str, Origin]] = {str(o): o for o in Origin}
_SPEC_TYPES: Final[tuple[tuple[str, type], ...]] = (
    ("name", str),
    ("user_id", str),
    ("max_participants", int),
    ("allow_webinar_mode", bool),
    ("allow_chat", bool),
    ("allow_share_screen", bool),
    ("record", bool),
    ("active", bool),
)
_ALL_FIELDS: Final = set(FIELDS)

_condition = lru_cache(4096)(Condition)
"""Rooms that were written together share their conditions: less to make, less to keep."""


class DamagedRecordError(ValueError):
    """A document of `rooms` that is no record; the text names the field, and holds no value."""


def encode(record: RoomRecord) -> Document:
    """The whole document of `record`, as it is inserted."""
    return {
        "_id": record.id,
        "origin": str(record.origin),
        "created": record.created,
        **{field: write(getattr(record, field)) for field, write in ENCODERS.items()},
    }


def _encode_spec(spec: RoomSpec) -> Document:
    return spec.as_dict()


def _encode_live(live: LiveName | None) -> Document | None:
    return None if live is None else {"name": live.name, "sid": live.sid}


def _encode_retired(retired: tuple[Retired, ...]) -> list[Document]:
    return [{"name": r.name, "at": r.at} for r in retired]


def _encode_recording(recording: Recording | None) -> Document | None:
    if recording is None:
        return None
    return {
        "attempt_at": recording.attempt_at,
        "room": recording.room,
        "file": recording.file,
        "egress_id": recording.egress_id,
        "empty_since": recording.empty_since,
    }


def _encode_status(status: Status) -> Document:
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


def _as_is(value: Any) -> Any:
    return value


ENCODERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "key": _as_is,
    "file": _as_is,
    "spec": _encode_spec,
    "modified": _as_is,
    "generation": _as_is,
    "invite_epoch": _as_is,
    "removed_at": _as_is,
    "live": _encode_live,
    "sid": _as_is,
    "retired": _encode_retired,
    "recording": _encode_recording,
    "status": _encode_status,
}
"""The fields that may change after the insert, and how each is written. Same names on both sides."""


def decode(document: Mapping[str, Any]) -> RoomRecord:
    """The record in `document`; Damaged where it is none. Unknown fields are ignored."""
    try:
        return RoomRecord(
            id=_typed(document, "_id", str),
            key=_typed(document, "key", str),
            origin=_ORIGINS[document["origin"]],
            file=_optional(document, "file", str),
            spec=_decode_spec(document["spec"]),
            created=_typed(document, "created", datetime),
            modified=_typed(document, "modified", datetime),
            generation=_typed(document, "generation", int),
            invite_epoch=_optional(document, "invite_epoch", int) or 0,
            removed_at=_optional(document, "removed_at", datetime),
            live=_decode_live(document.get("live")),
            sid=_optional(document, "sid", str),
            retired=tuple(_decode_retired(r) for r in document.get("retired") or ()),
            recording=_decode_recording(document.get("recording")),
            status=_decode_status(document.get("status") or {}),
        )
    except DamagedRecordError:
        raise
    except KeyError as error:
        raise DamagedRecordError(f"{error.args[0]!s:.40} is missing or has an unknown value") from None
    except (TypeError, AttributeError):
        raise DamagedRecordError("a part of it has the wrong type") from None


def _decode_spec(document: Mapping[str, Any]) -> RoomSpec:
    """The spec without validating it again (a third of the time): it was valid when it was written."""
    for field, kind in _SPEC_TYPES:
        if type(document[field]) is not kind:
            raise DamagedRecordError(f"spec.{field} has the wrong type")
    return RoomSpec.model_construct(
        _ALL_FIELDS,
        name=document["name"],
        user_id=document["user_id"],
        mediaType=_MEDIA[document["mediaType"]],
        max_participants=document["max_participants"],
        allow_webinar_mode=document["allow_webinar_mode"],
        allow_chat=document["allow_chat"],
        allow_share_screen=document["allow_share_screen"],
        record=document["record"],
        record_mode=_MODES[document["record_mode"]],
        active=document["active"],
    )


def _decode_live(document: Mapping[str, Any] | None) -> LiveName | None:
    if document is None:
        return None
    return LiveName(_typed(document, "name", str), _optional(document, "sid", str))


def _decode_retired(document: Mapping[str, Any]) -> Retired:
    return Retired(_typed(document, "name", str), _typed(document, "at", datetime))


def _decode_recording(document: Mapping[str, Any] | None) -> Recording | None:
    if document is None:
        return None
    return Recording(
        attempt_at=_typed(document, "attempt_at", datetime),
        room=_typed(document, "room", str),
        file=_typed(document, "file", str),
        egress_id=_optional(document, "egress_id", str),
        empty_since=_optional(document, "empty_since", datetime),
    )


def _decode_status(document: Mapping[str, Any]) -> Status:
    conditions = tuple(
        _condition(c["type"], c["status"], c["reason"], c["message"], c["lastTransitionTime"])
        for c in document.get("conditions", ())
    )
    return Status(document.get("observedGeneration", 0), conditions)


def _typed(document: Mapping[str, Any], field: str, kind: type) -> Any:
    value = document[field]
    if not isinstance(value, kind):
        raise DamagedRecordError(f"{field} has the wrong type")
    return value


def _optional(document: Mapping[str, Any], field: str, kind: type) -> Any:
    value = document.get(field)
    if value is not None and not isinstance(value, kind):
        raise DamagedRecordError(f"{field} has the wrong type")
    return value
