"""A message is carried out and its reply is lost while the controller lives on: it finds out, and goes on."""

import asyncio
from pathlib import Path

import pytest

from tests.real.faults.scenario import Line, laid
from tests.support.embedded import Server
from tests.support.livekit import LiveKitServer
from tests.support.proxy import Fate, Fault, Message, Proxy, drop, reset
from tests.support.sample import Sample


@pytest.mark.parametrize("link", ["livekit", "mongodb"])
async def test_the_connection_may_break_at_every_reply(line: Line, link: str, sample: Sample) -> None:
    """One controller lives through all of it."""
    proxy = line.proxies[link]
    line.flip(removals=False)
    async with line.site.run() as controller:
        await line.site.converged()
        for number in sample.every(3, start=1):
            async with line.canaries():
                lost = proxy.count + number
                proxy.after[lost] = reset
                line.flip(removals=False)
                await line.site.converged()
                proxy.after.clear()
            await line.assert_whole(f"lost reply {number} of {link}")
            if proxy.count < lost:
                break
        assert controller.running
    assert number > 5


async def test_replies_may_never_come(tmp_path: Path, livekit: LiveKitServer, mongodb: Server) -> None:
    """The connection stands, and the answer to one write of each kind is swallowed."""
    writes = {"livekit": ("CreateRoom", "DeleteRoom", "UpdateRoomMetadata"), "mongodb": ("update",)}
    kinds = [(link, label) for link, labels in writes.items() for label in labels]
    async with asyncio.TaskGroup() as group:
        for link, label in kinds:
            group.create_task(_swallowed(tmp_path / label, livekit, mongodb, link, label))


async def _swallowed(folder: Path, livekit: LiveKitServer, mongodb: Server, link: str, label: str) -> None:
    async with laid(folder, livekit, mongodb, ROOMCTL_RESYNC_SECONDS="5") as line:
        line.flip(removals=False)
        async with line.site.run() as controller:
            await line.site.converged()
            async with line.canaries():
                proxy = line.proxies[link]
                swallowed = asyncio.Event()
                proxy.request = _lose_one(proxy, label, swallowed)
                line.flip(removals=False)
                await swallowed.wait()
                await line.site.converged()
            await line.assert_whole(f"no reply to {label}")
            assert controller.running


def _lose_one(proxy: Proxy, label: str, swallowed: asyncio.Event) -> Fault:
    """The reply to the next request of that kind is dropped."""

    async def watch(message: Message) -> Fate:
        if message.label == label:
            proxy.request = None
            proxy.after[message.number] = drop
            swallowed.set()
        return Fate.PASS

    return watch
