"""A site on a LiveKit of its own, with webhooks and agent workers, and what a test of agents asks there."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from controller.errors import LiveKitError
from controller.records.record import Condition, RoomRecord
from tests.support.agents import AgentWorker
from tests.support.controller import Site
from tests.support.livekit import LiveKitServer
from tests.support.participants import Guest, guest, token
from tests.support.ports import free_ports
from tests.support.wait import until

WITHIN = 120.0
"""Seconds: a killed agent stays listed for half a minute."""


class AgentSite(Site):
    """A site whose rooms have agents; `worker` starts one that is killed at the latest with the site."""

    def worker(self, agent: str) -> AgentWorker:
        return AgentWorker(self.folder / "workers", self.livekit, agent)

    async def agents(self, key: str) -> list[str]:
        """The names of the agents that LiveKit lists in the room."""
        return await self._listed(await self.room_name(key))

    async def _listed(self, name: str) -> list[str]:
        return sorted(one.agent for one in await self.reader.participants(name) if one.agent is not None)

    async def until_agents(self, key: str, *names: str, within: float = WITHIN) -> None:
        """Return when exactly these are listed."""

        async def so() -> bool:
            return await self.agents(key) == sorted(names)

        await until(so, within)

    async def until_said(self, key: str, reason: str, within: float = WITHIN) -> Condition:
        """Return when the condition Agents has that reason."""

        def so(record: RoomRecord) -> bool:
            condition = record.status.condition("Agents")
            return condition is not None and condition.reason == reason

        condition = (await self.until_record(key, so, within)).status.condition("Agents")
        assert condition is not None
        return condition

    @asynccontextmanager
    async def person(self, key: str, identity: str = "ann", **grants: Any) -> AsyncIterator[Guest]:
        """Somebody with media in the room."""
        pass_ = token(self.livekit, await self.room_name(key), identity, can_publish=True, **grants)
        async with guest(self.livekit.ws_url, pass_) as someone:
            yield someone

    @asynccontextmanager
    async def never_two(self, *keys: str) -> AsyncIterator[None]:
        """All the while none of the live rooms lists two agents of one name."""
        names, over = [await self.room_name(key) for key in keys], asyncio.Event()
        watching = asyncio.create_task(self._watch(names, over))
        try:
            yield
        finally:
            over.set()
            await watching

    async def _watch(self, names: Sequence[str], over: asyncio.Event) -> None:
        while not over.is_set():
            for name in names:
                with suppress(LiveKitError):
                    counts = Counter(await self._listed(name))
                    assert max(counts.values(), default=1) == 1, f"two of one name: {counts}"
            await asyncio.sleep(0.1)


@asynccontextmanager
async def agent_site(folder: Path, mongodb: str, **settings: str) -> AsyncIterator[AgentSite]:
    """`settings` are the controller's."""
    (port,) = free_ports(1)
    hook = f"http://127.0.0.1:{port}/livekit/webhook"
    async with (
        LiveKitServer(folder / "livekit", webhook_url=hook) as server,
        AgentSite(folder, server, mongodb=mongodb, **settings) as site,
    ):
        site.private = port
        yield site
