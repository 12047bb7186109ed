"""Messages of LiveKit as our data, and back."""

import pytest
from livekit.protocol.models import ParticipantInfo, ParticipantPermission, Room, TrackSource

from controller.live.room import LiveRoom, Permission
from controller.live.wire import read_participant, read_permission, read_room, write_permission

ROOM = Room(
    name="a", sid="RM_1", metadata="m", max_participants=3, empty_timeout=4, departure_timeout=5,
    num_participants=6, creation_time_ms=7_001, creation_time=7, active_recording=True,
    turn_password="secret-of-the-room",
)  # fmt: skip


def test_a_room_is_read_without_its_turn_password() -> None:
    room = read_room(ROOM)
    assert room == LiveRoom("a", "RM_1", "m", 3, 4, 5, 6, 7_001, active_recording=True)
    assert "secret-of-the-room" not in repr(room)


def test_an_old_server_gives_the_time_in_seconds() -> None:
    assert read_room(Room(name="a", creation_time=7)).created_at == 7_000


def test_an_unchanged_room_is_the_same_object_again() -> None:
    before = read_room(ROOM)
    assert read_room(ROOM, before) is before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sid", "RM_2"),
        ("metadata", "other"),
        ("max_participants", 9),
        ("empty_timeout", 9),
        ("departure_timeout", 9),
        ("num_participants", 9),
        ("active_recording", False),
    ],
)
def test_a_changed_room_is_read_anew(field: str, value: object) -> None:
    before, changed = read_room(ROOM), Room()
    changed.CopyFrom(ROOM)
    setattr(changed, field, value)
    after = read_room(changed, before)
    assert after != before
    assert getattr(after, field) == value


def test_sources_are_read_in_canonical_order_each_once() -> None:
    unordered = ParticipantPermission(
        can_publish_sources=[TrackSource.SCREEN_SHARE, TrackSource.CAMERA, TrackSource.SCREEN_SHARE]
    )
    assert read_permission(unordered).sources == ("CAMERA", "SCREEN_SHARE")


def test_a_permission_survives_the_way_there_and_back() -> None:
    permission = Permission(
        can_subscribe=False,
        can_publish=True,
        can_publish_data=True,
        sources=("CAMERA", "MICROPHONE", "SCREEN_SHARE", "SCREEN_SHARE_AUDIO"),
        hidden=True,
        can_update_metadata=True,
    )
    assert read_permission(write_permission(permission)) == permission


@pytest.mark.parametrize(
    ("info", "kind", "is_person"),
    [
        (ParticipantInfo(), "STANDARD", True),
        (ParticipantInfo(kind=ParticipantInfo.SIP), "SIP", True),
        (ParticipantInfo(kind=ParticipantInfo.AGENT), "AGENT", False),
        (ParticipantInfo(kind=ParticipantInfo.EGRESS), "EGRESS", False),
        (ParticipantInfo(permission=ParticipantPermission(agent=True)), "AGENT", False),
        (ParticipantInfo(permission=ParticipantPermission(recorder=True)), "STANDARD", False),
        (ParticipantInfo(permission=ParticipantPermission(hidden=True)), "STANDARD", True),
    ],
)
def test_who_is_a_person(info: ParticipantInfo, kind: str, is_person: bool) -> None:
    participant = read_participant(info)
    assert (participant.kind, participant.is_person) == (kind, is_person)
