"""Rooms that open and close by the clock, on real servers."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.api_callers import callers, write_tokens
from tests.support.controller import Site
from tests.support.embedded import Server
from tests.support.livekit import LiveKitServer
from tests.support.participants import guest
from tests.support.wait import until

YESTERDAY, TOMORROW = (datetime.now(UTC) + timedelta(days=days) for days in (-1, 1))


def moment(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="seconds")


@pytest.fixture(name="venue")
async def _venue(tmp_path: Path, livekit: LiveKitServer, mongodb: Server) -> AsyncIterator[Site]:
    tokens = str(write_tokens(tmp_path))
    async with (
        Site(tmp_path, livekit, mongodb=mongodb.uri, ROOMCTL_ACCESS_TOKENS_FILE=tokens) as site,
        site.run(),
    ):
        yield site


async def test_a_room_opens_closes_and_ends_after_the_overrun(venue: Site) -> None:
    venue.write("show", opens=moment(6), closes=moment(14), overrun="6s")
    await venue.until_condition("show", "Live", "True")  # it is made before it opens
    room_id = (await venue.record("show")).id
    early = await venue.find(room_id)
    assert (early.status, early.body["code"]) == (409, "ROOM_CLOSED")
    assert datetime.fromisoformat(early.body["opens"]) > datetime.now(UTC)
    await venue.until_found(room_id)
    before = await venue.token(room_id, "ann")
    async with guest(venue.livekit.ws_url, before) as ann:
        await venue.until_found(room_id, 409)
        late = await venue.find(room_id)
        assert (late.body["code"], late.body["opens"]) == ("ROOM_CLOSED", None)
        name = await venue.room_name("show")

        async def ask(identity: str, *headers: tuple[str, str]) -> int:
            body = {"room_id": room_id, "LKRoomName": name, "participant_id": identity}
            return (await venue.call("createToken", body, dict(headers))).status

        assert await ask("bob") == 409
        assert await ask("ann") == 409
        assert await ask("ann", ("X-Previous-Token", before)) == 200
        plan = json.loads((await venue.verb("plan", "-o", "json")).out)
        (change,) = plan["changes"]
        assert (change["disruption"], change["participants"]) == ("disconnects", 1)
        assert change["reason"].startswith("closes at ")
        assert change["deferred"]
        assert await asyncio.wait_for(ann.left, 60) == "ROOM_DELETED"
    await venue.until_condition("show", "Live", "False")
    ready = (await venue.record("show")).status.condition("Ready")
    assert ready is not None
    assert (ready.status, ready.reason, ready.message) == ("True", "Closed", "does not open again")
    assert (await venue.verb("get")).out.splitlines()[1].split()[-1] == "Closed"
    assert (await venue.verb("wait", "--timeout", "20s")).code == 0
    assert "closed, and does not open again" in (await venue.verb("describe", "show")).out

    async def is_recorded() -> bool:  # a moment after it was done
        events = json.loads((await venue.verb("events", "show", "-o", "json")).out)
        scheduled = [(event["type"], event["participants"]) for event in events if event["by"] == "schedule"]
        return scheduled == [("stop", 1)]

    await until(is_recorded)


async def test_a_closed_room_goes_as_soon_as_the_last_one_leaves(venue: Site) -> None:
    venue.write("show")
    await venue.converged()
    room_id = (await venue.record("show")).id
    async with guest(venue.livekit.ws_url, await venue.token(room_id, "ann")):
        venue.write("show", closes=moment(-1), overrun="24h")
        await venue.until_condition("show", "Deferred", "True")
        described = (await venue.verb("describe", "show")).out
        assert "deferred until the room is empty or until " in described
    await venue.until_condition("show", "Live", "False")


async def test_what_the_api_says_of_a_closed_room(venue: Site) -> None:
    hours = {"opens": TOMORROW.isoformat(timespec="seconds"), "timezone": "Europe/Berlin", "overrun": "0s"}
    async with callers(venue) as (anna, _, _):
        room = await anna.good("create", {"name": "Later", "max_participants": 5, **hours})
        assert room["sid"] is None
        assert {name: room[name] for name in hours} == hours
        assert not {"closes", "repeats"} & room.keys()
        status, body = await anna.call("start", {"id": room["id"]})
        assert (status, body["code"]) == (409, "ROOM_CLOSED")
        assert datetime.fromisoformat(body["opens"]) == TOMORROW.replace(microsecond=0)
        assert (await anna.call("stop", {"id": room["id"]}))[0] == 200
        assert (await anna.good("getById", {"id": room["id"]}))["active"] is False
        for wrong in ({"closes": hours["opens"]}, {"repeats": "FREQ=DAILY"}, {"repeats": "FREQ=SECONDLY"}):
            status, body = await anna.call("update", {"id": room["id"], **wrong})
            assert (status, body["code"]) == (400, "INVALID_FIELD")
            assert body["error"].startswith(f"{next(iter(wrong))} must be ")
        opened = await anna.good("update", {"id": room["id"], "opens": None, "active": True})
        assert opened["sid"] is not None
        assert "opens" not in opened


async def test_a_controller_that_was_down_over_an_opening_and_a_closing(
    tmp_path: Path, livekit: LiveKitServer, mongodb: Server
) -> None:
    async with Site(tmp_path, livekit, mongodb=mongodb.uri) as site:
        site.write("opens", opens=moment(70))
        site.write("closes", closes=moment(3600))
        async with site.run():
            await site.until_condition("opens", "Ready", "True")
            await site.until_condition("closes", "Live", "True")
            assert (await site.record("opens")).live is None
        site.write("opens", opens=moment(-5))
        site.write("closes", closes=moment(-5), overrun="0s")
        async with site.run():
            await site.until_condition("opens", "Live", "True")
            await site.until_condition("closes", "Live", "False")

        async def only_one() -> bool:
            return len(await site.ours()) == 1

        await until(only_one)
