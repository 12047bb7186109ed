"""Says of each room how it is: the status in its record, written once, and only when it changed."""

from collections.abc import Coroutine, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from controller.clock import Clock
from controller.companions.companion import Companion, NewCondition
from controller.errors import RoomctlError
from controller.plan.model import Plan, RoomChange
from controller.reconcile.status import StatusInputs, guarded, status_of, with_condition
from controller.reconcile.trackers import FlapDetector
from controller.records.ports import RecordWriter
from controller.records.record import RoomRecord, Status
from controller.state_cache import StateCache


class StartTask(Protocol):
    """Gives a room's work to a task of its own."""

    def __call__(self, key: str, work: Coroutine[Any, Any, None]) -> None: ...


@dataclass(slots=True)
class StatusWriter:
    """`failures` holds, by room id, why the last try failed where the room itself was refused."""

    store: RecordWriter
    state: StateCache
    clock: Clock
    flapping: FlapDetector
    companions: tuple[Companion, ...] = ()
    failures: dict[str, str] = field(default_factory=dict)
    _unchanged: dict[str, tuple[RoomRecord, tuple[NewCondition, ...]]] = field(default_factory=dict)

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
        unchanged: dict[str, tuple[RoomRecord, tuple[NewCondition, ...]]] = {}
        for record in records.values():
            if record.removed or record.id in busy:
                continue
            plain = record.id not in changes and not (record.key in plan.stale or record.key in plan.guarded)
            before, said = self._unchanged.get(record.id), self._said(record)
            same = before is not None and before[0] is record and before[1] == said
            if plain and before is not None and same and self._sid_is_right(record):
                unchanged[record.id] = before
            elif self._changed(record, plan, changes.get(record.id)):
                start(record.id, self._try_write_status(record, plan, changes.get(record.id)))
            elif plain and not self.flapping.stalled(record.id, self.clock.monotonic()):
                unchanged[record.id] = record, said
        self._unchanged = unchanged

    def sync_condition(self, record: RoomRecord, new: NewCondition, key: str, start: StartTask) -> None:
        """One companion's word alone, under `key`; the rest stays as it was said."""
        status = with_condition(record.status, new, self.clock.wall())
        if status != record.status:
            start(key, self._save(record, status))

    async def _save(self, record: RoomRecord, status: Status) -> None:
        with suppress(RoomctlError):
            await self.store.save(record, record.with_status(status))

    async def write_removed(self, record: RoomRecord) -> None:
        """As stop, and the status is of this generation: whoever removed it by API sees that it is so."""
        status = replace(record.status, observed_generation=record.generation)
        await self.store.save(record, record.with_status(status))

    def _said(self, record: RoomRecord) -> tuple[NewCondition, ...]:
        words = (companion.condition(record) for companion in self.companions)
        return tuple(word for word in words if word is not None)

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
        with suppress(RoomctlError):
            await self.write_status(record, plan, change)

    def _status_inputs(self, record: RoomRecord, plan: Plan, change: RoomChange | None) -> StatusInputs:
        guard = plan.guarded.get(record.key)
        return StatusInputs(
            guard=None if guard is None else guarded(guard, len(plan.missing)),
            live=self.state.live_room(record) is not None,
            stale=plan.stale.get(record.key),
            change=change,
            failure=self.failures.get(record.id),
            stalled=self.flapping.stalled(record.id, self.clock.monotonic()),
            companions=self._said(record),
        )
