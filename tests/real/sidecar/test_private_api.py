"""The private API of a real `roomctl run`: what callers ask for comes to be on a real LiveKit."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.controller import Controller, Site
from tests.support.livekit import LiveKitServer
from tests.support.reference import CREATE
from tests.support.wait import until

USERS = {"anna-token": ("anna", "false"), "bert-token": ("bert", "false"), "root-token": ("root", "true")}
BODY = {"name": "Main stage room", "max_participants": 5}


@dataclass
class Caller:
    """Somebody with an access token."""

    site: Site
    token: str
    http: aiohttp.ClientSession

    async def call(self, name: str, body: Any = None, *, method: str = "POST") -> tuple[int, Any]:
        url = f"http://127.0.0.1:{self.site.private}/api/conferences/{name}"
        headers = {"x-access-token": self.token}
        async with self.http.request(method, url, json=body, headers=headers) as answer:
            return answer.status, await answer.json()

    async def good(self, name: str, body: Any = None, *, method: str = "POST") -> Any:
        status, content = await self.call(name, body, method=method)
        assert status == 200, (name, content, self.site.tail())
        return content

    async def code(self, name: str, body: Any = None, *, method: str = "POST") -> tuple[int, str]:
        status, content = await self.call(name, body, method=method)
        return status, content["code"]

    async def remove(self, room_id: str) -> tuple[int, Any]:
        return await self.call(f"remove?id={room_id}", method="DELETE")


@dataclass
class Stage:
    """A controller at work, and who calls it."""

    site: Site
    controller: Controller
    anna: Caller
    bert: Caller
    root: Caller

    async def live_name(self, room_id: str) -> str:
        """The LiveKit name that guests are told, and that LiveKit lists."""
        found = await self.site.find(room_id)
        assert found.status == 200, found
        name = str(found.body["LKRoomName"])
        assert name in await self.site.ours()
        return name


@pytest.fixture(name="livekit", scope="module")
async def _livekit(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveKitServer]:
    async with LiveKitServer(tmp_path_factory.mktemp("livekit")) as server:
        yield server


@asynccontextmanager
async def staged(folder: Path, livekit: LiveKitServer, **settings: str) -> AsyncIterator[Stage]:
    tokens = folder / "tokens.yaml"
    tokens.write_text(
        "".join(
            f"- token_sha256: {hashlib.sha256(token.encode()).hexdigest()}\n"
            f"  user_id: {user}\n  admin: {admin}\n"
            for token, (user, admin) in USERS.items()
        )
    )
    settings["ROOMCTL_ACCESS_TOKENS_FILE"] = str(tokens)
    async with (
        Site(folder / "site", livekit, **settings) as site,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as http,
    ):
        site.write("lobby", user_id="anna")
        async with site.run() as controller:
            yield Stage(site, controller, *(Caller(site, token, http) for token in USERS))


async def test_a_room_lives_from_create_to_remove(tmp_path: Path, livekit: LiveKitServer) -> None:
    async with staged(tmp_path, livekit) as stage:
        room = await stage.anna.good("create", BODY)
        assert room["sid"]
        assert room["sid"].startswith("RM_")
        assert (room["user_id"], room["active"], room["created"]) == ("anna", True, room["modified"])
        first = await stage.live_name(room["id"])
        assert await stage.anna.good("getById", {"id": room["id"]}) == room

        changed = await stage.anna.good("update", {**room, "name": "Small stage", "allow_chat": True})
        assert (changed["name"], changed["allow_chat"], changed["sid"]) == ("Small stage", True, room["sid"])
        assert changed["modified"] > room["modified"]
        assert await stage.anna.good("update", changed) == changed

        assert await stage.anna.good("start", {"id": room["id"]}) == {"success": True}
        assert await stage.live_name(room["id"]) == first

        assert await stage.anna.good("stop", {"id": room["id"]}) == {"success": True}
        assert first not in await stage.site.listed()
        stopped = await stage.anna.good("getById", {"id": room["id"]})
        assert (stopped["active"], stopped["sid"]) == (False, room["sid"])

        assert await stage.anna.good("start", {"id": room["id"]}) == {"success": True}
        second = await stage.live_name(room["id"])
        assert second != first

        assert await stage.anna.remove(room["id"]) == (200, {"success": True})
        assert second not in await stage.site.listed()
        assert (await stage.anna.remove(room["id"]))[0] == 404
        assert await stage.anna.code("getById", {"id": room["id"]}) == (404, "ROOM_NOT_FOUND")
        assert (await stage.site.find(room["id"])).status == 404
