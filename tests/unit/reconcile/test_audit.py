"""Which rooms are looked into at a resync."""

from dataclasses import replace

from controller.live.room import LiveRoom
from controller.reconcile.audit import KEPT_FOR_OTHERS, LOOKS, Audit, occupied
from controller.records.record import RoomRecord
from tests.support.rooms import NOW, room

AUDIO = "MEDIA_TYPE_AUDIO_ONLY"


def rooms(count: int, first: int = 1, media: str = "MEDIA_TYPE_VIDEO_AUDIO") -> list[RoomRecord]:
    return [room(number, live=f"live-{number}", mediaType=media) for number in range(first, first + count)]


def ids(chosen: list[RoomRecord]) -> set[str]:
    return {record.id for record in chosen}


def test_a_hundred_rooms_are_all_looked_into_at_each_resync() -> None:
    audit, all_ = Audit(), rooms(40, media=AUDIO) + rooms(60, first=100)
    for _ in range(3):
        assert ids(audit.choose(all_)) == ids(all_)


def test_of_more_the_restricted_come_first_and_the_others_in_turn() -> None:
    audit, restricted, others = Audit(), rooms(30, media=AUDIO), rooms(200, first=100)
    seen: set[str] = set()
    for _ in range(3):
        chosen = audit.choose(others + restricted)
        assert len(chosen) == LOOKS
        assert ids(chosen[:30]) == ids(restricted)
        seen |= ids(chosen[30:])
    assert seen == ids(others)


def test_however_many_are_restricted_all_get_their_turn() -> None:
    audit, restricted, others = Audit(), rooms(200, media=AUDIO), rooms(40, first=1000)
    seen: set[str] = set()
    for _ in range(3):
        chosen = audit.choose(restricted + others)
        assert len(chosen) == LOOKS
        assert len(ids(chosen) & ids(others)) == KEPT_FOR_OTHERS
        seen |= ids(chosen)
    assert seen == ids(restricted + others)


def test_who_has_left_is_forgotten() -> None:
    audit = Audit()
    audit.choose(rooms(5))
    audit.choose([])
    assert not audit._looked


def test_occupied_are_the_listed_rooms_of_ours_with_people_in_them() -> None:
    full, empty, unlisted, inactive, gone = rooms(5)
    inactive = replace(inactive, spec=inactive.spec.model_copy(update={"active": False}))
    gone = replace(gone, removed_at=NOW)
    live = {
        f"live-{number}": LiveRoom(f"live-{number}", "RM_1", num_participants=people)
        for number, people in {1: 2, 2: 0, 4: 2, 5: 2, 99: 3}.items()
    }
    nameless = room(6)
    assert occupied([full, empty, unlisted, inactive, gone, nameless], live) == [full]
