"""Access rules across releases: who is inside stays inside, and no older release ignores a new rule."""

import asyncio
import json
from pathlib import Path
from typing import Any, Final

import jwt

from tests.real.upgrade.documents import BEFORE_ACCESS_RULES, Documents, earlier_release, running, verb_of
from tests.support.controller import Site
from tests.support.participants import canary, guest
from tests.support.wait import until

OLD_MARK, NEW_MARK = {"store", "room_id"}, {"store_hash", "room_hash"}
RULES: Final[dict[str, dict[str, Any]]] = {
    "invited": {"join": "invite"},
    "seats": {"reserved_seats": 2},
    "kicked": {},
}
"""Rooms with what an older release would ignore; the last one gets a kick."""


async def test_an_upgrade_replaces_metadata_in_place_and_disconnects_nobody(
    site: Site, tmp_path: Path
) -> None:
    code = earlier_release(tmp_path)
    site.write("talk", allow_webinar_mode=True, allow_chat=True)
    async with site.twin("first") as first, asyncio.timeout(300):
        async with running(first, code) as old:
            before = (await site.converged())["talk"]
            link = (await verb_of(first, code, "invite", "talk", "--role", "speaker")).strip()
            invite = {"Authorization": f"Bearer {link.partition('#invite=')[2]}"}
            tokens = [await first.token(before.id, "gus"), await first.token(before.id, "sue", invite)]
            late = await first.token(before.id, "late")
            assert (await _metadata(site)).keys() >= OLD_MARK
            assert await old.stop() == 0
        async with (
            canary(site.livekit.ws_url, tokens[0]) as gus,
            guest(site.livekit.ws_url, tokens[1]) as sue,
            site.run(),
        ):
            after = (await site.converged())["talk"]
            assert (after.id, after.live, after.invite_epoch) == (before.id, before.live, before.invite_epoch)

            async def unchanged() -> bool:
                return (await site.plan()).empty

            await until(unchanged)
            renewed = await _metadata(site)
            assert renewed.keys() >= NEW_MARK
            assert not renewed.keys() & OLD_MARK
            await _follows_the_policy(site, late)
            mary = jwt.decode(
                await site.token(before.id, "mary", invite), options={"verify_signature": False}
            )
            assert mary["attributes"]["role"] == "speaker"
            held = await site.ask_token(before.id, "gus", {"X-Previous-Token": tokens[0]})
            assert (held.status, held.body["code"]) == (409, "IDENTITY_IN_USE")
            assert gus.inside
            assert sue.room.isconnected()


async def _metadata(site: Site) -> dict[str, Any]:
    live = (await site.listed())[await site.room_name("talk")]
    metadata: dict[str, Any] = json.loads(live.metadata)
    return metadata


async def _follows_the_policy(site: Site, late: str) -> None:
    """Somebody with a token of the earlier release, which has no `jti`, has the role that it says."""
    async with canary(site.livekit.ws_url, late) as someone:
        await someone.until_permission(can_publish=False, can_publish_data=True)
        site.edit("talk", allow_chat=False)
        await someone.until_permission(can_publish=False, can_publish_data=False)
        assert someone.inside


async def test_an_older_release_leaves_rooms_with_new_rules_alone(site: Site, tmp_path: Path) -> None:
    code = earlier_release(tmp_path, BEFORE_ACCESS_RULES)
    for key, fields in RULES.items():
        site.write(key, **fields)
    site.write("plain")
    async with site.run():
        before = await site.converged()
        assert (await site.verb("kick", "kicked", "mallory")).code == 0
        listed = {name: room.sid for name, room in (await site.ours()).items()}
    async with site.twin("older") as older, Documents.of_site(site) as documents:
        stored = {key: await documents.get(key) for key in RULES}
        assert {document["reader"] for document in stored.values()} == {2}
        async with running(older, code) as old:
            for key in RULES:
                await old.until_logged("record unusable", key=key, reason="NewerRelease")
                reply = await older.find(before[key].id)
                assert (reply.status, reply.body["code"]) == (503, "UNAVAILABLE")
            await older.token(before["plain"].id, "gus")
            site.remove(*RULES)  # neither without their manifests
            await older.another_pass()
            await older.another_pass()
            assert {key: await documents.get(key) for key in RULES} == stored
            assert {name: room.sid for name, room in (await site.ours()).items()} == listed
