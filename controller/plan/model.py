"""The plan: frozen, ordered data. One object for dry run, log, apply and test."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeAlias

from controller.git import Commit
from controller.live.room import LiveRoom, Participant
from controller.manifests.snapshot import Desired, ManifestError, ManifestRoom
from controller.plan.metadata import Owner
from controller.records.record import RoomRecord, UnusableRecord
from controller.room import Disruption, FieldChange
from controller.text import pluralize


class ActionName(StrEnum):
    """What an action is called in front of people: the reference's words, and `recreate`."""

    CREATE = "create"
    UPDATE = "update"
    START = "start"
    STOP = "stop"
    RECREATE = "recreate"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Create:
    """A record for a manifest that has none; a tombstone of the same key is revived instead."""

    manifest: ManifestRoom
    id: str
    action_name = ActionName.CREATE
    label = "create"


@dataclass(frozen=True, slots=True)
class Update:
    """The record's desired half follows its manifest; spec, key and file may differ."""

    manifest: ManifestRoom
    action_name = ActionName.UPDATE
    label = "update"


@dataclass(frozen=True, slots=True)
class RestoreRecord:
    """A damaged record is written again; from its manifest, or with None from what can be read of it."""

    damaged: UnusableRecord
    manifest: ManifestRoom | None
    action_name = ActionName.UPDATE
    label = "restorerecord"


@dataclass(frozen=True, slots=True)
class Start:
    """A live room under a fresh name."""

    action_name = ActionName.START
    label = "start"


@dataclass(frozen=True, slots=True)
class Heal:
    """The live room comes back under the name it has: it expired, was deleted by hand, or never got made."""

    name: str
    action_name = ActionName.START
    label = "heal"


@dataclass(frozen=True, slots=True)
class Adopt:
    """A live room that carries our mark becomes the record's: the database was restored."""

    name: str
    action_name = ActionName.START
    label = "adopt"


@dataclass(frozen=True, slots=True)
class Repair:
    """The live room's metadata is put right, in place."""

    name: str
    action_name = ActionName.UPDATE
    label = "repair"


@dataclass(frozen=True, slots=True)
class Stop:
    """The live room goes, at once, whoever is inside: `active: false` says so."""

    action_name = ActionName.STOP
    label = "stop"


@dataclass(frozen=True, slots=True)
class Recreate:
    """A live room that cannot be changed in place is replaced under a fresh name, once it is empty."""

    action_name = ActionName.RECREATE
    label = "recreate"


@dataclass(frozen=True, slots=True)
class DeleteRetiredRoom:
    """A room still listed under a retired name is deleted: a stop or a recreate that was interrupted."""

    name: str
    action_name = ActionName.STOP
    label = "finish"


@dataclass(frozen=True, slots=True)
class Remove:
    """The record is marked, the live room deleted; a tombstone stays for an hour."""

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
    | Recreate
    | DeleteRetiredRoom
    | Remove
)
"""`label` is what `roomctl_actions_total` counts it as: it stays when the class is renamed."""

Deferrable: TypeAlias = Recreate | Remove
"""What waits until nobody is inside."""


class BlockReason(StrEnum):
    """Why a removal is blocked: the reason of the condition Guarded, but for NOT_YET, which is no guard."""

    UNREAD_MANIFEST = "UnreadManifest"
    NOT_YET = "NotYet"
    TOO_MANY = "TooManyMissing"
    EMPTY = "RoomsDirEmpty"
    NO_ROOMS_DIR = "RoomsDirMissing"

    def message(self, missing: int) -> str:
        """Why the room stays, and last the command that changes it; so many rooms have no manifest."""
        return _BLOCKED[self].format(allow=f"roomctl apply --allow-removals {missing} --yes", missing=missing)


_BLOCKED: Final = {
    BlockReason.UNREAD_MANIFEST: "an invalid manifest may be this room's; to find it: roomctl validate",
    BlockReason.NOT_YET: "manifest missing for less than 10 seconds",
    BlockReason.TOO_MANY: "{missing} manifests are missing at once; to remove these rooms: {allow}",
    BlockReason.EMPTY: "the rooms directory is empty; to remove these rooms: {allow}",
    BlockReason.NO_ROOMS_DIR: "the rooms directory is missing or unreadable; to check it: roomctl doctor",
}


@dataclass(frozen=True, slots=True)
class RoomChange:
    """All that happens to one room, in order.

    `record` is the record as planned on, None where there is none; `live_name` the live room it is about.
    `participants` are the people inside by ListParticipants. `deferred`: it waits until they have left.
    `blocked_by`: a guard holds it back. Held-back actions stand in `actions` too; `due` gives those to do
    now.
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
    deferred: bool = False
    blocked_by: BlockReason | None = None

    @property
    def due(self) -> tuple[Action, ...]:
        """What may be done now: all but a removal or a recreate that is held back."""
        if self.blocked_by is not None or self.deferred:
            return tuple(a for a in self.actions if not isinstance(a, Deferrable))
        return self.actions

    @property
    def removes(self) -> bool:
        """Whether its manifest is gone, whether or not it may go."""
        return any(isinstance(action, Remove) for action in self.actions)

    @property
    def waiting(self) -> str:
        """What of it a deferral or a guard holds back, in words."""
        return " and ".join(a.action_name for a in self.actions if isinstance(a, Deferrable))

    @property
    def people(self) -> str:
        """How many are inside, in words."""
        return pluralize(self.participants, "participant")

    @property
    def deferral(self) -> str:
        return f"deferred until the room is empty, {self.people} inside"

    @property
    def action_names(self) -> tuple[ActionName, ...]:
        """The actions' words, each once, in order."""
        return tuple(dict.fromkeys(action.action_name for action in self.actions))


@dataclass(frozen=True, slots=True)
class EnforcePermissions:
    """The people inside are looked at: each one's permission is brought to what role and policy give."""

    record: RoomRecord


@dataclass(frozen=True, slots=True)
class FinalizeApiRemoval:
    """A room removed by API: its live name is retired and its live room deleted, whoever is inside."""

    record: RoomRecord


@dataclass(frozen=True, slots=True)
class DeleteTombstonedRoom:
    """A live room still listed under a tombstone's name is deleted."""

    record: RoomRecord
    name: str


@dataclass(frozen=True, slots=True)
class DeleteOrphan:
    """A live room with our store's mark that nobody knows, seen empty twice, is deleted."""

    name: str


@dataclass(frozen=True, slots=True)
class PurgeTombstone:
    """A tombstone whose hour has passed and whose names are unlisted goes for good."""

    record: RoomRecord


@dataclass(frozen=True, slots=True)
class PruneRetiredNames:
    """Retired names that are an hour old and unlisted are dropped from the record."""

    record: RoomRecord
    names: frozenset[str]


Housekeeping: TypeAlias = (
    EnforcePermissions | DeleteTombstonedRoom | DeleteOrphan | PurgeTombstone | PruneRetiredNames
)
Chore: TypeAlias = Housekeeping | FinalizeApiRemoval
"""Housekeeping: no change of any room as its users see it, so it stands in no plan output."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a pass would do, ordered by key. `invalid` holds errors of files and of planning alike.

    `stale` names rooms whose manifest is in error: their record's key, and the first error for it. `guarded`
    holds, by key, the rooms that stay although their manifest is gone, and the guard that keeps them.
    `orphans` are live rooms that our database made and nobody knows; one goes once it was seen empty twice.
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

    @property
    def empty(self) -> bool:
        return not self.changes

    @property
    def missing(self) -> frozenset[str]:
        """The rooms whose manifest is gone, by key, whether or not they may go."""
        return frozenset(change.key for change in self.changes if change.removes)

    def block_message(self, change: RoomChange) -> str:
        """Why something of the change is blocked; '' where nothing is."""
        return "" if change.blocked_by is None else change.blocked_by.message(len(self.missing))

    def counts(self) -> Counter[ActionName]:
        """How often each action occurs; a room under several words counts in each."""
        return Counter(action_name for change in self.changes for action_name in change.action_names)

    @property
    def held_back(self) -> Iterator[RoomChange]:
        """Changes of which something waits or is refused."""
        return (change for change in self.changes if change.deferred or change.blocked_by is not None)


@dataclass(frozen=True, slots=True)
class PlanInputs:
    """What planning must know besides the three worlds.

    `id_key` is the derived key for room ids; `missing_for_seconds` by key, in seconds, is how long a manifest
    has been absent from every snapshot that counts (absent from it: just now); `prune_grace_seconds` is how
    long it must have been (0 for `apply`, 10 for `run`); `approved_removals` names rooms that may go although
    a guard would refuse. `ripe_orphans` are live names seen empty twice.
    """

    owner: Owner
    store: str
    id_key: bytes
    now: datetime
    token_ttl: int = 300
    prune_grace_seconds: float = 0.0
    missing_for_seconds: Mapping[str, float] = field(default_factory=dict)
    approved_removals: frozenset[str] = frozenset()
    ripe_orphans: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Observed:
    """The three worlds at one moment: manifests, records by id (tombstones included), live rooms by name.

    `unusable` are the records that must not be acted on, by id; none of them is among `records`.
    `people` holds ListParticipants of the rooms that were looked at; planning asks for those it needs.
    """

    desired: Desired
    records: Mapping[str, RoomRecord]
    live: Mapping[str, LiveRoom]
    people: Mapping[str, tuple[Participant, ...]] = field(default_factory=dict)
    unusable: Mapping[str, UnusableRecord] = field(default_factory=dict)
