"""Work that participants do not notice: tombstones, retired names, orphans, checks of permissions."""

from collections.abc import Iterator
from datetime import timedelta

from controller.access.occupancy import unreserved_seats
from controller.live.room import LiveRoom
from controller.plan.matching import Matching
from controller.plan.model import (
    CheckOccupancy,
    Chore,
    DeleteOrphan,
    DeleteTombstonedRoom,
    EnforcePermissions,
    FinalizeApiRemoval,
    Observed,
    PlanInputs,
    PruneExpired,
    PruneRetiredNames,
    PurgeTombstone,
    RetireVanished,
)
from controller.plan.ownership import given_up_rooms
from controller.records.record import TOMBSTONE_TTL, Origin, RoomRecord

ENFORCE_MARGIN = timedelta(seconds=60)
"""How long the permissions inside are still checked after the last old token has expired."""


def plan_chores(
    observed: Observed, inputs: PlanInputs, matching: Matching, orphans: frozenset[str]
) -> Iterator[Chore]:
    """All chores, in the order of the records."""
    revived = {matched.record.id for matched in matching.matches if matched.record is not None}
    for record in observed.records.values():
        if record.removed and record.id not in revived:
            yield from _for_tombstone(record, observed, inputs)
        elif record.retired:
            yield from _retired_names_to_prune(record, observed, inputs)
        if _needs_enforcement(record, observed, inputs):
            yield EnforcePermissions(record)
        if any(end <= inputs.now for end in record.expires):
            yield PruneExpired(record)
        if record.spec.is_on_demand:
            yield from _of_on_demand(record, observed, inputs)
    yield from (DeleteOrphan(name) for name in sorted(orphans & inputs.ripe_orphans))


def _for_tombstone(record: RoomRecord, observed: Observed, inputs: PlanInputs) -> Iterator[Chore]:
    if _has_live_side(record):
        yield FinalizeApiRemoval(record)
        return
    listed = sorted(given_up_rooms(record, observed.live))
    yield from (DeleteTombstonedRoom(record, name) for name in listed)
    unsettled = listed or record.recording is not None
    if not unsettled and record.removed_at is not None and inputs.now - record.removed_at >= TOMBSTONE_TTL:
        yield PurgeTombstone(record)


def _of_on_demand(record: RoomRecord, observed: Observed, inputs: PlanInputs) -> Iterator[Chore]:
    """Keep on record whether people are inside, and retire the name of a room that LiveKit closed empty."""
    if record.live is None or not record.should_be_live:
        return
    room = observed.live.get(record.live.name)
    if room is None:
        if not record.occupied and record.id not in inputs.wanted:
            yield RetireVanished(record)
    elif bool(room.num_participants) is not record.occupied:
        yield CheckOccupancy(record)


def _has_live_side(record: RoomRecord) -> bool:
    """Whether its live side must still be deleted: the API only marks the room as removed."""
    unsaid = record.status.observed_generation < record.generation
    return record.live is not None or (record.origin is Origin.API and unsaid)


def _retired_names_to_prune(record: RoomRecord, observed: Observed, inputs: PlanInputs) -> Iterator[Chore]:
    old = frozenset(
        retired.name
        for retired in record.retired
        if inputs.now - retired.at >= TOMBSTONE_TTL and retired.name not in observed.live
    )
    if old:
        yield PruneRetiredNames(record, old)


def _may_lack_seats(record: RoomRecord, room: LiveRoom) -> bool:
    """Whether so many are inside that some may have reserved seats; the number lags by seconds."""
    spec = record.spec
    free = unreserved_seats(spec, room.max_participants)
    return bool(spec.reserved_seats) and room.num_participants > free


def _needs_enforcement(record: RoomRecord, observed: Observed, inputs: PlanInputs) -> bool:
    """Whether a participant, now or later with an older token, may have old rights or have to leave."""
    room = observed.live.get(record.live.name) if record.live is not None else None
    if room is None or not record.should_be_live:
        return False
    if record.kicked or _may_lack_seats(record, room):
        return True
    if record.generation == 1:
        return False
    recent = inputs.now - record.modified <= timedelta(seconds=inputs.token_ttl) + ENFORCE_MARGIN
    return recent or record.status.observed_generation < record.generation
