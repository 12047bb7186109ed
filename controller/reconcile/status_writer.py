"""Writes the status of rooms into their records, only when it has changed."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeAlias

from controller.clock import Clock
from controller.companions.companion import Companion, NewCondition
from controller.hours import ALWAYS
from controller.plan.model import Plan, RoomChange
from controller.reconcile.status import TRUE, StatusInputs, guarded, status_of, with_condition
from controller.reconcile.trackers import FlapDetector
from controller.records.ports import RecordWriter
from controller.records.record import RoomRecord
from controller.room import format_time
from controller.state_cache import StateCache

_Extras: TypeAlias = tuple[tuple[NewCondition, ...], str | None]
"""What changes a room's status without a change of its record: conditions, and whether it is closed."""


@dataclass(slots=True)
class StatusWriter:
    """`_failures` holds, by room id, why the last try failed, if LiveKit refused this room."""

    store: RecordWriter
    state: StateCache
    clock: Clock
    flapping: FlapDetector
    companions: tuple[Companion, ...] = ()
    _failures: dict[str, str] = field(default_factory=dict)
    _up_to_date: dict[str, tuple[RoomRecord, _Extras]] = field(default_factory=dict)

    async def write_status(self, record: RoomRecord, plan: Plan, left: RoomChange | None) -> None:
        """Write the record's sid and status after an action; `left` is what is still to do.

        The status is for the generation that was applied, never for a newer one.
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

    def outdated(
        self, plan: Plan, records: Mapping[str, RoomRecord], busy: AbstractSet[str]
    ) -> list[tuple[RoomRecord, RoomChange | None]]:
        """The rooms with an outdated status, without `busy` ones, and what is still to do for each.

        A room without a planned change and with unchanged conditions of companions is not computed again.
        """
        outdated: list[tuple[RoomRecord, RoomChange | None]] = []
        changes = {change.id: change for change in plan.changes}
        for room_id in self._failures.keys() - changes.keys() - busy:
            del self._failures[room_id]  # what had failed is not wanted any more, or is done
        up_to_date: dict[str, tuple[RoomRecord, _Extras]] = {}
        at = self.clock.wall()
        for record in records.values():
            if record.removed or record.id in busy:
                continue
            change, now = changes.get(record.id), (self._extra_conditions(record, at), _closed(record, at))
            before = self._up_to_date.get(record.id)
            plain = change is None and record.key not in plan.stale and record.key not in plan.guarded
            sid_is_current = self._is_sid_current(record)
            if plain and sid_is_current and before is not None and before[0] is record and before[1] == now:
                up_to_date[record.id] = before
            elif not sid_is_current or not self._is_up_to_date(record, plan, change):
                outdated.append((record, change))
            elif plain and not self._is_stalled(record):
                up_to_date[record.id] = record, now
        self._up_to_date = up_to_date
        return outdated

    def record_failure(self, room_id: str, error: Exception) -> None:
        """LiveKit refused the room: the next status shows it."""
        self._failures[room_id] = str(error)

    def record_success(self, room_id: str) -> None:
        """The room's actions were done."""
        self._failures.pop(room_id, None)

    async def write_condition(self, record: RoomRecord, new: NewCondition) -> None:
        """Write only one companion's condition; the others stay. StoreError's kinds."""
        status = with_condition(record.status, new, self.clock.wall())
        await self.store.save(record, record.with_status(status))

    async def write_removed(self, record: RoomRecord) -> None:
        """As stop, and the status is of this generation, which the caller of the API waits for."""
        status = replace(record.status, observed_generation=record.generation)
        await self.store.save(record, record.with_status(status))

    def _is_up_to_date(self, record: RoomRecord, plan: Plan, change: RoomChange | None) -> bool:
        status = status_of(record, self._status_inputs(record, plan, change), self.clock.wall())
        return status == record.status and not record.incomplete

    def _is_stalled(self, record: RoomRecord) -> bool:
        return self.flapping.stalled(record.id, self.clock.monotonic())

    def _extra_conditions(self, record: RoomRecord, now: datetime) -> tuple[NewCondition, ...]:
        """The conditions of companions, and of a hold."""
        conditions = [companion.condition(record) for companion in self.companions]
        if (hold := record.hold_at(now, self.store.hold_all)) is not None:
            conditions.append(NewCondition("Held", TRUE, "Held", str(hold)))
        return tuple([condition for condition in conditions if condition is not None])

    def _is_sid_current(self, record: RoomRecord) -> bool:
        """False if we died before it was written, or the room was created again under its name."""
        room = self.state.live_room(record)
        return room is None or room.sid == record.sid

    def _status_inputs(self, record: RoomRecord, plan: Plan, change: RoomChange | None) -> StatusInputs:
        guard, now = plan.guarded.get(record.key), self.clock.wall()
        return StatusInputs(
            live=self.state.live_room(record) is not None,
            guard=None if guard is None else guarded(guard, len(plan.missing)),
            stale=plan.stale.get(record.key),
            change=change,
            failure=self._failures.get(record.id),
            stalled=self._is_stalled(record),
            companions=self._extra_conditions(record, now),
            closed=_closed(record, now),
        )


def _closed(record: RoomRecord, now: datetime) -> str | None:
    """When a closed room opens, as text; None if it is open."""
    opening = record.spec.opening(now)
    if opening is ALWAYS or opening.is_prepared(now):
        return None
    opens = opening.opens(now)
    return f"opens at {format_time(opens)}" if opens is not None else "does not open again"
