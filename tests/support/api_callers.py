"""Who calls the private API in tests: users with access tokens, and the file that names them.

site = Site(tmp_path, livekit, ROOMCTL_ACCESS_TOKENS_FILE=str(write_tokens(tmp_path)))
async with callers(site) as (anna, bert, root):
    room = await anna.good("create", {"name": "Hall", "max_participants": 5})
"""

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp

from tests.support.controller import Site
from tests.support.wait import PATIENCE

USERS: Final[Mapping[str, bool]] = {"anna": False, "bert": False, "root": True}
"""User ids, and whether each is an admin. A user's token is the id and `-token`."""


def write_tokens(folder: Path, users: Mapping[str, bool] = USERS) -> Path:
    """The access tokens' file of these users."""
    entries = [
        f"- token_sha256: {hashlib.sha256(f'{user}-token'.encode()).hexdigest()}\n"
        f"  user_id: {user}\n  admin: {'true' if admin else 'false'}\n"
        for user, admin in users.items()
    ]
    path = folder / "tokens.yaml"
    path.write_text("".join(entries) or "[]\n")
    return path


@dataclass(frozen=True, slots=True)
class ApiCaller:
    """Somebody with an access token, at one controller's private listener."""

    site: Site
    user: str
    http: aiohttp.ClientSession

    async def call(self, name: str, body: Any = None) -> tuple[int, Any]:
        """Status and content of a private call; `remove` is a DELETE, and may carry a query."""
        url = f"http://127.0.0.1:{self.site.private}/api/conferences/{name}"
        method = "DELETE" if name.startswith("remove") else "POST"
        headers = {"x-access-token": f"{self.user}-token"}
        async with self.http.request(method, url, json=body, headers=headers) as answer:
            return answer.status, await answer.json()

    async def good(self, name: str, body: Any = None) -> Any:
        """The content of a call that succeeds."""
        status, content = await self.call(name, body)
        assert status == 200, (name, content, self.site.tail())
        return content

    async def refused(self, name: str, body: Any = None) -> tuple[int, str]:
        """Status and code of a call that fails."""
        status, content = await self.call(name, body)
        assert content["success"] is False
        return status, content["code"]


@asynccontextmanager
async def callers(site: Site) -> AsyncIterator[tuple[ApiCaller, ApiCaller, ApiCaller]]:
    """Anna and Bert, users, and Root, an admin."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE)) as http:
        anna, bert, root = (ApiCaller(site, user, http) for user in USERS)
        yield anna, bert, root
