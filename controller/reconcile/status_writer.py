"""Writes the status of rooms into their records, only when it has changed."""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import chain
from typing import Final

from controller.clock import Clock
from controller.companions.companion import Companion, NewCondition
from controller.hours import ALWAYS
from controller.live.room import LiveRoom
from controller.plan.live_steps import CLOSED
from controller.plan.model import Plan, RoomChange
from controller.reconcile.status import TRUE, Rest, StatusInputs, guarded, status_of, with_condition
from controller.reconcile.trackers import FlapDetector
from controller.records.ports import RecordWriter
from controller.records.record import Hold, RoomRecord
from controller.room import format_time
from controller.state_cache import StateCache

ON_DEMAND: Final = "OnDemand"
"""The reason of the condition Ready while a room that is live on demand is not live."""
_ASLEEP: Final = Rest(ON_DEMAND, "made when somebody asks for it")
_BEGINNING: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the last pass was about: the statuses of rooms for which all of it is the same are right."""

    records: Mapping[str, RoomRecord] = field(default_factory=dict)
    live: Mapping[str, LiveRoom] = field(default_factory=dict)
    planned: frozenset[str] = frozenset()
    held: Hold | None = None
    at: datetime = _BEGINNING
    changes_at: datetime | None = None


@dataclass(slots=True)
class StatusWriter:
    """`_failures` holds, by room id, why the last try failed, if LiveKit refused this room.

    A status is compared when something about its room has changed since the last pass, while it is wrong
    (`_unsettled`), in each pass if it depends on more than that (`_unsteady`), and when open hours change
    something (`_scheduled`).
    """

    store: RecordWriter
    state: StateCache
    clock: Clock
    flapping: FlapDetector
    companions: tuple[Companion, ...] = ()
    _failures: dict[str, str] = field(default_factory=dict)
    _seen: _Seen = field(default_factory=_Seen)
    _unsettled: set[str] = field(default_factory=set)
    _unsteady: set[str] = field(default_factory=set)
    _scheduled: set[str] = field(default_factory=set)

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
        """The rooms with an outdated status, without `busy` ones, and what is still to do for each."""
        changes = {change.id: change for change in plan.changes}
        for room_id in self._failures.keys() - changes.keys() - busy:
            self.record_success(room_id)  # what had failed is not wanted any more, or is done
        outdated: list[tuple[RoomRecord, RoomChange | None]] = []
        for room_id in sorted(self._to_compare(plan, records)):
            record = records.get(room_id)
            if record is None or record.removed:
                self._forget(room_id)
            elif room_id in busy:
                self._unsettled.add(room_id)
            elif self._is_outdated(record, plan, changes.get(room_id)):
                outdated.append((record, changes.get(room_id)))
        return outdated

    def _to_compare(self, plan: Plan, records: Mapping[str, RoomRecord]) -> set[str]:
        before, now = self._seen, self.clock.wall()
        hold = self.store.hold_all
        held = hold if hold is not None and hold.until > now else None
        self._seen = _Seen(records, dict(self.state.live), self._planned(plan), held, now, plan.changes_at)
        if held != before.held or now < before.at:
            return set(records)
        scheduled = before.changes_at is not None and now >= before.changes_at
        return {
            *changed_keys(before.records, records),
            *self._ids_of_live(changed_keys(before.live, self._seen.live)),
            *(before.planned | self._seen.planned),
            *self._unsettled,
            *self._unsteady,
            *(self._scheduled if scheduled else ()),
        }

    def _planned(self, plan: Plan) -> frozenset[str]:
        """The ids of the rooms that the plan is about."""
        by_key = self.store.by_key
        kept = (by_key[key].id for key in (*plan.stale, *plan.guarded) if key in by_key)
        return frozenset(chain((change.id for change in plan.changes), kept))

    def _ids_of_live(self, names: Iterable[str]) -> Iterator[str]:
        by_live = self.store.by_live
        return (by_live[name].id for name in names if name in by_live)

    def _is_outdated(self, record: RoomRecord, plan: Plan, change: RoomChange | None) -> bool:
        """Compare the status, and note when it has to be compared again."""
        inputs = self._status_inputs(record, plan, change)
        status = status_of(record, inputs, self.clock.wall())
        outdated = not self._is_sid_current(record) or status != record.status or bool(record.incomplete)
        for kept, wanted in (
            (self._unsettled, outdated),
            (self._unsteady, not all(each.is_steady for each in inputs.companions) or inputs.stalled),
            (self._scheduled, record.spec.opening(self._seen.at) is not ALWAYS),
        ):
            (kept.add if wanted else kept.discard)(record.id)
        return outdated

    def _forget(self, room_id: str) -> None:
        for kept in (self._unsettled, self._unsteady, self._scheduled):
            kept.discard(room_id)

    def record_failure(self, room_id: str, error: Exception) -> None:
        """LiveKit refused the room: the next status shows it."""
        self._failures[room_id] = str(error)
        self._unsettled.add(room_id)

    def record_success(self, room_id: str) -> None:
        """The room's actions were done, or are not wanted any more."""
        if self._failures.pop(room_id, None) is not None:
            self._unsettled.add(room_id)

    async def write_condition(self, record: RoomRecord, new: NewCondition) -> None:
        """Write only one companion's condition; the others stay. StoreError's kinds."""
        status = with_condition(record.status, new, self.clock.wall())
        await self.store.save(record, record.with_status(status))

    async def write_removed(self, record: RoomRecord) -> None:
        """As stop, and the status is of this generation, which the caller of the API waits for."""
        status = replace(record.status, observed_generation=record.generation)
        await self.store.save(record, record.with_status(status))

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
            rest=self._rest(record, now),
        )

    def _rest(self, record: RoomRecord, now: datetime) -> Rest | None:
        """Why the room is not meant to be live although it is active; None if it is."""
        if (closed := _closed(record, now)) is not None:
            return closed
        sleeps = record.spec.is_on_demand and not record.occupied
        return _ASLEEP if sleeps and self.state.live_room(record) is None else None


def _closed(record: RoomRecord, now: datetime) -> Rest | None:
    """When a closed room opens; None if it is open."""
    opening = record.spec.opening(now)
    if opening is ALWAYS or opening.is_prepared(now):
        return None
    opens = opening.opens(now)
    return Rest(CLOSED, f"opens at {format_time(opens)}" if opens is not None else "does not open again")


def changed_keys(before: Mapping[str, object], now: Mapping[str, object]) -> set[str]:
    """The keys under which there is another object now, or none."""
    if before is now:
        return set()
    changed = {key for key, value in now.items() if before.get(key) is not value}
    return changed | (before.keys() - now.keys())
