"""Rooms side by side, a room's own steps in order: one task for each, with a backoff of its own.

A room that fails never delays another; nothing that is under way is begun twice.
"""

import asyncio
from collections.abc import Callable, Coroutine
from collections.abc import Set as AbstractSet
from typing import Any, Final

import structlog

from controller.errors import LeaseLost, LiveAway, LiveError, RoomctlError, StoreAway, StoreConflict
from controller.metrics import Metrics
from controller.plan.model import (
    Action,
    Bury,
    Chore,
    DropOrphan,
    Enforce,
    Finish,
    Forget,
    Heal,
    Plan,
    Repair,
    RestoreRecord,
    RoomChange,
    TakeDown,
    Tidy,
    Update,
    Word,
)
from controller.reconcile.change_applier import Result, Steps
from controller.reconcile.status import vanished
from controller.reconcile.status_writer import Speaker
from controller.reconcile.trackers import Backoff, Flapping
from controller.reconcile.triggers import Triggers
from controller.room import redact_key

LOOK_AGAIN: Final = 2.0
"""A healed room is looked at again after so many seconds."""
LOOK_SOON: Final = 0.5
"""And an updated one: whoever came in with an older token meanwhile is found then, and watched for after."""

OUTAGE_TRIES: Final = 3
"""A room that finds a server away so often while passes find it there has a trouble of its own."""

CONFLICTS: Final = 5
"""A room that loses its write so often in a row stands in conflict with something."""

Progress = Callable[[str, str, str], None]
"""Told of each thing done: key, the action's word, and `done` or what went wrong."""

log = structlog.get_logger()


class Workshop:
    """Carries out plans. Wakes the loop when something has to be planned again."""

    def __init__(
        self, steps: Steps, speaker: Speaker, triggers: Triggers, metrics: Metrics, progress: Progress
    ) -> None:
        self._steps = steps
        self._speaker = speaker
        self._triggers = triggers
        self._metrics = metrics
        self._progress = progress
        self._clock = steps.clock
        self._flapping: Flapping = speaker.flapping
        self._backoff = Backoff()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._doing: dict[str, frozenset[Action]] = {}
        self._missed: set[str] = set()

    @property
    def busy(self) -> AbstractSet[str]:
        """The rooms (by id) and chores that something is under way for."""
        return self._tasks.keys()

    def carry_out(self, plan: Plan, *, looks: bool = True) -> None:
        """Begin what is due, rooms with people in them first, waiting for nothing.

        Without `looks` nobody looks into rooms that nothing changes in.
        """
        now = self._clock.monotonic()
        for change in sorted(plan.changes, key=lambda change: self._seems_empty(change.live_name)):
            if change.id in self._tasks:
                self._note(change)
            elif change.due and self._may_begin(change.id, now) and self._may_heal(change, now):
                self._doing[change.id] = frozenset(change.due)
                self.start(change.id, self._work(change, plan))
        for chore in plan.chores:
            if looks or not isinstance(chore, Enforce):
                begun = self.begin(chore)
                if not begun and isinstance(chore, TakeDown):
                    self.look_again(chore)

    def _seems_empty(self, name: str | None) -> bool:
        """By the listing, which lags: good enough for an order."""
        room = self._steps.known.live.get(name) if name is not None else None
        return room is None or not room.num_participants

    def begin(self, chore: Chore) -> bool:
        """Give a piece of housekeeping its task; False where that is under way, or waits after a failure."""
        key, task = _chore_key(chore), _task_key(chore)
        if task in self._tasks or self._backoff.waits(key, self._clock.monotonic()):
            return False
        self.start(task, self._keep_house(key, chore), retry=key)
        return True

    def look_again(self, chore: Chore) -> None:
        """Wake the loop once what is under way for `chore` has ended: the world moved on meanwhile."""
        self.again(_task_key(chore))

    def again(self, key: str) -> None:
        """The same for any work, by its key."""
        if key in self._tasks:
            self._missed.add(key)

    def start(self, key: str, work: Coroutine[Any, Any, None], *, retry: str | None = None) -> None:
        """Give `work` a task of its own, under `key`; after a fault it waits under `retry` [`key`]."""
        self._tasks[key] = asyncio.create_task(self._guarded(key, work, retry or key))

    def _note(self, change: RoomChange) -> None:
        """Where the world moved on while the room is worked on, it is planned again right afterwards.

        Work under way shows as a live room to make or to finish; that is no news.
        """
        doing = self._doing.get(change.id)
        news = [a for a in change.due if doing is None or not (a in doing or isinstance(a, Heal | Finish))]
        if news:
            self._missed.add(change.id)

    def recovered(self) -> None:
        """What was away is back: nobody waits any longer."""
        self._backoff.clear()

    async def settled(self) -> None:
        """Until nothing is under way."""
        while self._tasks:
            await asyncio.wait(list(self._tasks.values()))

    async def close(self, grace: float) -> None:
        """Let what is under way end for `grace` seconds, then cut it off: the next start puts it right."""
        if not self._tasks:
            return
        _, pending = await asyncio.wait(list(self._tasks.values()), timeout=grace)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)

    def _may_begin(self, key: str, now: float) -> bool:
        return key not in self._tasks and not self._backoff.waits(key, now)

    def _may_heal(self, change: RoomChange, now: float) -> bool:
        return not vanished(change) or self._flapping.may_heal(change.id, now)

    async def _guarded(self, key: str, work: Coroutine[Any, Any, None], retry: str) -> None:
        """A fault in one room's work is that room's alone."""
        try:
            await work
        except Exception:
            self._metrics.errors.labels("Unexpected").inc()
            log.exception("unexpected fault", retry_in=round(self._retry(retry), 1))
        finally:
            self._tasks.pop(key, None)
            self._doing.pop(key, None)
            if key in self._missed:
                self._missed.discard(key)
                self._triggers.wake()

    def _retry(self, key: str) -> float:
        delay = self._backoff.failed(key, self._clock.monotonic(), self._clock.chance())
        self._triggers.later(delay)
        return delay

    async def _work(self, change: RoomChange, plan: Plan) -> None:
        begun = self._clock.monotonic()
        try:
            result = await self._steps.carry_out(change)
            self._succeeded(change, result, self._clock.monotonic() - begun)
            if result.record is not None:
                left = change if set(change.actions) - set(result.done) else None
                await self._speaker.say(result.record, plan, left)
        except RoomctlError as error:
            self._failed(change, error)

    def _succeeded(self, change: RoomChange, result: Result, seconds: float) -> None:
        self._backoff.succeeded(change.id)
        self._speaker.failures.pop(change.id, None)
        if vanished(change) and self._flapping.vanished(change.id, self._clock.monotonic()):
            log.warning("stalled: vanished five times in ten minutes", key=redact_key(change.key))
        for action in result.done:
            self._metrics.actions.labels(_label(action), "ok").inc()
        for word in dict.fromkeys(action.word for action in result.done):
            self._progress(change.key, word, "done")
            took = round(seconds, 3)
            log.info(
                _PAST[word], key=redact_key(change.key), action=str(word), reason=change.reason, seconds=took
            )
        if any(isinstance(action, Heal) for action in result.done):
            self._triggers.later(LOOK_AGAIN)
        if any(isinstance(action, RestoreRecord) for action in result.done):
            self._triggers.wake()  # what else the room needs can be planned now
        if any(isinstance(action, Update | Repair) for action in result.done):
            self._suspect(change)
            self._triggers.later(LOOK_SOON)

    def _failed(self, change: RoomChange, error: RoomctlError) -> None:
        """Plan the room again, later; where the room itself was refused, its status says so."""
        self._metrics.errors.labels(type(error).__name__).inc()
        self._suspect(change)
        delay = self._retry(change.id)
        if self._is_race(change, error):
            log.debug("another was faster", key=redact_key(change.key), error=str(error))
            return
        for action in change.due:
            self._metrics.actions.labels(_label(action), "failed").inc()
        why, words = str(error), "+".join(change.words)
        self._progress(change.key, change.words[0], why)
        away = isinstance(error, LiveAway | StoreAway) and self._backoff.count(change.id) < OUTAGE_TRIES
        say = log.debug if away else log.warning  # an outage is said once, by the loop, not by each room
        say("failed", key=redact_key(change.key), action=words, error=why, retry_in=round(delay, 1))
        if isinstance(error, LiveError) and not isinstance(error, LiveAway):
            self._speaker.failures[change.id] = str(error)
            self._triggers.wake()  # the next pass says so in the room's status

    def _is_race(self, change: RoomChange, error: RoomctlError) -> bool:
        """Whether the next plan settles it: a comparison that is lost again and again is no race."""
        if isinstance(error, StoreConflict):
            return self._backoff.count(change.id) < CONFLICTS
        return isinstance(error, LeaseLost)

    def _suspect(self, change: RoomChange) -> None:
        """Have the next pass look inside: the policy changed, and not everybody may have been told."""
        if change.live_name is not None:
            self._triggers.still_suspect(change.live_name)

    async def _keep_house(self, key: str, chore: Chore) -> None:
        try:
            changed = await self._steps.chore(chore)
        except RoomctlError as error:
            delay = self._retry(key)
            if isinstance(chore, Enforce) and chore.record.live is not None:
                self._triggers.still_suspect(chore.record.live.name)
            if not isinstance(error, StoreConflict | LiveAway | StoreAway | LeaseLost):
                log.warning("housekeeping failed", error=str(error), retry_in=round(delay, 1))
        else:
            self._backoff.succeeded(key)
            if changed:
                log.info(_HOUSE[type(chore)], key=_chore_room(chore), changed=changed)


_PAST: Final = {
    Word.CREATE: "created",
    Word.UPDATE: "updated",
    Word.START: "started",
    Word.STOP: "stopped",
    Word.RECREATE: "recreated",
    Word.REMOVE: "removed",
}


def _label(action: Action | Chore) -> str:
    return type(action).__name__.lower()


_HOUSE: Final = {
    Enforce: "permissions put right",
    TakeDown: "removed",
    Bury: "live room of a removed room deleted",
    DropOrphan: "empty orphan deleted",
    Forget: "tombstone dropped",
    Tidy: "retired names dropped",
}


def _chore_key(chore: Chore) -> str:
    match chore:
        case Enforce(record) | TakeDown(record) | Forget(record) | Tidy(record):
            return f"{_label(chore)} {record.id}"
        case Bury(_, name) | DropOrphan(name):
            return f"{_label(chore)} {name}"


def _task_key(chore: Chore) -> str:
    """A room is not taken down while another step of its own is under way: CreateRoom might come after."""
    return chore.record.id if isinstance(chore, TakeDown) else _chore_key(chore)


def _chore_room(chore: Chore) -> str:
    return chore.name if isinstance(chore, DropOrphan) else redact_key(chore.record.key)
