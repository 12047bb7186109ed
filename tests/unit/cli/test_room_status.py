"""How a room stands: conditions, what `get` gives, which rooms a name means."""

from dataclasses import replace
from datetime import timedelta

import pytest

from controller.cli.rooms import as_dict, is_controller_stale, room_status, select_rooms
from controller.records.ports import Holder
from controller.records.record import Condition, Origin, Status
from tests.support.rooms import NOW, records, room

LATER = NOW + timedelta(minutes=5)
HOLDER = Holder("x", "host", 17, "run", LATER - timedelta(seconds=29))
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
    shown = as_dict(room_status(replace(room(live="lk-1"), status=SAID), HOLDER, LATER))
    assert list(shown) == [
        "_id",
        "id",
        "name",
        "user_id",
        "mediaType",
        "allow_webinar_mode",
        "allow_chat",
        "allow_share_screen",
        "record",
        "record_mode",
        "max_participants",
        "sid",
        "active",
        "created",
        "modified",
        "success",
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
    assert as_dict(room_status(room(), HOLDER, LATER))["LKRoomName"] is None


def test_what_is_not_said_yet_is_unknown() -> None:
    kinds = {c.type: (c.status, c.reason) for c in room_status(room(), HOLDER, LATER).conditions}
    pending = ("Unknown", "Pending")
    assert kinds == {"Ready": pending, "Live": pending, "ManifestValid": pending}
    api = replace(room(), origin=Origin.API, file=None)
    assert [c.type for c in room_status(api, HOLDER, LATER).conditions] == ["Ready", "Live"]


def test_without_a_controller_nothing_is_known() -> None:
    gone = replace(HOLDER, renewed=LATER - timedelta(seconds=31))
    for holder, since in ((gone, gone.renewed), (None, NOW)):
        conditions = room_status(replace(room(), status=SAID), holder, LATER).conditions
        assert {(c.status, c.reason, c.last_transition) for c in conditions} == {
            ("Unknown", "ControllerAway", since)
        }


@pytest.mark.parametrize(("seconds", "away"), [(0, False), (30, False), (30.1, True)])
def test_a_controller_is_away_after_half_a_minute(seconds: float, away: bool) -> None:
    assert is_controller_stale(replace(HOLDER, renewed=LATER - timedelta(seconds=seconds)), LATER) is away


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
