"""Policy files of a real `roomctl run`: rooms follow them or keep their spec, and the API is limited."""

import json
from pathlib import Path

from tests.support.api_callers import callers, write_tokens
from tests.support.controller import Site
from tests.support.embedded import Server
from tests.support.livekit import LiveKitServer

LIMITS = "limits: {max_participants: 20, record: [false]}\n"


def put(site: Site, text: str, folder: str = "") -> Path:
    """A policy file, replaced at once."""
    path = site.rooms_dir / folder / "_policy.yaml"
    path.parent.mkdir(exist_ok=True)
    swap = path.with_name(".policy")
    swap.write_text(text)
    return swap.rename(path)


async def test_rooms_follow_their_policy_and_keep_their_spec_while_it_is_wrong(site: Site) -> None:
    put(
        site,
        "presets: {hall: {preset: guest-webinar, max_participants: 9}}\ndefaults: {user_id: events}\n",
        "a",
    )
    (site.rooms_dir / "a").mkdir(exist_ok=True)
    (site.rooms_dir / "a" / "talk.yaml").write_text("name: Talk\npreset: hall\n")
    site.write("b")
    async with site.run():
        await site.until_condition("a/talk", "Ready", "True")
        before = await site.record("a/talk")
        assert (before.spec.max_participants, before.spec.user_id) == (9, "events")

        put(site, "presets: {hall: {preset: guest-webinar, max_participants: 9, record: maybe}}\n", "a")
        await site.until_condition("a/talk", "ManifestValid", "False")
        broken = await site.record("a/talk")
        assert (broken.spec, broken.live) == (before.spec, before.live)
        message = getattr(broken.status.condition("ManifestValid"), "message", "")
        assert "a/talk.yaml:1:1" in message
        assert "a/_policy.yaml:1:70: record: expected true or false" in message
        assert (await site.verb("validate")).code == 1
        site.remove("b")  # the policy of a folder holds back no removal elsewhere
        await site.until_record("b", lambda record: record.removed)

        put(site, "presets: {hall: {preset: guest-webinar, max_participants: 9, allow_chat: false}}\n", "a")
        await site.until_condition("a/talk", "ManifestValid", "True")
        mended = await site.until_record("a/talk", lambda record: not record.spec.allow_chat)
        assert (mended.spec.user_id, mended.id, mended.live) == ("rooms", before.id, before.live)


async def test_the_limits_of_rooms_d_hold_for_the_api(
    tmp_path: Path, livekit: LiveKitServer, mongodb: Server
) -> None:
    tokens = {"ROOMCTL_ACCESS_TOKENS_FILE": str(write_tokens(tmp_path))}
    async with Site(tmp_path, livekit, mongodb=mongodb.uri, **tokens) as site:
        put(site, LIMITS)
        async with site.run(), callers(site) as (anna, _, _):
            body = {"name": "Hall", "max_participants": 20}
            room = await anna.good("create", body)
            status, refused = await anna.call("create", {**body, "max_participants": 21})
            assert (status, refused["code"]) == (403, "BEYOND_LIMIT")
            assert "max_participants" in refused["error"]
            assert "at most 20" in refused["error"]
            assert str(site.rooms_dir) not in refused["error"]
            assert await anna.refused("update", {"id": room["id"], "record": True}) == (403, "BEYOND_LIMIT")
            put(site, "limits: [\n")  # the last good limits hold
            assert await anna.refused("update", {"id": room["id"], "record": True}) == (403, "BEYOND_LIMIT")
            put(site, LIMITS.replace("[false]", "[false, true]"))
            assert (await anna.good("update", {"id": room["id"], "record": True}))["record"] is True
            put(site, "limits: [\n")
        async with site.run(), callers(site) as (anna, _, _):
            assert await anna.refused("create", body) == (503, "UNAVAILABLE")
            assert (await anna.good("getById", {"id": room["id"]}))["record"] is True
            (site.rooms_dir / "_policy.yaml").unlink()
            assert (await anna.good("create", {**body, "max_participants": 500}))["max_participants"] == 500


async def test_a_saved_plan_and_a_base_have_their_policies(site: Site, tmp_path: Path) -> None:
    saved = tmp_path / "plan.json"
    put(site, "defaults: {allow_chat: true}\n")
    site.write("first")
    assert (await site.verb("plan", "--out", str(saved))).code == 0
    put(site, "defaults: {allow_chat: false}\n")
    applied = await site.verb("apply", str(saved), "--yes")
    assert applied.code == 3
    assert "the saved plan has another change of this room" in applied.err
    assert await site.records() == {}

    base = tmp_path / "base"
    base.mkdir()
    (base / "_policy.yaml").write_text("defaults: {allow_chat: true}\n")
    (base / "first.json").write_text((site.rooms_dir / "first.json").read_text())
    made = await site.verb("plan", "--base", str(base), "-o", "json")
    (change,) = json.loads(made.out)["changes"]
    assert change["fields"] == [{"field": "allow_chat", "from": True, "to": False}]

    put(site, "defaults: {allow_chat: maybe}\n")
    wrong = await site.verb("plan", "--base", str(base), "-o", "json")
    assert wrong.code == 1
    listed = json.loads(wrong.out)
    assert listed["changes"] == []
    assert [error["file"].rpartition("/")[2] for error in listed["invalid"]] == ["_policy.yaml", "first.json"]
