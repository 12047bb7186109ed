"""What changes between two sets of manifests, without LiveKit and without the database. Pure.

The rooms of the first set count as they would be after an `apply` of it: on record, and live as specified.
Their people are not known, so none are counted.
"""

from dataclasses import replace
from datetime import datetime
from typing import Final

from controller.live.room import LiveRoom
from controller.manifests.snapshot import Desired, ManifestRoom
from controller.plan.metadata import Owner, empty_timeout, room_metadata
from controller.plan.model import Observed, Plan, PlanInputs
from controller.plan.planner import make_plan
from controller.records.record import LiveName, RoomRecord, Status
from controller.room import room_id

OFFLINE_NOTE: Final = "compared offline, without LiveKit and the database: people are not counted"
_KEY: Final = b"compared offline"
"""Ids are derived with it, so that a room has one id in both sets. The real ones need the secret."""
_OWNER: Final = Owner("default", (_KEY,))


def compare_manifests(base: Desired, desired: Desired, now: datetime) -> Plan:
    """The plan from the manifests of `base` to those of `desired`; errors are those of `desired`."""
    records = {record.id: record for record in (_record(room, now) for room in base.rooms.values())}
    live = [_live(record, now) for record in records.values() if record.live is not None]
    rooms = {key: replace(room, adopt=None) for key, room in desired.rooms.items()}  # LiveKit is not asked
    observed = Observed(
        replace(desired, rooms=rooms),
        records,
        {room.name: room for room in live},
        people={room.name: () for room in live},
    )
    plan = make_plan(observed, PlanInputs(_OWNER, "", _KEY, now))
    pinned = {room.key: room.pinned_id or "" for room in (*base.rooms.values(), *desired.rooms.values())}
    changes = tuple(replace(change, id=pinned[change.key]) for change in plan.changes)
    return replace(plan, changes=changes, notes=(*plan.notes, OFFLINE_NOTE), people_known=False)


def _record(room: ManifestRoom, now: datetime) -> RoomRecord:
    identifier = room.pinned_id or room_id(room.key, _KEY)
    record = RoomRecord.new(identifier, room.key, room.file, room.spec, now=now, invite_epoch=0)
    is_open = room.spec.active and room.spec.opening(now).is_prepared(now)
    name = LiveName(room.key, "") if is_open and not room.spec.is_on_demand else None
    return replace(record, live=name, status=Status(1))


def _live(record: RoomRecord, now: datetime) -> LiveRoom:
    return LiveRoom(
        record.key,
        sid="",
        metadata=room_metadata(record.spec, record.id, _OWNER, "", now),
        max_participants=record.spec.max_participants,
        empty_timeout=empty_timeout(record.spec),
        departure_timeout=empty_timeout(record.spec),
    )
