"""The plan: frozen, ordered data. One object for dry run, log, apply and test."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import UnionType
from typing import Final, TypeAlias

from controller.access.people import Headcount
from controller.git import Commit
from controller.live.room import LiveRoom, Participant
from controller.manifests.snapshot import Desired, ManifestError, ManifestRoom
from controller.plan.metadata import Owner
from controller.records.record import Hold, RoomRecord, UnusableRecord
from controller.room import Disruption, FieldChange, format_time


class ActionName(StrEnum):
    """The names of actions as users see them: those of the reference, and `recreate`."""

    CREATE = "create"
    UPDATE = "update"
    START = "start"
    STOP = "stop"
    RECREATE = "recreate"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Create:
    """Insert a record for a new manifest, or revive the tombstone of its key."""

    manifest: ManifestRoom
    id: str
    action_name = ActionName.CREATE
    label = "create"


@dataclass(frozen=True, slots=True)
class Update:
    """Change the record's desired half to its manifest; spec, key and file may differ."""

    manifest: ManifestRoom
    action_name = ActionName.UPDATE
    label = "update"


@dataclass(frozen=True, slots=True)
class RestoreRecord:
    """Write a damaged record again; from its manifest, or with None from what can be read of it."""

    damaged: UnusableRecord
    manifest: ManifestRoom | None
    action_name = ActionName.UPDATE
    label = "restorerecord"


@dataclass(frozen=True, slots=True)
class Start:
    """Create a live room under a new name.

    `scheduled`: because its open hours begin. `wanted`: it is live on demand, and somebody asks for it.
    """

    scheduled: bool = False
    wanted: bool = False
    action_name = ActionName.START
    label = "start"


@dataclass(frozen=True, slots=True)
class Heal:
    """Create the live room again under its name: it expired, was deleted, or was never created."""

    name: str
    action_name = ActionName.START
    label = "heal"


@dataclass(frozen=True, slots=True)
class Adopt:
    """Take over a live room for the record.

    It has our mark: the database was restored. Or somebody else made it, and the manifest names it: then
    `adopted_sid` is its sid, by which it is known, since roomctl did not choose its name.
    """

    name: str
    adopted_sid: str = ""
    action_name = ActionName.START
    label = "adopt"


@dataclass(frozen=True, slots=True)
class Repair:
    """Correct the metadata of the live room."""

    name: str
    action_name = ActionName.UPDATE
    label = "repair"


@dataclass(frozen=True, slots=True)
class Stop:
    """Delete the live room at once, even if participants are inside: `active: false`.

    `scheduled`: its open hours are over, and so is the overrun.
    """

    scheduled: bool = False
    action_name = ActionName.STOP
    label = "stop"


@dataclass(frozen=True, slots=True)
class Close:
    """Delete the live room once it is empty, after its open hours. From `cut_off` on it is a Stop.

    `later`: it is open now. This is only planned together with a change of the hours, to show it.
    """

    cut_off: datetime | None
    later: bool = False
    action_name = ActionName.STOP
    label = "close"


@dataclass(frozen=True, slots=True)
class PutToSleep:
    """Delete the live room of a room that is live on demand, once it is empty.

    It cannot be changed in place, and is made as specified when somebody asks for it again.
    """

    action_name = ActionName.STOP
    label = "sleep"


@dataclass(frozen=True, slots=True)
class Recreate:
    """Replace a live room that cannot be changed in place by one of a new name, once it is empty."""

    action_name = ActionName.RECREATE
    label = "recreate"


@dataclass(frozen=True, slots=True)
class DeleteRetiredRoom:
    """Delete a room still listed under a retired name: a stop or a recreate was interrupted."""

    name: str
    action_name = ActionName.STOP
    label = "finish"


@dataclass(frozen=True, slots=True)
class Remove:
    """Mark the record as removed and delete the live room; a tombstone stays for an hour."""

    action_name = ActionName.REMOVE
    label = "remove"


Action: TypeAlias = (
    Create
    | Update
    | RestoreRecord
    | Start
    | Heal
    | Adopt
    | Repair
    | Stop
    | Close
    | PutToSleep
    | Recreate
    | DeleteRetiredRoom
    | Remove
)
"""`label` is the label of `roomctl_actions_total`: it stays if the class is renamed."""

Holdable: TypeAlias = Update | Stop | Close | PutToSleep | Recreate | Remove
"""What waits for the end of a hold."""

Deferrable: TypeAlias = Close | PutToSleep | Recreate | Remove
"""What waits until the room is empty."""


class BlockReason(StrEnum):
    """Why a removal is blocked: the reason of the condition Guarded, except NOT_YET, which is not a guard."""

    UNREAD_MANIFEST = "UnreadManifest"
    NOT_YET = "NotYet"
    TOO_MANY = "TooManyMissing"
    EMPTY = "RoomsDirEmpty"
    NO_ROOMS_DIR = "RoomsDirMissing"

    def message(self, missing: int) -> str:
        """Why the room stays, and the command that changes it; `missing` rooms have no manifest."""
        return _BLOCKED[self].format(allow=f"roomctl apply --allow-removals {missing} --yes", missing=missing)


_BLOCKED: Final = {
    BlockReason.UNREAD_MANIFEST: "an invalid manifest may be this room's; to find it: roomctl validate",
    BlockReason.NOT_YET: "manifest missing for less than 10 seconds",
    BlockReason.TOO_MANY: "{missing} manifests are missing at once; to remove these rooms: {allow}",
    BlockReason.EMPTY: "the rooms directory is empty; to remove these rooms: {allow}",
    BlockReason.NO_ROOMS_DIR: "the rooms directory is missing or unreadable; to check it: roomctl doctor",
}


class WaitsFor(StrEnum):
    """What an action waits for before it is done."""

    HOLD = "hold"
    GUARD = "guard"
    GRACE = "grace"
    """Its manifest has to be missing for ten seconds."""
    EMPTY = "empty"
    """Nobody may be inside."""
    TIME = "time"
    """Its open hours have to be over."""


@dataclass(frozen=True, slots=True)
class RoomChange:
    """All actions for one room, in order.

    `record` is the record that was planned for, None for a new room; `live_name` its live room.
    `participants` is the number of people inside by ListParticipants, of whom `ingress` are streams.
    `deferred`: it waits until they have left. `blocked_by`: the guard that blocks its removal. `actions`
    includes deferred and blocked ones; `due` does not.
    """

    key: str
    id: str
    name: str
    actions: tuple[Action, ...]
    reason: str
    record: RoomRecord | None = None
    live_name: str | None = None
    fields: tuple[FieldChange, ...] = ()
    disruption: Disruption = Disruption.NONE
    participants: int = 0
    ingress: int = 0
    deferred: bool = False
    blocked_by: BlockReason | None = None
    hold: Hold | None = None
    moved_to: str = ""
    moved_from: str = ""

    @property
    def due(self) -> tuple[Action, ...]:
        """The actions to do now: all that wait for nothing."""
        return tuple(action for action in self.actions if not self.waits_for(action))

    def waits_for(self, action: Action) -> tuple[WaitsFor, ...]:
        """What one of its actions waits for; () if it is done now."""
        if isinstance(action, Close) and action.later:
            return (WaitsFor.TIME,)
        return tuple(wait for wait, kinds in self._waits() if isinstance(action, kinds))

    def _waits(self) -> Iterator[tuple[WaitsFor, type[Remove] | UnionType]]:
        """What is waited for, and by which actions."""
        if self.hold is not None:
            yield WaitsFor.HOLD, Holdable
        if self.blocked_by is not None:
            yield WaitsFor.GRACE if self.blocked_by is BlockReason.NOT_YET else WaitsFor.GUARD, Remove
        if self.deferred:
            yield WaitsFor.EMPTY, Deferrable

    @property
    def removes(self) -> bool:
        """Whether its manifest is gone, even if the removal is blocked."""
        return any(isinstance(action, Remove) for action in self.actions)

    @property
    def waiting(self) -> str:
        """The actions that wait, as text."""
        return " and ".join(dict.fromkeys(a.action_name for a in self.actions if self.waits_for(a)))

    @property
    def people(self) -> Headcount:
        """How many are inside."""
        return Headcount(self.participants - self.ingress, self.ingress)

    @property
    def cut_off(self) -> datetime | None:
        """When open hours end for the people inside; None: not."""
        return next((action.cut_off for action in self.actions if isinstance(action, Close)), None)

    @property
    def deferral(self) -> str:
        latest = f" or until {format_time(self.cut_off)}" if self.cut_off is not None else ""
        return f"deferred until the room is empty{latest}, {self.people.inside}"

    @property
    def action_names(self) -> tuple[ActionName, ...]:
        """The names of the actions, each once, in order."""
        return tuple(dict.fromkeys(action.action_name for action in self.actions))


@dataclass(frozen=True, slots=True)
class EnforcePermissions:
    """Correct the permission of each participant to what role and policy give."""

    record: RoomRecord


@dataclass(frozen=True, slots=True)
class FinalizeApiRemoval:
    """For a room removed by API: retire its live name and delete its live room, even if it is not empty."""

    record: RoomRecord


@dataclass(frozen=True, slots=True)
class DeleteTombstonedRoom:
    """Delete a live room still listed under a tombstone's name."""

    record: RoomRecord
    name: str


@dataclass(frozen=True, slots=True)
class DeleteOrphan:
    """Delete a live room with our store's mark and no record, after two checks found it empty."""

    name: str


@dataclass(frozen=True, slots=True)
class PurgeTombstone:
    """Delete a tombstone after its hour, if its names are not listed."""

    record: RoomRecord


@dataclass(frozen=True, slots=True)
class PruneRetiredNames:
    """Drop retired names from the record that are an hour old and not listed."""

    record: RoomRecord
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class PruneExpired:
    """Kicks and a hold that are over are dropped from the record."""

    record: RoomRecord


@dataclass(frozen=True, slots=True)
class CheckOccupancy:
    """Read who is inside a room that is live on demand, for the time when it vanishes."""

    record: RoomRecord


@dataclass(frozen=True, slots=True)
class RetireVanished:
    """Retire the live name of a room that is live on demand: LiveKit has closed the empty room."""

    record: RoomRecord


Housekeeping: TypeAlias = (
    EnforcePermissions
    | CheckOccupancy
    | RetireVanished
    | DeleteTombstonedRoom
    | DeleteOrphan
    | PurgeTombstone
    | PruneRetiredNames
    | PruneExpired
)
Chore: TypeAlias = Housekeeping | FinalizeApiRemoval
"""Work that does not change a room for its users, so no plan output shows it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a pass would do, ordered by key. `invalid` holds errors of files and of planning.

    `stale` are rooms whose manifest is in error: the key of their record, and the first error. `guarded` are,
    by key, the rooms that stay although their manifest is gone, and the guard that keeps them. `orphans` are
    live rooms that our database made and no record has; one is deleted after two checks found it empty.
    Without `people_known` the numbers of participants say nothing. `changes_at` is when open hours change it
    next.
    """

    changes: tuple[RoomChange, ...] = ()
    chores: tuple[Chore, ...] = ()
    invalid: tuple[ManifestError, ...] = ()
    stale: Mapping[str, ManifestError] = field(default_factory=dict)
    guarded: Mapping[str, BlockReason] = field(default_factory=dict)
    orphans: frozenset[str] = frozenset()
    unchanged: int = 0
    revision: str = ""
    commit: Commit | None = None
    notes: tuple[str, ...] = ()
    people_known: bool = True
    changes_at: datetime | None = None

    @property
    def empty(self) -> bool:
        return not self.changes

    @property
    def missing(self) -> frozenset[str]:
        """The keys of rooms whose manifest is gone, even if their removal is blocked."""
        return frozenset(change.key for change in self.changes if change.removes)

    def wait_reason(self, change: RoomChange) -> str:
        """Why something of the change waits or is blocked; '' if nothing is."""
        hold = "" if change.hold is None else f"held {change.hold}"
        deferral = change.deferral if change.deferred else ""
        return "; ".join(filter(None, (hold, self.block_message(change), deferral)))

    def block_message(self, change: RoomChange) -> str:
        """Why a part of the change is blocked; '' if none is."""
        return "" if change.blocked_by is None else change.blocked_by.message(len(self.missing))

    def counts(self) -> Counter[ActionName]:
        """The number of rooms with each action; a room may have several."""
        return Counter(action_name for change in self.changes for action_name in change.action_names)

    @property
    def held_back(self) -> Iterator[RoomChange]:
        """Changes of which a part is deferred or blocked."""
        return (
            change
            for change in self.changes
            if change.deferred or change.blocked_by is not None or change.hold is not None
        )


@dataclass(frozen=True, slots=True)
class PlanInputs:
    """What planning needs besides the observed state.

    `id_key` is the derived key for room ids. `missing_for_seconds`, by key, is how long a manifest has been
    missing in every valid snapshot (no entry: just now); `prune_grace_seconds` how long it must have been
    missing (0 for `apply`, 10 for `run`). `approved_removals` are rooms that may be removed although a guard
    blocks it. `ripe_orphans` are live names that two checks found empty. `wanted` are the ids of rooms for
    which somebody asks. `clock_is_right`: the time is good enough to cut people off by it.
    """

    owner: Owner
    store: str
    id_key: bytes
    now: datetime
    token_ttl: int = 300
    prune_grace_seconds: float = 0.0
    missing_for_seconds: Mapping[str, float] = field(default_factory=dict)
    approved_removals: frozenset[str] = frozenset()
    hold_all: Hold | None = None
    ripe_orphans: frozenset[str] = frozenset()
    wanted: frozenset[str] = frozenset()
    clock_is_right: bool = True


@dataclass(frozen=True, slots=True)
class Observed:
    """Manifests, records by id (tombstones included) and live rooms by name, at one moment.

    `unusable` are the records that must not be acted on, by id; `records` excludes them.
    `people` is ListParticipants of the rooms that were read; planning names those it needs.
    """

    desired: Desired
    records: Mapping[str, RoomRecord]
    live: Mapping[str, LiveRoom]
    people: Mapping[str, tuple[Participant, ...]] = field(default_factory=dict)
    unusable: Mapping[str, UnusableRecord] = field(default_factory=dict)
