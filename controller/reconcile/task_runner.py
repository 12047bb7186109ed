"""Runs one task per room, with its own backoff: rooms concurrently, the steps of a room in order.

A failing room never delays another; a running task is not started twice.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Final

from controller.backoff import Backoff
from controller.errors import (
    LeaseLostError,
    LiveKitError,
    LiveKitUnavailableError,
    RoomctlError,
    StoreConflictError,
    StoreUnavailableError,
)
from controller.logs import get_logger
from controller.metrics import Metrics
from controller.plan.model import (
    Action,
    ActionName,
    CheckOccupancy,
    Chore,
    DeleteOrphan,
    DeleteRetiredRoom,
    DeleteTombstonedRoom,
    EnforcePermissions,
    FinalizeApiRemoval,
    Heal,
    Plan,
    PruneExpired,
    PruneRetiredNames,
    PurgeTombstone,
    Repair,
    RestoreRecord,
    RetireVanished,
    RoomChange,
    Start,
    Update,
)
from controller.reconcile.change_applier import ApplyResult, ChangeApplier
from controller.reconcile.room_events import RoomEvents
from controller.reconcile.status import vanished
from controller.reconcile.status_writer import StatusWriter
from controller.reconcile.trackers import Demands
from controller.reconcile.triggers import Triggers
from controller.records.record import RoomRecord
from controller.room import redact_key

HEAL_RECHECK_SECONDS: Final = 2.0
"""Seconds until a healed room is checked again."""
UPDATE_RECHECK_SECONDS: Final = 0.5
"""Seconds until an updated room is checked again, for participants who joined with an older token."""

MAX_OUTAGE_RETRIES: Final = 3
"""A room for which a server fails this often, while passes reach it, has its own problem."""

MAX_CONFLICT_RETRIES: Final = 5
"""A room whose write fails this often in a row is in a permanent conflict."""

Progress = Callable[[str, str, str], None]
"""Called for each action: key, name of the action, and `done` or the error."""

_AWAY: Final = LiveKitUnavailableError | StoreUnavailableError

log = get_logger()


@dataclass(slots=True)
class TaskRunner:
    """Applies plans. Wakes the loop when a room must be planned again."""

    applier: ChangeApplier
    status_writer: StatusWriter
    events: RoomEvents
    demands: Demands
    triggers: Triggers
    metrics: Metrics
    progress: Progress
    _backoff: Backoff = field(default_factory=Backoff)
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _doing: dict[str, frozenset[Action]] = field(default_factory=dict)
    _requeued: set[str] = field(default_factory=set)

    def _now(self) -> float:
        return self.applier.clock.monotonic()

    @property
    def busy(self) -> AbstractSet[str]:
        """The rooms (by id) and chores with a running task."""
        return self._tasks.keys()

    def start_changes(self, plan: Plan, *, check_permissions: bool = True) -> None:
        """Start what is due, occupied rooms first, without waiting.

        Without `check_permissions` the participants of unchanged rooms are not read.
        """
        now = self._now()
        for change in sorted(plan.changes, key=lambda change: self._seems_empty(change.live_name)):
            if change.id in self._tasks:
                self._note(change)
            elif change.due and self._may_begin(change, now):
                self._doing[change.id] = frozenset(change.due)
                self.start(change.id, self._work(change, plan))
        for chore in plan.chores:
            if check_permissions or not isinstance(chore, EnforcePermissions):
                self.start_maintenance(chore, again=isinstance(chore, FinalizeApiRemoval))

    def _seems_empty(self, name: str | None) -> bool:
        """By the listing, which lags: precise enough for an order."""
        room = self.applier.state.live.get(name) if name is not None else None
        return room is None or not room.num_participants

    def start_maintenance(self, chore: Chore, *, again: bool = False) -> bool:
        """Start a chore; False if it runs already, or waits after a failure.

        `again`: a running one may have missed something, so the loop is woken when it ends.
        """
        key, task = _backoff_key(chore), _task_key(chore)
        if task not in self._tasks and not self._backoff.is_backing_off(key, self._now()):
            self.start(task, self._run_maintenance(key, chore), retry=key)
            return True
        if again:
            self.requeue(task)
        return False

    def start_statuses(self, plan: Plan, records: Mapping[str, RoomRecord]) -> None:
        """Write the outdated statuses of rooms without a running task."""
        self.events.compare(plan)
        for record, left in self.status_writer.outdated(plan, records, self.busy):
            self.start(record.id, self.status_writer.write_status(record, plan, left))

    def requeue(self, key: str) -> None:
        """Wake the loop when the task of `key` ends, because something changed meanwhile."""
        if key in self._tasks:
            self._requeued.add(key)

    def start(self, key: str, work: Coroutine[Any, Any, None], *, retry: str | None = None) -> None:
        """Start `work` as the task of `key`; after a failure `retry` [`key`] has a backoff."""
        self._tasks[key] = asyncio.create_task(self._guarded(key, work, retry or key))

    def _note(self, change: RoomChange) -> None:
        """If something changed while the room's task runs, plan the room again right after it.

        A room that is still to be created or finished is not such a change: the task does it.
        """
        doing = self._doing.get(change.id)
        if doing is None:
            news = bool(change.due)
        else:
            news = any(not isinstance(a, Heal | DeleteRetiredRoom) for a in change.due if a not in doing)
        if news:
            self._requeued.add(change.id)

    def reset_backoff(self) -> None:
        """A server is available again: retry everything now."""
        self._backoff.clear()

    async def wait_until_idle(self) -> None:
        """Wait until no task runs."""
        while self._tasks:
            await asyncio.wait(list(self._tasks.values()))

    async def close(self, grace: float) -> None:
        """Wait `grace` seconds for running tasks, then cancel them: the next start repairs their rooms."""
        if not self._tasks:
            return
        _, pending = await asyncio.wait(list(self._tasks.values()), timeout=grace)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)

    def _may_begin(self, change: RoomChange, now: float) -> bool:
        if self._backoff.is_backing_off(change.id, now):
            return False
        return not vanished(change) or self.status_writer.flapping.may_heal(change.id, now)

    async def _guarded(self, key: str, work: Coroutine[Any, Any, None], retry: str) -> None:
        """Keep a failure of one room from affecting others."""
        try:
            await work
        except RoomctlError:
            pass  # the next pass writes the status
        except Exception:
            self.metrics.errors.labels("Unexpected").inc()
            log.exception("task crashed", retry_in_seconds=round(self._retry(retry), 1))
        finally:
            self._tasks.pop(key, None)
            self._doing.pop(key, None)
            if key in self._requeued:
                self._requeued.discard(key)
                self.triggers.wake()

    def _retry(self, key: str) -> float:
        delay = self._backoff.failed(key, self._now(), self.applier.clock.chance())
        self.triggers.later(delay)
        return delay

    async def _work(self, change: RoomChange, plan: Plan) -> None:
        begun = self._now()
        try:
            result = await self.applier.apply_change(change, self.events.recorder(change, plan.revision))
            self._succeeded(change, result, self._now() - begun)
            if result.record is not None:
                left = change if set(change.actions) - set(result.done) else None
                await self.status_writer.write_status(result.record, plan, left)
        except RoomctlError as error:
            self._failed(change, error, plan.revision)

    def _succeeded(self, change: RoomChange, result: ApplyResult, seconds: float) -> None:
        self._backoff.succeeded(change.id)
        self.events.succeeded(change)
        self.status_writer.record_success(change.id)
        if any(isinstance(action, Start | Heal) for action in result.done):
            self.demands.fulfill(change.id)
        if vanished(change) and self.status_writer.flapping.vanished(change.id, self._now()):
            log.warning("room flapping", key=redact_key(change.key))
        for action in result.done:
            self.metrics.actions.labels(action.label, "ok").inc()
        for name in dict.fromkeys(action.action_name for action in result.done):
            self.progress(change.key, name, "done")
            took = round(seconds, 3)
            log.info(_PAST[name], key=redact_key(change.key), reason=change.reason, duration_seconds=took)
        if any(isinstance(action, Heal) for action in result.done):
            self.triggers.later(HEAL_RECHECK_SECONDS)
        if any(isinstance(action, RestoreRecord) for action in result.done):
            self.triggers.wake()  # the rest of the room can be planned now
        if any(isinstance(action, Update | Repair) for action in result.done):
            self._queue_permission_check(change)
            self.triggers.later(UPDATE_RECHECK_SECONDS)

    def _failed(self, change: RoomChange, error: RoomctlError, revision: str) -> None:
        """Plan the room again later; if LiveKit refused the room, its status shows it."""
        self.metrics.errors.labels(error.kind).inc()
        self._queue_permission_check(change)
        delay = self._retry(change.id)
        if self._is_race(change, error):
            log.debug("write conflict", key=redact_key(change.key), error=str(error))
            return
        for action in change.due:
            self.metrics.actions.labels(action.label, "failed").inc()
        self.progress(change.key, change.action_names[0], str(error))
        # the loop logs an outage once, for all rooms
        away = isinstance(error, _AWAY) and self._backoff.count(change.id) < MAX_OUTAGE_RETRIES
        write_line = log.debug if away else log.warning
        if not away:
            self.events.failed(change, str(error), revision)
        write_line(
            "room change failed",
            key=redact_key(change.key),
            actions="+".join(change.action_names),
            error=str(error),
            retry_in_seconds=round(delay, 1),
        )
        if isinstance(error, LiveKitError) and not isinstance(error, LiveKitUnavailableError):
            self.status_writer.record_failure(change.id, error)
            self.triggers.wake()  # the next pass writes it into the room's status

    def _is_race(self, change: RoomChange, error: RoomctlError) -> bool:
        """Whether the next plan resolves it: a comparison that fails again and again is not a race."""
        if isinstance(error, StoreConflictError):
            return self._backoff.count(change.id) < MAX_CONFLICT_RETRIES
        return isinstance(error, LeaseLostError)

    def _queue_permission_check(self, change: RoomChange) -> None:
        """Have the next pass check permissions: the policy changed, and some may not be updated."""
        if change.live_name is not None:
            self.triggers.permission_checks.keep(change.live_name)

    async def _run_maintenance(self, key: str, chore: Chore) -> None:
        try:
            changed = await self._maintain(chore)
        except RoomctlError as error:
            delay = self._retry(key)
            if isinstance(chore, EnforcePermissions) and chore.record.live is not None:
                self.triggers.permission_checks.keep(chore.record.live.name)
            if not isinstance(error, _AWAY | StoreConflictError | LeaseLostError):
                seconds = round(delay, 1)
                log.warning(
                    "maintenance task failed",
                    key=_chore_room(chore),
                    error=str(error),
                    retry_in_seconds=seconds,
                )
        else:
            self._backoff.succeeded(key)
            if changed and isinstance(chore, RetireVanished):
                self.events.closed_by_livekit(chore.record)
                self.triggers.wake()  # the next pass writes the status
            if changed:
                log.info(_MAINTENANCE_LOG[type(chore)], key=_chore_room(chore), count=changed)

    async def _maintain(self, chore: Chore) -> int:
        if not isinstance(chore, FinalizeApiRemoval):
            return await self.applier.maintain(chore)
        gone = await self.applier.finalize_api_removal(chore.record.id)
        if gone is not None:
            await self.status_writer.write_removed(gone)
        return int(gone is not None)


_PAST: Final = {
    ActionName.CREATE: "room created",
    ActionName.UPDATE: "room updated",
    ActionName.START: "room started",
    ActionName.STOP: "room stopped",
    ActionName.RECREATE: "room recreated",
    ActionName.REMOVE: "room removed",
}


_MAINTENANCE_LOG: Final = {
    EnforcePermissions: "permissions enforced",
    CheckOccupancy: "occupancy read",
    RetireVanished: "empty room closed by LiveKit",
    FinalizeApiRemoval: "room removed",
    DeleteTombstonedRoom: "retired room deleted",
    DeleteOrphan: "orphan room deleted",
    PurgeTombstone: "tombstone purged",
    PruneRetiredNames: "retired names purged",
    PruneExpired: "expired kicks and holds purged",
}


def _backoff_key(chore: Chore) -> str:
    name = chore.name if isinstance(chore, DeleteTombstonedRoom | DeleteOrphan) else chore.record.id
    return f"{type(chore).__name__} {name}"


def _task_key(chore: Chore) -> str:
    """The name of a room is not given up while another task of it runs: CreateRoom might come after."""
    if isinstance(chore, FinalizeApiRemoval | RetireVanished):
        return chore.record.id
    return _backoff_key(chore)


def _chore_room(chore: Chore) -> str:
    return chore.name if isinstance(chore, DeleteOrphan) else redact_key(chore.record.key)
