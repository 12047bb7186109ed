"""Stage 2: what the live side of one room needs for its spec, and why. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from controller.live.room import ON_DEMAND_TIMEOUT_SECONDS, LiveRoom
from controller.plan.metadata import empty_timeout, has_mark, is_of_foreign, room_metadata
from controller.plan.model import (
    Action,
    Adopt,
    Close,
    DeleteRetiredRoom,
    Heal,
    Observed,
    PlanInputs,
    PutToSleep,
    Recreate,
    Repair,
    Start,
    Stop,
)
from controller.plan.ownership import Ownership
from controller.records.record import RoomRecord
from controller.room import HOURS, RoomSpec, format_time
from controller.text import quote_excerpt

CLOSED: Final = "Closed"
"""The reason of the condition Ready while a room is closed."""
Step: TypeAlias = tuple[Action, str]
"""An action and the reason for it."""


@dataclass(frozen=True, slots=True)
class PlanContext:
    """The inputs that all rooms share."""

    observed: Observed
    owners: Ownership
    inputs: PlanInputs

    def adoptable(self, room_id: str) -> LiveRoom | None:
        """The live room with our mark of this room, under a name that no record has."""
        unknown = self.owners.unknown
        marks = self.inputs.owner.room_marks(room_id) if unknown else ()
        return next((unknown[mark][0] for mark in marks if mark in unknown), None)

    def adopt_steps(
        self, room: LiveRoom, spec: RoomSpec, room_id: str, *, was_foreign: bool
    ) -> Iterator[Step]:
        """Take the live room over as it is, then correct what can be corrected."""
        if has_mark(room.metadata):
            why = "adopts an existing LiveKit room of this instance"
        else:
            why = f"adopts the LiveKit room {quote_excerpt(room.name)}"
        yield Adopt(room.name, room.sid if was_foreign else ""), why
        yield from self.drift_steps(room, spec, room_id, adopted=was_foreign)

    def drift_steps(self, room: LiveRoom, spec: RoomSpec, room_id: str, *, adopted: bool) -> Iterator[Step]:
        """Bring the live room to the spec."""
        owner, store = self.inputs.owner, self.inputs.store
        if room.metadata != room_metadata(spec, room_id, owner, store, self.inputs.now, adopted=adopted):
            yield Repair(room.name), "LiveKit room metadata is out of date"
        if problem := _lasting_drift(room, spec):
            yield PutToSleep() if spec.is_on_demand else Recreate(), problem


def _lasting_drift(room: LiveRoom, spec: RoomSpec) -> str:
    """What cannot be changed on the live room; '' if it is as specified."""
    timeouts = (room.empty_timeout, room.departure_timeout)
    if room.max_participants != spec.max_participants:
        return "max_participants cannot be changed on a live room"
    if spec.is_on_demand and max(timeouts) > ON_DEMAND_TIMEOUT_SECONDS:
        return "LiveKit would keep the room when it is empty"
    if min(timeouts) < empty_timeout(spec):
        return "LiveKit would close the room when it is empty"
    return ""


def live_steps(
    context: PlanContext, room_id: str, spec: RoomSpec, record: RoomRecord | None, adopt: str | None = None
) -> Iterator[Step]:
    """Stage 2: what the live side of one room needs for the spec after stage 1.

    `adopt` is the foreign room that its manifest names, unless the record has adopted one before.
    """
    live, now = context.observed.live, context.inputs.now
    current = record.live if record is not None else None
    is_adopted = record is not None and record.is_adopted
    if not spec.active:
        if current is not None:
            yield Stop(), "room is inactive"
    elif not spec.opening(now).is_prepared(now):
        if current is not None:
            yield from _closing_steps(current.name, spec, room_id, context, adopted=is_adopted)
    elif current is not None and current.name in live:
        yield from context.drift_steps(live[current.name], spec, room_id, adopted=is_adopted)
    elif (found := context.adoptable(room_id)) is not None:
        yield from context.adopt_steps(found, spec, room_id, was_foreign=is_of_foreign(found.metadata))
    else:
        yield from _missing_steps(context, room_id, spec, record, adopt)
    for name in context.owners.given_up.get(room_id, ()):
        yield DeleteRetiredRoom(name), "a replaced LiveKit room still exists"


def _missing_steps(
    context: PlanContext, room_id: str, spec: RoomSpec, record: RoomRecord | None, adopt: str | None
) -> Iterator[Step]:
    """An open room without a live room. One that is live on demand sleeps until somebody asks for it."""
    current = record.live if record is not None and not record.is_adopted else None
    wanted, live = room_id in context.inputs.wanted, context.observed.live
    sleeps = spec.is_on_demand and (record is None or not record.occupied)
    if current is not None and (wanted and not current.sid if sleeps else True):
        why = "LiveKit room disappeared" if current.sid else "LiveKit room not created yet"
        yield Heal(current.name), why
    elif adopt in context.owners.unmarked:
        yield from context.adopt_steps(live[adopt], spec, room_id, was_foreign=True)
    elif sleeps and wanted:
        yield Start(wanted=True), "somebody asks for the room"
    elif not sleeps:
        yield _start(record, adopt, live)


def _start(record: RoomRecord | None, adopt: str | None, live: Mapping[str, LiveRoom]) -> Step:
    """A room of a new name, and why it is not the one adopted that the manifest names."""
    if record is not None and record.is_adopted:
        return Start(), "the adopted LiveKit room ended"
    opens = record is not None and _was_closed(record)
    why = "room opens" if opens else "room is active"
    if adopt is not None:
        known = "roomctl manages the LiveKit room" if adopt in live else "LiveKit has no room"
        why = f"{why}; nothing to adopt: {known} {quote_excerpt(adopt)}"
    return Start(scheduled=opens), why


def _was_closed(record: RoomRecord) -> bool:
    """Whether its open hours were over, so that nobody started it now."""
    ready = record.status.condition("Ready")
    return ready is not None and ready.reason == CLOSED


def _closing_steps(
    name: str, spec: RoomSpec, room_id: str, context: PlanContext, *, adopted: bool
) -> Iterator[Step]:
    """The room is closed. Who is still inside may stay for the overrun, and has to keep to the policy."""
    now, cut_off, live = context.inputs.now, spec.cut_off(context.inputs.now), context.observed.live
    if cut_off is not None and now >= cut_off and context.inputs.clock_is_right:
        yield Stop(scheduled=True), f"closed at {format_time(cut_off - spec.overrun_time)}"
        return
    if name in live:
        drift = context.drift_steps(live[name], spec, room_id, adopted=adopted)
        yield from (step for step in drift if isinstance(step[0], Repair))  # a closed room is not replaced
    yield Close(cut_off), _closes_at(spec, cut_off) if cut_off is not None else "not open yet"


def coming_close(spec: RoomSpec, record: RoomRecord | None, context: PlanContext) -> Iterator[Step]:
    """Changed open hours of a live room: when they will cut off the people inside."""
    if record is None or record.live is None or record.spec is spec or not spec.active:
        return
    now = context.inputs.now
    changed = any(getattr(spec, name) != getattr(record.spec, name) for name in HOURS)
    if changed and spec.opening(now).is_prepared(now) and (cut_off := spec.cut_off(now)) is not None:
        yield Close(cut_off, later=True), _closes_at(spec, cut_off)


def _closes_at(spec: RoomSpec, cut_off: datetime) -> str:
    """When newcomers are refused, and when those inside have to leave."""
    closes = f"closes at {format_time(cut_off - spec.overrun_time)}"
    return f"{closes}, for those inside at {format_time(cut_off)}" if spec.overrun_time else closes
