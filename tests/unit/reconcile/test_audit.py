"""Which rooms are looked into at a resync."""

from collections.abc import Iterable
from dataclasses import replace

from controller.live.room import LiveRoom
from controller.reconcile.trackers import MAX_ROOMS_PER_AUDIT, MIN_UNRESTRICTED_ROOMS_PER_AUDIT, Audit
from controller.records.record import RoomRecord
from tests.support.rooms import NOW, room

AUDIO = "MEDIA_TYPE_AUDIO_ONLY"


def rooms(count: int, first: int = 1, media: str = "MEDIA_TYPE_VIDEO_AUDIO") -> list[RoomRecord]:
    return [room(number, live=f"live-{number}", mediaType=media) for number in range(first, first + count)]


def listed(records: Iterable[RoomRecord], people: int = 2) -> dict[str, LiveRoom]:
    """Their live rooms, with so many people in each."""
    names = [record.live.name for record in records if record.live is not None]
    return {name: LiveRoom(name, "RM_1", num_participants=people) for name in names}


def by_name(records: Iterable[RoomRecord]) -> dict[str, RoomRecord]:
    return {record.live.name: record for record in records if record.live is not None}


def ids(chosen: Iterable[RoomRecord]) -> set[str]:
    return {record.id for record in chosen}


def test_a_hundred_rooms_are_all_looked_into_at_each_resync() -> None:
    audit, all_ = Audit(), rooms(40, media=AUDIO) + rooms(60, first=100)
    for _ in range(3):
        assert ids(audit.choose(by_name(all_), listed(all_))) == ids(all_)


def test_of_more_the_restricted_come_first_and_the_others_in_turn() -> None:
    audit, restricted, others = Audit(), rooms(30, media=AUDIO), rooms(200, first=100)
    seen: set[str] = set()
    for _ in range(3):
        chosen = audit.choose(by_name(others + restricted), listed(others + restricted))
        assert len(chosen) == MAX_ROOMS_PER_AUDIT
        assert ids(chosen[:30]) == ids(restricted)
        seen |= ids(chosen[30:])
    assert seen == ids(others)


def test_however_many_are_restricted_all_get_their_turn() -> None:
    audit, restricted, others = Audit(), rooms(200, media=AUDIO), rooms(40, first=1000)
    live = listed(restricted + others)
    seen: set[str] = set()
    for _ in range(3):
        chosen = audit.choose(by_name(restricted + others), live)
        assert len(chosen) == MAX_ROOMS_PER_AUDIT
        assert len(ids(chosen) & ids(others)) == MIN_UNRESTRICTED_ROOMS_PER_AUDIT
        seen |= ids(chosen)
    assert seen == ids(restricted + others)


def test_restricted_rooms_that_seem_empty_get_the_looks_that_are_left() -> None:
    """The listing lags, and a lie in the first seconds must not wait for it."""
    audit, full, empty = Audit(), rooms(70), rooms(60, first=100, media=AUDIO)
    live = listed(full) | listed(empty, people=0)
    seen: set[str] = set()
    for _ in range(2):
        chosen = audit.choose(by_name(empty + full), live)
        assert len(chosen) == MAX_ROOMS_PER_AUDIT
        assert ids(full) <= ids(chosen)
        seen |= ids(chosen)
    assert seen == ids(full + empty)


def test_other_rooms_that_seem_empty_are_let_be() -> None:
    empty = rooms(3)
    assert Audit().choose(by_name(empty), listed(empty, people=0)) == []


def test_only_rooms_in_service_are_looked_into() -> None:
    unlisted, inactive, gone = rooms(3, media=AUDIO)
    inactive = replace(inactive, spec=inactive.spec.model_copy(update={"active": False}))
    gone = replace(gone, removed_at=NOW)
    strangers = listed([inactive, gone, *rooms(1, first=99)])
    assert Audit().choose(by_name([unlisted, inactive, gone, room(6)]), strangers) == []


def test_who_has_left_is_forgotten() -> None:
    audit, some = Audit(), rooms(5)
    audit.choose(by_name(some), listed(some))
    audit.choose(by_name(some), {})
    assert not audit._checked
