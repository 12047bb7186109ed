"""What this process knows of the live rooms: the listing, and over it what we did since it was asked for."""

from controller.live.room import LiveRoom
from controller.records.record_cache import RecordCache
from controller.state_cache import STATE_MAX_AGE_SECONDS, StateCache
from tests.support.worlds import NOW, live_room, record

A, B = LiveRoom("a", "RM_a"), LiveRoom("b", "RM_b")


def test_what_we_made_or_deleted_after_a_listing_was_asked_for_stands_over_it() -> None:
    state = StateCache(RecordCache())
    state.record_created(B, now=5.0)
    state.record_deleted("a", now=6.0)
    state.update_listing([A], asked=4.0, now=7.0)
    assert state.live == {"b": B}


def test_what_we_did_before_it_was_asked_for_is_history() -> None:
    state = StateCache(RecordCache())
    state.record_created(B, now=5.0)
    state.record_deleted("a", now=6.0)
    state.update_listing([A], asked=6.5, now=7.0)
    assert state.live == {"a": A}
    state.update_listing([], asked=4.0, now=8.0)
    assert state.live == {}


def test_a_guest_may_learn_of_wanted_rooms_alone() -> None:
    room = record("a", live="x")
    memory = RecordCache()
    state = StateCache(memory)
    memory.replace([room])
    assert state.room(room.id) is room
    assert state.live_room(room) is None
    state.record_created(live_room(room), now=1.0)
    assert state.live_room(room) == live_room(room)
    memory.replace([room.with_tombstone(NOW)])
    assert state.room(room.id) is None
    memory.replace([record("a", active=False)])
    assert state.room(room.id) is None


def test_guests_are_answered_for_five_minutes_from_the_last_word_of_each_server() -> None:
    state = StateCache(RecordCache())
    assert not state.is_fresh(0.0)
    state.livekit.record_success(0.0)
    assert not state.started
    state.mongodb.record_success(100.0)
    assert state.is_fresh(STATE_MAX_AGE_SECONDS)
    assert not state.is_fresh(STATE_MAX_AGE_SECONDS + 0.1)
    state.livekit.record_failure(OSError("it is away"))
    assert (state.livekit.up, state.started) == (False, True)
