"""Records events of the reconciler's work on rooms: each action that was done, failed, or has to wait."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from controller.access.occupancy import Removal
from controller.clock import Clock
from controller.events.log import EventLog
from controller.logs import get_logger
from controller.plan.model import (
    Action,
    Adopt,
    BlockReason,
    Close,
    Create,
    Deferrable,
    DeleteRetiredRoom,
    Heal,
    Plan,
    PutToSleep,
    Repair,
    RestoreRecord,
    RoomChange,
    Start,
    Stop,
    Update,
)
from controller.reconcile.status import vanished
from controller.records.events import Event, EventType
from controller.records.record import RoomRecord
from controller.room import redact_key
from controller.state_cache import StateCache
from controller.text import pluralize

AuthorOf = Callable[[str], str | None]
"""The last author of a manifest, by its path below rooms.d: `git COMMIT AUTHOR`; None if unknown."""

CONTROLLER: Final = "controller"
SCHEDULE: Final = "schedule"
log = get_logger()
_OURS_ON_API_ROOMS: Final = frozenset({EventType.HEAL, EventType.ADOPT, EventType.RECREATE})
"""Other actions on an API room are recorded by the call that requested them."""

_OF_ROOMS_DIR: Final = frozenset({BlockReason.NO_ROOMS_DIR, BlockReason.EMPTY})
"""Guards about the rooms directory as a whole: their start and their end are events about no room."""


def unknown_author(_file: str) -> None:
    """For use without a Git history."""


_Blocked: TypeAlias = tuple[BlockReason | None, bool]
"""A guard, and whether there is a hold."""


def _blocked(change: RoomChange) -> _Blocked:
    return change.blocked_by, change.hold is not None


@dataclass(slots=True)
class RoomEvents:
    """Records the work on rooms, while this process holds the lease.

    `_failed` has the last error by room id, `_held_back` what blocks a change: a guard or a hold, else
    it is deferred, `_guards` the active ones about the rooms directory, None before the first plan.
    """

    log: EventLog
    state: StateCache
    clock: Clock
    author_of: AuthorOf = unknown_author
    _failed: dict[str, str] = field(default_factory=dict)
    _held_back: dict[str, _Blocked] = field(default_factory=dict)
    _guards: frozenset[BlockReason] | None = None

    def recorder(self, change: RoomChange, revision: str) -> Callable[[Action], None]:
        """A callback for each action that is done: several of one type are one event."""
        begun, file, recorded = self.clock.monotonic(), manifest_file(change), set[EventType]()
        listed = self.state.live.get(change.live_name or "")

        def on_done(action: Action) -> None:
            kind = event_type(action, change)
            own = is_scheduled(action) or _is_on_demand(action, change)
            ours = file is not None or kind in _OURS_ON_API_ROOMS or own
            if kind in recorded or not ours:
                return
            recorded.add(kind)
            seen = listed.num_participants if listed is not None and not isinstance(action, Deferrable) else 0
            event = replace(
                self._event(change, kind, change.reason, revision),
                fields=change.fields if isinstance(action, Update) else (),
                participants=change.participants or seen,
                by=self._author(change, action),
                seconds=round(self.clock.monotonic() - begun, 3),
            )
            self.log.record(event)

        return on_done

    def succeeded(self, change: RoomChange) -> None:
        """The whole change is done: the next failure is a new one."""
        self._failed.pop(change.id, None)

    def failed(self, change: RoomChange, error: str, revision: str) -> None:
        """Recorded once while the same error lasts."""
        ready = change.record.status.condition("Ready") if change.record is not None else None
        known = ready.message if ready is not None and ready.reason == "Failed" else None
        if self._failed.get(change.id, known) != error:
            reason = f"{', '.join(change.action_names)}: {change.reason}"
            self.log.record(self._event(change, EventType.FAIL, reason, revision, error=error))
        self._failed[change.id] = error

    def removed(self, record: RoomRecord, removals: Sequence[Removal]) -> None:
        """Participants were removed from the room."""
        for reason, count in sorted(Counter(removal.reason for removal in removals).items()):
            people = pluralize(count, "participant")
            log.info("participants removed", key=redact_key(record.key), count=count, reason=str(reason))
            text = f"{people} removed: {reason}"
            event = Event(
                at=self.clock.wall(), type=EventType.KICK, key=record.key, room_id=record.id, reason=text
            )
            self.log.record(event)

    def closed_by_livekit(self, record: RoomRecord) -> None:
        """A room that is live on demand has ended by itself."""
        text = "LiveKit closed the empty room"
        event = Event(
            at=self.clock.wall(), type=EventType.STOP, key=record.key, room_id=record.id, reason=text
        )
        self.log.record(event)

    def compare(self, plan: Plan) -> None:
        """Record what waits since this plan."""
        self._compare_guards(plan)
        if self._failed:
            changing = {change.id for change in plan.changes}
            self._failed = {one: error for one, error in self._failed.items() if one in changing}
        held_back = {c.id: c for c in plan.held_back if c.blocked_by is not BlockReason.NOT_YET}
        for change in held_back.values():
            if self._begins(change):
                guard, wait = change.blocked_by, change.deferral if change.hold is None else "held"
                kind = EventType.DEFER if guard is None else EventType.GUARD
                reason = f"{guard}: {plan.block_message(change)}" if guard else f"{change.waiting} {wait}"
                self.log.record(self._event(change, kind, reason, plan.revision))
        self._held_back = {room_id: _blocked(change) for room_id, change in held_back.items()}

    def _compare_guards(self, plan: Plan) -> None:
        before = self._guards_on_record() if self._guards is None else self._guards
        self._guards = _OF_ROOMS_DIR.intersection(plan.guarded.values())
        for guard in sorted(self._guards ^ before):
            text = guard.message(len(plan.missing)) if guard in self._guards else "over"
            event = Event(
                at=self.clock.wall(), type=EventType.GUARD, reason=f"{guard}: {text}", revision=plan.revision
            )
            self.log.record(event)

    def _guards_on_record(self) -> frozenset[BlockReason]:
        """Those that an earlier holder of the lease recorded, as the rooms' status tells."""
        conditions = (record.status.condition("Guarded") for record in self.state.records.by_id.values())
        return _OF_ROOMS_DIR.intersection(
            c.reason for c in conditions if c is not None and c.status == "True"
        )

    def _begins(self, change: RoomChange) -> bool:
        """Whether it has begun to wait; after a restart the room's status shows this."""
        if change.id in self._held_back:
            return self._held_back[change.id] != _blocked(change)
        conditions = change.record.status.conditions if change.record is not None else ()
        if change.blocked_by is None:
            return all(condition.type != "Deferred" for condition in conditions)
        return all(condition.reason != change.blocked_by for condition in conditions)

    def _event(
        self, change: RoomChange, kind: EventType, reason: str, revision: str, error: str | None = None
    ) -> Event:
        return Event(
            at=self.clock.wall(),
            type=kind,
            key=change.key,
            room_id=change.id,
            reason=reason,
            disruption=str(change.disruption),
            participants=change.participants,
            revision=revision,
            error=error,
        )

    def _author(self, change: RoomChange, action: Action) -> str:
        """The author: that of the manifest, or the controller if it only repairs the room."""
        if is_scheduled(action):
            return SCHEDULE
        file = manifest_file(change)
        repairs = (isinstance(action, Heal) and vanished(change)) or _adopts_again(action)
        repairs = repairs or _is_on_demand(action, change)
        if file is None or repairs or isinstance(action, Repair | RestoreRecord | DeleteRetiredRoom):
            return CONTROLLER
        return self.author_of(file) or f"manifest {file}"


def is_scheduled(action: Action) -> bool:
    """Whether it is done because of the room's open hours."""
    return isinstance(action, Close) or (isinstance(action, Start | Stop) and action.scheduled)


def _is_on_demand(action: Action, change: RoomChange) -> bool:
    """Whether it begins or ends a life of a room that is live on demand, by nobody's change."""
    match action:
        case Start():
            return action.wanted
        case Heal():  # of a start that was interrupted
            return change.record is not None and change.record.spec.is_on_demand
    return isinstance(action, PutToSleep)


def _adopts_again(action: Action) -> bool:
    """Whether it takes over a room of ours, and not one that the manifest names."""
    return isinstance(action, Adopt) and not action.adopted_sid


def event_type(action: Action, change: RoomChange) -> EventType:
    """The event's type: the name of the action, except for a restored room."""
    match action:
        case Adopt():
            return EventType.ADOPT
        case Heal() if vanished(change):
            return EventType.HEAL
        case _:
            return EventType(action.action_name)


def manifest_file(change: RoomChange) -> str | None:
    """The room's manifest; None for an API room."""
    for action in change.actions:
        match action:
            case Create(manifest) | Update(manifest):
                return manifest.file
            case RestoreRecord(damaged, manifest):
                return manifest.file if manifest is not None else damaged.record.file
    return change.record.file if change.record is not None else None
