"""What a write changes and what it compares: the two halves of a record as data. Pure.

The desired half is compared on `generation` and `key`, the live half on `live.name`, and a status that is
older than the stored one is refused. So writers of different halves never get in each other's way.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from controller.records.codec import ENCODERS, Document
from controller.records.record import RoomRecord

DESIRED: Final = frozenset({"key", "file", "spec", "modified", "generation", "invite_epoch", "removed_at"})
LIVE: Final = frozenset({"live", "sid", "retired", "recording"})


@dataclass(frozen=True, slots=True)
class Change:
    """The difference between two states of one record: `fields` by name, as the record holds them."""

    before: RoomRecord
    fields: Mapping[str, Any]

    @property
    def id(self) -> str:
        return self.before.id

    def onto(self, record: RoomRecord) -> RoomRecord:
        """`record` with this change made: its other half may be newer than `before`."""
        return replace(record, **self.fields)

    def is_applied(self, record: RoomRecord) -> bool:
        """Whether `record` shows the change, whoever answered or did not: settles a lost reply."""
        return all(getattr(record, field) == value for field, value in self.fields.items())

    def matches(self, record: RoomRecord) -> bool:
        """Whether the stored `record` is what the writer thought it was. `query` says the same to MongoDB."""
        before, fields = self.before, self.fields
        return (
            (
                not DESIRED & fields.keys()
                or (record.generation, record.key) == (before.generation, before.key)
            )
            and ("invite_epoch" not in fields or record.invite_epoch == before.invite_epoch)
            and (not LIVE & fields.keys() or _live_name(record) == _live_name(before))
            and ("retired" not in fields or _retired_mark(record) == _retired_mark(before))
            and ("recording" not in fields or _attempt(record) == _attempt(before))
            and (
                "status" not in fields
                or record.status.observed_generation <= fields["status"].observed_generation
            )
        )

    def query(self) -> Document:
        """The filter of the update: the id and what is compared, literal values only."""
        query: Document = {"_id": self.id}
        if DESIRED & self.fields.keys():
            query |= {"generation": self.before.generation, "key": self.before.key}
        if "invite_epoch" in self.fields:
            query |= _epoch_query(self.before)
        if LIVE & self.fields.keys():
            query |= _live_query(self.before)
        if "retired" in self.fields:
            query |= _retired_query(self.before)
        if "recording" in self.fields:
            query |= _attempt_query(self.before)
        if "status" in self.fields:
            query["status.observedGeneration"] = {"$lte": self.fields["status"].observed_generation}
        return query

    def update(self) -> Document:
        """The update: only what differs, so that the other half stays another writer's."""
        return {"$set": {field: ENCODERS[field](value) for field, value in self.fields.items()}}


def change(before: RoomRecord, after: RoomRecord) -> Change:
    """What differs. The id, the origin and the time of creation are set by the insert, and never change."""
    if (before.id, before.origin, before.created) != (after.id, after.origin, after.created):
        raise ValueError("a record's id, origin and creation never change")
    differing = {field for field in ENCODERS if getattr(before, field) != getattr(after, field)}
    return Change(before, {field: getattr(after, field) for field in ENCODERS if field in differing})


def _live_name(record: RoomRecord) -> str | None:
    return None if record.live is None else record.live.name


def _live_query(before: RoomRecord) -> Document:
    return {"live": None} if before.live is None else {"live.name": before.live.name}


def _epoch_query(before: RoomRecord) -> Document:
    """Two revokes count as two; a record of before there were any has no epoch."""
    return {"invite_epoch": before.invite_epoch or {"$in": [0, None]}}


def _retired_mark(record: RoomRecord) -> tuple[int, str | None]:
    """Names are only appended, each once, or dropped: so number and last name tell every list apart.

    It matters where live.name cannot tell: none before, a start and a stop by another, none now.
    """
    return len(record.retired), record.retired[-1].name if record.retired else None


def _retired_query(before: RoomRecord) -> Document:
    count, last = _retired_mark(before)
    size: Document = {"retired": {"$size": count}}
    return size | {f"retired.{count - 1}.name": last} if count else size


def _attempt(record: RoomRecord) -> tuple[datetime, str | None] | None:
    """An attempt and what is known of it: whoever saw another state must look again before a Start."""
    recording = record.recording
    return None if recording is None else (recording.attempt_at, recording.egress_id)


def _attempt_query(before: RoomRecord) -> Document:
    recording = before.recording
    if recording is None:
        return {"recording": None}
    return {"recording.attempt_at": recording.attempt_at, "recording.egress_id": recording.egress_id}
