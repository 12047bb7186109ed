"""A database that an earlier release left is read for ever: rooms live, ids, links and names the same."""

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest

from controller.access.invites import Invite, mint_invite
from controller.access.policy import Role
from controller.room import Purpose, derive_key
from tests.real.upgrade.documents import DUMPS, Documents, Dump
from tests.support.controller import Site
from tests.support.embedded import secantus
from tests.support.livekit import LiveKitServer

TOMBSTONE_TTL = timedelta(hours=1)
MOVES = {"live", "sid", "retired", "recording", "status"}
"""What a controller may write of a room whose manifest is as it was."""


async def _role_by_invite(site: Site, room: dict[str, Any]) -> str:
    """The role that an invite of the earlier release gives, which has the epoch of its record."""
    now = int(time.time())
    invite = Invite(room["_id"], Role.SPEAKER, room["invite_epoch"], now + 3600)
    header = f"Bearer {mint_invite(invite, derive_key(site.secret, Purpose.INVITE), now)}"
    token = await site.token(room["_id"], "mary", {"Authorization": header})
    return str(jwt.decode(token, options={"verify_signature": False})["attributes"]["role"])


def should_be_live(document: dict[str, Any]) -> bool:
    return document["spec"]["active"] and document["removed_at"] is None


@pytest.mark.parametrize("name", sorted(dump.name for dump in DUMPS.glob("*.json")))
async def test_rooms_of_an_earlier_release_are_served_as_before(site: Site, name: str) -> None:
    dump = Dump(name)
    await dump.load(site)
    alive = {key: room for key, room in dump.rooms.items() if should_be_live(room)}
    async with site.run() as controller, Documents.of_site(site) as documents:
        for key, room in alive.items():
            await site.until_found(room["_id"])
            answer = await site.find(room["_id"])
            assert (answer.status, answer.body["LKRoomName"]) == (200, room["live"]["name"]), key
        for key, room in dump.rooms.items():
            if key not in alive:
                assert (await site.find(room["_id"])).status == 404
            if room["removed_at"] is None:
                after = await documents.get(key)
                kept = room.keys() - MOVES
                assert {field: after[field] for field in kept} == {field: room[field] for field in kept}
            if key in alive:
                assert await _role_by_invite(site, room) == "speaker", key
        assert {room["live"]["name"] for room in alive.values()} <= (await site.listed()).keys()
        assert (await site.plan()).empty
        assert not controller.said("record unusable")


async def test_embedded_store_without_credentials_gets_them(tmp_path: Path, livekit: LiveKitServer) -> None:
    """It required no password: this one gives it one, and every verb finds the records."""
    dump = Dump("0.1.0.json")
    async with Site(tmp_path, livekit) as site:
        async with secantus(site.data_dir / "store") as before:
            site.mongodb = before.uri
            await dump.load(site)
        site.mongodb = ""
        async with site.run():
            await site.until_leader(True)  # another test may have left rooms of these names
            for room in filter(should_be_live, dump.rooms.values()):
                await site.until_found(room["_id"])
                answer = await site.find(room["_id"])
                assert (answer.status, answer.body["LKRoomName"]) == (200, room["live"]["name"])
            for words in (("get",), ("status",), ("events",), ("recordings",), ("describe", "team")):
                assert (await site.verb(*words)).code in (0, 3), words
        assert (await site.verb("get")).code == 0
