"""What every RecordingStore keeps to, whatever database is behind it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta

import pytest
from bson.datetime_ms import DatetimeMS

from controller.errors import StoreRefused
from controller.records.ports import RoomStore
from controller.records.recordings import RecordingRow, RecordingState
from tests.real.records.conftest import Database, NewStore
from tests.support.rooms import NOW, room

ONE, TWO, THREE = room(1).id, room(2).id, room(3).id


def row(number: int, room_id: str = ONE, state: RecordingState = RecordingState.COMPLETE) -> RecordingRow:
    """The row of a recording that began `number` minutes in."""
    return RecordingRow(
        egress_id=f"EG_{number}",
        key="events/room-1",
        room_id=room_id,
        file=f"/recordings/events/room-1/{number}.mp4",
        started=NOW + timedelta(minutes=number),
        state=state,
    )


ENDED = replace(
    row(1),
    ended=NOW + timedelta(minutes=31),
    seconds=1800.125,
    size=5_000_000_000,
    state=RecordingState.FAILED,
    error="the output was refused",
)


@pytest.fixture
async def on_ferret(ferret_uri: str) -> AsyncIterator[Database]:
    async with AsyncExitStack() as stack:
        yield Database(ferret_uri, stack)


@pytest.fixture
async def store(new_store: NewStore) -> RoomStore:
    opened = new_store()
    await opened.refresh()
    return opened


@pytest.fixture
async def other(new_store: NewStore, store: RoomStore) -> RoomStore:
    """Another process's store on the same records."""
    assert store.identity.store
    return new_store()


async def test_another_process_reads_a_row_field_for_field(store: RoomStore, other: RoomStore) -> None:
    await store.recordings.put(ENDED)
    assert await other.recordings.find() == [ENDED]


async def test_a_row_that_is_open_stays_so_when_it_is_read(store: RoomStore) -> None:
    await store.recordings.put(row(1, state=RecordingState.RECORDING))
    assert (await store.recordings.find())[0].ended is None


async def test_a_put_replaces_what_stood_under_its_egress_id(store: RoomStore) -> None:
    await store.recordings.put(row(1, state=RecordingState.RECORDING))
    await store.recordings.put(ENDED)
    assert await store.recordings.find() == [ENDED]


async def test_a_put_may_be_repeated(store: RoomStore) -> None:
    await store.recordings.put(row(1))
    await store.recordings.put(row(1))
    assert await store.recordings.find() == [row(1)]


async def test_the_latest_is_first_in_whatever_order_they_were_written(store: RoomStore) -> None:
    for number in (2, 1, 3):
        await store.recordings.put(row(number))
    assert await store.recordings.find() == [row(3), row(2), row(1)]


async def test_only_the_rooms_that_were_asked_for_are_found(store: RoomStore) -> None:
    for number, room_id in enumerate((ONE, TWO, THREE, ONE)):
        await store.recordings.put(row(number, room_id))
    found = await store.recordings.find(frozenset({ONE, THREE}))
    assert [one.egress_id for one in found] == ["EG_3", "EG_2", "EG_0"]


async def test_of_no_rooms_nothing_is_found(store: RoomStore) -> None:
    await store.recordings.put(row(1))
    assert await store.recordings.find(frozenset()) == []


async def test_unsettled_are_those_that_still_say_recording(store: RoomStore) -> None:
    for number, state in enumerate(RecordingState):
        await store.recordings.put(row(number, state=state))
    assert [one.state for one in await store.recordings.unsettled()] == [RecordingState.RECORDING]


async def test_lost_are_the_ids_of_those_that_were_lost(store: RoomStore) -> None:
    for number, state in enumerate(RecordingState):
        await store.recordings.put(row(number, state=state))
    lost = list(RecordingState).index(RecordingState.LOST)
    assert await store.recordings.lost() == {f"EG_{lost}"}


async def test_rows_are_no_news_to_the_rooms(store: RoomStore, other: RoomStore) -> None:
    await store.insert(room())
    await other.refresh()
    await store.recordings.put(row(1))
    assert not await other.moved()


async def test_opened_for_reading_the_rows_are_read_and_not_written(database: Database) -> None:
    await database.store().recordings.put(row(1))
    reader = database.store(read_only=True).recordings
    with pytest.raises(StoreRefused):
        await reader.put(row(2))
    assert await reader.find() == [row(1)]


DAMAGED: dict[str, object] = {
    "started": "yesterday",
    "ended": "later",
    "state": "singing",
    "room_id": None,
    "bytes": "many",
    "seconds": "long",
}


@pytest.mark.parametrize("field", sorted(DAMAGED))
async def test_a_damaged_document_is_left_out_and_takes_no_other_with_it(
    database: Database, field: str
) -> None:
    rows = database.store().recordings
    for number in (1, 2, 3):
        await rows.put(row(number))
    documents = database.client[database.name]["recordings"]
    await documents.update_one({"_id": "EG_2"}, {"$set": {field: DAMAGED[field]}})
    assert await rows.find() == [row(3), row(1)]


async def test_a_time_that_python_cannot_hold_takes_no_other_row_with_it(on_ferret: Database) -> None:
    """SecantusDB would not take it."""
    rows = on_ferret.store().recordings
    for number in (1, 2):
        await rows.put(row(number))
    documents = on_ferret.client[on_ferret.name]["recordings"]
    beyond = DatetimeMS((1 << 63) - 1)  # in the year 292278994
    await documents.update_one({"_id": "EG_2"}, {"$set": {"started": beyond}})
    assert await rows.find() == [row(1)]
