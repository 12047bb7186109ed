"""A wall clock that is wrong: it is said by how much, and nobody loses a room or the lease by it."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest

from controller.records.lease import LEASE_DURATION_SECONDS
from tests.support.controller import Site
from tests.support.embedded import Server
from tests.support.faketime import WallClock
from tests.support.livekit import LiveKitServer
from tests.support.participants import canary
from tests.support.ports import free_ports
from tests.support.wait import until

AHEAD = 600
"""Seconds. LiveKit and roomctl bear 60."""
_REFUSED = r'roomctl_webhooks_total\{event="unknown",outcome="refused",reason="time"\}'


@pytest.fixture
async def notified(tmp_path: Path, mongodb: Server) -> AsyncIterator[Site]:
    """Its livekit-server has the right time, and sends webhooks."""
    (private,) = free_ports(1)
    webhooks = f"http://127.0.0.1:{private}/livekit/webhook"
    async with (
        LiveKitServer(tmp_path / "livekit", webhook_url=webhooks) as server,
        Site(tmp_path, server, mongodb=mongodb.uri) as site,
    ):
        site.private = private
        yield site


@pytest.fixture
def clock(tmp_path: Path) -> WallClock:
    return WallClock(tmp_path)


def _readyz(site: Site, **wanted: bool) -> Callable[[], Awaitable[bool]]:
    async def says() -> bool:
        with suppress(aiohttp.ClientConnectionError):  # it does not listen yet
            return wanted.items() <= (await site.get("/readyz")).body.items()
        return False

    return says


def _says(site: Site, verb: str, pattern: str, **env: str) -> Callable[[], Awaitable[bool]]:
    """Whether the verb fails, with such a line."""

    async def says() -> bool:
        ended = await site.verb(verb, **env)
        return ended.code == 1 and re.search(pattern, ended.out, re.MULTILINE) is not None

    return says


async def _metric(site: Site, pattern: str) -> float:
    match = re.search(rf"^{pattern} (\S+)$", await site.metrics(), re.MULTILINE)
    return float(match[1]) if match else 0.0


@pytest.mark.parametrize(("ahead", "where"), [(AHEAD, "ahead of"), (-AHEAD, "behind")])
async def test_clock_that_jumps_is_reported_and_cuts_nobody_off(
    notified: Site, clock: WallClock, ahead: int, where: str
) -> None:
    site = notified
    says = rf"^FAIL  clock .* (599|600|601) s {where} LiveKit's, .*; synchronize both hosts with NTP$"
    site.write("talk")
    site.write("lost")
    async with site.run(**clock.env) as controller:
        record = (await site.converged())["talk"]
        clock.set(ahead)
        await until(_readyz(site, clock=False, livekit=ahead < 0))
        assert (await site.get("/readyz")).status == 200
        assert abs(await _metric(site, "roomctl_clock_difference_seconds") - ahead) < 2
        await until(_says(site, "status", says))
        await until(_says(site, "doctor", says, **clock.env))
        assert (await site.find(record.id)).status == 200
        await (site.tried_again() if ahead > 0 else site.another_pass())
        (said,) = controller.said("clock differs from LiveKit", level="warning")
        assert said["hint"].endswith("synchronize both hosts with NTP")
        assert abs(said["ahead_seconds"] - ahead) < 2

        async def webhook_is_refused() -> bool:
            return await _metric(site, _REFUSED) > 0

        await site.writer.delete_room(await site.room_name("lost"))
        await until(webhook_is_refused)
        async with canary(site.livekit.ws_url, await site.pass_key("talk")) as somebody:
            clock.set(0)
            await until(_readyz(site, clock=True, livekit=True))
            site.edit("talk", allow_chat=True)
            await somebody.until_permission(can_publish_data=True)
            assert (await site.converged())["talk"].live == record.live
            assert somebody.undisturbed
        assert controller.said("lease acquired")
        assert not controller.said("lease lost")


@pytest.mark.parametrize("ahead", [AHEAD, -AHEAD])
async def test_clock_that_is_wrong_from_the_start_is_reported(
    notified: Site, clock: WallClock, ahead: int
) -> None:
    """LiveKit refuses tokens that begin in ten minutes; ours for its API do not end so soon."""
    clock.set(ahead)
    notified.write("talk")
    async with notified.run(ready=False, **clock.env) as controller:
        await until(_readyz(notified, clock=False, ready=ahead < 0, leader=True))
        await controller.until_logged("clock differs from LiveKit", level="warning")
        wrong = "livekit .* the clocks of both hosts" if ahead > 0 else "clock"
        await until(_says(notified, "status", f"^FAIL  {wrong}", **clock.env))
        clock.set(0)
        await notified.converged()


async def test_holder_that_livekit_refuses_for_its_clock_gives_way(notified: Site, clock: WallClock) -> None:
    other = notified.twin("second")
    notified.write("talk")
    async with other, notified.run(**clock.env) as wrong:
        live = (await notified.converged())["talk"].live
        async with other.run() as right:
            clock.set(AHEAD)
            await wrong.until_logged("lease given up")
            await other.until_leader(True)
            notified.write("more")
            assert (await other.converged())["talk"].live == live
            clock.set(0)
            await wrong.until_logged("dependency recovered", dependency="livekit")
            await other.another_pass()
            assert len(right.said("lease acquired")) == 1, "it keeps it"
            assert not right.said("lease lost")


async def test_lease_does_not_depend_on_the_wall_clock(notified: Site, clock: WallClock) -> None:
    """Its renewals look ten minutes old to the other replica."""
    other = notified.twin("second")
    notified.write("talk")
    async with other, notified.run(**clock.env) as holder:
        await notified.converged()
        async with other.run() as standby:
            clock.set(-AHEAD)
            await holder.until_logged("clock differs from LiveKit")
            await asyncio.sleep(LEASE_DURATION_SECONDS + 3)  # nothing is to happen
            assert not holder.said("lease lost")
            assert not standby.said("lease acquired")
            clock.set(0)
            assert await holder.stop() == 0
            await other.until_leader(True)
