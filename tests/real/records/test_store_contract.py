"""What every RoomStore keeps to, whatever database is behind it."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from controller.errors import StoreConflictError, StoreUnavailableError
from controller.records.ports import RemovalApproval, RoomStore
from controller.records.record import Hold, RoomRecord
from controller.room import RoomSpec
from tests.support.rooms import NOW, room, status

LATER = NOW + timedelta(minutes=1)
OTHER = RoomSpec(name="Another", max_participants=7, allow_chat=True)


def respecified(record: RoomRecord) -> RoomRecord:
    return record.with_spec(OTHER, record.key, record.file, LATER)


async def test_a_new_record_stands_in_memory_when_the_insert_returns(store: RoomStore) -> None:
    record = await store.insert(room())
    assert store.by_id == {record.id: record} == {room().id: room()}
    assert store.by_key == {"events/room-1": record}


async def test_another_process_reads_what_was_written_field_for_field(
    store: RoomStore, other: RoomStore
) -> None:
    written = replace(
        room(live="one").with_live_name("two", NOW).with_sid("RM_2").with_tombstone(LATER),
        status=status(2),
        file=None,
    )
    await store.insert(written)
    assert await other.refresh()
    assert other.by_id[written.id] == written


async def test_a_bad_write_does_not_hold_back_those_beside_it(store: RoomStore) -> None:
    before, taken = await store.insert(room(1)), (await store.insert(room(2))).key
    others = [await store.insert(room(number)) for number in range(3, 7)]
    results = await asyncio.gather(
        store.save(before, replace(before, key=taken)),
        *(store.save(other, other.with_live_name("live", NOW)) for other in others),
        return_exceptions=True,
    )
    assert isinstance(results[0], StoreConflictError | StoreUnavailableError)
    assert results[1:] == [other.with_live_name("live", NOW) for other in others]


async def test_a_refresh_without_news_says_so(store: RoomStore, other: RoomStore) -> None:
    await store.insert(room())
    assert not await store.refresh()
    assert await other.refresh()
    assert not await other.refresh()


async def test_what_another_wrote_has_moved_until_it_is_read(store: RoomStore, other: RoomStore) -> None:
    assert not await other.has_remote_changes()
    written = await store.insert(room())
    assert await other.has_remote_changes()
    assert not await store.has_remote_changes(), "what we wrote ourselves is no news"
    await other.refresh()
    assert not await other.has_remote_changes()
    await other.save(written, written.with_live_name("live", NOW))
    assert await store.has_remote_changes()
    assert not await other.has_remote_changes()
    await store.refresh()
    assert (await store.has_remote_changes(), await other.has_remote_changes()) == (False, False)


async def test_there_is_news_when_the_records_in_memory_change_and_only_then(
    store: RoomStore, other: RoomStore
) -> None:
    quiet, mine = other.next_change(), store.next_change()
    written = await store.insert(room())
    assert mine.is_set()
    assert not quiet.is_set()
    assert not store.next_change().is_set()
    await other.refresh()
    assert quiet.is_set()
    unchanged = other.next_change()
    await other.refresh()
    assert not unchanged.is_set()
    await other.save(written, written.with_live_name("live", NOW))
    assert unchanged.is_set()


async def test_number_of_changes_read_covers_what_another_wrote(store: RoomStore, other: RoomStore) -> None:
    await store.insert(room())
    await store.refresh()
    assert other.changes_read < store.changes_read
    await other.refresh()
    assert other.changes_read >= store.changes_read


async def test_of_two_kicks_at_once_neither_is_lost(store: RoomStore, other: RoomStore) -> None:
    record = await store.insert(room())
    await other.refresh()
    first = await store.save(
        record, record.with_kick("ann", LATER, NOW).with_bound_identity("eve", LATER, NOW)
    )
    with pytest.raises(StoreConflictError):
        await other.save(record, record.with_kick("ben", LATER, NOW))
    with pytest.raises(StoreConflictError):
        await other.save(record, record.with_bound_identity("joe", LATER, NOW))
    await other.refresh()
    second = await other.save(
        first, first.with_kick("ben", LATER, NOW).with_bound_identity("joe", LATER, NOW)
    )
    await store.refresh()
    assert store.by_id[record.id] == second
    assert second.kicked_at(NOW) == {"ann", "ben"}
    assert second.bound_at(NOW) == {"eve", "joe"}
    assert second.kicked_at(LATER) == second.bound_at(LATER) == frozenset()
    third = await store.save(second, second.with_kick("ann", LATER + timedelta(hours=1), NOW))
    with pytest.raises(StoreConflictError):
        await other.save(second, second.with_kick("ann", LATER + timedelta(hours=2), NOW))
    assert (third.reader, third.without_expired(LATER + timedelta(hours=1)).reader) == (2, 1)


async def test_a_hold_on_all_rooms_is_read_as_a_change(store: RoomStore, other: RoomStore) -> None:
    hold = Hold("ann", "the show is on", LATER)
    await store.put_hold_all(hold)
    assert store.hold_all == hold
    assert await other.has_remote_changes()
    assert await other.refresh()
    assert (other.hold_all, other.changes_read >= store.changes_read) == (hold, True)
    await other.put_hold_all(None)
    assert await store.refresh()
    assert store.hold_all is None


async def test_a_write_fails_if_a_hold_came_since(store: RoomStore, other: RoomStore) -> None:
    record = await store.insert(room(live="x"))
    await other.refresh()
    await other.save(other.by_id[record.id], other.by_id[record.id].with_hold(Hold("ann", "show", LATER)))
    for after in (record.without_live_name(NOW), respecified(record), record.with_tombstone(NOW)):
        with pytest.raises(StoreConflictError):
            await store.save(record, after)
    held = other.by_id[record.id]
    await store.refresh()
    healed = await store.save(held, held.with_sid("RM_2"))
    assert (healed.hold, healed.reader) == (Hold("ann", "show", LATER), 2)
    assert (await store.save(healed, healed.with_hold(None))).reader == 1


async def test_a_taken_id_is_a_conflict(store: RoomStore) -> None:
    await store.insert(room(1))
    with pytest.raises(StoreConflictError):
        await store.insert(replace(room(1), key="elsewhere"))
    assert store.by_id == {room(1).id: room(1)}


async def test_a_taken_key_is_a_conflict(store: RoomStore) -> None:
    await store.insert(room(1))
    with pytest.raises(StoreConflictError):
        await store.insert(replace(room(2), key=room(1).key))
    assert list(store.by_id) == [room(1).id]


async def test_an_insert_may_be_repeated(store: RoomStore) -> None:
    assert await store.insert(room()) == await store.insert(room())


async def test_a_save_moves_a_record_to_another_key(store: RoomStore, other: RoomStore) -> None:
    before = await store.insert(room())
    await store.save(before, replace(before, key="new", file="new.yaml"))
    assert list(store.by_key) == ["new"]
    await other.refresh()
    assert list(other.by_key) == ["new"]


async def test_a_save_to_a_key_that_is_taken_is_a_conflict(store: RoomStore) -> None:
    """FerretDB answers with an internal error there, which is 'away' to us: nothing is written either way."""
    before = await store.insert(room(1))
    await store.insert(room(2))
    with pytest.raises((StoreConflictError, StoreUnavailableError)):
        await store.save(before, replace(before, key=room(2).key))
    assert store.by_id[before.id] == before


async def test_the_second_writer_of_the_desired_half_loses(store: RoomStore, other: RoomStore) -> None:
    before = await store.insert(room())
    await store.save(before, respecified(before))
    with pytest.raises(StoreConflictError):
        await other.save(before, before.with_tombstone(LATER))
    await other.refresh()
    assert other.by_id[before.id].spec == OTHER
    assert not other.by_id[before.id].removed


async def test_the_second_writer_of_the_live_half_loses(store: RoomStore, other: RoomStore) -> None:
    before = await store.insert(room())
    await store.save(before, before.with_live_name("first", NOW))
    with pytest.raises(StoreConflictError):
        await other.save(before, before.with_live_name("second", NOW))


async def test_the_two_halves_do_not_get_in_each_others_way(store: RoomStore, other: RoomStore) -> None:
    before = await store.insert(room())
    await other.refresh()
    await store.save(before, respecified(before))
    await other.save(before, before.with_live_name("live", NOW))
    await store.refresh()
    assert store.by_id[before.id].spec == OTHER
    assert store.by_id[before.id].live == before.with_live_name("live", NOW).live


async def test_two_callers_in_one_process_keep_each_others_half(store: RoomStore) -> None:
    before = await store.insert(room())
    await asyncio.gather(
        store.save(before, respecified(before)), store.save(before, before.with_live_name("live", NOW))
    )
    stored = store.by_id[before.id]
    assert (stored.spec, stored.live) == (OTHER, before.with_live_name("live", NOW).live)


async def test_a_retired_name_survives_a_writer_who_did_not_know_of_it(
    store: RoomStore, other: RoomStore
) -> None:
    """live.name is None before and after a start and a stop; the names retired meanwhile must not be lost."""
    before = await store.insert(room(live="one").without_live_name(NOW))
    started = await store.save(before, before.with_live_name("two", NOW))
    await store.save(started, started.without_live_name(NOW))
    with pytest.raises(StoreConflictError):
        await other.save(before, before.without_retired(frozenset({"one"})))


async def test_retired_names_are_dropped(store: RoomStore, other: RoomStore) -> None:
    before = await store.insert(room(live="one").without_live_name(NOW))
    await store.save(before, before.without_retired(frozenset({"one"})))
    await other.refresh()
    assert other.by_id[before.id].retired == ()


async def test_an_older_status_is_refused(store: RoomStore, other: RoomStore) -> None:
    before = await store.insert(replace(room(), generation=2))
    await store.save(before, before.with_status(status(2)))
    with pytest.raises(StoreConflictError):
        await other.save(before, before.with_status(status(1)))
    await other.refresh()
    assert other.by_id[before.id].status == status(2)


async def test_a_save_of_a_record_that_is_gone_is_a_conflict(store: RoomStore) -> None:
    with pytest.raises(StoreConflictError):
        await store.save(room(), room().with_live_name("live", NOW))
    assert not store.by_id


async def test_a_conflict_brings_the_winner_into_memory(store: RoomStore, other: RoomStore) -> None:
    before = await store.insert(room())
    await other.refresh()
    await store.save(before, respecified(before))
    with pytest.raises(StoreConflictError):
        await other.save(before, before.with_tombstone(LATER))
    assert other.by_id[before.id].spec == OTHER


async def test_a_tombstone_is_forgotten(store: RoomStore, other: RoomStore) -> None:
    before = await store.insert(room())
    await other.refresh()
    await store.forget(await store.save(before, before.with_tombstone(LATER)))
    assert not store.by_id
    assert not store.by_key
    assert await other.refresh()
    assert not other.by_id


async def test_a_revived_tombstone_stays(store: RoomStore, other: RoomStore) -> None:
    before = await store.insert(room())
    dead = await store.save(before, before.with_tombstone(LATER))
    await other.refresh()
    await other.save(dead, respecified(dead))
    with pytest.raises(StoreConflictError):
        await store.forget(dead)
    assert not store.by_id[before.id].removed


async def test_forgetting_may_be_repeated(store: RoomStore) -> None:
    before = await store.insert(room())
    dead = await store.save(before, before.with_tombstone(LATER))
    await store.forget(dead)
    await store.forget(dead)
    assert not store.by_id


async def test_an_unchanged_record_stays_the_same_object(store: RoomStore, other: RoomStore) -> None:
    first, second = await store.insert(room(1)), await store.insert(room(2))
    await other.refresh()
    seen = other.by_id[first.id]
    await store.save(second, second.with_live_name("live", NOW))
    await other.refresh()
    assert other.by_id[first.id] is seen
    assert other.by_id[second.id].live is not None


async def test_a_mapping_that_was_read_does_not_change(store: RoomStore) -> None:
    await store.insert(room(1))
    seen = store.by_id
    await store.insert(room(2))
    assert list(seen) == [room(1).id]


async def test_the_leave_to_remove_is_spent_once(store: RoomStore, other: RoomStore) -> None:
    assert await store.removal_approval() is None
    leave = RemovalApproval(frozenset({"a", "b/c"}), LATER)
    await store.grant_removal_approval(leave)
    assert await other.removal_approval() == leave
    await other.consume_removal_approval()
    assert await store.removal_approval() is None


async def test_nobody_holds_a_lease_that_nobody_took(store: RoomStore) -> None:
    assert await store.holder() is None
