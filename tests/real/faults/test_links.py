"""A link that does not break but carries nothing: into a black hole, one way only, or at a byte a second."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from tests.real.faults.scenario import Line, laid
from tests.support.embedded import Server
from tests.support.livekit import LiveKitServer
from tests.support.participants import canary
from tests.support.proxy import Proxy, drop

LINKS = ("livekit", "mongodb")


def _black_hole(proxy: Proxy) -> None:
    proxy.request = drop


def _one_way(proxy: Proxy) -> None:
    """What is asked is carried out, and nobody hears of it."""
    proxy.reply = drop


def _a_byte_a_second(proxy: Proxy) -> None:
    proxy.drip = 1.0


HURT: tuple[Callable[[Proxy], None], ...] = (_black_hole, _one_way, _a_byte_a_second)


async def test_a_link_that_carries_nothing_is_an_outage_like_any_other(
    tmp_path: Path, livekit: LiveKitServer, mongodb: Server
) -> None:
    """All of them side by side: most of it is waiting for deadlines."""
    cases = [(link, hurt) for link in LINKS for hurt in HURT]
    async with asyncio.TaskGroup() as group:
        for number, (link, hurt) in enumerate(cases):
            group.create_task(_hurt_and_healed(tmp_path / str(number), livekit, mongodb, link, hurt))


async def _hurt_and_healed(
    folder: Path, livekit: LiveKitServer, mongodb: Server, link: str, hurt: Callable[[Proxy], None]
) -> None:
    async with laid(folder, livekit, mongodb, ROOMCTL_RESYNC_SECONDS="1") as line:
        site = line.site
        line.flip(removals=False)
        async with site.run() as controller:
            record = (await site.converged())["still"]
            async with canary(livekit.ws_url, await site.token(record.id, "ann")) as ann, line.canaries():
                hurt(line.proxies[link])
                line.flip(removals=False)
                await controller.until_logged("dependency unavailable", dependency=link)
                assert await site.token(record.id, "bob"), "guests are answered from what was last known"
                await _mended(line, link)
                await site.converged()
                assert ann.undisturbed
            await line.assert_whole(f"{hurt.__name__} to {link}")
            events = controller.said("dependency unavailable")
            assert [event["dependency"] for event in events] == [link]
            assert f"127.0.0.1:{line.proxies[link].port}" in events[0]["error"]


async def _mended(line: Line, link: str) -> None:
    """The link is as it was; what hangs in it is broken off."""
    proxy = line.proxies[link]
    proxy.request = proxy.reply = proxy.drip = None
    await proxy.cut()
