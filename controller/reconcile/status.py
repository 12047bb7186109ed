"""A room's conditions, made by one pure function from the observed state and the last results."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, NamedTuple

from controller.companions.companion import NewCondition
from controller.manifests.snapshot import ManifestError
from controller.plan.model import BlockReason, DeleteRetiredRoom, Heal, RoomChange
from controller.records.record import Condition, Origin, RoomRecord, Status

TRUE: Final = "True"
FALSE: Final = "False"


class Rest(NamedTuple):
    """Why an active room is not live now: the reason of its conditions, and what comes next."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class StatusInputs:
    """The inputs of a room's status besides its record.

    `live`: its live room exists. `failure`: why the last try failed, one sentence. `change`: what is still
    to do. `guard`: what keeps it although its manifest is gone. `stale`: the error that keeps it at its last
    valid spec. `companions`: their conditions. `rest`: why it is not meant to be live although it is active.
    """

    live: bool
    stale: ManifestError | None = None
    change: RoomChange | None = None
    guard: NewCondition | None = None
    failure: str | None = None
    stalled: bool = False
    companions: tuple[NewCondition, ...] = ()
    rest: Rest | None = None


def status_of(record: RoomRecord, inputs: StatusInputs, now: datetime) -> Status:
    """The status for the current generation; a condition keeps its time while its status stays the same."""
    conditions = (_kept(record.status, new, now) for new in _conditions(record, inputs))
    return Status(record.generation, tuple(conditions))


def with_condition(status: Status, new: NewCondition, now: datetime) -> Status:
    """`status` with a companion's new condition, if it has one; the others stay."""
    conditions = (_kept(status, new, now) if old.type == new.type else old for old in status.conditions)
    return replace(status, conditions=tuple(conditions))


def _kept(before: Status, new: NewCondition, now: datetime) -> Condition:
    old = before.condition(new.type)
    since = old.last_transition if old is not None and old.status == new.status else now
    return Condition(new.type, new.status, new.reason, new.message, since)


def _conditions(record: RoomRecord, inputs: StatusInputs) -> Iterator[NewCondition]:
    yield _ready(record, inputs)
    yield _live(record, inputs)
    if record.origin is Origin.MANIFEST:
        yield _manifest_valid(inputs.stale)
    yield from inputs.companions
    if inputs.guard is not None:
        yield inputs.guard
    if inputs.change is not None and inputs.change.deferred:
        yield NewCondition("Deferred", TRUE, "PeopleInside", _deferral(inputs.change))
    if inputs.stalled:
        yield NewCondition(
            "Stalled",
            TRUE,
            "Flapping",
            "LiveKit room disappeared 5 times in 10 minutes; recreated at most once a minute",
        )


def _ready(record: RoomRecord, inputs: StatusInputs) -> NewCondition:
    if inputs.failure is not None:
        return NewCondition("Ready", FALSE, "Failed", inputs.failure)
    wanted, waiting = record.should_be_live and inputs.rest is None, _waiting(inputs)
    if wanted and not inputs.live:
        return NewCondition("Ready", FALSE, "NotLive", "the LiveKit room has not been created yet")
    stays = record.should_be_live and waiting is not None
    if not wanted and not stays and (inputs.live or _given_up(inputs.change)):
        return NewCondition("Ready", FALSE, "StillLive", "the LiveKit room has not been deleted yet")
    if inputs.rest is not None and record.should_be_live and waiting is None:
        return NewCondition("Ready", TRUE, *inputs.rest)
    return waiting or NewCondition("Ready", TRUE, "AsSpecified", _removed_soon(inputs.change))


def _waiting(inputs: StatusInputs) -> NewCondition | None:
    """Ready of a room for which a hold, a guard or people inside block something."""
    change = inputs.change
    if change is not None and change.hold is not None:
        return NewCondition("Ready", TRUE, "Held", f"{change.waiting} held {change.hold}")
    if inputs.guard is not None:
        return replace(inputs.guard, type="Ready", reason=inputs.guard.type)
    if change is not None and change.deferred:
        return NewCondition("Ready", TRUE, "Deferred", _deferral(change))
    return None


def _removed_soon(change: RoomChange | None) -> str:
    waits = change is not None and change.blocked_by is not None
    return "manifest deleted; removed after 10 seconds" if waits else ""


def guarded(reason: BlockReason, missing: int) -> NewCondition:
    """The condition of a room that a guard keeps; `missing` is the number of rooms without a manifest."""
    return NewCondition("Guarded", TRUE, str(reason), reason.message(missing))


def _given_up(change: RoomChange | None) -> bool:
    """Whether a live room with a retired name still exists."""
    return change is not None and any(isinstance(action, DeleteRetiredRoom) for action in change.actions)


def _live(record: RoomRecord, inputs: StatusInputs) -> NewCondition:
    if inputs.live:
        return NewCondition("Live", TRUE, "Listed")
    if not record.should_be_live:
        return NewCondition("Live", FALSE, "Inactive")
    return NewCondition("Live", FALSE, "NotListed" if inputs.rest is None else inputs.rest.reason)


def _manifest_valid(stale: ManifestError | None) -> NewCondition:
    if stale is None:
        return NewCondition("ManifestValid", TRUE, "Valid")
    place = f"{stale.file}:{stale.position.line}:{stale.position.column}" if stale.position else stale.file
    return NewCondition("ManifestValid", FALSE, "Invalid", f"{place}: {stale.message}")


def _deferral(change: RoomChange) -> str:
    return f"{change.waiting} {change.deferral}"


def vanished(change: RoomChange) -> bool:
    """Whether the change heals a room that was live before."""
    made = change.record is not None and change.record.live is not None and change.record.live.sid is not None
    return made and any(isinstance(action, Heal) for action in change.actions)
