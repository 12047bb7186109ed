"""Rooms that are live on demand, by every call that asks for one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from controller.records.record import LiveName
from controller.sidecar import waking
from tests.support.wait import until
from tests.unit.sidecar.harness import (
    FIND,
    ROOM_ID,
    ROOM_NAME,
    Harness,
    Reply,
    ask,
    record,
    serving,
    spec,
)

Call = Callable[[Harness], Awaitable[Reply]]


@pytest.fixture(name="asleep")
async def _asleep() -> AsyncIterator[Harness]:
    async with serving() as harness:
        sleep(harness)
        yield harness


def sleep(harness: Harness, **fields: Any) -> None:
    harness.state.live.clear()
    harness.put(record(live=None, spec=spec(live="on-demand", **fields)))


def find(harness: Harness) -> Awaitable[Reply]:
    return harness.post(FIND, {"id": ROOM_ID})


def endpoint(harness: Harness) -> Awaitable[Reply]:
    return harness.post("/livekit/token", {"room_name": ROOM_ID, "participant_identity": "ann"})


def create_token(harness: Harness) -> Awaitable[Reply]:
    return harness.token()


def make(harness: Harness) -> None:
    """The reconciler has made the room."""
    harness.put(record(live=LiveName(ROOM_NAME, "RM_1"), spec=spec(live="on-demand")))
    harness.state.record_pass(harness.clock())


async def until_wanted(harness: Harness, times: int = 1) -> None:
    async def enough() -> bool:
        return len(harness.wanted) >= times

    await until(enough)


@pytest.mark.parametrize(("call", "status"), [(find, 200), (create_token, 200), (endpoint, 201)])
async def test_a_call_waits_until_the_room_is_made(asleep: Harness, call: Call, status: int) -> None:
    asking = asyncio.ensure_future(call(asleep))
    await until_wanted(asleep)
    assert asleep.wanted == [ROOM_ID]
    asleep.state.record_pass(asleep.clock())  # something else has changed
    make(asleep)
    assert (await asking).status == status


@pytest.mark.parametrize("call", [find, create_token, endpoint])
async def test_a_room_that_is_not_made_in_time_is_not_ready(
    asleep: Harness, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waking, "WAIT_SECONDS", 0.05)
    reply = await call(asleep)
    assert (reply.status, reply.code) == (503, "ROOM_NOT_READY")


async def test_the_demand_is_repeated_while_somebody_waits(
    asleep: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waking, "ASK_AGAIN_SECONDS", 0.01)
    asking = asyncio.ensure_future(find(asleep))
    await until_wanted(asleep, 3)
    make(asleep)
    assert (await asking).status == 200


async def test_all_who_wait_are_answered_at_once(asleep: Harness) -> None:
    asking = [asyncio.ensure_future(find(asleep)) for _ in range(300)]
    asking += [asyncio.ensure_future(endpoint(asleep)) for _ in range(200)]
    await until_wanted(asleep, 500)
    make(asleep)
    replies = await asyncio.gather(*asking)
    assert {reply.json["LKRoomName"] for reply in replies[:300]} == {ROOM_NAME}
    assert {reply.status for reply in replies[300:]} == {201}


@pytest.mark.parametrize("fields", [{"opens": "2030-01-01T00:00"}, {"active": False}])
async def test_a_closed_or_inactive_room_is_refused_at_once(asleep: Harness, fields: Any) -> None:
    sleep(asleep, **fields)
    for call in (find, create_token, endpoint):
        assert (await call(asleep)).code == ("ROOM_CLOSED" if "opens" in fields else "ROOM_NOT_FOUND")
    assert asleep.wanted == []


async def test_a_room_that_closes_while_somebody_waits_is_not_waited_for(asleep: Harness) -> None:
    asking = asyncio.ensure_future(find(asleep))
    await until_wanted(asleep)
    sleep(asleep, closes="2020-01-01T00:00")
    asleep.state.record_pass(asleep.clock())
    assert (await asking).code == "ROOM_CLOSED"


async def test_nothing_else_wakes_a_room(asleep: Harness) -> None:
    page = await ask(asleep.sidecar.public, "GET", f"/join/{ROOM_ID}", headers={"Accept": "text/html"})
    assert page.status == 200
    assert b'data-code="' not in page.body
    assert (await ask(asleep.sidecar.public, "HEAD", f"/join/{ROOM_ID}")).status == 200
    assert (await asleep.post(FIND, {"id": "0" * 24})).code == "ROOM_NOT_FOUND"
    assert (await asleep.post(FIND, {"id": 7})).code == "INVALID_FIELD"
    assert asleep.wanted == []


async def test_a_room_that_is_always_live_is_not_waited_for(asleep: Harness) -> None:
    asleep.put(record(live=None))
    assert (await find(asleep)).code == "ROOM_NOT_READY"
    assert asleep.wanted == []


async def test_a_token_for_an_earlier_life_is_stale_and_the_room_is_made(asleep: Harness) -> None:
    asking = asyncio.ensure_future(asleep.token(LKRoomName="an earlier name"))
    await until_wanted(asleep)
    make(asleep)
    assert (await asking).code == "ROOM_NAME_STALE"
