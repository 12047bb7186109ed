"""What one replica hands on to another, whatever database is between them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeAlias

import pytest

from controller.records.ports import ForwardedEvent, RoomStore
from controller.records.relay import EVENTS_DOCUMENT, MAX_QUEUED_EVENTS, MongoRelay
from controller.records.store import MongoStore
from tests.real.records.conftest import Database, NewStore
from tests.support.proxy import Proxy, drop, mongodb, not_hello
from tests.support.rooms import room
from tests.support.wait import until

Pair: TypeAlias = tuple[RoomStore, RoomStore]


def joined(number: int) -> ForwardedEvent:
    return ForwardedEvent("participant_joined", f"room-{number}", f"RM_{number}", "STANDARD")


@asynccontextmanager
async def handing_on(*stores: RoomStore) -> AsyncIterator[None]:
    """While `run` would have them do it."""
    tasks = [asyncio.create_task(store.relay.flush_forever()) for store in stores]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def followed(new_store: Callable[[], RoomStore]) -> RoomStore:
    """A store that has read the records, and asked once whether another wrote."""
    opened = new_store()
    await opened.refresh()
    await opened.has_remote_changes()
    return opened


@pytest.fixture
async def pair(new_store: NewStore) -> AsyncIterator[Pair]:
    """One that stands by and hands on, and one that holds the lease."""
    standby, holder = await followed(new_store), await followed(new_store)
    async with handing_on(standby):
        yield standby, holder


@pytest.fixture
async def real(database: Database) -> AsyncIterator[tuple[MongoStore, MongoStore]]:
    """The same on each real database."""
    standby, holder = database.store(), database.store()
    for store in (standby, holder):
        await store.refresh()
        await store.has_remote_changes()
    async with handing_on(standby):
        yield standby, holder


async def taken(store: RoomStore, last: ForwardedEvent) -> list[ForwardedEvent]:
    """All that it takes until `last` is among them."""
    received: list[ForwardedEvent] = []

    async def come() -> bool:
        await store.has_remote_changes()
        received.extend(store.relay.pop_all())
        return last in received

    await until(come)
    return received


async def test_the_holder_takes_what_a_standby_was_told_field_for_field(pair: Pair) -> None:
    standby, holder = pair
    event = ForwardedEvent("track_published", "5d0c", "RM_a", "INGRESS")
    standby.relay.enqueue(event)
    assert await taken(holder, event) == [event]


async def test_a_hint_is_taken_once(pair: Pair) -> None:
    standby, holder = pair
    standby.relay.enqueue(joined(1))
    await taken(holder, joined(1))
    standby.relay.enqueue(joined(2))
    assert await taken(holder, joined(2)) == [joined(2)]


async def test_a_hint_that_comes_again_later_is_taken_again(pair: Pair) -> None:
    standby, holder = pair
    for _ in range(2):
        standby.relay.enqueue(joined(1))
        assert await taken(holder, joined(1)) == [joined(1)]


async def test_equal_hints_that_wait_are_handed_on_once(pair: Pair) -> None:
    standby, holder = pair
    for _ in range(9):
        standby.relay.enqueue(joined(1))
    standby.relay.enqueue(joined(2))
    assert await taken(holder, joined(2)) == [joined(1), joined(2)]


async def test_of_too_many_the_latest_are_taken(pair: Pair) -> None:
    standby, holder = pair
    for number in range(2 * MAX_QUEUED_EVENTS):
        standby.relay.enqueue(joined(number))
    last = joined(2 * MAX_QUEUED_EVENTS - 1)
    assert await taken(holder, last) == [
        joined(number) for number in range(MAX_QUEUED_EVENTS, 2 * MAX_QUEUED_EVENTS)
    ]


async def test_what_was_handed_on_before_one_began_is_not_for_it(pair: Pair, new_store: NewStore) -> None:
    standby, holder = pair
    standby.relay.enqueue(joined(1))
    await taken(holder, joined(1))
    late = await followed(new_store)
    standby.relay.enqueue(joined(2))
    assert await taken(late, joined(2)) == [joined(2)]


async def test_hints_are_no_news_to_the_rooms(pair: Pair) -> None:
    standby, holder = pair
    standby.relay.enqueue(joined(1))
    await taken(holder, joined(1))
    assert not await holder.has_remote_changes()


async def test_a_write_that_is_told_of_at_once_is_still_seen(pair: Pair) -> None:
    standby, holder = pair
    standby.relay.enqueue(joined(1))
    await standby.insert(room())
    await taken(holder, joined(1))
    assert await holder.has_remote_changes()


async def test_the_list_in_the_database_is_bounded(real: Pair, database: Database) -> None:
    """FerretDB passes over a $slice."""
    standby, holder = real
    for begin in (0, MAX_QUEUED_EVENTS, 2 * MAX_QUEUED_EVENTS):
        for number in range(begin, begin + MAX_QUEUED_EVENTS):
            standby.relay.enqueue(joined(number))
        await taken(holder, joined(begin + MAX_QUEUED_EVENTS - 1))
    assert [event["room"] for event in (await stored(database))["list"]] == [
        f"room-{number}" for number in range(2 * MAX_QUEUED_EVENTS, 3 * MAX_QUEUED_EVENTS)
    ]


async def stored(database: Database):  # type: ignore[no-untyped-def]  # noqa: ANN201 -- pymongo's own
    """The document as a hand would see it."""
    return await database.client[database.name]["meta"].find_one({"_id": EVENTS_DOCUMENT})


async def test_only_what_the_holder_needs_stands_in_the_database(real: Pair, database: Database) -> None:
    standby, holder = real
    standby.relay.enqueue(joined(1))
    await taken(holder, joined(1))
    fields = {"event": "participant_joined", "room": "room-1", "sid": "RM_1", "kind": "STANDARD"}
    assert await stored(database) == {"_id": EVENTS_DOCUMENT, "told": 1, "list": [fields]}


async def _lost(database: Database) -> None:
    await database.client.drop_database(database.name)


async def _put_back(database: Database) -> None:
    event = {"event": "participant_joined", "room": "room-1", "sid": "RM_1", "kind": "STANDARD"}
    meta = database.client[database.name]["meta"]
    await meta.replace_one({"_id": EVENTS_DOCUMENT}, {"told": 2, "list": [event, event]}, upsert=True)


async def _spoilt(database: Database) -> None:
    meta = database.client[database.name]["meta"]
    await meta.replace_one({"_id": EVENTS_DOCUMENT}, {"told": "many", "list": [7, {"room": 7}]}, upsert=True)


@pytest.mark.parametrize("harm", [_lost, _put_back, _spoilt])
async def test_it_goes_on_over_a_document_that_is_not_as_it_was(
    real: Pair, database: Database, harm: Callable[[Database], Awaitable[None]]
) -> None:
    standby, holder = real
    for number in range(5):
        standby.relay.enqueue(joined(number))
    await taken(holder, joined(4))
    await harm(database)
    standby.relay.enqueue(joined(9))
    await taken(holder, joined(9))
    standby.relay.enqueue(joined(9))
    assert await taken(holder, joined(9)) == [joined(9)]


async def test_of_several_that_stand_by_each_hands_on_its_own(atomic: Database) -> None:
    stores = [await followed(atomic.store) for _ in range(4)]
    async with handing_on(*stores[1:]):
        wanted = set()
        for number in range(30):
            stores[1 + number % 3].relay.enqueue(joined(number))
            wanted.add(joined(number))
        received: set[ForwardedEvent] = set()

        async def all_come() -> bool:
            await stores[0].has_remote_changes()
            received.update(stores[0].relay.pop_all())
            return received == wanted

        await until(all_come)


async def test_a_database_that_is_away_costs_hints_and_nothing_else(on_secantus: Database) -> None:
    holder = await followed(on_secantus.store)
    port = int(on_secantus.uri.rpartition(":")[2].partition("/")[0])
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(Proxy(port, mongodb, counts=not_hello))
        uri = f"mongodb://127.0.0.1:{proxy.port}/?directConnection=true"
        standby = await followed(lambda: on_secantus.store(uri=uri))
        await stack.enter_async_context(handing_on(standby))
        proxy.request = drop
        before = proxy.count
        standby.relay.enqueue(joined(1))
        await proxy.until(before + 1)
        proxy.request = None
        await proxy.cut()

        async def handed_on() -> bool:
            standby.relay.enqueue(joined(2))
            await holder.has_remote_changes()
            return joined(2) in holder.relay.pop_all()

        await until(handed_on, 60)


async def test_nothing_is_kept_that_nobody_reads(on_secantus: Database) -> None:
    """A replica that never holds the lease takes nothing, and is told of much."""
    relay = MongoRelay(on_secantus.store().meta, "here")
    relay.read_document(None)
    for count in range(1, 2000):
        entry = {"event": "participant_joined", "room": str(count), "sid": "", "kind": ""}
        relay.read_document({"told": count, "list": [entry]})
    assert [event.room for event in relay.pop_all()] == [
        str(n) for n in range(2000 - MAX_QUEUED_EVENTS, 2000)
    ]
