"""Rooms that exist already come under a manifest with everybody inside, on a real livekit-server."""

import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from controller.live.room import LiveRoom
from controller.plan.metadata import owner_mark
from controller.room import Disruption
from tests.support.api import api_of
from tests.support.controller import Site
from tests.support.embedded import Server
from tests.support.livekit import LiveKitServer
from tests.support.participants import Canary, canary, token


@pytest.fixture
async def site(tmp_path: Path, livekit: LiveKitServer, mongodb: Server) -> AsyncIterator[Site]:
    async with Site(tmp_path, livekit, mongodb=mongodb.uri) as opened:
        yield opened


@pytest.fixture
def name() -> str:
    """The name of somebody else's room, with characters that roomctl never chooses."""
    return f"ihr Raum | „{secrets.token_hex(4)}“ / 100%?"


async def made_by_others(site: Site, name: str) -> LiveRoom:
    """A room that stays for a minute while it is empty, as LiveKit's own do."""
    return await site.writer.create_room(name, '{"app": "theirs"}', 0)


async def until_replaced(site: Site, key: str, name: str) -> str:
    """The LiveKit name that the room has once it no longer has `name`."""
    record = await site.until_record(
        key,
        lambda record: record.live is not None and record.live.sid is not None and record.live.name != name,
    )
    assert record.live is not None
    return record.live.name


@asynccontextmanager
async def adopted(site: Site, name: str) -> AsyncIterator[Canary]:
    """Somebody in a room that the manifest `talk` has taken over."""
    await made_by_others(site, name)
    async with canary(site.livekit.ws_url, token(site.livekit, name, "ann")) as ann:
        site.write("talk", adopt=name)
        record = await site.until_record("talk", lambda record: record.live is not None)
        assert (record.live and record.live.name) == name
        yield ann


async def test_room_of_somebody_else_is_adopted_with_its_people(site: Site, name: str) -> None:
    theirs = await made_by_others(site, name)
    site.write("talk", adopt=name, mediaType="MEDIA_TYPE_AUDIO_ONLY", max_participants=5)
    async with canary(site.livekit.ws_url, token(site.livekit, name, "ann")) as ann:
        planned = await site.verb("plan")
        assert "restricts 1 participant" in planned.out
        assert "adopts the LiveKit room" in planned.out
        async with site.run():
            await ann.until_permission(can_publish=True, can_publish_sources=[2])
            record = await site.until_record("talk", lambda record: record.sid == theirs.sid)
            assert (record.live and record.live.name, record.retired) == (name, ())
            await site.until_condition("talk", "Deferred", "True")
            assert (await site.find(record.id)).body["LKRoomName"] == name
            async with canary(site.livekit.ws_url, await site.token(record.id, "bob")) as bob:
                site.write("talk", mediaType="MEDIA_TYPE_AUDIO_ONLY", max_participants=5)
                await site.until_condition("talk", "ManifestValid", "True")
                mark = owner_mark((await site.listed())[name].metadata)
                assert mark is not None
                assert (mark.instance, mark.adopted) == (site.instance, True)
                assert ann.inside
                assert bob.inside
            await ann.leave()
            await until_replaced(site, "talk", name)
            await site.converged()
            record = await site.record("talk")
            assert (record.retired, name in await site.listed()) == ((), False)


async def test_name_belongs_to_whoever_chose_it(site: Site, name: str) -> None:
    await made_by_others(site, name)
    site.write("talk", adopt=name)
    async with site.run() as controller:
        await until_replaced(site, "talk", name)
        await site.until_live(lambda live: name not in live)
        await made_by_others(site, name)
        async with canary(site.livekit.ws_url, token(site.livekit, name, "ann")) as ann:
            site.write("talk", adopt=name, active=False)
            await site.until_record("talk", lambda record: record.live is None)
            site.write("talk", adopt=name, active=True)
            await site.until_record("talk", lambda record: record.live is not None)
            site.remove("talk")
            site.write("other")
            await site.until_record("talk", lambda record: record.removed)
            assert await controller.stop() == 0
            assert ann.inside
        assert (await site.listed())[name].metadata == '{"app": "theirs"}'


async def test_adopted_room_can_be_stopped(site: Site, name: str) -> None:
    async with site.run(), adopted(site, name) as ann:
        site.edit("talk", active=False)
        assert await ann.left == "ROOM_DELETED"
        await site.until_live(lambda live: name not in live)
        record = await site.until_record("talk", lambda r: r.live is None)
        assert record.retired == ()


async def test_adopted_room_is_removed_once_it_is_empty(site: Site, name: str) -> None:
    async with site.run():
        async with adopted(site, name) as ann:
            site.remove("talk")
            site.write("other")
            await site.until_condition("talk", "Deferred", "True")
            assert ann.inside
        await site.until_live(lambda live: name not in live)
        record = await site.until_record("talk", lambda r: r.removed)
        assert (record.live, record.retired) == (None, ())


async def test_api_room_is_taken_over_with_its_people(site: Site) -> None:
    async with site.run(), api_of(site) as api:
        room = await api.create("Booked", user_id="booking", allow_chat=True)
        name = await api.until_live(room)
        async with canary(site.livekit.ws_url, await site.token(room.id, "ann")) as ann:
            imported = await site.verb("import", "--from", "api", "--to", str(site.rooms_dir / "imported"))
            assert imported.code == 0, imported.err
            assert room.id not in imported.out + imported.err
            taken = await site.until_record("imported/booked", lambda record: record.file is not None)
            await site.until_condition("imported/booked", "ManifestValid", "True")
            assert (taken.id, taken.live and taken.live.name, taken.spec) == (room.id, name, room.spec)
            assert taken.modified == room.modified
            assert (await site.find(room.id)).body["LKRoomName"] == name
            assert (await site.plan()).empty
            again = await site.verb("import", "--from", "api", "--to", str(site.rooms_dir / "imported"))
            assert (again.code, again.out) == (0, "")
            assert ann.inside


async def test_import_of_somebody_elses_room_takes_nothing_from_its_people(site: Site, name: str) -> None:
    theirs = await made_by_others(site, name)
    folder = site.rooms_dir / "imported"
    async with canary(site.livekit.ws_url, token(site.livekit, name, "ann")) as ann:
        imported = await site.verb("import", "--from", "live", "-o", "json", "--to", str(site.folder / "all"))
        assert imported.code in (0, 3), imported.err
        (file,) = (file for file in (site.folder / "all").iterdir() if name in file.read_text())
        folder.mkdir()
        manifest = file.rename(folder / "talk.yaml")
        (change,) = (await site.plan()).changes
        assert change.disruption is Disruption.NONE
        async with site.run():
            record = await site.until_record("imported/talk", lambda record: record.sid == theirs.sid)
            assert record.live is not None
            assert record.live.name == name
            await site.until_condition("imported/talk", "Deferred", "True")
            manifest.write_text(manifest.read_text().replace("adopt:", "# adopt:"))
            await site.until_record("imported/talk", lambda record: record.status.observed_generation == 1)
            assert (await site.plan()).notes == ()
            assert ann.inside
            assert ann.permission.can_publish


async def test_api_refuses_to_change_a_room_that_was_taken_over(site: Site, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.yaml"
    tokens.write_text(f"- {{token_sha256: {sha256(b'secret').hexdigest()}, user_id: booking}}\n")
    async with site.run(ROOMCTL_ACCESS_TOKENS_FILE=str(tokens)), aiohttp.ClientSession() as http:

        async def call(verb: str, /, **body: object) -> tuple[int, Any]:
            url = f"http://127.0.0.1:{site.private}/api/conferences/{verb}"
            async with http.post(url, json=body, headers={"x-access-token": "secret"}) as answer:
                return answer.status, await answer.json()

        _, made = await call("create", name="Booked", max_participants=5)
        returned = tmp_path / "rooms.json"
        _, listed = await call("getAll")
        returned.write_text(json.dumps(listed))
        imported = await site.verb("import", "--from", str(returned))
        assert imported.code == 0, imported.err
        await site.until_record("imported/booked", lambda record: record.file is not None)
        status, refused = await call("update", id=made["id"], max_participants=6)
        assert (status, refused["code"]) == (409, "MANAGED_BY_MANIFEST")
        assert "imported/booked.yaml" in refused["error"]
        assert await call("getById", id=made["id"]) == (200, made)
