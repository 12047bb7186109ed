"""What another process writes for the API comes to be on a real LiveKit, with people inside."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.api import SOON, api_of
from tests.support.controller import Site
from tests.support.embedded import Server
from tests.support.livekit import LiveKitServer
from tests.support.participants import canary, guest
from tests.support.proxy import Fate, Fault, Message, Proxy, http
from tests.support.wait import until

GC_THRESHOLDS = "60"
"""Seconds between resyncs: nothing here is found out by one."""


@pytest.fixture
async def site(tmp_path: Path, livekit: LiveKitServer, mongodb: Server) -> AsyncIterator[Site]:
    async with Site(tmp_path, livekit, mongodb=mongodb.uri, ROOMCTL_RESYNC_SECONDS=GC_THRESHOLDS) as opened:
        opened.write("theirs")
        yield opened


async def test_removed_with_people_inside_they_are_out_and_nobody_else_is(site: Site) -> None:
    async with site.run(), api_of(site) as api:
        doomed, kept = await api.create("Doomed"), await api.create("Kept")
        name, url = await api.until_live(doomed), site.livekit.ws_url
        await api.until_live(kept)
        ann_in, bob_in = await site.token(doomed.id, "ann"), await site.token(doomed.id, "bob")
        async with (
            canary(url, ann_in) as ann,
            guest(url, bob_in) as bob,
            canary(url, await site.token(kept.id, "cat")) as cat,
        ):
            await api.remove(doomed)
            tombstone = await api.until_gone(doomed)
            async with asyncio.timeout(SOON):
                assert await ann.left == "ROOM_DELETED"
                assert await bob.left == "ROOM_DELETED"
            assert cat.inside
        assert [old.name for old in tombstone.retired] == [name]
        assert name not in await site.listed()
        assert (await site.find(doomed.id)).status == 404
        assert (await site.find(kept.id)).status == 200


async def test_a_client_that_was_thrown_out_cannot_keep_the_room_alive(site: Site) -> None:
    """A token that may create rooms brings the name back: it is deleted again."""
    async with site.run(ROOMCTL_RESYNC_SECONDS="1"), api_of(site) as api:
        doomed = await api.create("Doomed")
        name = await api.until_live(doomed)
        await api.remove(doomed)
        await api.until_gone(doomed)
        await site.writer.create_room(name, "", 10)

        await site.until_live(lambda live: name not in live)


async def test_removed_while_it_is_being_made_it_leaves_no_live_room(
    tmp_path: Path, livekit: LiveKitServer, mongodb: Server
) -> None:
    async with (
        Proxy(livekit.port, http, counts=lambda label: label == "CreateRoom") as proxy,
        Site(tmp_path, livekit, mongodb=mongodb.uri, url=proxy.url) as site,
        site.run(),
        api_of(site) as api,
    ):
        go_on, given_up = asyncio.Event(), asyncio.Event()
        proxy.request = _hold_creations(go_on, given_up)
        doomed = await api.create("Doomed")
        async with asyncio.timeout(SOON):
            await proxy.until(1)
        await api.remove(doomed)
        await site.another_pass()
        named = (await site.record(doomed.key)).live is not None
        assert named or given_up.is_set(), "CreateRoom may still come about"
        go_on.set()
        tombstone = await api.until_gone(doomed)
        assert tombstone.retired
        assert await site.ours() == {}


def _hold_creations(go_on: asyncio.Event, given_up: asyncio.Event) -> Fault:
    """`given_up`: whoever asked has hung up."""

    async def held(message: Message) -> Fate:
        if message.label == "CreateRoom":
            try:
                await go_on.wait()
            except asyncio.CancelledError:
                given_up.set()
                raise
        return Fate.PASS

    return held


async def test_stop_start_and_update_are_made_so_within_what_callers_wait(site: Site) -> None:
    async with site.run(), api_of(site) as api:
        room = await api.create("Stage")
        first, url = await api.until_live(room), site.livekit.ws_url
        async with canary(url, await site.token(room.id, "ann")) as ann:
            await api.set(room, allow_chat=True)
            async with asyncio.timeout(SOON):
                await ann.until_permission(can_publish_data=True)
            await api.set(room, allow_chat=True, active=False)
            await api.until_gone(room)
            async with asyncio.timeout(SOON):
                assert await ann.left == "ROOM_DELETED"
        assert (await site.find(room.id)).status == 404
        await api.set(room, allow_chat=True, active=True)
        assert await api.until_live(room) != first


async def test_healed_under_its_name_whatever_becomes_of_the_manifests(site: Site) -> None:
    async with site.run(ROOMCTL_RESYNC_SECONDS="1"), api_of(site) as api:
        room = await api.create("Stage")
        name = await api.until_live(room)
        before = (await site.record(room.key)).sid
        site.remove("theirs")
        await site.writer.delete_room(name)
        await api.until(room, lambda r: r.sid != before)
        site.rooms_dir.rmdir()
        await site.another_pass()
        await site.until_live(lambda live: name in live)


async def test_a_standby_tells_guests_of_a_new_live_name_before_its_resync(site: Site) -> None:
    async with site.twin("second") as second, site.run(), second.run(), api_of(site) as api:
        room = await api.create("Stage")
        names = [await api.until_live(room)]
        await api.set(room, active=False)
        await api.until_gone(room)
        await api.set(room, active=True)
        names.append(await api.until_live(room))
        for each in (site, second):

            async def is_restarted(each: Site = each) -> bool:
                answer = await each.find(room.id)
                return bool(answer.body.get("LKRoomName") == names[1])

            await until(is_restarted, SOON)


async def test_apply_and_plan_know_them_and_name_them_briefly(site: Site) -> None:
    assert (await site.verb("apply", "--yes")).code == 0
    async with api_of(site) as api:
        room, doomed = await api.create("Stage"), await api.create("Doomed")
        plan = await site.verb("plan")
        assert plan.out.splitlines()[-1] == "Plan: 2 to start."
        assert f"api/{room.id[:6]}: start" in plan.out
        assert room.id not in plan.out
        assert (await site.verb("apply", "--yes")).code == 0
        name = (await api.until(room, lambda r: r.live is not None)).live
        await api.remove(doomed)
        nothing = await site.verb("plan", "--detailed-exitcode")
        assert (nothing.code, nothing.out) == (0, "No changes.\n")
        assert "Doomed" not in (await site.verb("get", "-o", "wide")).out
        assert (await site.verb("apply", "--yes")).code == 0
        await api.until_gone(doomed)
        assert len(await site.ours()) == 2
        assert name is not None
        assert name.name in await site.ours()
        waited = await site.verb("wait", "--timeout", "0s", f"api/{doomed.id[:6]}")
        assert waited.code == 4
