"""What this process knows of the live rooms: the listing, and over it what we did since it was asked for."""

from controller.live.room import LiveRoom
from controller.records.record_cache import RecordCache
from controller.state_cache import STALE_AFTER, Known
from tests.support.worlds import NOW, live_room, record

A, B = LiveRoom("a", "RM_a"), LiveRoom("b", "RM_b")


def test_what_we_made_or_deleted_after_a_listing_was_asked_for_stands_over_it() -> None:
    known = Known(RecordCache())
    known.made(B, now=5.0)
    known.unmade("a", now=6.0)
    known.listed([A], asked=4.0, now=7.0)
    assert known.live == {"b": B}


def test_what_we_did_before_it_was_asked_for_is_history() -> None:
    known = Known(RecordCache())
    known.made(B, now=5.0)
    known.unmade("a", now=6.0)
    known.listed([A], asked=6.5, now=7.0)
    assert known.live == {"a": A}
    known.listed([], asked=4.0, now=8.0)
    assert known.live == {}


def test_a_guest_may_learn_of_wanted_rooms_alone() -> None:
    room = record("a", live="x")
    memory = RecordCache()
    known = Known(memory)
    memory.replace([room])
    assert known.room(room.id) is room
    assert known.live_room(room) is None
    known.made(live_room(room), now=1.0)
    assert known.live_room(room) == live_room(room)
    memory.replace([room.with_tombstone(NOW)])
    assert known.room(room.id) is None
    memory.replace([record("a", active=False)])
    assert known.room(room.id) is None


def test_guests_are_answered_for_five_minutes_from_the_last_word_of_each_server() -> None:
    known = Known(RecordCache())
    assert not known.ready(0.0)
    known.livekit.answered(0.0)
    assert not known.started
    known.mongodb.answered(100.0)
    assert known.ready(STALE_AFTER)
    assert not known.ready(STALE_AFTER + 0.1)
    known.livekit.failed()
    assert (known.livekit.up, known.started) == (False, True)
