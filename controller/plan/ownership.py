"""Sorts the live rooms: current, retired, adoptable, orphan or foreign (docs/safety.md).

Foreign rooms are not in the result, so nothing after this step can touch or count them.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from controller.live.room import LiveRoom
from controller.plan.metadata import OwnerMark, owner_mark
from controller.plan.model import Observed, PlanInputs
from controller.records.record import RoomRecord


@dataclass(frozen=True, slots=True)
class Ownership:
    """Our live rooms.

    `retired`, by record id: retired names that are still listed. `unknown`, by the room in their mark: rooms
    with our mark under a name that no record has, the best one to adopt first. `orphans`: those of them that
    our own database made; the planner may still adopt one.
    """

    retired: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unknown: Mapping[str, tuple[LiveRoom, ...]] = field(default_factory=dict)
    orphans: frozenset[str] = frozenset()


def classify_rooms(observed: Observed, inputs: PlanInputs) -> Ownership:
    """Sort the listing by owner; only a set difference if every listed room is a current one.

    Live rooms of an unusable record are not touched until it can be used.
    """
    live, records = observed.live, observed.records.values()
    strangers = live.keys() - {record.live.name for record in records if record.live is not None}
    strangers -= {name for each in observed.unusable.values() for name in each.record.names}
    if not strangers:
        return Ownership()
    retired = _retired(strangers, records)
    known = {name for names in retired.values() for name in names}
    marked = [(live[name], mark) for name in strangers - known if (mark := owner_mark(live[name].metadata))]
    ours = [(room, mark) for room, mark in marked if mark.instance == inputs.owner.instance]
    stores = inputs.owner.store_marks(inputs.store)
    unusable = {mark for room_id in observed.unusable for mark in inputs.owner.room_marks(room_id)}
    return Ownership(
        retired=retired,
        unknown=_by_room(ours),
        orphans=frozenset(
            room.name for room, mark in ours if mark.store in stores and mark.room not in unusable
        ),
    )


def _retired(listed: Collection[str], records: Iterable[RoomRecord]) -> dict[str, tuple[str, ...]]:
    names_by_id = (
        (record.id, tuple(old.name for old in record.retired if old.name in listed))
        for record in records
        if record.retired
    )
    return {room_id: names for room_id, names in names_by_id if names}


def _by_room(ours: Iterable[tuple[LiveRoom, OwnerMark]]) -> dict[str, tuple[LiveRoom, ...]]:
    grouped: dict[str, tuple[LiveRoom, ...]] = {}
    for room, mark in sorted(
        ours, key=lambda our: (-our[0].num_participants, our[0].created_at, our[0].name)
    ):
        grouped[mark.room] = (*grouped.get(mark.room, ()), room)
    return grouped
