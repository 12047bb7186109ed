"""The store on bad days: lost replies, a server that dies, a database that is lost, damaged or another's."""

import asyncio
import collections
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
)

from controller.errors import StoreError, StoreRefusedError, StoreUnavailableError
from controller.records.batch import MAX_BATCH_WRITES
from controller.records.mongo_client import address, close, connect
from controller.records.ports import StoreAccess
from controller.records.store import FULL_READ_SECONDS, MongoStore
from tests.real.records.conftest import Database, reached
from tests.support.embedded import secantus
from tests.support.proxy import Proxy, drop, mongodb, not_hello, reset
from tests.support.rooms import NOW, room
from tests.support.time import Time
from tests.support.wait import PATIENCE, until

UNUSED = "mongodb://someone:sesame-street@127.0.0.1:1/?directConnection=true"


def access_to(database: str, uri: str = "mongodb://here", fingerprint: str = "") -> StoreAccess:
    return StoreAccess(uri, database, Path(), "default", fingerprint)


class Counter(CommandListener):
    """Counts the commands that a client sends."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def started(self, event: CommandStartedEvent) -> None:
        self.names.append(event.command_name)

    def succeeded(self, event: CommandSucceededEvent) -> None: ...

    def failed(self, event: CommandFailedEvent) -> None: ...


@pytest.fixture
async def proxied(on_secantus: Database) -> AsyncIterator[tuple[MongoStore, Proxy]]:
    """A store whose every command passes a proxy; it has had its first refresh."""
    port = int(address(on_secantus.uri).rpartition(":")[2])
    async with Proxy(port, mongodb, counts=not_hello) as proxy:
        store = on_secantus.store(uri=f"mongodb://127.0.0.1:{proxy.port}/?directConnection=true")
        await store.refresh()
        yield store, proxy
        await store.drain()


@pytest.mark.parametrize(
    ("option", "cause"),
    [
        ("replicaSet=other", "does not belong to the replica set in MONGODB_URI"),
        ("replicaSet=other&directConnection=true", "does not belong to the replica set in MONGODB_URI"),
        ("tls=true", "remove tls=true from MONGODB_URI"),
    ],
)
async def test_options_that_do_not_fit_the_server_are_named(
    database: Database, option: str, cause: str
) -> None:
    where = address(database.uri)
    store = database.store(uri=f"mongodb://someone:sesame-street@{where}/?{option}")
    with pytest.raises(StoreUnavailableError, match=cause) as caught:
        await store.refresh()
    assert where in str(caught.value)
    assert "sesame" not in str(caught.value)


async def test_a_host_that_does_not_exist_is_named(on_secantus: Database) -> None:
    store = on_secantus.store(uri="mongodb://someone:sesame-street@no-such-host.invalid/")
    cause = "no-such-host.invalid: (unknown host|the host name cannot be resolved)"
    with pytest.raises(StoreUnavailableError, match=cause) as caught:
        await store.refresh()
    assert "sesame" not in str(caught.value)


async def test_a_thousand_new_rooms_are_a_few_commands(
    on_secantus: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where none has to be sent again because its answer was late."""
    monkeypatch.setattr("controller.records.store.MONGO_TIMEOUT_SECONDS", PATIENCE)
    counter = Counter()
    client = on_secantus.connect(event_listeners=[counter])
    store = MongoStore(client, access_to(on_secantus.name))
    await store.refresh()
    counter.names.clear()
    await asyncio.gather(*(store.insert(room(number)) for number in range(1000)))
    await asyncio.gather(
        *(store.save(room(number), room(number, live=f"live-{number}")) for number in range(1000))
    )
    assert len(store.by_id) == 1000
    batches = 1000 // MAX_BATCH_WRITES
    wanted = {"findAndModify": 2 * batches, "insert": batches, "update": batches}
    assert collections.Counter(counter.names) == wanted


async def test_ten_thousand_records_are_read_back_as_written(on_secantus: Database) -> None:
    store, other = on_secantus.store(), on_secantus.store()
    await store.refresh()
    await asyncio.gather(*(store.insert(room(number, live=str(number))) for number in range(10_000)))
    await other.refresh()
    assert other.by_id == store.by_id
    assert len(other.by_key) == 10_000


@pytest.mark.parametrize("fault", ["before", "after"])
@pytest.mark.parametrize("command", ["insert", "update", "delete"])
async def test_a_message_that_is_lost_either_way_is_no_error(
    proxied: tuple[MongoStore, Proxy], fault: str, command: str
) -> None:
    store, proxy = proxied
    before = room(1).with_tombstone(NOW)
    if command != "insert":
        await store.insert(before)
    known = proxy.count
    getattr(proxy, fault)[known + 1] = reset
    match command:
        case "insert":
            await store.insert(before)
        case "update":
            assert (await store.save(before, before.with_live_name("live", NOW))).live is not None
        case "delete":
            await store.forget(before)
    assert proxy.seen[known:].count(command) == (1 if fault == "after" else 2)
    assert len(store.by_id) == (0 if command == "delete" else 1)


async def test_a_lost_count_of_changes_is_made_up_for(
    on_secantus: Database, proxied: tuple[MongoStore, Proxy]
) -> None:
    """Others must learn of a write even if the number could not be raised behind it."""
    store, proxy = proxied
    other = on_secantus.store()
    await other.refresh()
    proxy.before[proxy.count + 2] = reset
    await store.insert(room())
    assert not await other.refresh()
    await store.refresh()
    assert await other.refresh()
    assert list(other.by_id) == [room().id]


async def test_a_server_that_swallows_everything_is_away(proxied: tuple[MongoStore, Proxy]) -> None:
    store, proxy = proxied
    await store.insert(room(1))
    proxy.request = drop
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(StoreUnavailableError, match="cannot connect to MongoDB"):
            await store.save(room(1), room(1, live="live"))
    proxy.request = None
    await proxy.cut()
    await store.refresh()
    assert (await store.save(room(1), room(1, live="live"))).live is not None


async def test_writes_that_nobody_answers_all_fail_and_none_waits_for_ever(
    proxied: tuple[MongoStore, Proxy],
) -> None:
    store, proxy = proxied
    await proxy.refuse()
    results = await asyncio.gather(*(store.insert(room(n)) for n in range(20)), return_exceptions=True)
    assert {type(result) for result in results} == {StoreUnavailableError}
    assert not store.by_id


async def test_a_server_that_was_killed_is_found_again(tmp_path: Path) -> None:
    async with secantus(tmp_path) as server, AsyncExitStack() as stack:
        client = connect(server.uri)
        stack.push_async_callback(close, client)
        store = MongoStore(client, access_to("roomctl"))
        await store.refresh()
        kept = await asyncio.gather(*(store.insert(room(number)) for number in range(50)))
        await server.kill()
        with pytest.raises(StoreUnavailableError):
            await store.refresh()
        assert list(store.by_id.values()) == kept
        await server.start()
        await until(lambda: reached(store))
        assert list(store.by_id.values()) == kept
        assert (await store.save(kept[0], kept[0].with_live_name("live", NOW))).live is not None


async def test_a_lost_database_is_a_new_one(on_secantus: Database) -> None:
    store = on_secantus.store()
    await store.refresh()
    await store.insert(room())
    before = store.identity.store
    await on_secantus.client.drop_database(on_secantus.name)
    assert await store.refresh()
    assert not store.by_id
    assert store.identity.store not in ("", before)
    assert "key_1" in await on_secantus.client[on_secantus.name].rooms.index_information()


async def test_what_a_hand_did_in_the_database_is_seen_before_long(on_secantus: Database) -> None:
    time = Time()
    store = MongoStore(on_secantus.connect(), access_to(on_secantus.name), clock=time.clock)
    await store.refresh()
    for number in (1, 2):
        await store.insert(room(number))
    await store.refresh()
    await on_secantus.client[on_secantus.name]["rooms"].delete_one({"_id": room(1).id})
    time.pass_by(FULL_READ_SECONDS[0])
    assert await store.refresh()
    assert store.by_id.keys() == {room(2).id}


async def test_a_damaged_document_is_named_and_the_others_are_read(on_secantus: Database) -> None:
    store, other = on_secantus.store(), on_secantus.store()
    await store.refresh()
    await store.insert(room(1))
    await store.insert(room(2))
    rooms = on_secantus.client[on_secantus.name].rooms
    await rooms.update_one({"_id": room(1).id}, {"$set": {"spec.max_participants": "many"}})
    await other.refresh()
    assert list(other.by_id) == [room(2).id]
    assert other.unusable[room(1).id].problem == "cannot read spec.max_participants"
    store.invalidate()
    await store.refresh()
    assert store.by_id[room(1).id] == room(1), "the last good record stays"
    assert list(store.unusable) == [room(1).id]


async def test_the_database_of_another_instance_is_refused(database: Database) -> None:
    await database.store(instance="blue").refresh()
    other = database.store(instance="green")
    with pytest.raises(StoreRefusedError, match=r"belongs to the instance 'blue', not 'green'.*rename"):
        await other.refresh()
    assert not other.by_id


async def test_a_newer_schema_is_refused(on_secantus: Database) -> None:
    await on_secantus.store().refresh()
    meta = on_secantus.client[on_secantus.name].meta
    await meta.update_one({"_id": "store"}, {"$set": {"schema": 2}})
    with pytest.raises(StoreRefusedError, match="schema version 2"):
        await on_secantus.store().refresh()


async def test_a_changed_secret_is_reported(on_secantus: Database) -> None:
    first = on_secantus.store()
    await first.refresh()
    client = on_secantus.connect()
    second = MongoStore(client, access_to(on_secantus.name, fingerprint="another print"))
    await second.refresh()
    assert second.secret_changed
    assert not first.secret_changed
    assert second.identity == first.identity


async def test_reading_only_leaves_no_trace(database: Database) -> None:
    store = database.store(read_only=True)
    await store.refresh()
    assert (store.identity.store, dict(store.by_id), await store.holder()) == ("", {}, None)
    assert database.name not in await database.client.list_database_names()


async def test_reading_only_sees_what_is_there_and_writes_nothing(database: Database) -> None:
    writer = database.store()
    await writer.refresh()
    await writer.insert(room())
    reader = database.store(read_only=True)
    await reader.refresh()
    assert (reader.identity, reader.by_id) == (writer.identity, writer.by_id)
    with pytest.raises(StoreRefusedError):
        await reader.insert(room(2))


async def test_an_error_names_the_address_and_no_credentials() -> None:
    client = connect(UNUSED)
    try:
        store = MongoStore(client, access_to("roomctl", uri=UNUSED))
        with pytest.raises(StoreUnavailableError) as caught:
            await store.refresh()
    finally:
        await close(client)
    assert str(caught.value) == "cannot connect to MongoDB at 127.0.0.1:1: connection refused"
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("uri", ["mongodb://u:sesame@h:port/", "http://h/", "mongodb://"])
def test_an_address_that_is_none_is_refused_without_being_repeated(uri: str) -> None:
    with pytest.raises(StoreRefusedError, match="MONGODB_URI") as caught:
        connect(uri)
    assert "sesame" not in str(caught.value)


async def test_refreshes_amid_writes_lose_nothing(on_secantus: Database) -> None:
    """Full reads and batches take turns, so that no read brings back what a batch has replaced."""
    store, rival = on_secantus.store(), on_secantus.store()
    await store.refresh()
    await rival.refresh()
    records = [await store.insert(room(number)) for number in range(20)]

    async def write(record_number: int) -> None:
        record = records[record_number]
        for turn in range(10):
            record = await store.save(record, record.with_live_name(f"{record.key}-{turn}", NOW))
            assert store.by_id[record.id] == record
        records[record_number] = record

    async def disturb() -> None:
        for number in range(100, 110):
            await rival.insert(room(number))
            store.invalidate()
            await store.refresh()

    await asyncio.gather(*(write(number) for number in range(20)), disturb())
    await rival.refresh()
    await store.refresh()
    assert [store.by_id[record.id] for record in records] == records
    assert store.by_id == rival.by_id


async def test_of_many_writers_of_one_record_one_wins_each_round(atomic: Database) -> None:
    stores = [atomic.store() for _ in range(4)]
    for store in stores:
        await store.refresh()
    record = await stores[0].insert(room())
    for turn in range(5):
        saves = (s.save(record, record.with_live_name(f"{turn}-{n}", NOW)) for n, s in enumerate(stores))
        results = await asyncio.gather(*saves, return_exceptions=True)
        won = [result for result in results if not isinstance(result, BaseException)]
        assert len(won) == 1
        assert all(isinstance(result, StoreError) for result in results if result is not won[0])
        record = replace(won[0])
