"""Bad days of LiveKit: out of reach, refusing the key, frozen, empty. Nobody restarts the controller."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.real.faults.scenario import Line
from tests.support.controller import Site
from tests.support.embedded import Server
from tests.support.livekit import KEY, SECRET, LiveKitServer
from tests.support.participants import canary


async def test_it_is_away_at_the_start_and_later_on(line: Line) -> None:
    site, proxy = line.site, line.proxies["livekit"]
    site.write("talk")
    await proxy.refuse()
    async with site.run(ready=False) as controller:
        await controller.until_logged("dependency unavailable", dependency="livekit")
        assert (await site.get("/readyz")).status == 503
        assert (await site.find("0" * 24)).body["code"] == "STARTING"
        await proxy.accept()
        record = (await site.converged())["talk"]

        async with canary(site.livekit.ws_url, await site.token(record.id, "ann")) as ann:
            await proxy.refuse()
            site.edit("talk", allow_chat=True)
            site.write("more")
            await controller.until_logged("dependency unavailable", times=2, dependency="livekit")
            assert (await site.get("/readyz")).body == {
                "ready": True,
                "leader": True,
                "livekit": False,
                "mongodb": True,
                "clock": True,
            }
            await site.tried_again()
            assert await site.token(record.id, "bob"), "guests are answered from what was last known"
            await proxy.accept()
            after = await site.converged()
            assert after["talk"].live == record.live
            assert ann.inside
        await controller.until_logged("dependency recovered", times=2, dependency="livekit")
        _said_once_each_time(controller.said("dependency unavailable"), 2, f"127.0.0.1:{proxy.port}")
        assert len(controller.said("dependency recovered", dependency="livekit")) == 2
        assert controller.running


@pytest.fixture
async def own(tmp_path: Path) -> AsyncIterator[LiveKitServer]:
    """A livekit-server that the test may do anything to."""
    async with LiveKitServer(tmp_path / "livekit") as server:
        yield server


async def test_it_refuses_the_key_until_it_knows_it(tmp_path: Path, mongodb: Server) -> None:
    other = LiveKitServer(
        tmp_path / "livekit", config={"keys": {KEY: "another-secret-than-the-controllers-own"}}
    )
    await other.start()
    async with Site(tmp_path, other, mongodb=mongodb.uri) as site:
        site.write("talk")
        async with site.run(ready=False) as controller:
            await controller.until_logged("dependency unavailable", dependency="livekit")
            await site.tried_again()
            assert "LIVEKIT_API_KEY" in controller.said("dependency unavailable")[0]["error"]
            other.kill()
            async with LiveKitServer(tmp_path / "livekit", port=other.port):
                await site.converged()
                await controller.until_logged("dependency recovered", dependency="livekit")
                assert len(controller.said("dependency unavailable")) == 1
                assert len(controller.said("dependency recovered", dependency="livekit")) == 1
                assert controller.running
    assert other.secret == SECRET


async def test_it_freezes_and_thaws(own: LiveKitServer, tmp_path: Path, mongodb: Server) -> None:
    async with Site(tmp_path, own, mongodb=mongodb.uri) as site:
        site.write("talk", allow_chat=True)
        async with site.run() as controller:
            record = (await site.converged())["talk"]
            async with canary(own.ws_url, await site.token(record.id, "ann")) as ann:
                own.pause()
                site.edit("talk", allow_chat=False)
                await controller.until_logged("dependency unavailable", dependency="livekit")
                assert await site.token(record.id, "bob")
                own.resume()
                await ann.until_permission(can_publish_data=False)
                assert (await site.converged())["talk"].live == record.live
                assert ann.inside
            _said_once_each_time(controller.said("dependency unavailable"), 1, f"127.0.0.1:{own.port}")


async def test_it_is_replaced_by_an_empty_one(own: LiveKitServer, tmp_path: Path, mongodb: Server) -> None:
    async with Site(tmp_path, own, mongodb=mongodb.uri) as site:
        for number in range(3):
            site.write(f"room-{number}")
        site.write("off", active=False)
        async with site.run():
            before = await site.converged()
            await own.restart()
            after = await site.converged()
            for key, record in before.items():
                assert after[key].id == record.id
                assert (after[key].live is None) is (key == "off")
                if record.live is not None and (live := after[key].live) is not None:
                    assert (live.name, live.sid != record.sid) == (record.live.name, True)
                    assert (await site.find(record.id)).body["LKRoomName"] == record.live.name


def _said_once_each_time(events: list[dict[str, str]], times: int, address: str) -> None:
    assert len(events) == times, events
    for event in events:
        assert address in event["error"], event
