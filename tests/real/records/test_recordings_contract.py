"""What every RecordingStore keeps to, whatever database is behind it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from unittest.mock import AsyncMock

import pytest
from bson.datetime_ms import DatetimeMS
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import OperationFailure

from controller.errors import StoreRefusedError
from controller.records.ports import RoomStore
from controller.records.recordings import RecordingRow, RecordingState
from tests.real.records.conftest import Database
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
    rows = await store.recordings.find(frozenset({ONE, THREE}))
    assert [one.egress_id for one in rows] == ["EG_3", "EG_2", "EG_0"]


async def test_of_no_rooms_nothing_is_found(store: RoomStore) -> None:
    await store.recordings.put(row(1))
    assert await store.recordings.find(frozenset()) == []


API = replace(row(7, "abcdef".ljust(24, "0")), key="api/" + "abcdef".ljust(24, "0"))


@pytest.mark.parametrize("name", [API.key, API.room_id, "api/abcdef"])
async def test_rows_are_found_by_what_their_room_was_called(store: RoomStore, name: str) -> None:
    for one in (API, row(1), replace(API, egress_id="EG_8", key="api/abcdee" + "0" * 18, room_id=TWO)):
        await store.recordings.put(one)
    assert await store.recordings.find_by_names(frozenset({name})) == [API]


async def test_who_is_called_by_two_names_is_found_once_the_latest_first(store: RoomStore) -> None:
    for one in (API, row(9), row(1)):
        await store.recordings.put(one)
    names = frozenset({"events/room-1", ONE, API.key, "nobody"})
    assert await store.recordings.find_by_names(names) == [row(9), API, row(1)]


@pytest.mark.parametrize("name", ["api/abcde", "api/", "abcdef", "events", "events/room-1x"])
async def test_a_part_of_a_name_means_nobody(store: RoomStore, name: str) -> None:
    for one in (API, row(1)):
        await store.recordings.put(one)
    assert await store.recordings.find_by_names(frozenset({name})) == []


async def test_unsettled_are_those_that_still_say_recording(store: RoomStore) -> None:
    for number, state in enumerate(RecordingState):
        await store.recordings.put(row(number, state=state))
    assert [one.state for one in await store.recordings.unfinished()] == [RecordingState.RECORDING]


async def test_lost_are_the_ids_of_those_that_were_lost(store: RoomStore) -> None:
    for number, state in enumerate(RecordingState):
        await store.recordings.put(row(number, state=state))
    lost = list(RecordingState).index(RecordingState.LOST)
    assert await store.recordings.lost() == {f"EG_{lost}"}


async def test_rows_are_no_news_to_the_rooms(store: RoomStore, other: RoomStore) -> None:
    await store.insert(room())
    await other.refresh()
    await store.recordings.put(row(1))
    assert not await other.has_remote_changes()


async def test_opened_for_reading_the_rows_are_read_and_not_written(database: Database) -> None:
    await database.store().recordings.put(row(1))
    reader = database.store(read_only=True).recordings
    with pytest.raises(StoreRefusedError):
        await reader.put(row(2))
    assert await reader.find() == [row(1)]


async def test_rows_that_travel_in_several_batches_are_all_read(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.records.mongo_recordings.FETCH_BATCH_SIZE", 2)
    rows = database.store().recordings
    for number in range(5):
        await rows.put(row(number))
    assert await rows.find() == [row(number) for number in (4, 3, 2, 1, 0)]


async def test_what_is_asked_for_has_an_index_also_in_a_database_that_began_anew(database: Database) -> None:
    store = database.store()
    await store.refresh()
    await database.client.drop_database(database.name)
    await store.refresh()
    indexes = await database.client[database.name]["recordings"].index_information()
    assert {"state_1", "room_id_1", "key_1"} <= indexes.keys()


async def test_without_indexes_everything_is_read_all_the_same(
    on_secantus: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is slow to make them, or may not, is no reason not to reconcile."""
    refused = AsyncMock(side_effect=OperationFailure("not allowed", 20))
    monkeypatch.setattr(AsyncCollection, "create_index", refused)
    rows = on_secantus.store().recordings
    await rows.make_indexes()
    await rows.put(row(1))
    assert await rows.find_by_names(frozenset({"events/room-1"})) == [row(1)]


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
