"""Manifests become live rooms, and edits reach them: `roomctl run` on a real livekit-server."""

import json
from pathlib import Path

from controller.live.room import EMPTY_TIMEOUT_SECONDS
from tests.support.controller import ROOT, Site
from tests.support.livekit import LiveKitServer
from tests.support.participants import canary, token
from tests.support.wait import until

PRESETS = ("audio-briefing", "guest-webinar", "recorded-speaker", "standard-team")


async def test_the_four_presets_are_live_with_their_conditions(
    tmp_path: Path, livekit: LiveKitServer
) -> None:
    """On the embedded store, as after a clone."""
    async with Site(tmp_path, livekit) as site:
        for preset in PRESETS:
            (site.rooms_dir / f"{preset}.yaml").write_text((ROOT / "rooms.d" / f"{preset}.yaml").read_text())
        async with site.run() as controller:
            for preset in PRESETS:
                await site.until_condition(preset, "Ready", "True")
            records, live = await site.records(), await site.ours()
            assert records.keys() == set(PRESETS)
            assert len(live) == 4
            for key, record in records.items():
                assert record.live is not None
                room = live[record.live.name]
                assert (room.sid, room.max_participants) == (record.sid, record.spec.max_participants)
                assert min(room.empty_timeout, room.departure_timeout) == EMPTY_TIMEOUT_SECONDS
                assert json.loads(room.metadata)["name"] == record.spec.name
                kinds = {"Ready", "Live", "ManifestValid"}
                conditions = {c.type: c.status for c in record.status.conditions}
                assert conditions.keys() == (kinds | {"Recording"} if key == "recorded-speaker" else kinds)
                assert all(conditions[kind] == "True" for kind in kinds)
            assert (await site.get("/readyz")).body == {
                "ready": True,
                "leader": True,
                "livekit": True,
                "mongodb": True,
                "clock": True,
            }
            webinar, team = records["guest-webinar"].id, records["standard-team"].id
            for room_id, may_publish in ((webinar, False), (team, True)):
                pass_key = await site.token(room_id, "guest")
                async with canary(livekit.ws_url, pass_key) as guest:
                    assert guest.permission.can_publish is may_publish
            assert await controller.stop() == 0
        assert (await site.ours()).keys() == live.keys(), "the rooms stay"
        assert (await site.plan()).empty


async def test_an_edit_reaches_record_room_and_people_by_their_role(site: Site) -> None:
    site.write("talk", allow_share_screen=True, allow_chat=True)
    async with site.run():
        before = (await site.converged())["talk"]
        pass_key = await site.token(before.id, "ann")
        stranger = token(site.livekit, await site.room_name("talk"), "bob")
        hidden = token(site.livekit, await site.room_name("talk"), "eve", attributes={"role": "hidden"})
        async with (
            canary(site.livekit.ws_url, pass_key) as ann,
            canary(site.livekit.ws_url, stranger) as bob,
            canary(site.livekit.ws_url, hidden) as eve,
        ):
            assert ann.permission.can_publish_data
            site.edit("talk", name="Evening talk", allow_chat=False, allow_webinar_mode=True)
            await ann.until_permission(can_publish_data=False, can_publish=False, can_subscribe=True)
            after = (await site.converged())["talk"]
            await ann.until_metadata((await site.ours())[await site.room_name("talk")].metadata)
            assert after.spec.name == "Evening talk"
            assert (after.generation, after.id, after.live) == (2, before.id, before.live)
            assert after.modified > before.modified

            site.edit("talk", allow_webinar_mode=False, mediaType="MEDIA_TYPE_AUDIO_ONLY", allow_chat=True)
            await ann.until_permission(can_publish_data=True, can_publish_sources=[2])
            await bob.until_permission(can_publish_sources=[2])
            await eve.until_permission(can_publish=False, can_publish_data=False)
            assert ann.inside
            assert bob.inside
            assert eve.inside


async def test_a_guest_gains_and_loses_the_stage_with_webinar_mode(site: Site) -> None:
    site.write("show", allow_webinar_mode=True, allow_chat=False)
    async with site.run():
        record = (await site.converged())["show"]
        async with canary(site.livekit.ws_url, await site.token(record.id, "gus")) as gus:
            assert not gus.permission.can_publish
            site.edit("show", allow_webinar_mode=False)
            await gus.until_permission(can_publish=True, can_publish_sources=[1, 2])
            site.edit("show", allow_webinar_mode=True)
            await gus.until_permission(can_publish=False)
            assert gus.inside


async def test_a_new_limit_waits_for_an_empty_room_and_then_takes_a_fresh_name(site: Site) -> None:
    site.write("busy", max_participants=10, allow_chat=True)
    site.write("empty", max_participants=10)
    async with site.run():
        before = await site.converged()
        async with canary(site.livekit.ws_url, await site.token(before["busy"].id, "ann")) as ann:
            site.edit("busy", max_participants=3, allow_chat=False)
            site.edit("empty", max_participants=3)
            await site.until_condition("busy", "Deferred", "True")
            await ann.until_permission(can_publish_data=False)
            await site.until_record("empty", lambda record: record.live != before["empty"].live)
            held = await site.record("busy")
            assert held.live == before["busy"].live
            ready = held.status.condition("Ready")
            assert ready is not None
            assert (ready.status, ready.reason) == ("True", "Deferred")
            assert (await site.find(held.id)).body["LKRoomName"] == await site.room_name("busy")
            site.edit("busy", max_participants=1)
            await _full(site, held.id)
            assert ann.inside
        after = await site.converged()
        for key in ("busy", "empty"):
            assert after[key].id == before[key].id
            assert after[key].live != before[key].live
            assert after[key].status.condition("Deferred") is None


async def test_inactive_disconnects_at_once_and_active_again_takes_a_fresh_name(site: Site) -> None:
    site.write("stage")
    async with site.run():
        before = (await site.converged())["stage"]
        async with canary(site.livekit.ws_url, await site.token(before.id, "ann")) as ann:
            site.edit("stage", active=False)
            assert await ann.left == "ROOM_DELETED"
        stopped = (await site.converged())["stage"]
        assert (stopped.live, stopped.sid) == (None, before.sid)
        assert (await site.find(stopped.id)).status == 404
        site.edit("stage", active=True)
        again = (await site.converged())["stage"]
        assert again.id == before.id
        assert again.live is not None
        assert again.live != before.live
        assert (await site.find(again.id)).body["LKRoomName"] == again.live.name


async def test_rooms_keep_their_ids_by_key_by_pin_and_over_another_database(site: Site) -> None:
    pinned = "0123456789abcdef01234567"
    site.write("events/keynote", user_id="booking")
    site.write("lounge", id=pinned)
    async with site.run() as controller:
        before = await site.converged()
        assert before["lounge"].id == pinned
        async with canary(site.livekit.ws_url, await site.token(before["events/keynote"].id, "ann")) as ann:
            site.remove("events/keynote")
            site.write("halls/main", user_id="booking", name="events-keynote", key="events/keynote")
            await site.until_record("events/keynote", lambda record: record.file == "halls/main.json")
            after = await site.converged()
            assert after["events/keynote"].id == before["events/keynote"].id
            assert after["events/keynote"].live == before["events/keynote"].live
            assert ann.inside
        assert await controller.stop() == 0
    await _empty(site)
    site.database += "_other"
    async with site.run():
        anew = await site.converged()
        assert {key: record.id for key, record in anew.items()} == {
            key: record.id for key, record in before.items()
        }


async def test_a_pinned_id_takes_the_room_over_with_everybody_inside(site: Site) -> None:
    site.write("old/name")
    async with site.run():
        before = (await site.converged())["old/name"]
        async with canary(site.livekit.ws_url, await site.token(before.id, "ann")) as ann:
            site.remove("old/name")
            site.write("new/name", id=before.id)
            after = await site.converged()
            assert after.keys() == {"new/name"}
            assert after["new/name"].id == before.id
            assert after["new/name"].live == before.live
            assert ann.inside


async def test_an_old_token_gives_no_more_than_the_policy_gives_now(site: Site) -> None:
    """Without webhooks: the resync looks at who is inside."""
    site.write("talk", allow_chat=True)
    async with site.run():
        record = (await site.converged())["talk"]
        old = await site.token(record.id, "ann")
        site.edit("talk", allow_chat=False)
        await site.converged()
        async with canary(site.livekit.ws_url, old) as ann:
            await ann.until_permission(can_publish_data=False, can_publish=True)
            assert ann.inside


async def _full(site: Site, room_id: str) -> None:
    """Return when the sidecar lets nobody else in: the smaller of the old and the new limit holds at once."""

    async def refused() -> bool:
        return (await site.ask_token(room_id, "bob")).body.get("code") == "ROOM_FULL"

    await until(refused)


async def _empty(site: Site) -> None:
    """Nothing of ours lives any more."""
    gone = (await site.ours()).keys()
    for name in gone:
        await site.writer.delete_room(name)
    await site.until_live(lambda live: not gone & live.keys())
