"""What was done to rooms, why and by whom: the collection `events`, kept for 30 days."""

import secrets
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Protocol

from controller.room import FieldChange, format_time

EVENT_TTL: Final = timedelta(days=30)
"""How long an event is kept."""

MAX_TEXT: Final = 2_000
"""Characters of a reason or an error that are stored."""

Document = dict[str, Any]


class EventType(StrEnum):
    """What was done. A later release may store other types: they are read as they are."""

    CREATE = "create"
    UPDATE = "update"
    START = "start"
    STOP = "stop"
    RECREATE = "recreate"
    REMOVE = "remove"
    HEAL = "heal"
    ADOPT = "adopt"
    HOLD = "hold"
    RELEASE = "release"
    GUARD = "guard"
    DEFER = "defer"
    FAIL = "fail"
    RECORDING = "recording"
    AGENT = "agent"
    REFUSE = "refuse"
    LEAD = "lead"
    KICK = "kick"
    INVITE = "invite"
    REVOKE = "revoke"
    TAKEOVER = "takeover"


def new_event_id() -> str:
    """32 hex digits. Ids of one process sort in the order in which they were made."""
    return f"{time.time_ns():016x}{secrets.token_hex(8)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that was done, at `at` (UTC, whole milliseconds).

    `key` and `room_id` are None if it is about no room. `participants` is how many people were inside at that
    time, None if unknown. `revision` is of the manifests, '' if none were read. `seconds` is how long it
    took, `count` how often it happened (only for refuse).
    """

    at: datetime
    type: str
    key: str | None = None
    room_id: str | None = None
    reason: str = ""
    fields: tuple[FieldChange, ...] = ()
    disruption: str | None = None
    participants: int | None = None
    by: str = "controller"
    revision: str = ""
    seconds: float | None = None
    error: str | None = None
    count: int | None = None
    id: str = field(default_factory=new_event_id)


class EventStore(Protocol):
    """The collection. Raises only StoreError's kinds. A damaged document is left out."""

    async def append(self, batch: Sequence[Event], *, pending: bool = False) -> None:
        """Write them; an event that is already stored stays as it is, so a lost reply does no harm.

        `pending`: they are to be sent out.
        """

    async def find(
        self,
        keys: Collection[str] | None = None,
        since: datetime | None = None,
        types: Collection[str] | None = None,
        limit: int | None = None,
    ) -> list[Event]:
        """The last `limit` events (None: all) of these rooms' keys and types since then, newest last."""

    async def keys(self, name: str) -> frozenset[str]:
        """The keys of rooms in events that match `name`: a key, a room id, or a key as text shows it."""

    async def pending(self, limit: int) -> list[Event]:
        """The oldest events that are to be sent out, oldest first."""

    async def mark_sent(self, ids: Collection[str]) -> None:
        """They are no longer pending."""

    async def drop_pending(self, before: datetime) -> int:
        """Stop sending events older than `before`; returns their number."""

    async def purge(self, before: datetime) -> int:
        """Delete events older than `before`; returns their number."""


def encode_event(event: Event, *, pending: bool) -> Document:
    """The document: every field of the event, and `pending` while it is to be sent out."""
    document = {
        "_id": event.id,
        "at": event.at,
        "key": event.key,
        "room_id": event.room_id,
        "type": str(event.type),
        "reason": event.reason[:MAX_TEXT],
        "fields": [change.as_dict() for change in event.fields],
        "disruption": event.disruption,
        "participants": event.participants,
        "by": event.by,
        "revision": event.revision,
        "seconds": event.seconds,
        "error": event.error and event.error[:MAX_TEXT],
        "count": event.count,
    }
    return document | {"pending": True} if pending else document


def decode_event(document: Mapping[str, Any]) -> Event | None:
    """The event in `document`; None if it is damaged. A missing field has its default."""
    at, kind, identity = document.get("at"), document.get("type"), document.get("_id")
    if not (isinstance(at, datetime) and isinstance(kind, str) and isinstance(identity, str)):
        return None
    return Event(
        id=identity,
        at=at,
        type=kind,
        key=_text(document.get("key")),
        room_id=_text(document.get("room_id")),
        reason=_text(document.get("reason")) or "",
        fields=tuple(_fields(document.get("fields"))),
        disruption=_text(document.get("disruption")),
        participants=_whole(document.get("participants")),
        by=_text(document.get("by")) or "controller",
        revision=_text(document.get("revision")) or "",
        seconds=_number(document.get("seconds")),
        error=_text(document.get("error")),
        count=_whole(document.get("count")),
    )


def event_dict(event: Event) -> dict[str, Any]:
    """The event as plain JSON values, as `events -o json` prints it and receivers get it."""
    document = encode_event(event, pending=False)
    return {"id": document.pop("_id"), **document, "at": format_time(event.at)}


def newest_last(events: Collection[Event]) -> list[Event]:
    """Sorted by time, and within one millisecond by id."""
    return sorted(events, key=lambda event: (event.at, event.id))


def _fields(stored: Any) -> list[FieldChange]:
    entries = stored if isinstance(stored, list) else []
    return [
        FieldChange(str(entry.get("field")), entry.get("from"), entry.get("to"))
        for entry in entries
        if isinstance(entry, Mapping)
    ]


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) else None
