"""The private API of a real `roomctl run`: what callers ask for comes to be on a real LiveKit."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.api_callers import callers, write_tokens
from tests.support.controller import Site
from tests.support.embedded import Server, secantus
from tests.support.livekit import LiveKitServer
from tests.support.participants import canary
from tests.support.wait import until

BODY = {"name": "Main stage room", "max_participants": 5}
VARIABLE = "ROOMCTL_ACCESS_TOKENS_FILE"
DONE = {"success": True}


@pytest.fixture(name="stage")
async def _stage(tmp_path: Path, livekit: LiveKitServer, mongodb: Server) -> AsyncIterator[Site]:
    """A site whose tokens' file knows the callers, with one manifest of Anna's."""
    tokens = {VARIABLE: str(write_tokens(tmp_path))}
    async with Site(tmp_path, livekit, mongodb=mongodb.uri, **tokens) as site:
        site.write("lobby", user_id="anna")
        yield site


async def live_name(site: Site, room_id: str) -> str:
    """The LiveKit name that guests are told, and that LiveKit lists."""
    answer = await site.find(room_id)
    assert answer.status == 200, answer
    name = str(answer.body["LKRoomName"])
    assert name in await site.ours()
    return name


async def test_a_room_lives_from_create_to_remove(stage: Site) -> None:
    async with stage.run(), callers(stage) as (anna, _, _):
        await stage.converged()
        room = await anna.good("create", BODY)
        assert room["sid"].startswith("RM_")
        assert (room["user_id"], room["active"], room["created"]) == ("anna", True, room["modified"])
        first = await live_name(stage, room["id"])
        assert await anna.good("getById", {"id": room["id"]}) == room

        changed = await anna.good("update", {**room, "name": "Small stage", "allow_chat": True})
        assert (changed["name"], changed["allow_chat"], changed["sid"]) == ("Small stage", True, room["sid"])
        assert changed["modified"] > room["modified"]
        assert await anna.good("update", changed) == changed

        assert await anna.good("start", {"id": room["id"]}) == DONE
        assert await live_name(stage, room["id"]) == first

        assert await anna.good("stop", {"id": room["id"]}) == DONE
        assert first not in await stage.listed()
        stopped = await anna.good("getById", {"id": room["id"]})
        assert (stopped["active"], stopped["sid"]) == (False, room["sid"])

        assert await anna.good("start", {"id": room["id"]}) == DONE
        second = await live_name(stage, room["id"])
        assert second != first

        assert await anna.good(f"remove?id={room['id']}") == DONE
        assert second not in await stage.listed()
        for name in ("remove", "getById", "update", "start", "stop"):
            assert await anna.refused(name, {"id": room["id"]}) == (404, "ROOM_NOT_FOUND")
        assert (await stage.find(room["id"])).status == 404
        assert [each["name"] for each in await anna.good("getAll")] == ["lobby"]


async def test_users_have_their_rooms_and_an_admin_all(stage: Site) -> None:
    async with stage.run(), callers(stage) as (anna, bert, root):
        await stage.converged()
        (lobby,) = await anna.good("getAll")
        mine = await anna.good("create", {**BODY, "active": False})
        theirs = await bert.good("create", {**BODY, "active": False, "user_id": "anna"})
        assert theirs["user_id"] == "bert"
        assert await anna.good("getAll") == [lobby, mine]
        assert await bert.good("getAll") == [theirs]
        assert await root.good("getAll") == [lobby, mine, theirs]
        assert await bert.good("getCount", {"filter": {"user_id": "anna"}}) == {"count": 0}
        for name in ("getById", "update", "start", "stop", "remove"):
            assert await bert.refused(name, {"id": mine["id"]}) == (404, "ROOM_NOT_FOUND")
        for name in ("update", "start", "stop", "remove"):
            status, content = await root.call(name, {"id": lobby["id"]})
            assert (status, content["code"]) == (409, "MANAGED_BY_MANIFEST")
            assert "lobby.json" in content["error"]
        assert await root.good("remove", {"id": theirs["id"]}) == DONE
        assert await bert.good("getCount") == {"count": 0}


async def test_stop_and_remove_act_at_once_whoever_is_inside(stage: Site) -> None:
    async with stage.run(), callers(stage) as (anna, _, _):
        room_id = (await anna.good("create", BODY))["id"]
        async with canary(stage.livekit.ws_url, await stage.token(room_id, "ann")) as ann:
            assert await anna.good("stop", {"id": room_id}) == DONE
            await until(lambda: _is(not ann.inside))
        await anna.good("start", {"id": room_id})
        async with canary(stage.livekit.ws_url, await stage.token(room_id, "bob")) as bob:
            assert await anna.good("remove", {"id": room_id}) == DONE
            await until(lambda: _is(not bob.inside))


async def _is(value: bool) -> bool:
    return value


async def test_intents_hold_while_livekit_is_down(tmp_path: Path, mongodb: Server) -> None:
    tokens = {VARIABLE: str(write_tokens(tmp_path))}
    async with (
        LiveKitServer(tmp_path / "livekit") as livekit,
        Site(tmp_path, livekit, mongodb=mongodb.uri, **tokens) as site,
        site.run() as controller,
        callers(site) as (anna, _, _),
    ):
        doomed, kept, paused = [await anna.good("create", {**BODY, "name": n}) for n in ("a", "b", "c")]
        await anna.good("stop", {"id": paused["id"]})
        livekit.kill()
        await controller.until_logged("dependency unavailable", dependency="livekit")
        began = time.monotonic()
        made, started, gone, still = await asyncio.gather(
            anna.good("create", {**BODY, "name": "d"}),
            anna.refused("start", {"id": paused["id"]}),
            anna.refused("remove", {"id": doomed["id"]}),
            anna.refused("start", {"id": kept["id"]}),
        )
        assert time.monotonic() - began > 4, "each of them waits for five seconds"
        assert (made["sid"], made["active"]) == (None, True)
        assert started == gone == still == (503, "UNAVAILABLE")
        assert await anna.refused("getById", {"id": doomed["id"]}) == (404, "ROOM_NOT_FOUND")
        assert (await anna.good("getById", {"id": paused["id"]}))["active"] is True
        assert len(await anna.good("getAll")) == 3
        await livekit.start()
        await site.until_live(lambda _: True)

        async def done() -> bool:
            status, _ = await anna.call("remove", {"id": doomed["id"]})
            return status == 404

        await until(done)
        for room in (made, kept, paused):

            async def is_live(room_id: str = room["id"]) -> bool:
                return await anna.call("start", {"id": room_id}) == (200, DONE)

            await until(is_live)
            await live_name(site, room["id"])
        assert len(await site.ours()) == 3


async def test_who_waits_for_a_room_does_not_hold_the_end_up(tmp_path: Path, mongodb: Server) -> None:
    tokens = {VARIABLE: str(write_tokens(tmp_path))}
    async with (
        LiveKitServer(tmp_path / "livekit") as livekit,
        Site(tmp_path, livekit, mongodb=mongodb.uri, **tokens) as site,
        site.run() as controller,
        callers(site) as (anna, _, _),
    ):
        livekit.kill()
        waiting = asyncio.create_task(anna.call("create", BODY))
        await controller.until_logged("room created", source="api")
        assert await controller.stop() == 0
        await asyncio.gather(waiting, return_exceptions=True)
        (record,) = (await site.records()).values()
        assert record.spec.user_id == "anna", "the intent holds all the same"


async def test_mongodb_away_leaves_reads_and_refuses_writes(tmp_path: Path, livekit: LiveKitServer) -> None:
    tokens = {VARIABLE: str(write_tokens(tmp_path))}
    async with secantus(tmp_path / "mongodb") as own:
        site = Site(tmp_path, livekit, mongodb=own.uri, **tokens)
        async with site, site.run(), callers(site) as (anna, _, _):
            room = await anna.good("create", BODY)
            await own.kill()
            assert await anna.good("getById", {"id": room["id"]}) == room
            assert await anna.good("getAll") == [room]
            assert await anna.good("getCount") == {"count": 1}
            bodies = {
                "create": BODY,
                **{name: {"id": room["id"]} for name in ("update", "start", "stop", "remove")},
            }
            refusals = await asyncio.gather(*(anna.refused(name, body) for name, body in bodies.items()))
            assert set(refusals) == {(503, "UNAVAILABLE")}


async def test_a_process_that_stands_by_serves_all_calls(stage: Site) -> None:
    async with stage.run(), stage.twin("second") as second, second.run(), callers(second) as (anna, _, _):
        await stage.converged()
        await second.until_leader(False)
        room = await anna.good("create", BODY)
        assert room["sid"].startswith("RM_")
        first = await live_name(stage, room["id"])
        changed = await anna.good("update", {"id": room["id"], "name": "Small stage"})
        async with callers(stage) as (leading, _, _):
            assert await leading.good("getById", {"id": room["id"]}) == changed
        assert await anna.good("stop", {"id": room["id"]}) == DONE
        assert first not in await stage.listed()
        assert await anna.good("start", {"id": room["id"]}) == DONE
        assert await live_name(stage, room["id"]) != first
        assert await anna.good("remove", {"id": room["id"]}) == DONE
        assert len(await stage.ours()) == 1


async def test_tokens_are_read_again_and_a_wrong_file_keeps_the_last(stage: Site) -> None:
    path = Path(stage.env[VARIABLE])
    async with stage.run() as controller, callers(stage) as (anna, bert, _):
        await stage.converged()
        assert await bert.good("getAll") == []
        await asyncio.to_thread(path.write_text, "- token_sha256: hunter2\n  user_id: anna\n")

        async def said() -> bool:
            assert len(await anna.good("getAll")) == 1
            return bool(controller.said("access tokens file invalid"))

        await until(said)
        write_tokens(path.parent, {"anna": False})

        async def locked_out() -> bool:
            return (await bert.call("getAll"))[0] == 401

        await until(locked_out)
        assert len(await anna.good("getAll")) == 1
        assert "hunter2" not in controller.log.read_text()


@pytest.mark.parametrize("content", [None, "- token_sha256: hunter2\n  user_id: anna\n"])
async def test_a_wrong_tokens_file_ends_the_start_with_one_line(stage: Site, content: str | None) -> None:
    path = stage.folder / "other.yaml"
    if content is not None:
        path.write_text(content)
    ended = await stage.verb("run", **{VARIABLE: str(path)})
    (line,) = ended.err.splitlines()
    assert ended.code == 1
    assert f"{VARIABLE}: " in line
    assert "hunter2" not in line
