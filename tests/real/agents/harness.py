"""A site on a LiveKit of its own, with webhooks and agent workers, and what a test of agents asks there."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from controller.errors import LiveKitError
from controller.live.room import Participant
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
        listed = await self.reader.participants(await self.room_name(key))
        return sorted(one.agent for one in listed if one.agent is not None)

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
        """All the while no room lists two agents of one name."""
        watching = asyncio.create_task(self._watch(keys))
        try:
            yield
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching

    async def _watch(self, keys: tuple[str, ...]) -> None:
        while True:
            for key in keys:
                with suppress(LiveKitError):
                    counts = Counter(await self.agents(key))
                    assert max(counts.values(), default=1) == 1, f"two of one name in {key}: {counts}"
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


def names(people: list[Participant]) -> list[str]:
    return sorted(one.identity for one in people)
