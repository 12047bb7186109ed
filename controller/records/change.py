"""The writes to a record: what each changes and what it compares. Pure.

The desired half is compared on `generation` and `key`, the live half on `live.name`, and a status that is
older than the stored one is refused. So writers of different halves never conflict.

An update sets only what differs, each field of a part by its own path. So fields that a newer release has
written, and this one does not know, stay as they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Final, TypeAlias

from controller.records.codec import STORED_FIELDS, Document, encode_field, value_of
from controller.records.record import AgentCalls, LiveName, Recording, RoomRecord, UnusableRecord

LIVE: Final = frozenset({"live", "sid", "retired", "adopted", "occupied", "recording", "agents"})
DESIRED: Final = STORED_FIELDS.keys() - LIVE - {"_id", "status"}

Stored: TypeAlias = RoomRecord | None
"""What is stored under an id; None: nothing."""


class _WholeRecord:
    """A write after which `after` is stored. `counter` names its count in MongoDB's reply."""

    __slots__ = ()
    counter: ClassVar[str]
    after: Stored

    def is_applied(self, stored: Stored) -> bool:
        return stored == self.after

    def result(self, _known: Stored) -> Stored:
        return self.after


@dataclass(frozen=True, slots=True)
class Insert(_WholeRecord):
    """A new record."""

    counter: ClassVar[str] = "nInserted"
    after: RoomRecord

    @property
    def id(self) -> str:
        return self.after.id


@dataclass(frozen=True, slots=True)
class Delete(_WholeRecord):
    """The deletion of a tombstone, unless it was revived."""

    counter: ClassVar[str] = "nRemoved"
    record: RoomRecord
    after: None = field(default=None, init=False)

    @property
    def id(self) -> str:
        return self.record.id

    def query(self) -> Document:
        return {"_id": self.id, "generation": self.record.generation, "removed_at": {"$ne": None}}


@dataclass(frozen=True, slots=True)
class Change:
    """The difference between two states of one record: `fields` by name, as the record holds them."""

    counter: ClassVar[str] = "nMatched"
    before: RoomRecord
    fields: Mapping[str, Any]

    @property
    def id(self) -> str:
        return self.before.id

    def onto(self, record: RoomRecord) -> RoomRecord:
        """`record` with this change; its other half may be newer than `before`."""
        return replace(record, **self.fields, incomplete=record.incomplete.difference(self.fields))

    def is_applied(self, stored: Stored) -> bool:
        """Whether `stored` shows the change; decides if the reply was lost."""
        return stored is not None and all(
            getattr(stored, name) == value for name, value in self.fields.items()
        )

    def result(self, known: Stored) -> RoomRecord:
        """What is stored after the change, if `known` was stored before it."""
        return self.onto(known or self.before)

    def query(self) -> Document:
        """The filter of the update: the id and what is compared, literal values only."""
        query: Document = {"_id": self.id}
        if DESIRED & self.fields.keys():
            query |= {name: self._stored(name) for name in ("generation", "key")}
        if "invite_epoch" in self.fields:
            query |= _epoch_query(self.before)
        if HELD & self.fields.keys():
            query |= _hold_query(self.before)
        if LIVE & self.fields.keys():
            live = self.before.live
            query |= {"live": None} if live is None else {"live.name": live.name}
        for name, keys in _LISTS.items():
            if name in self.fields:
                query |= _list_query(name, getattr(self.before, name), keys)
        if "recording" in self.fields:
            query |= _attempt_query(self.before)
        if "agents" in self.fields:
            query |= _agents_query(self.before)
        if "status" in self.fields:  # also if there is none
            query["status.observedGeneration"] = {"$not": {"$gt": self.fields["status"].observed_generation}}
        return query

    def _stored(self, name: str) -> Any:
        """The field's value in the document; None if it is absent, so that others determine it."""
        return None if name in self.before.incomplete else value_of(self.before, name)

    def update(self) -> Document:
        """The update: only what differs, so that what other writers and releases wrote stays."""
        assigned: Document = {}
        for name, value in self.fields.items():
            whole = name in self.before.incomplete
            assigned |= _assignment(name, value_of(self.before, name), value, whole=whole)
        return {"$set": assigned}


@dataclass(frozen=True, slots=True)
class Rewrite(_WholeRecord):
    """Writes an unusable record again, if its damage is still the same."""

    counter: ClassVar[str] = "nMatched"
    before: UnusableRecord
    after: RoomRecord

    @property
    def id(self) -> str:
        return self.after.id

    def query(self) -> Document:
        """The id, and each damaged value as it was read: matches only if no other writer has repaired it."""
        return {"_id": self.id, **{path: {"$eq": stored} for path, stored in self.before.damage.items()}}

    def update(self) -> Document:
        """Every field that is damaged or differs. Unknown fields of a readable part stay."""
        old, lost = self.before.record, self.before.damage.keys() | self.before.record.incomplete
        assigned: Document = {}
        for name in STORED_FIELDS.keys() - {"_id"}:
            value = value_of(self.after, name)
            if name in lost:
                assigned[name] = encode_field(name, value)
            elif name == "spec":
                assigned |= {f"spec.{part}": new for part, new in value.as_dict().items()}
            elif value != value_of(old, name):
                assigned |= _assignment(name, value_of(old, name), value, whole=False)
        return {"$set": assigned}


Write: TypeAlias = Insert | Change | Rewrite | Delete


def change(before: RoomRecord, after: RoomRecord) -> Change:
    """What differs, and what was absent before and must be present. Id and creation never change."""
    if (before.id, before.created) != (after.id, after.created):
        raise ValueError("a record's id and creation never change")
    names = STORED_FIELDS.keys() - {"_id"}
    differing = {name for name in names if getattr(before, name) != getattr(after, name)}
    differing |= before.incomplete - after.incomplete
    return Change(before, {name: getattr(after, name) for name in STORED_FIELDS if name in differing})


def _assignment(name: str, before: Any, after: Any, *, whole: bool) -> Document:
    """The assignments that change one field of the document from `before` to `after`, by path.

    `whole`: there is no part to keep, so the field is set as one.
    """
    if not whole and (name in ("spec", "status") or _is_same_part(before, after)):
        old, new = encode_field(name, before), encode_field(name, after)
        return {f"{name}.{part}": new[part] for part in new if new[part] != old[part]}
    return {name: encode_field(name, after)}


def _is_same_part(before: Any, after: Any) -> bool:
    """Whether both are about the same live room, recording attempt or room of agents.

    If not, nothing of the old is kept.
    """
    match before, after:
        case LiveName(), LiveName():
            return before.name == after.name
        case Recording(), Recording():
            return (before.attempt_at, before.file) == (after.attempt_at, after.file)
        case AgentCalls(), AgentCalls():
            return before.room == after.room
        case _:
            return False


def _epoch_query(before: RoomRecord) -> Document:
    """Two revokes count as two. A record from before the first release with invites has no epoch."""
    return {"invite_epoch": before.invite_epoch or {"$in": [0, None]}}


HELD: Final = DESIRED | {"live"}
"""What may wait for the end of a hold: its write fails if a hold came since it was planned."""


def _hold_query(before: RoomRecord) -> Document:
    hold = before.hold
    return {"hold": None} if hold is None else {"hold.until": hold.until, "hold.reason": hold.reason}


_LISTS: Final[Mapping[str, tuple[str, ...]]] = {
    "retired": ("name",),
    "bound": ("identity", "until"),
    "kicked": ("identity", "until"),
}
"""The fields that are lists, and the key of their entries."""


def _list_query(name: str, before: Sequence[Any], keys: tuple[str, ...]) -> Document:
    """Entries are only appended, each once, or dropped: so number and last entry identify a list.

    Needed for `retired` if live.name does not show a change: none before, another's start and stop, none now.
    """
    if not before:  # or no list at all
        return {f"{name}.0": {"$exists": False}}
    last = len(before) - 1
    entry = {f"{name}.{last}.{key}": getattr(before[-1], key) for key in keys}
    return {name: {"$size": len(before)}, **entry}


def _attempt_query(before: RoomRecord) -> Document:
    """An attempt and what is known of it: a writer that read another state must read again before a Start."""
    recording = before.recording
    if recording is None:
        return {"recording": None}
    return {"recording.attempt_at": recording.attempt_at, "recording.egress_id": recording.egress_id}


def _agents_query(before: RoomRecord) -> Document:
    """A writer that read another state must read again before it calls an agent."""
    agents = before.agents
    return {"agents": None} if agents is None else {"agents.version": agents.version}
