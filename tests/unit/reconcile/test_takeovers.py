"""A connection that is replaced by one with another token is an event; a reload is none."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from controller.clock import Clock
from controller.events.log import EventLog
from controller.live.webhook import WebhookEvent
from controller.metrics import Metrics
from controller.reconcile.takeovers import MAX_REPLACED, TakeoverDetector, Takeovers
from controller.records.events import EventType
from controller.state_cache import StateCache
from tests.support.fake_store import FakeDatabase, FakeStore
from tests.support.rooms import records, room

NOW = datetime(2026, 3, 24, 16, tzinfo=UTC)


def left(digest: str, reason: str = "DUPLICATE_IDENTITY", identity: str = "ada") -> WebhookEvent:
    return WebhookEvent(
        "participant_left",
        room="live",
        identity=identity,
        attributes={"jti_sha256": digest},
        disconnect_reason=reason,
    )


def joined(digest: str, identity: str = "ada") -> WebhookEvent:
    return WebhookEvent(
        "participant_joined", room="live", identity=identity, attributes={"jti_sha256": digest}
    )


@pytest.mark.parametrize(
    ("events", "is_takeover"),
    [
        ([left("a"), joined("b")], True),
        ([left("a"), joined("a")], False),
        ([left("a", reason="CLIENT_INITIATED"), joined("b")], False),
        ([left("a"), joined("b", identity="ben")], False),
        ([joined("b")], False),
        ([left("a"), joined("a"), joined("b")], False),
        ([left(""), joined("b")], True),
    ],
)
def test_takeover_is_another_token_on_a_replaced_connection(
    events: list[WebhookEvent], is_takeover: bool
) -> None:
    detector = TakeoverDetector()
    assert [detector.observe(event) for event in events].count(True) == is_takeover


def test_an_event_that_is_reported_twice_counts_once() -> None:
    detector = TakeoverDetector()
    events = [replace(left("a"), id="EV_1"), replace(joined("b"), id="EV_2")]
    assert [detector.observe(event) for event in (*events, *events)] == [False, True, False, False]


def test_memory_is_bounded() -> None:
    detector = TakeoverDetector()
    for number in range(MAX_REPLACED + 1):
        detector.observe(left("a", identity=f"p{number}"))
    assert not detector.observe(joined("b", identity="p0"))
    assert detector.observe(joined("b", identity=f"p{MAX_REPLACED}"))


@pytest.mark.parametrize(("live", "count"), [("live", 1), ("other", 0)])
async def test_takeover_in_a_room_on_record_is_recorded(live: str, count: int) -> None:
    clock = Clock(wall=lambda: NOW)
    log, store = EventLog(Metrics(), clock), FakeStore(FakeDatabase())
    takeovers = Takeovers(StateCache(records(room(1, live=live))), log, clock)
    for event in (left("a"), joined("b")):
        takeovers.on_webhook(event)
    await store.refresh()
    await log.flush(store)
    events = await store.events.find(types=[EventType.TAKEOVER])
    assert len(events) == count
    if events:
        assert (events[0].key, events[0].reason) == (
            "events/room-1",
            '"ada" joined again with another token',
        )
