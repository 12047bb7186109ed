"""How a room stands: conditions, what `get` gives, which rooms a name means."""

from dataclasses import replace
from datetime import timedelta

import pytest

from controller.cli.leader import Leader
from controller.cli.rooms import as_dict, room_status, select_rooms
from controller.records.ports import Holder
from controller.records.record import Condition, Origin, Status
from controller.records.replicas import Replica
from tests.support.reference import CREATE_ROOM
from tests.support.rooms import NOW, records, room

LATER = NOW + timedelta(minutes=5)
HOLDER = Holder("x", "host", 17, "run", LATER - timedelta(seconds=29))
LEADER = Leader(HOLDER)
SAID = Status(
    1,
    (
        Condition("Ready", "True", "AsSpecified", "", NOW),
        Condition("Live", "True", "Listed", "", NOW),
        Condition("ManifestValid", "True", "Valid", "", NOW),
        Condition("Deferred", "True", "PeopleInside", "3 inside", NOW),
    ),
)


def test_the_object_is_the_references_with_ours_beside_it() -> None:
    shown = as_dict(room_status(replace(room(live="lk-1"), status=SAID), LEADER, LATER))
    assert list(shown) == [
        *CREATE_ROOM.answers,
        "key",
        "origin",
        "file",
        "LKRoomName",
        "participants",
        "generation",
        "status",
    ]
    assert shown["LKRoomName"] == "lk-1"
    assert shown["participants"] is None
    assert shown["status"]["observedGeneration"] == 1
    assert shown["status"]["conditions"][0] == {
        "type": "Ready",
        "status": "True",
        "reason": "AsSpecified",
        "message": "",
        "lastTransitionTime": "2026-03-24T16:00:00.123Z",
    }
    assert as_dict(room_status(room(), LEADER, LATER))["LKRoomName"] is None


def test_what_is_not_said_yet_is_unknown() -> None:
    kinds = {c.type: (c.status, c.reason) for c in room_status(room(), LEADER, LATER).conditions}
    pending = ("Unknown", "Pending")
    assert kinds == {"Ready": pending, "Live": pending, "ManifestValid": pending}
    api = replace(room(), origin=Origin.API, file=None)
    assert [c.type for c in room_status(api, LEADER, LATER).conditions] == ["Ready", "Live"]


def test_without_a_controller_nothing_is_known() -> None:
    gone = replace(HOLDER, renewed=LATER - timedelta(seconds=31))
    for holder, since in ((gone, gone.renewed), (None, NOW)):
        conditions = room_status(replace(room(), status=SAID), Leader(holder), LATER).conditions
        assert {(c.status, c.reason, c.last_transition) for c in conditions} == {
            ("Unknown", "ControllerAway", since)
        }


@pytest.mark.parametrize(("seconds", "away"), [(0, False), (30, False), (30.1, True)])
def test_a_controller_is_away_after_half_a_minute(seconds: float, away: bool) -> None:
    assert Leader(replace(HOLDER, renewed=LATER - timedelta(seconds=seconds))).is_stale(LATER) is away


def seeing(livekit_age_s: float | None, **fields: object) -> Leader:
    """A leader that wrote its document just now, a minute after its start."""
    started = LATER - timedelta(minutes=1)
    me = Replica(id="x", host="host", pid=17, started=started, written=LATER, livekit_age_s=livekit_age_s)
    return Leader(HOLDER, me.model_copy(update=fields))


@pytest.mark.parametrize(("age", "since"), [(15.1, 15.1), (None, 60.0)])
def test_without_livekit_nothing_is_known_of_what_only_livekit_tells(age: float | None, since: float) -> None:
    leader = seeing(age, livekit_error="LiveKit at h:1 cannot be reached (ListRooms)")
    conditions = room_status(replace(room(), status=SAID), leader, LATER).conditions
    away = LATER - timedelta(seconds=since)
    assert [(c.type, c.status, c.reason, c.last_transition) for c in conditions] == [
        ("Ready", "Unknown", "LiveKitAway", away),
        ("Live", "Unknown", "LiveKitAway", away),
        ("ManifestValid", "True", "Valid", NOW),
        ("Deferred", "True", "PeopleInside", NOW),
    ]
    assert "LiveKit at h:1 cannot be reached" in conditions[0].message
    assert leader.problem == conditions[0].message


def test_livekit_of_a_moment_ago_is_believed() -> None:
    assert room_status(replace(room(), status=SAID), seeing(14.9), LATER).conditions == SAID.conditions
    assert seeing(14.9).problem == ""


@pytest.mark.parametrize("state", ["missing", "unreadable"])
def test_leader_without_its_rooms_directory_is_a_problem(state: str) -> None:
    leader = seeing(0.1, rooms_dir=state, rooms_dir_problem="rooms.d does not exist")
    assert leader.problem == "the controller cannot read its rooms directory: rooms.d does not exist"


def test_rooms_are_sorted_by_key_without_tombstones() -> None:
    rooms, unknown = select_rooms(records(room(2), room(1), replace(room(3), removed_at=NOW)), ())
    assert [record.key for record in rooms] == ["events/room-1", "events/room-2"]
    assert unknown == []


def test_rooms_are_found_by_key_or_id_once_and_the_unknown_named() -> None:
    names = (room(2).id, "events/room-1", "events/room-2", "events/none", room(3).id)
    rooms, unknown = select_rooms(records(room(1), room(2), replace(room(3), removed_at=NOW)), names)
    assert [record.key for record in rooms] == ["events/room-1", "events/room-2"]
    assert unknown == ["events/none", room(3).id]


def test_an_api_room_is_found_as_it_is_shown_while_that_means_one() -> None:
    first = replace(room(1), id="a" * 24, key="api/" + "a" * 24, origin=Origin.API)
    second = replace(room(2), id="a" * 23 + "b", key="api/" + "a" * 23 + "b", origin=Origin.API)
    assert select_rooms(records(first), ("api/aaaaaa",)) == ([first], [])
    assert select_rooms(records(first, second), ("api/aaaaaa",)) == ([], ["api/aaaaaa"])
