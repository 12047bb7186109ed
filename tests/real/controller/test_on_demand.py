"""Rooms that are live on demand, on real servers."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from controller.live.room import ON_DEMAND_TIMEOUT_SECONDS
from tests.support.api_callers import callers, write_tokens
from tests.support.controller import Reply, Site
from tests.support.embedded import Server
from tests.support.livekit import LiveKitServer
from tests.support.participants import guest
from tests.support.proxy import Proxy, http
from tests.support.wait import until

ON_DEMAND = {"live": "on-demand"}


@pytest.fixture(name="venue")
async def _venue(tmp_path: Path, livekit: LiveKitServer, mongodb: Server) -> AsyncIterator[Site]:
    tokens = str(write_tokens(tmp_path))
    async with (
        Site(tmp_path, livekit, mongodb=mongodb.uri, ROOMCTL_ACCESS_TOKENS_FILE=tokens) as site,
        site.run(),
    ):
        yield site


async def sleeping(site: Site, *keys: str) -> str:
    """The id of the first of these rooms, all of which are asleep."""
    for key in keys:
        site.write(key, **ON_DEMAND)
    for key in keys:
        await site.until_condition(key, "Ready", "True", reason="OnDemand")
    return (await site.record(keys[0])).id


async def ends(site: Site, key: str) -> None:
    """LiveKit closes the room."""
    await site.writer.delete_room(await site.room_name(key))
    await site.until_record(key, lambda room: room.live is None)
    await site.until_condition(key, "Ready", "True", reason="OnDemand")


async def token_of_sdk(site: Site, room_id: str) -> int:
    url = f"http://127.0.0.1:{site.public}/livekit/token"
    async with aiohttp.ClientSession() as session, session.post(url, json={"room_name": room_id}) as answer:
        return answer.status


async def test_each_life_of_a_room_has_another_name(venue: Site) -> None:
    room_id = await sleeping(venue, "desk")
    assert (await venue.record("desk")).live is None
    assert await venue.ours() == {}
    assert (await venue.plan()).empty
    first = await venue.find(room_id)
    assert first.status == 200
    (room,) = (await venue.ours()).values()
    assert room.name == first.body["LKRoomName"]
    assert room.empty_timeout == room.departure_timeout == ON_DEMAND_TIMEOUT_SECONDS
    await venue.until_condition("desk", "Ready", "True", reason="AsSpecified")
    await ends(venue, "desk")
    assert (await venue.record("desk")).live is None
    assert (await venue.plan()).empty
    stale = {"room_id": room_id, "LKRoomName": first.body["LKRoomName"], "participant_id": "ann"}
    assert (await venue.call("createToken", stale)).body["code"] == "ROOM_NAME_STALE"
    (room,) = (await venue.ours()).values()
    assert room.name not in ("", first.body["LKRoomName"])
    await ends(venue, "desk")
    assert await token_of_sdk(venue, room_id) == 201
    assert len(await venue.ours()) == 1
    assert (await venue.verb("wait", "--timeout", "20s")).code == 0

    lives: list[str] = []

    async def recorded() -> bool:
        events = json.loads((await venue.verb("events", "desk", "-o", "json")).out)
        lives[:] = [each["type"] for each in events if each["by"] == "controller"]
        return len(lives) >= 5

    await until(recorded)
    assert lives == ["start", "stop", "start", "stop", "start"]


async def test_livekit_closes_a_room_that_has_been_empty_for_its_timeout(venue: Site) -> None:
    """With a second in place of ten minutes."""
    await venue.writer.create_room("short-lived", "", 5, 1)
    await venue.until_live(lambda live: "short-lived" not in live)
    assert not await venue.reader.is_listed("short-lived")


async def test_what_the_verbs_say_of_a_sleeping_room(venue: Site) -> None:
    await sleeping(venue, "desk")
    (_, row) = (await venue.verb("get")).out.splitlines()
    assert row.split() == ["desk", "True", "OnDemand", "False", "0/10", "-"]
    assert (await venue.verb("wait", "desk", "--timeout", "20s")).code == 0
    assert (await venue.verb("wait", "desk", "--for", "!Live", "--timeout", "20s")).code == 0
    assert "live on-demand" in (await venue.verb("describe", "desk")).out
    assert (await venue.verb("plan", "--detailed-exitcode")).code == 0


async def test_a_crowd_makes_one_room(tmp_path: Path, livekit: LiveKitServer, mongodb: Server) -> None:
    async with (
        Proxy(livekit.port, http) as seen,
        Site(
            tmp_path, livekit, mongodb=mongodb.uri, url=seen.url, ROOMCTL_ADDRESS_REQUESTS_PER_SECOND="0"
        ) as site,
        site.run(),
    ):
        room_id = await sleeping(site, "desk")
        replies = await asyncio.gather(*(site.find(room_id) for _ in range(500)))
        assert {reply.status for reply in replies} == {200}
        assert len({reply.body["LKRoomName"] for reply in replies}) == 1
        assert seen.seen.count("CreateRoom") == 1


async def test_a_room_that_is_lost_with_people_inside_comes_back(venue: Site) -> None:
    room_id = await sleeping(venue, "desk")
    async with guest(venue.livekit.ws_url, await venue.token(room_id, "ann")):
        await venue.until_record("desk", lambda room: room.occupied)
        before = await venue.room_name("desk")
        sid = (await venue.record("desk")).sid
        await venue.writer.delete_room(before)
        after = await venue.until_record("desk", lambda room: room.sid != sid)
        assert after.live is not None
        assert after.live.name == before
    await venue.until_record("desk", lambda room: not room.occupied)
    await ends(venue, "desk")


async def test_the_api_starts_a_sleeping_room(venue: Site) -> None:
    async with callers(venue) as (anna, _, _):
        room = await anna.good("create", {"name": "Desk", "max_participants": 5, **ON_DEMAND})
        assert (room["live"], room["sid"]) == ("on-demand", None)
        assert await venue.ours() == {}
        assert await anna.good("start", {"id": room["id"]}) == {"success": True}
        assert len(await venue.ours()) == 1
        assert await anna.good("start", {"id": room["id"]}) == {"success": True}
        assert await anna.good("stop", {"id": room["id"]}) == {"success": True}
        assert await venue.ours() == {}
        assert (await venue.find(room["id"])).status == 404
        assert await anna.good("start", {"id": room["id"]}) == {"success": True}
        assert len(await venue.ours()) == 1
        await anna.good("update", {"id": room["id"], "max_participants": 7})
        await until_none(venue)
        found = await venue.find(room["id"])
        assert (await venue.ours())[found.body["LKRoomName"]].max_participants == 7
        always = await anna.good("update", {"id": room["id"], "live": None})
        assert "live" not in always
        assert await anna.good("remove", {"id": room["id"]}) == {"success": True}
        assert await venue.ours() == {}


async def until_none(site: Site) -> None:
    async def none() -> bool:
        return not await site.ours()

    await until(none)


async def test_a_room_that_becomes_on_demand_falls_asleep_when_it_is_empty(venue: Site) -> None:
    venue.write("desk")
    room_id = (await venue.converged())["desk"].id
    async with guest(venue.livekit.ws_url, await venue.token(room_id, "ann")):
        venue.edit("desk", **ON_DEMAND)
        await venue.until_condition("desk", "Deferred", "True")
    await venue.until_condition("desk", "Ready", "True", reason="OnDemand")
    assert await venue.ours() == {}


async def test_two_replicas_make_one_room_for_all_who_ask(
    tmp_path: Path, livekit: LiveKitServer, mongodb: Server
) -> None:
    async with (
        Proxy(livekit.port, http) as seen,
        Site(tmp_path, livekit, mongodb=mongodb.uri, url=seen.url, ROOMCTL_RESYNC_SECONDS="30") as first,
        first.twin("second") as second,
        first.run(),
    ):
        await first.until_leader(True)
        async with second.run():
            room_id = await sleeping(first, "desk", "other")
            other = (await first.record("other")).id
            await second.until_found(other)  # only the one on standby is asked
            replies: list[Reply] = await asyncio.gather(
                *(site.find(room_id) for _ in range(20) for site in (first, second))
            )
            assert {reply.status for reply in replies} == {200}
            assert len({reply.body["LKRoomName"] for reply in replies}) == 1
            assert seen.seen.count("CreateRoom") == 2
