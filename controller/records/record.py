"""The room record: what MongoDB remembers of one room, and how it may change. Frozen and pure.

Two halves with different writers: the desired half (`key` to `removed_at`) belongs to manifests and the
private API, the live half (`live`, `sid`, `retired`, `recording`, `agents`,
`status`) to the reconciler that holds the
lease.
Each transition gives a new record; `RoomStore.save` writes the difference by compare-and-set.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Protocol

from controller.room import (
    ANSWER_ORDER,
    RoomSpec,
    format_time,
    next_modified,
    our_values,
    required_reader,
)

RESTRICTED_READER: Final = 2
"""The oldest schema of records that knows kicks, holds, and adopted rooms, whose names are never retired."""


class Origin(StrEnum):
    """Who may change the desired half."""

    MANIFEST = "manifest"
    API = "api"


@dataclass(frozen=True, slots=True)
class LiveName:
    """The LiveKit room of a record; `sid` is None until CreateRoom has answered."""

    name: str
    sid: str | None = None


@dataclass(frozen=True, slots=True)
class Retired:
    """A LiveKit name that was given up at `at`, and is never used again.

    `unknown` holds fields that a newer release has stored, to be written back.
    """

    name: str
    at: datetime
    unknown: Mapping[str, Any] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class IdentityRule:
    """A rule for one identity in the room, in force until `until`. `unknown`: as in `Retired`."""

    identity: str
    until: datetime
    unknown: Mapping[str, Any] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Hold:
    """Changes of a room, or of all rooms, wait until `until`. `by` and `reason` are what people wrote.

    `unknown`: as in `Retired`.
    """

    by: str
    reason: str
    until: datetime
    unknown: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __str__(self) -> str:
        return f"by {self.by} until {format_time(self.until)}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Condition:
    """One statement about a room, as in Kubernetes; status is True, False or Unknown."""

    type: str
    status: str
    reason: str
    message: str
    last_transition: datetime


@dataclass(frozen=True, slots=True)
class Status:
    """What the reconciler last reported about a room, and about which generation."""

    observed_generation: int = 0
    conditions: tuple[Condition, ...] = ()

    def condition(self, kind: str) -> Condition | None:
        return next((c for c in self.conditions if c.type == kind), None)


@dataclass(frozen=True, slots=True)
class Recording:
    """The current attempt to record a room: written before Start is called, removed once it has ended.

    `room` is the LiveKit room, `file` the output (as shown to people). While `egress_id` is None the result
    of the attempt is unknown. `empty_since`: since then no participant who counts has been inside.
    """

    attempt_at: datetime
    room: str
    file: str
    egress_id: str | None = None
    empty_since: datetime | None = None


class CallState(StrEnum):
    """How far the call of an agent is: CALLED is written before it is called."""

    CALLED = "called"
    INSIDE = "inside"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class AgentCall:
    """The last call of one agent. `at` is when its state was written.

    `failure` is why the agent is missing: a reason of the condition Agents, '' for none. `unknown`: as in
    `Retired`.
    """

    name: str
    at: datetime
    state: CallState = CallState.CALLED
    failure: str = ""
    unknown: Mapping[str, Any] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class AgentCalls:
    """The calls of a room's agents. `room` and `sid` are the LiveKit room's at the last call.

    `empty_since`: since then no participant who counts has been inside. `version` counts the writes.
    """

    room: str
    sid: str = ""
    calls: tuple[AgentCall, ...] = ()
    empty_since: datetime | None = None
    version: int = 0

    def call(self, name: str) -> AgentCall | None:
        """The last call of that agent."""
        return next((call for call in self.calls if call.name == name), None)

    def with_call(self, call: AgentCall) -> "AgentCalls":
        """With this one as the agent's last call."""
        return replace(self, calls=(*(one for one in self.calls if one.name != call.name), call))

    def without_call(self, name: str) -> "AgentCalls":
        """Nothing is known of that agent any more."""
        return replace(self, calls=tuple(one for one in self.calls if one.name != name))


@dataclass(frozen=True, slots=True)
class RoomRecord:
    """One room as stored. `id` is 24 hex digits; times are UTC with whole milliseconds.

    `file` is the manifest's path below rooms.d, None for a room made by API. `removed_at` makes the
    record a tombstone. `sid` is the latest LiveKit sid, kept while inactive. An invite is valid only for
    the `invite_epoch` in which it was made. `bound`: the identities that valid invites name. `kicked`: the
    identities that may not enter. `reader` is the oldest schema that may act on the record.
    `adopted` is the LiveKit room of somebody else that the manifest's `adopt:` took over, also after it was
    given up. roomctl did not choose that name, so only the room of that sid is ever the record's own.
    `occupied`: people were inside its current LiveKit room; only kept of rooms that are live on demand.
    `incomplete` names fields missing from the document: they are derived, and the next pass writes them.
    """

    id: str
    key: str
    origin: Origin
    file: str | None
    spec: RoomSpec
    created: datetime
    modified: datetime
    generation: int = 1
    invite_epoch: int = 0
    bound: tuple[IdentityRule, ...] = ()
    kicked: tuple[IdentityRule, ...] = ()
    hold: Hold | None = None
    reader: int = 1
    removed_at: datetime | None = None
    live: LiveName | None = None
    sid: str | None = None
    retired: tuple[Retired, ...] = ()
    adopted: LiveName | None = None
    occupied: bool = False
    recording: Recording | None = None
    agents: AgentCalls | None = None
    status: Status = Status()
    incomplete: frozenset[str] = frozenset()

    @classmethod
    def new(
        cls, room_id: str, key: str, file: str | None, spec: RoomSpec, *, now: datetime, invite_epoch: int
    ) -> "RoomRecord":
        """The record of a new room; without a `file` it is made by API.

        `invite_epoch` is random: no invite from before the database was lost is valid for the room.
        """
        origin = Origin.API if file is None else Origin.MANIFEST
        record = cls(room_id, key, origin, file, spec, created=now, modified=now, invite_epoch=invite_epoch)
        return _with_reader(record)

    @property
    def removed(self) -> bool:
        return self.removed_at is not None

    @property
    def should_be_live(self) -> bool:
        """Whether this record should have a live room."""
        return self.spec.active and not self.removed

    @property
    def is_adopted(self) -> bool:
        """Whether its current LiveKit room is the adopted one."""
        return self.live is not None and self.adopted is not None and self.live.name == self.adopted.name

    def is_current_sid(self, sid: str) -> bool:
        """Whether the LiveKit room of its current name and this sid is its own."""
        return self.adopted is None or not self.is_adopted or self.adopted.sid == sid

    @property
    def names(self) -> frozenset[str]:
        """The current and retired LiveKit names of the record."""
        current = {self.live.name} if self.live is not None else set()
        recorded = {self.recording.room} if self.recording is not None else set()
        return frozenset(current | recorded | {old.name for old in self.retired})

    def with_spec(self, spec: RoomSpec, key: str, file: str | None, now: datetime) -> "RoomRecord":
        """A changed desired half; `modified` and `generation` change only with the spec.

        With a `file` the record is a manifest's from now on, whoever made it.
        """
        origin = self.origin if file is None else Origin.MANIFEST
        if spec == self.spec and not self.removed:
            return replace(self, key=key, file=file, origin=origin)
        changed = replace(
            self,
            spec=spec,
            key=key,
            file=file,
            origin=origin,
            removed_at=None,
            modified=next_modified(self.modified, now),
            generation=self.generation + 1,
        )
        return _with_reader(changed)

    def with_live_name(self, name: str, now: datetime) -> "RoomRecord":
        """A new LiveKit name, written before CreateRoom, or of a room of ours; the last one is retired."""
        return replace(self.without_live_name(now), live=LiveName(name))

    def with_adopted_room(self, name: str, sid: str, now: datetime) -> "RoomRecord":
        """The LiveKit room of somebody else as the current one, written before anything of it is changed."""
        room = LiveName(name, sid)
        return _with_reader(replace(self.without_live_name(now), live=room, adopted=room, sid=sid))

    def with_occupancy(self, name: str, *, occupied: bool) -> "RoomRecord":
        """Whether people are inside the LiveKit room `name`; unchanged if it is not the current one."""
        is_current = self.live is not None and self.live.name == name
        return replace(self, occupied=occupied) if is_current else self

    def without_live_name(self, now: datetime) -> "RoomRecord":
        """No live room; its name is retired, unless it was adopted. Written before DeleteRoom."""
        if self.live is None:
            return self
        if self.is_adopted:
            return _with_reader(replace(self, live=None, occupied=False))
        retired = (*self.retired, Retired(self.live.name, now))
        return replace(self, live=None, occupied=False, retired=retired)

    def with_sid(self, sid: str) -> "RoomRecord":
        """The sid of the current live room, from CreateRoom or a listing."""
        if self.live is None:
            return self
        return replace(self, live=LiveName(self.live.name, sid), sid=sid)

    def with_tombstone(self, now: datetime) -> "RoomRecord":
        """The tombstone, written before anything is deleted; the same write retires the live name."""
        return replace(self.without_live_name(now), removed_at=now, generation=self.generation + 1)

    def with_api_removal(self, now: datetime) -> "RoomRecord":
        """The desired half of a removal by API; the reconciler retires the live name and does the rest."""
        return replace(self, removed_at=now, generation=self.generation + 1)

    def without_retired(self, names: frozenset[str]) -> "RoomRecord":
        """Without those retired names, to which no token is valid any more."""
        return replace(self, retired=tuple(r for r in self.retired if r.name not in names))

    def with_next_invite_epoch(self) -> "RoomRecord":
        """All earlier invites become invalid; the spec, and so `generation`, stays the same."""
        return replace(self, invite_epoch=self.invite_epoch + 1, bound=())

    def with_bound_identity(self, identity: str, until: datetime, now: datetime) -> "RoomRecord":
        """An invite names `identity` until then: without it no one else gets a token for the identity."""
        return replace(self, bound=_with_rule(self.bound, identity, until, now))

    def with_kick(self, identity: str, until: datetime, now: datetime) -> "RoomRecord":
        """`identity` may not be in the room until then."""
        return _with_reader(replace(self, kicked=_with_rule(self.kicked, identity, until, now)))

    def without_expired(self, now: datetime) -> "RoomRecord":
        """Kicks and a hold that are over are dropped."""
        kicked = tuple(kick for kick in self.kicked if kick.until > now)
        hold = self.hold if self.hold is not None and self.hold.until > now else None
        return _with_reader(replace(self, kicked=kicked, hold=hold))

    @property
    def expires(self) -> Iterable[datetime]:
        """When its kicks and its hold end."""
        return (*(kick.until for kick in self.kicked), *((self.hold.until,) if self.hold is not None else ()))

    def with_hold(self, hold: Hold | None) -> "RoomRecord":
        """Hold changes of the room, or no longer (None)."""
        return _with_reader(replace(self, hold=hold))

    def hold_at(self, now: datetime, hold_all: Hold | None) -> Hold | None:
        """The hold in force: the room's own, else that on all rooms."""
        holds = (hold for hold in (self.hold, hold_all) if hold is not None and hold.until > now)
        return next(holds, None)

    def bound_at(self, now: datetime) -> frozenset[str]:
        """The identities in valid invites."""
        return _in_force(self.bound, now)

    def kicked_at(self, now: datetime) -> frozenset[str]:
        """The identities that may not be in the room."""
        return _in_force(self.kicked, now)

    def kicked_until(self, identity: str) -> datetime:
        """When the kick of `identity` ends: the later end, if it was kicked twice."""
        return next(kick.until for kick in self.kicked if kick.identity == identity)

    def completed(self) -> "RoomRecord":
        """The same record with a complete document."""
        return replace(self, incomplete=frozenset())

    def with_recording(self, recording: Recording | None) -> "RoomRecord":
        return replace(self, recording=recording)

    def with_agents(self, agents: AgentCalls | None) -> "RoomRecord":
        """Each write has a version of its own: of two that read the same state, the second fails."""
        version = self.agents.version if self.agents is not None else 0
        return replace(self, agents=None if agents is None else replace(agents, version=version + 1))

    def with_status(self, status: Status) -> "RoomRecord":
        return replace(self, status=status)


def _with_reader(record: RoomRecord) -> RoomRecord:
    """A `reader` that keeps older releases, which would ignore access rules, from acting on the record."""
    restricted = record.kicked or record.hold is not None or record.is_adopted
    reader = max(required_reader(record.spec), RESTRICTED_READER if restricted else 1)
    return record if reader == record.reader else replace(record, reader=reader)


def _with_rule(
    rules: tuple[IdentityRule, ...], identity: str, until: datetime, now: datetime
) -> tuple[IdentityRule, ...]:
    """The current rules, and last the one for `identity`, until the later of its two ends."""
    before = [rule for rule in rules if rule.identity == identity]
    rule = IdentityRule(identity, max([until, *(rule.until for rule in before)]))
    return (*(rule for rule in rules if rule.until > now and rule.identity != identity), rule)


def _in_force(rules: tuple[IdentityRule, ...], now: datetime) -> frozenset[str]:
    return frozenset(rule.identity for rule in rules if rule.until > now)


class Claim(Protocol):
    """What a manifest declares about its room."""

    @property
    def key(self) -> str: ...

    @property
    def file(self) -> str: ...

    @property
    def spec(self) -> RoomSpec: ...


class UnusableReason(StrEnum):
    """Why this release must not act on a record; the reason of its condition Ready."""

    RECORD_DAMAGED = "RecordDamaged"
    NEWER_RELEASE = "NewerRelease"


_FROM_MANIFEST: Final = frozenset({"_id", "key", "origin", "spec", "removed_at"})
"""What only a manifest can restore; the rest is derived from what is live, or starts anew."""


@dataclass(frozen=True, slots=True)
class UnusableRecord:
    """A document of `rooms` that this release shows, and must not act on.

    `record` holds what can be read of it, and defaults elsewhere. `damage` holds what cannot: the stored
    value by dotted path (None: nothing is stored).
    """

    record: RoomRecord
    reason: UnusableReason
    damage: Mapping[str, Any] = field(hash=False)

    @property
    def damaged_fields(self) -> frozenset[str]:
        """The fields of the record and its spec that cannot be read, without their path."""
        return frozenset(path.rpartition(".")[2] for path in self.damage)

    @property
    def is_damaged(self) -> bool:
        return self.reason is UnusableReason.RECORD_DAMAGED

    @property
    def is_restorable(self) -> bool:
        """Whether it can be written again: it is damaged, and its id is known."""
        return self.is_damaged and "_id" not in self.damage

    @property
    def needs_manifest(self) -> bool:
        """Whether it can be written again only with its manifest."""
        return any(path.partition(".")[0] in _FROM_MANIFEST for path in self.damage)

    @property
    def problem(self) -> str:
        """What is wrong, as text without any stored value."""
        if not self.is_damaged:
            return f"written by a newer release (schema {self.record.reader}); upgrade roomctl"
        missing = sorted(path for path, stored in self.damage.items() if stored is None)
        wrong = sorted(self.damage.keys() - set(missing))
        parts = (
            f"cannot read {', '.join(wrong)}" if wrong else "",
            *(f"{path} is missing" for path in missing),
        )
        return "; ".join(filter(None, parts))

    @property
    def advice(self) -> str:
        """What is wrong with the record, and what to do."""
        if not self.is_damaged:
            return self.problem
        if self.record.file is not None:
            return f"{self.problem}; fix its manifest {self.record.file} to restore the record"
        return f"{self.problem}; correct or delete the document in the collection `rooms`"

    def restored(self, manifest: Claim | None, now: datetime) -> RoomRecord:
        """The record to write: from its manifest, or with None from what can be read.

        Id, live name and retired names stay if they can be read. An unreadable invite epoch is replaced by
        one in which no invite was made.
        """
        old, lost = self.record, self.damaged_fields
        if manifest is not None:
            old = replace(
                old,
                spec=manifest.spec,
                key=manifest.key,
                file=manifest.file,
                origin=Origin.MANIFEST,
                removed_at=None,
            )
        return replace(
            old,
            created=now if "created" in lost else old.created,
            modified=now if "modified" in lost else old.modified,
            generation=old.generation + 1,
            invite_epoch=int(now.timestamp()) if "invite_epoch" in lost else old.invite_epoch,
            incomplete=frozenset(),
        )


TOMBSTONE_TTL = timedelta(hours=1)
"""How long tombstones and retired names stay: longer than any token is valid."""


def to_api_dict(record: RoomRecord) -> dict[str, Any]:
    """The room as the reference's calls return it, and our fields if they are set."""
    fields = record.spec.as_dict() | {"sid": record.sid}
    return {
        "_id": record.id,
        "id": record.id,
        **{name: fields[name] for name in ANSWER_ORDER},
        "created": format_time(record.created),
        "modified": format_time(record.modified),
        **our_values(record.spec),
        "success": True,
    }
