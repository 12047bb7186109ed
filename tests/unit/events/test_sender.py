"""The sender: at least once, oldest first, patient, and silent about what is secret."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest
import structlog

from controller.errors import StoreUnavailableError
from controller.events import sender as sender_module
from controller.events.sender import EventSender, Receiver
from controller.metrics import Metrics
from controller.records.events import Event, EventType
from tests.support.fake_store import FakeStore
from tests.support.inprocess import FakeLease, HandClock
from tests.support.receiver import BODY, KEY, SECRET, Answer, EventReceiver
from tests.support.rooms import room
from tests.support.wait import until


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender_module, "POLL_INTERVAL_SECONDS", 0.002)


class Sending:
    """A sender at work, on fakes."""

    def __init__(self, receiver: EventReceiver) -> None:
        self.store, self.lease, self.metrics, self.time = FakeStore(), FakeLease(), Metrics(), HandClock()
        target = Receiver(receiver.url, KEY, "default")
        self.sender = EventSender(target, self.store.events, self.lease, self.metrics, self.time.clock())

    async def add(self, *numbers: int) -> list[str]:
        """Pending events, of so many minutes after the beginning; their ids."""
        start = self.time.wall()
        events = [
            Event(at=start + timedelta(minutes=number), type=EventType.HEAL, key="a", room_id=room().id)
            for number in numbers
        ]
        await self.store.events.append(events, pending=True)
        return [event.id for event in events]

    async def until(self, holds: Callable[[], bool]) -> None:
        """Run the sender until that holds; whoever is given time gets little of ours."""
        running = asyncio.create_task(self.sender.run())

        async def so() -> bool:
            assert not running.done(), running.exception()
            self.time.seconds += 0.5
            return holds()

        try:
            await until(so)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    def counted(self, outcome: str) -> float:
        labels = {"outcome": outcome}
        return self.metrics.registry.get_sample_value("roomctl_event_deliveries_total", labels) or 0.0

    def is_done(self) -> bool:
        return not self.store.database.pending


@pytest.fixture
async def receiver() -> AsyncIterator[EventReceiver]:
    async with EventReceiver(checks_time=False).listening() as receiver:
        yield receiver


@pytest.fixture
def sending(receiver: EventReceiver) -> Sending:
    return Sending(receiver)


def first(count: int, status: int, receiver: EventReceiver) -> Answer:
    """So many requests get that status, the others are received."""

    async def answer(_: dict[str, Any]) -> int:
        return status if len(receiver.requests) <= count else 200

    return answer


async def test_pending_events_are_sent_oldest_first_and_once(
    sending: Sending, receiver: EventReceiver
) -> None:
    two, one, three = await sending.add(2, 1, 3)
    await sending.until(sending.is_done)
    assert receiver.ids() == [one, two, three]
    assert sending.counted("sent") == 3


async def test_a_request_is_typed_and_names_its_sender(sending: Sending, receiver: EventReceiver) -> None:
    (identity,) = await sending.add(0)
    await sending.until(sending.is_done)
    (headers,) = receiver.headers
    assert headers["Content-Type"] == "application/cloudevents+json"
    assert headers["User-Agent"].startswith("roomctl/")
    assert headers["webhook-id"] == identity
    assert int(headers["webhook-timestamp"]) == pytest.approx(sending.time.wall().timestamp(), abs=60)


@pytest.mark.parametrize("status", [500, 503, 429, 404, 301, 307])
async def test_a_receiver_that_refuses_gets_the_same_event_again_first(
    sending: Sending, receiver: EventReceiver, status: int
) -> None:
    one, two = await sending.add(1, 2)
    receiver.answer = first(3, status, receiver)
    await sending.until(sending.is_done)
    assert receiver.ids() == [one, one, one, one, two]
    assert (sending.counted("failed"), sending.counted("sent")) == (3, 2)


async def test_an_event_that_is_refused_for_its_content_does_not_delay_the_others(
    sending: Sending, receiver: EventReceiver
) -> None:
    one, two, three = await sending.add(1, 2, 3)

    async def answer(document: dict[str, Any]) -> int:
        return 422 if document["id"] == one and len(receiver.requests) < 8 else 200

    receiver.answer = answer
    await sending.until(lambda: len(receiver.received) == 2)
    assert [document["id"] for document in receiver.received] == [two, three]
    receiver.answer = first(0, 200, receiver)
    await sending.until(sending.is_done)
    assert receiver.ids()[-1] == one


async def test_a_receiver_that_is_down_gets_all_events_when_it_is_back() -> None:
    receiver = EventReceiver(checks_time=False)
    sending = Sending(receiver)
    ids = await sending.add(1, 2)
    await sending.until(lambda: sending.counted("failed") >= 2)
    async with receiver.listening():
        await sending.until(sending.is_done)
    assert receiver.ids() == ids


async def test_a_receiver_that_does_not_answer_is_cut_off(
    sending: Sending, receiver: EventReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_module, "REQUEST_TIMEOUT_SECONDS", 0.05)

    async def hang(_: dict[str, Any]) -> int:
        await asyncio.sleep(1)
        return 200

    receiver.answer = hang
    await sending.add(1)
    with structlog.testing.capture_logs() as logs:
        await sending.until(lambda: sending.counted("failed") >= 2)
    errors = [line["error"] for line in logs if line["log_level"] == "warning"]
    assert errors == ["no answer within 0.05 seconds"]


async def test_only_the_holder_of_the_lease_sends(sending: Sending, receiver: EventReceiver) -> None:
    await sending.add(1)
    sending.lease.held = False
    looks = iter(range(5))
    await sending.until(lambda: next(looks, None) is None)
    assert receiver.requests == []
    sending.lease.held = True
    await sending.until(sending.is_done)


async def test_a_lease_that_is_lost_ends_the_sending(sending: Sending, receiver: EventReceiver) -> None:
    one, _ = await sending.add(1, 2)

    async def lose(_: dict[str, Any]) -> int:
        sending.lease.held = False
        return 200

    receiver.answer = lose
    await sending.until(lambda: bool(receiver.received))
    looks = iter(range(5))
    await sending.until(lambda: next(looks, None) is None)
    assert receiver.ids() == [one]


async def test_events_older_than_a_day_are_dropped_and_counted(
    sending: Sending, receiver: EventReceiver
) -> None:
    await sending.add(1, 2)
    sending.time.seconds += timedelta(hours=25).total_seconds()
    (young,) = await sending.add(0)
    with structlog.testing.capture_logs() as logs:
        await sending.until(sending.is_done)
    assert receiver.ids() == [young]
    assert sending.counted("dropped") == 2
    assert [line["count"] for line in logs if line["event"] == "events dropped"] == [2]


async def test_an_event_that_could_not_be_marked_is_not_sent_again(
    sending: Sending, receiver: EventReceiver
) -> None:
    one, two = await sending.add(1, 2)

    async def away(_: dict[str, Any]) -> int:
        sending.store.fail = StoreUnavailableError("away")
        return 200

    async def back() -> bool:
        return len(receiver.requests) == 2

    receiver.answer = away
    running = asyncio.create_task(sending.sender.run())
    await until(back)
    sending.store.fail = None

    async def done() -> bool:
        return sending.is_done()

    await until(done)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert receiver.ids() == [one, two]


async def test_an_outage_is_logged_once_and_nothing_secret_is_shown(
    sending: Sending, receiver: EventReceiver
) -> None:
    await sending.add(1)
    receiver.answer = first(3, 500, receiver)
    with structlog.testing.capture_logs() as logs:
        await sending.until(sending.is_done)
    shown = [line for line in logs if line["log_level"] != "debug"]
    assert [line["event"] for line in shown] == ["event not delivered", "event delivery recovered"]
    for secret in (SECRET, "tenant", BODY):
        assert secret not in str(logs)
    assert repr(KEY) not in repr(sending.sender._receiver)
