"""A damaged record: guests are served, operators are told, and it is written again from its manifest."""

from typing import Any, Final

import pytest

from tests.real.upgrade.documents import Documents, as_json
from tests.support.controller import Controller, Site
from tests.support.wait import until

NOWHERE: Final = object()
WRONG: Final[dict[str, Any]] = {
    "key": 7,
    "origin": "elsewhere",
    "created": "yesterday",
    "modified": 3,
    "generation": "first",
    "invite_epoch": "none",
    "reader": "anybody",
    "removed_at": "never",
    "live": "a name",
    "sid": 5,
    "retired": {"name": "one"},
    "recording": "EG_1",
    "status": [7],
    "spec": "a room",
    "spec.name": 7,
    "spec.user_id": 8,
    "spec.mediaType": "MEDIA_TYPE_SMELL",
    "spec.max_participants": "many",
    "spec.allow_webinar_mode": "yes",
    "spec.allow_chat": "on",
    "spec.allow_share_screen": "no",
    "spec.record": "off",
    "spec.record_mode": "ROOM_COMPOSITE_X",
    "spec.active": "true",
}


async def damage(documents: Documents, room_id: str, path: str, stored: Any) -> None:
    change = {"$unset": {path: ""}} if stored is NOWHERE else {"$set": {path: stored}}
    await documents.update(room_id, change)


async def until_sound(site: Site, documents: Documents, room_id: str, path: str, stored: Any) -> None:
    """Return when the damaged value is gone from the document and the site is converged again."""

    async def written() -> bool:
        assert (await site.find(room_id)).status in (200, 503)
        part: Any = await documents.rooms.find_one({"_id": room_id})
        for name in path.split("."):
            part = part.get(name, NOWHERE) if isinstance(part, dict) else NOWHERE
        return part is not NOWHERE and part != stored

    await until(written)
    await site.converged()


@pytest.mark.parametrize("absent", [True, False], ids=["absent", "wrong"])
async def test_each_field_of_a_record_may_be_lost(site: Site, absent: bool) -> None:
    """The people inside, the id, and the LiveKit name stay; guests never hear that there is no such room."""
    site.write("a", record_mode="ROOM_COMPOSITE_SPEAKER", allow_chat=True, mediaType="MEDIA_TYPE_AUDIO_ONLY")
    async with site.run(), Documents.of_site(site) as documents:
        before = (await site.converged())["a"]
        for path, wrong in WRONG.items():
            stored = NOWHERE if absent else wrong
            optional = path in {"sid", "removed_at", "recording", "invite_epoch", "reader"} or path in {
                f"spec.{name}" for name in before.spec.as_dict() if name not in ("name", "max_participants")
            }
            await damage(documents, before.id, path, stored)
            if absent and optional:
                await site.another_pass()
                await site.converged()
            else:
                await until_sound(site, documents, before.id, path, stored)
            after = await site.record("a")
            assert (after.id, after.live) == (before.id, before.live), path
            assert (await site.find(before.id)).status == 200, path


async def test_generation_that_was_set_back_does_not_freeze_the_status(site: Site) -> None:
    site.write("a")
    async with site.run(), Documents.of_site(site) as documents:
        await site.converged()
        site.edit("a", max_participants=12)
        before = (await site.converged())["a"]
        await damage(documents, before.id, "generation", before.generation - 1)
        await until_sound(site, documents, before.id, "generation", before.generation - 1)
        after = await site.record("a")
        assert (after.live, after.generation) == (before.live, before.generation + 1)


async def test_damage_is_told_by_get_doctor_wait_and_the_metrics(site: Site) -> None:
    site.write("a")
    site.write("b")
    async with site.run() as controller, Documents.of_site(site) as documents:
        records = await site.converged()
        room_id = records["a"].id
        site.spoil("a")
        await site.until_condition("a", "ManifestValid", "False")
        await documents.update(room_id, {"$set": {"spec.max_participants": "many", "spec.later": 1}})
        await controller.until_logged("record unusable", key="a", reason="RecordDamaged")
        assert (await site.find(room_id)).status == 200, "the last good record answers"
        assert 'roomctl_rooms{status="False",type="Ready"} 1.0' in await site.metrics()
        assert 'roomctl_unusable_records{reason="RecordDamaged"} 1.0' in await site.metrics()
        shown = as_json((await site.verb("get", "-o", "json")).out)
        assert shown["a"]["max_participants"] is None
        (ready,) = shown["a"]["status"]["conditions"]
        assert (ready["type"], ready["status"], ready["reason"]) == ("Ready", "False", "RecordDamaged")
        assert "cannot read spec.max_participants" in ready["message"]
        assert "a.json" in ready["message"]
        assert shown["b"]["status"]["conditions"][0]["status"] == "True"
        doctor = await site.verb("doctor")
        assert "cannot read spec.max_participants" in doctor.out
        assert doctor.code == 1
        waited = await site.verb("wait", "a", "--timeout", "1s")
        assert waited.code == 1, "its manifest is invalid"
        site.edit("a", max_participants=12)
        assert (await site.converged())["a"].id == room_id
        assert (await documents.get("a"))["spec"]["later"] == 1
        assert 'roomctl_unusable_records{reason="RecordDamaged"} 1.0' not in await site.metrics()


async def test_damaged_record_that_nobody_has_read_is_unavailable_and_not_unknown(site: Site) -> None:
    site.write("a")
    async with site.run(), Documents.of_site(site) as documents:
        room = (await site.converged())["a"]
    site.spoil("a")
    async with Documents.of_site(site) as documents:
        await documents.update(room.id, {"$set": {"spec": 7}})
        async with site.run() as again:
            await again.until_logged("record unusable", key="a")
            answer = await site.find(room.id)
            assert (answer.status, answer.body["code"]) == (503, "UNAVAILABLE")
            assert room.live is not None
            assert room.live.name in await site.listed(), "its live room is no orphan"


async def test_record_of_a_newer_release_is_shown_and_left_alone(site: Site) -> None:
    site.write("a")
    site.write("b")
    async with site.run() as controller, Documents.of_site(site) as documents:
        room = (await site.converged())["a"]
        await documents.update(room.id, {"$set": {"reader": 99, "hold": {"until": "later"}}})
        await controller.until_logged("record unusable", key="a", reason="NewerRelease")
        stored = await documents.get("a")
        answer = await site.find(room.id)
        assert (answer.status, answer.body["code"]) == (503, "UNAVAILABLE")
        shown = as_json((await site.verb("get", "-o", "json")).out)["a"]
        (ready,) = shown["status"]["conditions"]
        assert (ready["status"], ready["reason"]) == ("Unknown", "NewerRelease")
        assert shown["max_participants"] == 10
        site.edit("a", max_participants=20)
        await site.another_pass()
        site.remove("a")
        await site.another_pass()
        assert await documents.get("a") == stored
        assert room.live is not None
        assert room.live.name in await site.listed()
        await _left_alone_by_verbs(site, controller)


async def _left_alone_by_verbs(site: Site, controller: Controller) -> None:
    revoked = await site.verb("revoke", "a")
    assert revoked.code == 1
    assert "newer release" in revoked.err
    assert (await site.plan()).empty
    assert controller.running
