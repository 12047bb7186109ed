"""The event log: what is recorded is written, and recording neither waits nor fails."""

import asyncio
from datetime import timedelta

import pytest

from controller.errors import StoreUnavailableError
from controller.events import log as log_module
from controller.events.log import EventLog
from controller.metrics import Metrics
from controller.records.events import EVENT_TTL, Event, EventType
from tests.support.fake_store import FakeStore
from tests.support.inprocess import FakeLease, HandClock
from tests.support.rooms import NOW, room
from tests.support.wait import until


def event(number: int) -> Event:
    return Event(at=NOW + timedelta(minutes=number), type=EventType.UPDATE, reason=str(number))


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def events(metrics: Metrics, clock: HandClock) -> EventLog:
    return EventLog(metrics, clock.clock())


async def test_what_is_recorded_is_written_in_its_order(events: EventLog, store: FakeStore) -> None:
    recorded = [event(number) for number in range(3)]
    for one in recorded:
        events.record(one)
    await events.flush(store)
    assert await store.events.find() == recorded
    assert await store.events.pending(9) == []


async def test_events_to_be_sent_out_are_pending(
    metrics: Metrics, clock: HandClock, store: FakeStore
) -> None:
    events = EventLog(metrics, clock.clock(), send_out=True)
    events.record(event(1))
    await events.flush(store)
    assert [one.reason for one in await store.events.pending(9)] == ["1"]


async def test_a_large_number_is_written_in_several_batches(
    events: EventLog, store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "MAX_BATCH", 2)
    recorded = [event(number) for number in range(5)]
    for one in recorded:
        events.record(one)
    await events.flush(store)
    assert await store.events.find() == recorded


async def test_an_unavailable_database_costs_no_event(events: EventLog, store: FakeStore) -> None:
    events.record(event(1))
    store.fail = StoreUnavailableError("away")
    with pytest.raises(StoreUnavailableError):
        await events.flush(store)
    events.record(event(2))
    store.fail = None
    await events.flush(store)
    assert [one.reason for one in await store.events.find()] == ["1", "2"]


async def test_too_many_waiting_events_lose_the_oldest_and_are_counted(
    metrics: Metrics, clock: HandClock, store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "MAX_WAITING", 3)
    events = EventLog(metrics, clock.clock())
    for number in range(5):
        events.record(event(number))
    await events.flush(store)
    assert [one.reason for one in await store.events.find()] == ["2", "3", "4"]
    assert metrics.registry.get_sample_value("roomctl_events_lost_total") == 2


async def test_a_database_that_is_not_known_to_be_ours_is_not_touched(
    events: EventLog, store: FakeStore
) -> None:
    events.record(event(1))
    ours = store.database.identity
    store.database.identity = type(ours)("", "default", 1, "")
    await events.flush(store)
    assert store.database.events == {}
    store.database.identity = ours
    await events.flush(store)
    assert len(store.database.events) == 1


async def test_events_are_written_in_the_background(
    events: EventLog, store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "FLUSH_INTERVAL_SECONDS", 0.001)

    async def written() -> bool:
        return len(store.database.events) == 1

    async with events.written_to(store):
        store.fail = StoreUnavailableError("away")
        events.record(event(1))
        await asyncio.sleep(0)
        store.fail = None
        await until(written)


async def test_the_last_events_are_written_at_the_end(events: EventLog, store: FakeStore) -> None:
    async with events.written_to(store):
        events.record(event(1))
    assert len(store.database.events) == 1


async def test_the_end_does_not_fail_while_the_database_is_away(events: EventLog, store: FakeStore) -> None:
    async with events.written_to(store):
        events.record(event(1))
        store.fail = StoreUnavailableError("away")


async def test_events_that_cannot_be_stored_are_lost_and_the_next_are_written(
    events: EventLog, store: FakeStore, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "FLUSH_INTERVAL_SECONDS", 0.001)

    async def lost() -> bool:
        return metrics.registry.get_sample_value("roomctl_events_lost_total") == 1

    async def written() -> bool:
        return len(store.database.events) == 1

    async with events.written_to(store):
        store.fail = ValueError("no BSON")
        events.record(event(1))
        await until(lost)
        store.fail = None
        events.record(event(2))
        await until(written)


async def test_refusals_of_a_minute_are_one_event_for_a_room_and_a_code(
    events: EventLog, store: FakeStore, clock: HandClock
) -> None:
    for code in ("ROOM_FULL", "ROOM_FULL", "PROOF_INVALID"):
        events.record_refusal(room(1), code)
    events.record_refusal(room(2), "ROOM_FULL")
    clock.seconds += 60
    events.record_refusal(room(1), "ROOM_FULL")
    async with events.written_to(store):
        pass
    found = await store.events.find()
    assert [(one.room_id, one.reason, one.count) for one in found] == [
        (room(1).id, "ROOM_FULL", 2),
        (room(1).id, "PROOF_INVALID", 1),
        (room(2).id, "ROOM_FULL", 1),
        (room(1).id, "ROOM_FULL", 1),
    ]
    assert {one.type for one in found} == {"refuse"}


async def test_refusals_are_written_when_their_minute_is_over(
    events: EventLog, store: FakeStore, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "FLUSH_INTERVAL_SECONDS", 0.001)

    async def written() -> bool:
        return len(store.database.events) == 1

    async with events.written_to(store):
        events.record_refusal(room(1), "ROOM_FULL")
        clock.seconds += 60
        await until(written)


async def test_old_events_are_deleted_by_the_holder_of_the_lease(
    store: FakeStore, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "PURGE_INTERVAL_SECONDS", 0.001)
    lease, old, young = FakeLease(held=False), event(0), event(2)
    await store.events.append([old, young])
    clock.seconds = (old.at + EVENT_TTL - clock.wall()).total_seconds() + 60
    purging = asyncio.create_task(log_module.purge_forever(store, lease, clock.clock()))
    await asyncio.sleep(0.01)
    assert len(store.database.events) == 2
    lease.held = True

    async def purged() -> bool:
        return list(store.database.events.values()) == [young]

    await until(purged)
    purging.cancel()
    await asyncio.gather(purging, return_exceptions=True)
