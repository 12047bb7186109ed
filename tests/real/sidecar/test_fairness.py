"""One address asks for tokens without end: others get theirs, and who has a proof always does."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest

from tests.support.api_callers import write_tokens
from tests.support.controller import Site
from tests.support.embedded import Server
from tests.support.livekit import LiveKitServer
from tests.support.wait import PATIENCE

RATE: Final = 8
"""Tokens a second for the room. So one address gets 20 at once, and then two a second."""
SOURCES: Final = 40
FLOODS: Final = 8
"""Requests of the flood that are under way at any time."""
PROXY: Final = "127.0.0.9"


async def ask(
    site: Site, room_id: str, headers: Mapping[str, str] | None = None, address: str = "127.0.0.1"
) -> int:
    """The status of a request to the token endpoint from that address, over a connection of its own."""
    connector = aiohttp.TCPConnector(local_addr=(address, 0))
    timeout = aiohttp.ClientTimeout(total=PATIENCE)
    async with (
        aiohttp.ClientSession(connector=connector, timeout=timeout) as http,
        http.post(
            f"http://127.0.0.1:{site.public}/livekit/token", json={"room_name": room_id}, headers=headers
        ) as answer,
    ):
        return answer.status


@asynccontextmanager
async def flooded(site: Site, room_id: str, way: Mapping[str, Any]) -> AsyncIterator[list[int]]:
    """Requests without end; the block begins once the flood has been refused."""
    statuses: list[int] = []
    refused = asyncio.Event()

    async def flood() -> None:
        while True:
            statuses.append(await ask(site, room_id, **way))
            if statuses[-1] == 429:
                refused.set()

    tasks = [asyncio.create_task(flood()) for _ in range(FLOODS)]
    try:
        async with asyncio.timeout(PATIENCE):
            await refused.wait()
        yield statuses
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _from(number: int, way: str) -> dict[str, Any]:
    """How somebody asks from the address of that number: directly, or through a proxy that we trust."""
    if way == "direct":
        return {"address": f"127.0.1.{number}"}
    return {"address": PROXY, "headers": {"X-Forwarded-For": f"192.0.2.{number}"}}


@pytest.mark.parametrize("way", ["direct", "proxy"])
async def test_flood_of_one_address_keeps_nobody_else_out(
    tmp_path: Path, livekit: LiveKitServer, mongodb: Server, way: str
) -> None:
    settings = {
        "ROOMCTL_ROOM_TOKENS_PER_SECOND": str(RATE),
        "ROOMCTL_TRUSTED_PROXIES": PROXY,
        "ROOMCTL_ACCESS_TOKENS_FILE": str(write_tokens(tmp_path)),
    }
    async with Site(tmp_path, livekit, mongodb=mongodb.uri, **settings) as site, site.run():
        site.write("hall", max_participants=100, user_id="anna")
        room_id = (await site.converged())["hall"].id
        await site.until_found(room_id)
        link = (await site.verb("invite", "hall", "--role", "speaker")).out
        invite = {"Authorization": f"Bearer {link.strip().partition('#invite=')[2]}"}
        owner = {"x-access-token": "anna-token"}
        attacker = _from(250, way)
        async with flooded(site, room_id, attacker) as statuses:
            for number in range(SOURCES):
                assert await ask(site, room_id, **_from(number, way)) == 201
                if number % 4 == 0:
                    for proof in (invite, owner):
                        with_proof = {**attacker, "headers": {**attacker.get("headers", {}), **proof}}
                        assert await ask(site, room_id, **with_proof) == 201
            assert await ask(site, room_id, **attacker) in (201, 429)
        assert statuses.count(429) > statuses.count(201)
