"""Bad days of the database: out of reach, killed, lost, put back from a copy; and both servers at once."""

import os
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pymongo import AsyncMongoClient
from pymongo.errors import BulkWriteError

from tests.real.faults.scenario import Line
from tests.support.controller import Site
from tests.support.livekit import LiveKitServer
from tests.support.participants import canary
from tests.support.wait import PATIENCE

Copy = dict[str, list[dict[str, Any]]]
DUPLICATE_KEY = 11000


async def test_it_is_away_at_the_start_and_later_on(line: Line) -> None:
    site, proxy = line.site, line.proxies["mongodb"]
    site.write("talk")
    await proxy.refuse()
    async with site.run(ready=False) as controller:
        await controller.until_logged("dependency unavailable", dependency="mongodb")
        assert (await site.find("0" * 24)).body["code"] == "STARTING"
        await proxy.accept()
        record = (await site.converged())["talk"]

        async with canary(site.livekit.ws_url, await site.token(record.id, "ann")) as ann:
            await proxy.refuse()
            site.edit("talk", allow_chat=True)
            site.write("more")
            await controller.until_logged("dependency unavailable", times=2, dependency="mongodb")
            await site.tried_again()
            assert await site.token(record.id, "bob")
            assert (await site.get("/readyz")).body["mongodb"] is False
            await proxy.accept()
            assert (await site.converged())["talk"].live == record.live
            assert ann.inside
        await controller.until_logged("dependency recovered", times=2, dependency="mongodb")
        events = controller.said("dependency unavailable")
        assert len(events) == 2
        assert all(f"127.0.0.1:{proxy.port}" in event["error"] for event in events)
        assert len(controller.said("dependency recovered", dependency="mongodb")) == 2
        loud = [event for event in controller.events if event["level"] in ("warning", "error")]
        loud = [event for event in loud if event["event"] != "npm packages missing"]  # for the pages
        # an outage that lasts costs the lease as well
        assert len(loud) == 2, "each outage is said once"


async def test_verbs_say_since_when_it_is_away_where_a_controller_knows(line: Line) -> None:
    site, proxy = line.site, line.proxies["mongodb"]
    site.write("talk")
    away = f"cannot connect to MongoDB at 127.0.0.1:{proxy.port}: connection refused"
    async with site.run() as controller:
        await site.converged()
        assert (await site.verb("status", MONGODB_URI="mongodb://127.0.0.1:1")).err.endswith(
            f"; the controller at 127.0.0.1:{site.private} reaches its database\n"
        )
        before = datetime.now(UTC)
        await proxy.refuse()
        await controller.until_logged("dependency unavailable", dependency="mongodb")
        knows = f"{away}; the controller at 127.0.0.1:{site.private} has had no answer since "
        for words in (("describe", "talk"), ("status",), ("events",)):
            ended = await site.verb(*words)
            assert ended.code == 1
            assert knows in ended.err
            since = datetime.fromisoformat(ended.err.partition(knows)[2].strip())
            assert abs((since - before).total_seconds()) < PATIENCE
    ended = await site.verb("status")
    unknown = f"{away}; since when is unknown, because no controller answers at 127.0.0.1:{site.private}\n"
    assert ended.err.endswith(unknown)


@pytest.mark.parametrize("server", ["mongodb", "livekit"])
async def test_outage_is_said_long_before_the_resync(line: Line, server: str) -> None:
    """By whoever meets it first: the look for others' writes, or a participant's request."""
    site = line.site
    site.write("talk")
    async with site.run(ROOMCTL_RESYNC_SECONDS="3600") as controller:
        record = (await site.converged())["talk"]
        await line.proxies[server].refuse()
        await site.token(record.id, "ann")  # looks who is inside
        await controller.until_logged("dependency unavailable", dependency=server)
        assert (await site.get("/readyz")).body[server] is False
        assert f'roomctl_dependency_up{{dependency="{server}"}} 0.0' in await site.metrics()


async def test_both_are_away_at_once(line: Line) -> None:
    site = line.site
    site.write("talk")
    async with site.run() as controller:
        record = (await site.converged())["talk"]
        async with canary(site.livekit.ws_url, await site.token(record.id, "ann")) as ann:
            for proxy in line.proxies.values():
                await proxy.refuse()
            site.edit("talk", allow_chat=True)
            await controller.until_logged("dependency unavailable", dependency="livekit")
            await controller.until_logged("dependency unavailable", dependency="mongodb")
            await site.tried_again()
            assert await site.token(record.id, "bob")
            for proxy in line.proxies.values():
                await proxy.accept()
            assert (await site.converged())["talk"].live == record.live
            assert ann.inside
        for server in ("livekit", "mongodb"):
            await controller.until_logged("dependency recovered", dependency=server)
            assert len(controller.said("dependency unavailable", dependency=server)) == 1
            assert len(controller.said("dependency recovered", dependency=server)) == 1


async def test_both_are_away_at_the_start_and_come_back_one_after_the_other(line: Line) -> None:
    for proxy in line.proxies.values():
        await proxy.refuse()
    line.site.write("talk")
    async with line.site.run(ready=False) as controller:
        await controller.until_logged("dependency unavailable", dependency="mongodb")
        await controller.until_logged("dependency unavailable", dependency="livekit")
        await line.proxies["livekit"].accept()
        await controller.until_logged("dependency recovered", dependency="livekit")
        await line.proxies["mongodb"].accept()
        await line.site.converged()


async def test_its_credentials_are_never_shown(tmp_path: Path, livekit: LiveKitServer) -> None:
    uri = "mongodb://roomctl:hush-hush@127.0.0.1:1/?authSource=admin"
    async with Site(tmp_path, livekit, mongodb=uri) as site:
        async with site.run(ready=False) as controller:
            await controller.until_logged("dependency unavailable", dependency="mongodb")
            (outage,) = controller.said("dependency unavailable", dependency="mongodb")
            assert outage["error"].endswith("127.0.0.1:1: connection refused")
            await controller.stop()
        planned = await site.verb("plan")
        assert planned.code == 1
        assert "hush-hush" not in controller.log.read_text() + planned.err
        assert "127.0.0.1:1" in planned.err


async def test_the_embedded_store_is_killed_under_the_controller(
    tmp_path: Path, livekit: LiveKitServer
) -> None:
    async with Site(tmp_path, livekit) as site:
        site.write("talk")
        async with site.run() as controller:
            record = (await site.converged())["talk"]
            async with canary(livekit.ws_url, await site.token(record.id, "ann")) as ann:
                for pid in _below(controller.pid):
                    os.kill(pid, signal.SIGKILL)
                site.edit("talk", allow_chat=True)
                assert await site.token(record.id, "bob")
                assert (await site.converged())["talk"].live == record.live
                assert ann.inside
            assert await controller.stop() == 0


@pytest.mark.parametrize("up", [True, False], ids=["while it runs", "while it is down"])
async def test_it_is_lost_and_the_live_rooms_are_adopted(site: Site, up: bool) -> None:
    site.write("talk", allow_chat=True)
    site.write("hall", max_participants=30)
    async with site.run() as controller:
        before = await site.converged()
        async with canary(site.livekit.ws_url, await site.token(before["talk"].id, "ann")) as ann:
            if not up:
                await controller.stop()
            await site.lose_database()
            if up:
                await _same_rooms(site, before)
            else:
                async with site.run():
                    await _same_rooms(site, before)
            assert ann.inside
            site.edit("talk", allow_chat=False)
            if up:
                await ann.until_permission(can_publish_data=False)


@pytest.mark.parametrize(
    ("up", "begun"),
    [(True, False), (True, True), (False, False)],
    ids=["while it runs", "after it has begun anew", "while it is down"],
)
async def test_it_is_put_back_from_yesterdays_copy(site: Site, up: bool, begun: bool) -> None:
    """Since the copy a room came, one was recreated, one stopped, one edited; people are in two of them."""
    for key in ("edited", "recreated", "stopped", "still"):
        site.write(key)
    async with site.run() as controller:
        await site.converged()
        copy = await _copied(site)
        site.edit("edited", allow_chat=True)
        site.edit("recreated", max_participants=4)
        site.edit("stopped", active=False)
        site.write("new")
        today = await site.converged()
        tokens = {key: await site.token(today[key].id, "ann") for key in ("edited", "recreated", "new")}
        async with (
            canary(site.livekit.ws_url, tokens["edited"]) as ann,
            canary(site.livekit.ws_url, tokens["recreated"]) as bob,
            canary(site.livekit.ws_url, tokens["new"]) as eve,
        ):
            if not up:
                await controller.stop()
            await site.lose_database()
            if begun:
                await _same_rooms(site, today)
            await _put_back(site, copy)
            if up:
                await _same_rooms(site, today)
            else:
                async with site.run():
                    await _same_rooms(site, today)
            assert ann.undisturbed
            assert bob.undisturbed
            assert eve.undisturbed


async def _same_rooms(site: Site, before: dict[str, Any]) -> None:
    """All is as it should be, under the ids and the LiveKit names that were there."""
    after = await site.converged()
    assert after.keys() == before.keys()
    for key, record in before.items():
        assert after[key].id == record.id, key
        assert after[key].live == record.live, key


async def _copied(site: Site) -> Copy:
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(site.mongodb)
    async with client:
        database = client[site.database]
        return {name: await database[name].find().to_list() for name in ("meta", "rooms")}


async def _put_back(site: Site, copy: Copy) -> None:
    """As mongorestore --drop does: what a running controller wrote in between stays where it came first."""
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(site.mongodb)
    async with client:
        for name, documents in copy.items():
            collection = client[site.database][name]
            await collection.drop()
            try:
                await collection.insert_many(documents, ordered=False)
            except BulkWriteError as error:
                if any(each["code"] != DUPLICATE_KEY for each in error.details["writeErrors"]):
                    raise


def _below(pid: int) -> list[int]:
    """The children of a process, and theirs."""
    children = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            child = int(stat.parent.name)
            children += [child, *_below(child)]
    return children
