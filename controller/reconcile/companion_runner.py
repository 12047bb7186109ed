"""Runs the companions: each room that is due gets a task, next to the plan."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from controller.companions.companion import Companion
from controller.errors import LeaseLostError, LiveKitError, RoomctlError, StoreConflictError
from controller.logs import get_logger
from controller.plan.model import Observed
from controller.reconcile.task_runner import TaskRunner
from controller.reconcile.triggers import Triggers
from controller.records.ports import Records
from controller.records.record import RoomRecord

CONFLICT_RETRY_SECONDS: Final = 0.5
"""Seconds until a room is checked again after another writer changed its record."""
RETRY_SECONDS: Final = 5.0
"""Seconds until a companion checks again after a server failed."""

log = get_logger()


@dataclass(frozen=True, slots=True)
class CompanionRunner:
    """All companions of one controller, while it holds the lease."""

    companions: tuple[Companion, ...]
    task_runner: TaskRunner
    triggers: Triggers
    records: Records

    async def run_pass(self, observed: Observed, *, audit: bool) -> None:
        """Start what is due without waiting for it. StoreError's kinds if a companion cannot load."""
        for companion in self.companions:
            await companion.load()
        queued = self.triggers.companion_checks.drain()
        for companion in self.companions:
            due = companion.due(observed, queued, audit=audit)
            if due is None:
                self.triggers.companion_checks.keep(*queued)
                self.triggers.later(RETRY_SECONDS)
            for room_id in sorted(due or ()):
                self._start(companion, room_id, queued)

    def on_livekit_unavailable(self, error: LiveKitError) -> None:
        """Write the conditions of companions while LiveKit is unavailable."""
        for companion in self.companions:
            for record, condition in companion.conditions_without_livekit(error):
                key = _task_key(companion, record.id)
                if key not in self.task_runner.busy:
                    write = self.task_runner.status_writer.write_condition(record, condition)
                    self.task_runner.start(key, write)

    def on_standby(self) -> None:
        for companion in self.companions:
            companion.on_standby()

    def concern(self, record: RoomRecord) -> bool:
        """Whether webhooks about its live room may need work of a companion."""
        return any(companion.concerns(record) for companion in self.companions)

    def _start(self, companion: Companion, room_id: str, queued: AbstractSet[str]) -> None:
        """Give the room a task; a running one may have missed what made it due."""
        key = _task_key(companion, room_id)
        if key not in self.task_runner.busy:
            self.task_runner.start(key, self._step(companion, room_id))
            return
        record = self.records.by_id.get(room_id)
        if record is not None and (missed := record.names & queued):
            self.triggers.companion_checks.keep(*missed)
            self.task_runner.requeue(key)

    async def _step(self, companion: Companion, room_id: str) -> None:
        try:
            if await companion.step(room_id):
                self.triggers.wake()
        except (LeaseLostError, StoreConflictError):
            self.triggers.later(CONFLICT_RETRY_SECONDS)  # the next check reads again
        except RoomctlError as error:
            log.debug(
                "companion step failed",
                companion=companion.name,
                room_id_prefix=room_id[:6],
                error=str(error),
            )
            self.triggers.later(RETRY_SECONDS)


def _task_key(companion: Companion, room_id: str) -> str:
    return f"{companion.name} {room_id}"
