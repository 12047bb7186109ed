"""Says of each room how it is: the status in its record, written once, and only when it changed."""

from collections.abc import Callable, Coroutine, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Protocol

from controller.errors import RoomctlError
from controller.plan.model import Plan, RoomChange
from controller.plan.recording import RecordingCondition
from controller.reconcile.clock import Clock
from controller.reconcile.status import StatusInputs, status_of
from controller.reconcile.trackers import FlapDetector
from controller.records.ports import RoomStore
from controller.records.record import RoomRecord
from controller.state_cache import StateCache


class StartTask(Protocol):
    """Gives a room's work to a task of its own."""

    def __call__(self, key: str, work: Coroutine[Any, Any, None]) -> None: ...


@dataclass(slots=True)
class StatusWriter:
    """`failures` holds, by room id, why the last try failed where the room itself was refused."""

    store: RoomStore
    state: StateCache
    clock: Clock
    flapping: FlapDetector
    recording: Callable[[RoomRecord], RecordingCondition | None] = lambda _: None
    failures: dict[str, str] = field(default_factory=dict)
    _unchanged: dict[str, tuple[RoomRecord, RecordingCondition | None]] = field(default_factory=dict)

    async def write_status(self, record: RoomRecord, plan: Plan, left: RoomChange | None) -> None:
        """The record's sid and status after something was done; `left` is what still has to happen.

        The status is for the generation that was worked on, and never covers a newer one.
        """
        current = self.store.by_id.get(record.id)
        if current is None or current.removed:
            return
        after, room = current.completed(), self.state.live_room(current)
        if room is not None:
            after = after.with_sid(room.sid)
        status = status_of(record, self._status_inputs(record, plan, left), self.clock.wall())
        if status.observed_generation >= current.status.observed_generation:
            after = after.with_status(status)
        await self.store.save(current, after)

    def sync_statuses(
        self, plan: Plan, records: Mapping[str, RoomRecord], busy: AbstractSet[str], start: StartTask
    ) -> None:
        """The rooms that nothing is under way for; one that is the same record as last time costs nothing."""
        changes = {change.id: change for change in plan.changes}
        for room_id in self.failures.keys() - changes.keys() - busy:
            del self.failures[room_id]  # what had failed is wanted no more, or came about without us
        unchanged: dict[str, tuple[RoomRecord, RecordingCondition | None]] = {}
        for record in records.values():
            if record.removed or record.id in busy:
                continue
            plain = record.id not in changes and record.key not in plan.stale
            before, condition = self._unchanged.get(record.id), self.recording(record)
            same = before is not None and before[0] is record and before[1] == condition
            if plain and before is not None and same and self._sid_is_right(record):
                unchanged[record.id] = before
            elif self._changed(record, plan, changes.get(record.id)):
                start(record.id, self._try_write_status(record, plan, changes.get(record.id)))
            elif plain and not self.flapping.stalled(record.id, self.clock.monotonic()):
                unchanged[record.id] = record, condition
        self._unchanged = unchanged

    def _changed(self, record: RoomRecord, plan: Plan, change: RoomChange | None) -> bool:
        if record.incomplete or not self._sid_is_right(record):
            return True
        return (
            status_of(record, self._status_inputs(record, plan, change), self.clock.wall()) != record.status
        )

    def _sid_is_right(self, record: RoomRecord) -> bool:
        """False where we died before it was written down, or somebody made the room anew under its name."""
        room = self.state.live_room(record)
        return room is None or room.sid == record.sid

    async def _try_write_status(self, record: RoomRecord, plan: Plan, change: RoomChange | None) -> None:
        """A status that could not be written is found missing by the next pass."""
        try:
            await self.write_status(record, plan, change)
        except RoomctlError:
            return

    def _status_inputs(self, record: RoomRecord, plan: Plan, change: RoomChange | None) -> StatusInputs:
        return StatusInputs(
            live=self.state.live_room(record) is not None,
            stale=plan.stale.get(record.key),
            change=change,
            failure=self.failures.get(record.id),
            stalled=self.flapping.stalled(record.id, self.clock.monotonic()),
            recording=self.recording(record),
        )
