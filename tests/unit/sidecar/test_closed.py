"""A room outside its open hours, by every call of participants."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.live.room import Participant
from controller.records.record import Hold
from tests.unit.sidecar.harness import (
    FIND,
    NOW,
    ROOM_ID,
    ROOM_NAME,
    Harness,
    Reply,
    ask,
    person,
    record,
    serving,
    spec,
)
from tests.unit.sidecar.test_admission import previous

TODAY = "2026-11-18T"  # it is 11:06:40 there
LATER, OVER = {"opens": f"{TODAY}12:00"}, {"closes": f"{TODAY}11:00"}
DAILY = {"opens": "2026-11-01T09:00", "closes": "2026-11-01T11:00", "repeats": "FREQ=DAILY"}


def put(harness: Harness, **hours: str) -> None:
    harness.put(record(spec=spec(**hours)))


async def find(harness: Harness) -> Reply:
    return await harness.post(FIND, {"id": ROOM_ID})


@pytest.mark.parametrize(
    ("hours", "opens", "wait"),
    [
        (LATER, f"{TODAY}12:00:00.000Z", "3200"),
        (DAILY, "2026-11-19T09:00:00.000Z", str(22 * 3600 - 400)),
        (OVER, None, "3600"),
    ],
)
async def test_every_call_says_when_it_opens(hours: dict[str, str], opens: str | None, wait: str) -> None:
    async with serving() as harness:
        put(harness, **hours)
        endpoint = {"room_name": ROOM_ID, "participant_identity": "ann"}
        for reply in (
            await find(harness),
            await harness.token(),
            await harness.post("/livekit/token", endpoint),
        ):
            assert (reply.status, reply.code) == (409, "ROOM_CLOSED")
            assert (reply.json["opens"], reply.headers["retry-after"]) == (opens, wait)
            assert ("does not open again" in reply.json["error"]) is (opens is None)


async def test_it_opens_at_the_second_and_is_not_ready_until_it_is_live() -> None:
    async with serving() as harness:
        put(harness, **LATER)
        harness.wall.now = NOW + 3199
        assert (await find(harness)).code == "ROOM_CLOSED"
        harness.wall.now = NOW + 3200
        assert (await find(harness)).status == 200
        harness.state.live.clear()
        assert (await find(harness)).code == "ROOM_NOT_READY"
        harness.wall.now = NOW
        assert (await harness.token()).code == "ROOM_CLOSED"


@pytest.mark.parametrize(
    ("inside", "headers", "status"),
    [
        ([person("jane")], previous("jane"), 200),
        ([person("jane")], {}, 409),
        ([person("jane", "hers")], previous("jane"), 409),
        ([], previous("jane"), 409),
        ([Participant("bob")], previous("jane"), 409),
    ],
)
async def test_who_is_inside_and_proves_it_may_come_back(
    inside: list[Participant], headers: dict[str, str], status: int
) -> None:
    async with serving() as harness:
        put(harness, **OVER)
        harness.people.inside[ROOM_NAME] = inside
        reply = await harness.token(headers)
        assert reply.status == status
        assert status == 200 or reply.code == "ROOM_CLOSED"


@pytest.mark.parametrize("everything", [True, False])
async def test_a_held_room_stays_open_while_it_lives(*, everything: bool) -> None:
    hold = Hold("ann", "it runs over", datetime.fromtimestamp(NOW, UTC) + timedelta(hours=1))
    async with serving() as harness:
        put(harness, **OVER)
        if everything:
            harness.memory.hold_all = hold
        else:
            harness.put(record(spec=spec(**OVER)).with_hold(hold))
        assert (await find(harness)).status == 200
        assert (await harness.token()).status == 200
        harness.state.live.clear()
        assert (await find(harness)).code == "ROOM_CLOSED"


@pytest.mark.parametrize(("hours", "opens_in"), [(LATER, "3200"), (OVER, None)])
async def test_the_page_has_the_room_and_the_seconds(hours: dict[str, Any], opens_in: str | None) -> None:
    async with serving() as harness:
        put(harness, **hours)
        reply = await ask(harness.sidecar.public, "GET", f"/join/{ROOM_ID}")
        page = reply.body.decode()
        assert (reply.status, reply.headers.get("retry-after")) == (409, opens_in)
        assert 'data-code="ROOM_CLOSED"' in page
        assert 'data-name="Main stage"' in page
        assert (f'data-opens-in="{opens_in}"' in page) is (opens_in is not None)
