"""Sorts the live rooms: current, retired, adoptable, orphan or foreign (docs/safety.md).

Of foreign rooms only the names of those without any mark are in the result, for a manifest that names one in
`adopt:`. Nothing after this step can touch or count the others.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from controller.live.room import LiveRoom
from controller.plan.metadata import OwnerMark, has_mark, owner_mark
from controller.plan.model import Observed, PlanInputs
from controller.records.record import RoomRecord


@dataclass(frozen=True, slots=True)
class Ownership:
    """Our live rooms.

    `given_up`, by record id: rooms it has given up that are still listed. `unknown`, by the room in their
    mark: rooms with our mark under a name that no record has, the best one to adopt first. `orphans`: those
    of them that our own database made; the planner may still adopt one. `unmarked`: rooms that no record
    names and that have no mark of any roomctl.
    """

    given_up: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unknown: Mapping[str, tuple[LiveRoom, ...]] = field(default_factory=dict)
    orphans: frozenset[str] = frozenset()
    unmarked: frozenset[str] = frozenset()


def unmarked_rooms(observed: Observed) -> frozenset[str]:
    """The live rooms that somebody else made: no record names them, and they have no mark of any roomctl."""
    given_up = _given_up(observed.live, observed.records.values())
    known = {name for names in given_up.values() for name in names}
    return _unmarked(_strangers(observed) - known, observed.live)


def _strangers(observed: Observed) -> set[str]:
    """The live rooms that are not the current one of a record.

    Live rooms of an unusable record are not touched until it can be used.
    """
    named = {record.live.name for record in observed.records.values() if record.live is not None}
    strangers = observed.live.keys() - named
    return strangers - {name for each in observed.unusable.values() for name in each.record.names}


def _unmarked(names: Iterable[str], live: Mapping[str, LiveRoom]) -> frozenset[str]:
    return frozenset(name for name in names if not has_mark(live[name].metadata))


def classify_rooms(observed: Observed, inputs: PlanInputs) -> Ownership:
    """Sort the listing by owner; only a set difference if every listed room is a current one."""
    live, strangers = observed.live, _strangers(observed)
    if not strangers:
        return Ownership()
    given_up = _given_up(live, observed.records.values())
    known = {name for names in given_up.values() for name in names}
    marked = [(live[name], mark) for name in strangers - known if (mark := owner_mark(live[name].metadata))]
    ours = [(room, mark) for room, mark in marked if mark.instance == inputs.owner.instance]
    stores = inputs.owner.store_marks(inputs.store)
    unusable = {mark for room_id in observed.unusable for mark in inputs.owner.room_marks(room_id)}
    return Ownership(
        given_up=given_up,
        unknown=_by_room(ours),
        orphans=frozenset(
            room.name for room, mark in ours if mark.store in stores and mark.room not in unusable
        ),
        unmarked=_unmarked(strangers - known, live),
    )


def without_impostors(observed: Observed) -> Observed:
    """Without live rooms that have the name of an adopted room, and were made after it ended."""
    adopted = (r.adopted for r in observed.records.values() if r.is_adopted and r.adopted is not None)
    others = {each.name for each in adopted if observed.live.get(each.name, each).sid != each.sid}
    if not others:
        return observed
    return replace(observed, live={n: room for n, room in observed.live.items() if n not in others})


def given_up_rooms(record: RoomRecord, live: Mapping[str, LiveRoom]) -> tuple[str, ...]:
    """The listed rooms that the record has given up: to be deleted, even if somebody is inside.

    These are its retired names, and the adopted room. Others may use the name of the latter again, so only
    the room of the adopted sid is meant.
    """
    retired = [old.name for old in record.retired if old.name in live]
    adopted = None if record.is_adopted else record.adopted
    if adopted is not None and adopted.name in live and live[adopted.name].sid == adopted.sid:
        retired.append(adopted.name)
    return tuple(retired)


def _given_up(live: Mapping[str, LiveRoom], records: Iterable[RoomRecord]) -> dict[str, tuple[str, ...]]:
    names_by_id = (
        (record.id, given_up_rooms(record, live)) for record in records if record.retired or record.adopted
    )
    return {room_id: names for room_id, names in names_by_id if names}


def _by_room(ours: Iterable[tuple[LiveRoom, OwnerMark]]) -> dict[str, tuple[LiveRoom, ...]]:
    grouped: dict[str, tuple[LiveRoom, ...]] = {}
    for room, mark in sorted(
        ours, key=lambda our: (-our[0].num_participants, our[0].created_at, our[0].name)
    ):
        grouped[mark.room] = (*grouped.get(mark.room, ()), room)
    return grouped
