"""Two controllers on one database: one acts, the other stands by and takes over. Both answer guests."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from livekit.protocol.room import UpdateParticipantRequest

from controller.records.lease import LEASE_DURATION_SECONDS
from tests.support.controller import Site
from tests.support.embedded import Server
from tests.support.livekit import LiveKitServer
from tests.support.participants import canary
from tests.support.proxy import Fate, Fault, Message, Proxy, http
from tests.support.proxy import mongodb as mongodb_wire
from tests.support.wait import until

WRITES = {"CreateRoom", "DeleteRoom", "UpdateRoomMetadata"}
AT_ONCE = LEASE_DURATION_SECONDS - 1
"""Within so many seconds nobody takes a lease over but one that was given back."""


class Counted:
    """Counts what changes something; an update of nothing only asks whether somebody is there."""

    def __init__(self) -> None:
        self.count = 0

    async def __call__(self, message: Message) -> Fate:
        self.count += message.label in WRITES or self._permits(message)
        return Fate.PASS

    def _permits(self, message: Message) -> bool:
        if message.label != "UpdateParticipant":
            return False
        body = message.content.partition(b"\r\n\r\n")[2]
        return UpdateParticipantRequest.FromString(body).HasField("permission")


class Pair:
    """Two sites on one database, each behind a proxy of its own that sees what it asks of LiveKit."""

    def __init__(self, first: Site, second: Site, seen: tuple[Proxy, Proxy], records: Proxy) -> None:
        self.first, self.second, self._seen = first, second, seen
        self.records = records
        """Between the first one and the database."""
        self._written = (Counted(), Counted())
        for proxy, written in zip(seen, self._written, strict=True):
            proxy.request = written

    def labels(self) -> list[str]:
        """All that both of them asked of LiveKit."""
        return [label for proxy in self._seen for label in proxy.seen]

    def writes(self, which: int) -> int:
        """How often that controller wrote to LiveKit so far."""
        return self._written[which].count


@pytest.fixture
async def pair(tmp_path: Path, livekit: LiveKitServer, mongodb: Server) -> AsyncIterator[Pair]:
    async with (
        Proxy(livekit.port, http) as one,
        Proxy(livekit.port, http) as two,
        Proxy(mongodb.port, mongodb_wire) as records,
        Site(tmp_path, livekit, mongodb=mongodb.uri, url=one.url) as first,
        first.twin("second") as second,
    ):
        first.reach(one.url, f"mongodb://127.0.0.1:{records.port}/?directConnection=true")
        second.reach(two.url)
        yield Pair(first, second, (one, two), records)


async def test_one_acts_and_the_other_takes_over_at_once_after_a_graceful_end(pair: Pair) -> None:
    pair.first.write("talk")
    async with pair.first.run() as one:
        record = (await pair.first.converged())["talk"]
        async with pair.second.run() as two:
            async with canary(pair.first.livekit.ws_url, await pair.second.token(record.id, "ann")) as ann:
                assert (await pair.second.get("/readyz")).body["leader"] is False
                pair.first.edit("talk", allow_chat=True)
                await ann.until_permission(can_publish_data=True)
                await pair.first.converged()
                assert await one.stop() == 0
                await pair.second.until_leader(True, AT_ONCE)
                pair.second.write("more")
                await pair.second.converged()
                assert ann.inside
            assert pair.writes(1) == 1, "it made one room, after the other had gone"
            assert two.running


async def test_the_other_takes_over_from_one_that_was_killed(pair: Pair) -> None:
    pair.first.write("talk")
    async with pair.first.run() as one:
        record = (await pair.first.converged())["talk"]
        pass_key = await pair.first.token(record.id, "ann")
        async with pair.second.run(), canary(pair.first.livekit.ws_url, pass_key) as ann:
            await one.kill()
            pair.first.edit("talk", allow_chat=True)
            await pair.second.until_leader(True)
            assert (await pair.second.converged())["talk"].live == record.live
            assert ann.inside


async def test_one_that_was_frozen_never_acts_beside_the_one_that_took_over(pair: Pair) -> None:
    """Thawed after 20 s it finds a room missing, and its renewals get no answer: its own clock must tell."""
    pair.first.write("talk")
    async with pair.first.run() as one:
        await pair.first.converged()
        async with pair.second.run() as two:
            assert (await pair.second.get("/readyz")).body["leader"] is False
            one.pause()
            frozen = asyncio.get_running_loop().time()
            await pair.second.until_leader(True)
            pair.first.edit("talk", allow_chat=True, max_participants=4)
            pair.first.write("more")
            await pair.second.converged()
            await asyncio.sleep(20 - (asyncio.get_running_loop().time() - frozen))

            two.pause()
            await pair.first.writer.delete_room(await pair.first.room_name("talk"))
            before, heard = pair.writes(0), asyncio.Event()
            pair.records.request = _hold_renewals(heard)
            one.resume()
            await pair.first.another_pass()
            assert pair.writes(0) == before, "the thawed one wrote nothing"
            two.resume()
            heard.set()
            await pair.first.until_leader(False)
            await pair.second.converged()
            assert pair.writes(0) == before

            assert await two.stop() == 0
            await pair.first.until_leader(True)
            pair.first.write("last")
            await pair.first.converged()


async def _one_leads(pair: Pair) -> bool:
    """Never do both."""
    leaders = [(await site.get("/readyz")).body["leader"] for site in (pair.first, pair.second)]
    assert leaders != [True, True]
    return any(leaders)


def _hold_renewals(heard: asyncio.Event) -> Fault:
    async def hold(message: Message) -> Fate:
        if message.label == "findAndModify":
            await heard.wait()
        return Fate.PASS

    return hold


async def test_guests_learn_of_the_other_controllers_work(pair: Pair) -> None:
    pair.first.write("talk")
    async with pair.first.run(), pair.second.run():
        await pair.first.converged()
        pair.first.write("fresh")
        record = (await pair.first.converged())["fresh"]
        await pair.second.until_found(record.id)
        pair.first.edit("fresh", active=False)
        await pair.second.until_found(record.id, 404)


async def test_a_lost_database_is_made_anew_by_one_of_them(pair: Pair) -> None:
    """Both find it empty at once; the live rooms are adopted, and none is made."""
    for number in range(3):
        pair.first.write(f"room-{number}")
    async with pair.first.run(), pair.second.run():
        before = await pair.first.converged()
        await pair.second.until_found(before["room-0"].id)
        async with canary(
            pair.first.livekit.ws_url, await pair.second.token(before["room-0"].id, "ann")
        ) as ann:
            made = sum(label == "CreateRoom" for label in pair.labels())
            await pair.first.lose_database()
            after = await pair.first.converged()
            assert {key: (room.id, room.live) for key, room in after.items()} == {
                key: (room.id, room.live) for key, room in before.items()
            }
            await pair.first.another_pass()
            await pair.second.another_pass()
            await until(lambda: _one_leads(pair))
            assert sum(label == "CreateRoom" for label in pair.labels()) == made
            assert ann.inside
