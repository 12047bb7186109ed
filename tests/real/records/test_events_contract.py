"""What every EventStore keeps to, whatever database is behind it."""

from dataclasses import replace
from datetime import timedelta
from unittest.mock import AsyncMock

import pytest
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import OperationFailure

from controller.errors import StoreRefusedError
from controller.records.events import EVENT_TTL, Event, EventType
from controller.records.ports import RoomStore
from controller.room import FieldChange
from tests.real.records.conftest import Database
from tests.support.rooms import NOW, room

ONE, TWO = room(1).id, room(2).id


def event(number: int, room_id: str | None = ONE, kind: str = EventType.UPDATE) -> Event:
    """What was done `number` minutes in."""
    at = NOW + timedelta(minutes=number)
    return Event(id=f"{number:032x}", at=at, type=kind, key="events/room-1", room_id=room_id)


def named(number: int, key: str | None) -> Event:
    return replace(event(number), key=key, room_id=key and TWO)


FULL = replace(
    event(1),
    reason="manifest changed",
    fields=(FieldChange("allow_chat", True, False), FieldChange("name", None, "Café")),
    disruption="restricts",
    participants=4,
    by="api ann",
    revision="9f2c",
    seconds=0.125,
    error="LiveKit refused it",
    count=3,
)
API = replace(event(7, "abcdef".ljust(24, "0")), key="api/" + "abcdef".ljust(24, "0"))


async def test_another_process_reads_an_event_field_for_field(store: RoomStore, other: RoomStore) -> None:
    await store.events.append([FULL])
    assert await other.events.find() == [FULL]


async def test_the_newest_is_last_in_whatever_order_they_were_written(store: RoomStore) -> None:
    await store.events.append([event(2), event(1)])
    await store.events.append([event(3), replace(event(2), id="f" * 32)])
    assert await store.events.find() == [event(1), event(2), replace(event(2), id="f" * 32), event(3)]


async def test_nothing_may_be_written(store: RoomStore) -> None:
    await store.events.append([])
    assert await store.events.find() == []


async def test_what_is_written_again_stays_as_it_is(store: RoomStore) -> None:
    await store.events.append([event(1), event(2)], pending=True)
    await store.events.mark_sent([event(1).id])
    await store.events.append([event(1), event(3), event(2)], pending=True)
    assert await store.events.find() == [event(1), event(2), event(3)]
    assert await store.events.pending(10) == [event(2), event(3)]


async def test_only_the_rooms_that_were_asked_for_are_found(store: RoomStore) -> None:
    one, two, nobodys, last = event(1), named(2, "b"), named(3, None), event(4)
    await store.events.append([one, two, nobodys, last])
    assert await store.events.find({"events/room-1"}) == [one, last]
    assert await store.events.find({"events/room-1", "b"}) == [one, two, last]
    assert await store.events.find(frozenset()) == []


async def test_only_what_was_done_since_is_found(store: RoomStore) -> None:
    await store.events.append([event(1), event(2), named(3, "b")])
    assert await store.events.find(since=event(2).at) == [event(2), named(3, "b")]
    assert await store.events.find({"events/room-1"}, since=event(2).at) == [event(2)]


async def test_only_the_types_that_were_asked_for_are_found(store: RoomStore) -> None:
    await store.events.append([event(1, kind="heal"), event(2, kind="fail"), event(3, kind="lead")])
    assert await store.events.find(types={EventType.HEAL, EventType.LEAD}) == [
        event(1, kind="heal"),
        event(3, kind="lead"),
    ]


async def test_a_limit_leaves_the_newest(store: RoomStore) -> None:
    await store.events.append([event(number) for number in (4, 1, 3, 2)])
    assert await store.events.find(limit=2) == [event(3), event(4)]
    assert await store.events.find({"events/room-1"}, since=event(2).at, types={"update"}, limit=9) == [
        event(2),
        event(3),
        event(4),
    ]


@pytest.mark.parametrize("name", [API.key, API.room_id, "api/abcdef"])
async def test_a_room_of_the_api_is_found_by_what_it_was_called(store: RoomStore, name: str) -> None:
    other = replace(API, id="8" * 32, key="api/abcdee" + "0" * 18, room_id=TWO)
    await store.events.append([API, event(1), other])
    assert await store.events.keys(name) == {API.key}


@pytest.mark.parametrize("name", ["events/room-1", ONE])
async def test_a_room_of_a_manifest_is_found_by_its_key_and_its_id(store: RoomStore, name: str) -> None:
    await store.events.append([event(1), event(2), named(3, None)])
    assert await store.events.keys(name) == {"events/room-1"}


async def test_a_short_name_may_mean_several_rooms(store: RoomStore) -> None:
    other = replace(API, id="8" * 32, key="api/abcdef" + "1" * 18, room_id=TWO)
    await store.events.append([API, other])
    assert await store.events.keys("api/abcdef") == {API.key, other.key}


@pytest.mark.parametrize("name", ["api/abcde", "api/", "abcdef", "events", "events/room-1x", "", "f" * 24])
async def test_a_part_of_a_name_means_no_room(store: RoomStore, name: str) -> None:
    await store.events.append([API, event(1)])
    assert await store.events.keys(name) == frozenset()


async def test_only_what_was_written_so_is_pending_the_oldest_first(store: RoomStore) -> None:
    await store.events.append([event(3), event(1)], pending=True)
    await store.events.append([event(2)])
    await store.events.append([event(4)], pending=True)
    assert await store.events.pending(2) == [event(1), event(3)]


async def test_what_was_sent_is_pending_no_more_and_stays(store: RoomStore, other: RoomStore) -> None:
    await store.events.append([event(1), event(2)], pending=True)
    await other.events.mark_sent([event(1).id])
    assert await store.events.pending(9) == [event(2)]
    assert await store.events.find() == [event(1), event(2)]


async def test_what_is_too_old_to_be_sent_is_pending_no_more(store: RoomStore) -> None:
    await store.events.append([event(1), event(2), event(3)], pending=True)
    await store.events.append([event(0)])
    assert await store.events.drop_pending(event(3).at) == 2
    assert await store.events.pending(9) == [event(3)]
    assert len(await store.events.find()) == 4


async def test_what_is_too_old_is_deleted(store: RoomStore) -> None:
    await store.events.append([event(1), event(2), event(3)], pending=True)
    assert await store.events.purge(event(3).at) == 2
    assert await store.events.find() == [event(3)]
    assert await store.events.pending(9) == [event(3)]


async def test_events_are_no_news_to_the_rooms(store: RoomStore, other: RoomStore) -> None:
    await store.insert(room())
    await other.refresh()
    await store.events.append([event(1)])
    assert not await other.has_remote_changes()


async def test_opened_for_reading_events_are_read_and_not_written(database: Database) -> None:
    await database.store().events.append([event(1)], pending=True)
    reader = database.store(read_only=True).events
    for write in (
        reader.append([event(2)]),
        reader.mark_sent([event(1).id]),
        reader.drop_pending(NOW),
        reader.purge(NOW),
    ):
        with pytest.raises(StoreRefusedError):
            await write
    assert await reader.find() == [event(1)]


async def test_events_that_travel_in_several_batches_are_all_read(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.records.mongo_events.FETCH_BATCH_SIZE", 2)
    events = database.store().events
    await events.append([event(number) for number in range(5)])
    assert await events.find() == [event(number) for number in range(5)]


async def test_what_is_asked_for_has_an_index_and_old_events_expire(on_secantus: Database) -> None:
    store, documents = on_secantus.store(), on_secantus.client[on_secantus.name]["events"]
    await store.refresh()
    indexes = await documents.index_information()
    assert indexes.keys() == {"_id_", "at_1", "key_1"}
    assert indexes["at_1"]["expireAfterSeconds"] == EVENT_TTL.total_seconds()


async def test_who_sends_events_has_an_index_of_those_to_be_sent(on_secantus: Database) -> None:
    store, documents = on_secantus.store(), on_secantus.client[on_secantus.name]["events"]
    await store.refresh()
    await store.events.append([event(1)], pending=True)
    assert await store.events.pending(9) == [event(1)]
    assert "pending_1" in await documents.index_information()


async def test_without_indexes_everything_is_read_all_the_same(
    on_secantus: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = AsyncMock(side_effect=OperationFailure("not allowed", 20))
    monkeypatch.setattr(AsyncCollection, "create_index", refused)
    events = on_secantus.store().events
    await events.make_indexes()
    await events.append([event(1)])
    assert await events.find({"events/room-1"}) == [event(1)]


async def test_a_server_without_expiry_has_a_plain_index(database: Database) -> None:
    await database.store().refresh()
    indexes = await database.client[database.name]["events"].index_information()
    assert "at_1" in indexes


@pytest.mark.parametrize("damage", [{"at": "yesterday"}, {"type": 7}, {"at": None}])
async def test_a_damaged_document_is_left_out_and_takes_no_other_with_it(
    database: Database, damage: dict[str, object]
) -> None:
    events = database.store().events
    await events.append([event(1), event(2), event(3)])
    documents = database.client[database.name]["events"]
    await documents.update_one({"_id": event(2).id}, {"$set": damage})
    assert await events.find() == [event(1), event(3)]
