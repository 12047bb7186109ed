"""Rooms are held against everything that would take them away, and nothing of others is touched."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from controller.live.room import LiveRoom
from controller.records.record import RoomRecord
from tests.support.controller import Site
from tests.support.embedded import Server
from tests.support.livekit import LiveKitServer
from tests.support.participants import JoinRefusedError, canary, guest, token
from tests.support.ports import free_ports
from tests.support.wait import PATIENCE, until


@pytest.fixture
async def notified(tmp_path: Path, mongodb: Server) -> AsyncIterator[Site]:
    """Its livekit-server sends webhooks, and the resync is an hour away: only they can have told."""
    (private,) = free_ports(1)
    webhooks = f"http://127.0.0.1:{private}/livekit/webhook"
    async with (
        LiveKitServer(tmp_path / "livekit", webhook_url=webhooks) as server,
        Site(tmp_path, server, mongodb=mongodb.uri, ROOMCTL_RESYNC_SECONDS="3600") as site,
    ):
        site.private = private
        yield site


async def test_a_room_deleted_behind_our_back_is_back_at_its_webhook(notified: Site) -> None:
    notified.write("talk")
    async with notified.run():
        await _deleted_and_back(notified, "talk")


async def test_who_joins_with_an_old_token_is_put_right_at_the_webhook(notified: Site) -> None:
    notified.write("talk", allow_chat=True)
    async with notified.run():
        record = (await notified.converged())["talk"]
        old = await notified.token(record.id, "ann")
        notified.edit("talk", allow_chat=False, mediaType="MEDIA_TYPE_AUDIO_ONLY")
        await notified.converged()
        async with guest(notified.livekit.ws_url, old) as ann, asyncio.timeout(PATIENCE):
            await ann.until(can_publish_data=False, can_publish=True)


async def test_a_room_deleted_behind_our_back_is_back_at_the_resync(site: Site) -> None:
    site.write("talk")
    async with site.run():
        await _deleted_and_back(site, "talk")


async def _deleted_and_back(site: Site, key: str) -> None:
    before = (await site.converged())[key]
    assert before.live is not None
    await site.writer.delete_room(before.live.name)
    await site.until_record(key, lambda record: record.sid != before.sid)
    after = (await site.converged())[key]
    assert after.live is not None
    assert (after.id, after.live.name, after.modified) == (before.id, before.live.name, before.modified)
    assert (await site.find(before.id)).body["LKRoomName"] == before.live.name


async def test_metadata_that_somebody_changed_is_put_right(site: Site) -> None:
    site.write("talk")
    async with site.run():
        before = (await site.converged())["talk"]
        name = await site.room_name("talk")
        async with canary(site.livekit.ws_url, await site.token(before.id, "ann")) as ann:
            right = ann.metadata
            wrong = json.dumps(json.loads(right) | {"allow_chat": True})
            await site.writer.update_metadata(name, wrong)
            await ann.was_told(wrong)
            await ann.until_metadata(right)
            assert ann.inside
        assert (await site.converged())["talk"].live == before.live


async def test_rooms_of_others_are_never_touched(site: Site) -> None:
    """Unmarked ones, another instance's, another database's, and an orphan of ours with people inside."""
    site.write("ours")
    async with site.run() as controller:
        record = (await site.converged())["ours"]
        mark = json.loads((await site.ours())[await site.room_name("ours")].metadata)
        unknown = {"room_id": "f" * 24}
        strangers = {
            "unmarked": "",
            "another instance": json.dumps(mark | {"managed_by": "roomctl/somebody-else"}),
            "another database": json.dumps(mark | unknown | {"store": "0" * 24}),
            "an orphan": json.dumps(mark | unknown),
            "no JSON": "roomctl/ {",
        }
        made = {what: await _make(site, metadata) for what, metadata in strangers.items()}
        async with canary(site.livekit.ws_url, token(site.livekit, made["an orphan"].name, "ann")) as ann:
            site.edit("ours", max_participants=4)
            site.write("more")
            await site.until_condition("more", "Ready", "True")
            await site.until_record("ours", lambda ours: ours.live != record.live and _is_said(ours))
            await site.another_pass()
            listed = await site.listed()
            for what, room in made.items():
                assert room.name in listed, what
                assert listed[room.name].metadata == room.metadata, what
                assert listed[room.name].sid == room.sid, what
            assert ann.inside
            assert (await site.plan()).empty, "what is foreign is no drift"
        assert (await site.record("ours")).id == record.id
        assert controller.running
    for room in made.values():
        await site.writer.delete_room(room.name)


def _is_said(record: RoomRecord) -> bool:
    return record.status.observed_generation == record.generation


async def _make(site: Site, metadata: str) -> LiveRoom:
    return await site.writer.create_room(f"stranger-{uuid.uuid4()}", metadata, 5)


async def test_a_room_that_comes_back_under_a_name_we_gave_up_is_deleted(site: Site) -> None:
    """A kicked client can make the room again, and sits in it."""
    site.write("stage")
    async with site.run():
        await site.converged()
        name = await site.room_name("stage")
        site.edit("stage", active=False)
        await site.converged()
        await _sit_in(site, name)
        await site.until_live(lambda live: name not in live)
        site.edit("stage", active=True)
        record = (await site.converged())["stage"]
        assert record.live is not None
        assert record.live.name != name


async def _sit_in(site: Site, name: str) -> None:
    """Make the room by walking in, until one has sat there when it was deleted, and not been too late."""
    may_create = token(site.livekit, name, "ann", room_create=True)
    while True:
        with suppress(JoinRefusedError):
            async with canary(site.livekit.ws_url, may_create) as ann:
                assert await ann.left == "ROOM_DELETED"
                return


async def test_a_room_that_nobody_was_told_of_is_adopted_before_another_is_made(site: Site) -> None:
    """The record is active and its live room is listed under a name that only the mark explains."""
    site.write("talk")
    async with site.run() as controller:
        before = (await site.converged())["talk"]
        await controller.stop()
    name = await site.room_name("talk")
    metadata = (await site.ours())[name].metadata
    await site.writer.delete_room(name)
    other = await _make(site, metadata)
    async with canary(site.livekit.ws_url, token(site.livekit, other.name, "ann")) as ann, site.run():
        await site.until_live(lambda live: name not in live)

        async def adopted() -> bool:
            return await site.room_name("talk") == other.name

        await until(adopted)
        assert (await site.record("talk")).id == before.id
        assert ann.inside


async def test_a_room_that_vanishes_again_and_again_is_stalled(site: Site) -> None:
    site.write("talk")
    async with site.run():
        for _ in range(5):
            await site.converged()
            await site.writer.delete_room(await site.room_name("talk"))
        await site.until_condition("talk", "Stalled", "True", reason="Flapping")
