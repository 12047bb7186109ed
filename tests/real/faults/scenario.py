"""A site whose controllers reach both servers through proxies that make faults, and what happens there.

One scenario is gone through to and fro, so that the end of each round is the beginning of the next: an edit,
a recreate, a stop or a start, and where wanted a removal and a new or a revived room.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from tests.support.controller import Controller, Site
from tests.support.embedded import Server
from tests.support.livekit import LiveKitServer
from tests.support.participants import canary
from tests.support.proxy import Proxy, http, kill, mongodb, not_hello

KILLED = -9


class Line:
    """A site whose controllers reach both servers through proxies that can kill them."""

    def __init__(self, site: Site, proxies: dict[str, Proxy]) -> None:
        self.site, self.proxies = site, proxies
        self._ids: dict[str, str] = {}
        self._forth = False

    def flip(self, *, removals: bool) -> None:
        """Edit everything that the scenario edits; the other way round each time."""
        self._forth = not self._forth
        self.site.write("edited", allow_chat=self._forth)
        self.site.write("recreated", max_participants=10 + self._forth)
        self.site.write("stopped", active=not self._forth)
        self.site.write("still")
        if removals:
            come, go = ("odd", "even") if self._forth else ("even", "odd")
            self.site.write(come)
            if go in self.site.keys:
                self.site.remove(go)

    def start(self, verb: str, link: str, point: str, number: int) -> Controller:
        """A controller that is killed before, or after, its so-many-th message on `link`."""
        self.spare()
        words = (verb, "--yes") if verb == "apply" else (verb,)
        controller = self.site.start(*words)
        getattr(self.proxies[link], point)[number] = kill(controller.pid)
        return controller

    def spare(self) -> None:
        """No faults any more; messages are counted anew."""
        for proxy in self.proxies.values():
            proxy.seen.clear()
            proxy.before.clear()
            proxy.after.clear()

    async def assert_whole(self, where: str) -> None:
        """Manifests, records and live rooms agree, ids are what they were, and nothing is left to do."""
        assert await self.site.difference() == "", where
        records = await self.site.records()
        for key, record in records.items():
            assert self._ids.setdefault(key, record.id) == record.id, f"{where}: {key} has another id"
        plan = await self.site.plan()
        assert plan.empty, f"{where}: {plan.changes}"
        assert not plan.orphans, where

    async def applied(self) -> None:
        """A whole `apply` that nothing happens to."""
        self.spare()
        assert await self.site.start("apply", "--yes").end() == 0, self.site.tail()

    @asynccontextmanager
    async def canaries(self) -> AsyncIterator[None]:
        """Somebody in the room that is edited, and somebody in one that is not: neither is cut off."""
        async with AsyncExitStack() as stack:
            birds = [
                await stack.enter_async_context(
                    canary(self.site.livekit.ws_url, await self.site.pass_key(key))
                )
                for key in ("edited", "still")
            ]
            yield
            assert all(bird.undisturbed for bird in birds)


@asynccontextmanager
async def laid(
    folder: Path, livekit: LiveKitServer, database: Server, **settings: str
) -> AsyncIterator[Line]:
    """A line to both servers."""
    async with (
        Proxy(livekit.port, http) as to_livekit,
        Proxy(database.port, mongodb, counts=not_hello) as to_mongodb,
    ):
        settings["MONGODB_URI"] = f"mongodb://127.0.0.1:{to_mongodb.port}/?directConnection=true"
        async with Site(folder, livekit, mongodb=database.uri, url=to_livekit.url, **settings) as site:
            yield Line(site, {"livekit": to_livekit, "mongodb": to_mongodb})
