"""The policy holds inside a live room, against clients that lie and hands that meddle: on a real server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from livekit.rtc import TrackKind, TrackSource

from controller.access.policy import MEDIA_ATTRIBUTE, WITHDRAWN, Role, role_of
from controller.live.room import Permission
from tests.support.api_callers import callers, write_tokens
from tests.support.controller import Site
from tests.support.embedded import Server
from tests.support.livekit import LiveKitServer
from tests.support.participants import Canary, Guest, canary, guest, token
from tests.support.ports import free_ports

AUDIO_ONLY, VIDEO_ONLY = "MEDIA_TYPE_AUDIO_ONLY", "MEDIA_TYPE_VIDEO_ONLY"
BOTH = "MEDIA_TYPE_VIDEO_AUDIO"
CAMERA, MICROPHONE = TrackSource.SOURCE_CAMERA, TrackSource.SOURCE_MICROPHONE


@asynccontextmanager
async def webhooks_alone(folder: Path, mongodb: str) -> AsyncIterator[Site]:
    """A site whose resync is too far away to help, on a LiveKit that sends it webhooks."""
    (port,) = free_ports(1)
    hook = f"http://127.0.0.1:{port}/livekit/webhook"
    async with (
        LiveKitServer(folder / "livekit", webhook_url=hook) as server,
        Site(folder, server, mongodb=mongodb, ROOMCTL_RESYNC_SECONDS="60") as site,
    ):
        site.private = port
        yield site


@asynccontextmanager
async def inside(site: Site, key: str, *names: str) -> AsyncIterator[list[Guest]]:
    """Real participants, with tokens of ours."""
    room_id, people = (await site.record(key)).id, []
    async with asyncio.timeout(60):
        async with _all(site, [await site.token(room_id, name) for name in names]) as people:
            yield people


@asynccontextmanager
async def _all(site: Site, tokens: list[str]) -> AsyncIterator[list[Guest]]:
    if not tokens:
        yield []
        return
    async with guest(site.livekit.ws_url, tokens[0]) as first, _all(site, tokens[1:]) as rest:
        yield [first, *rest]


async def test_a_video_called_a_microphone_is_stopped_and_stays_away(tmp_path: Path, mongodb: Server) -> None:
    async with webhooks_alone(tmp_path, mongodb.uri) as site:
        site.write("talk", mediaType=AUDIO_ONLY)
        async with site.run():
            await site.converged()
            async with inside(site, "talk", "liar", "bob", "eve") as (liar, bob, eve):
                await liar.show_camera(called=MICROPHONE)
                assert (await bob.see()).kind == TrackKind.KIND_VIDEO
                assert (await bob.see_end()).kind == TrackKind.KIND_VIDEO
                await liar.until(can_publish=False, can_subscribe=True)

                again = asyncio.create_task(liar.show_camera(called=MICROPHONE))
                await eve.open_microphone()
                assert (await bob.see()).kind == TrackKind.KIND_AUDIO, "nothing came of the second lie"
                assert await liar.see() is not None, "who lied still listens"
                listed = {p.identity: p for p in await site.people("talk")}
                assert not listed["liar"].tracks
                assert listed["liar"].attributes[MEDIA_ATTRIBUTE] == WITHDRAWN
                assert role_of(listed["liar"]) is Role.GUEST
                assert listed["eve"].permission.can_publish
                again.cancel()
                await asyncio.gather(again, return_exceptions=True)


async def test_without_webhooks_a_sound_called_a_camera_is_stopped_by_a_resync(site: Site) -> None:
    site.write("silent", mediaType=VIDEO_ONLY)
    async with site.run():
        await site.converged()
        async with inside(site, "silent", "liar", "bob") as (liar, bob):
            await liar.open_microphone(called=CAMERA)
            assert (await bob.see()).kind == TrackKind.KIND_AUDIO
            assert (await bob.see_end()).kind == TrackKind.KIND_AUDIO
            await bob.show_camera()
            assert (await liar.see()).kind == TrackKind.KIND_VIDEO


async def test_who_lied_may_publish_again_when_the_room_carries_everything(site: Site) -> None:
    site.write("talk", mediaType=AUDIO_ONLY)
    async with site.run():
        await site.converged()
        async with inside(site, "talk", "liar", "bob") as (liar, bob):
            await liar.show_camera(called=MICROPHONE)
            await bob.see()
            await bob.see_end()
            await liar.until(can_publish=False)
            site.edit("talk", mediaType=BOTH)
            await liar.until(can_publish=True)
            await liar.show_camera()
            assert (await bob.see()).source == CAMERA
            assert all(MEDIA_ATTRIBUTE not in p.attributes for p in await site.people("talk"))


async def test_a_camera_that_is_on_when_the_room_turns_to_audio_costs_nobody_the_microphone(
    site: Site,
) -> None:
    site.write("talk")
    async with site.run():
        await site.converged()
        async with inside(site, "talk", "ann", "bob") as (ann, bob):
            await ann.show_camera()
            assert (await bob.see()).source == CAMERA
            site.edit("talk", mediaType=AUDIO_ONLY)
            assert (await bob.see_end()).source == CAMERA
            await ann.open_microphone()
            assert (await bob.see()).source == MICROPHONE
            assert all(MEDIA_ATTRIBUTE not in p.attributes for p in await site.people("talk"))


async def test_permissions_and_metadata_that_a_hand_changed_are_put_back(site: Site) -> None:
    site.write("talk", allow_webinar_mode=True)
    async with site.run():
        record = (await site.converged())["talk"]
        name = await site.room_name("talk")
        speaker = token(site.livekit, name, "sue", attributes={"role": "speaker"}, can_publish_data=False)
        async with (
            asyncio.timeout(60),
            canary(site.livekit.ws_url, await site.token(record.id, "gus")) as gus,
            canary(site.livekit.ws_url, speaker) as sue,
        ):
            right = gus.metadata
            await site.writer.update_permission(
                name, "gus", Permission(can_publish=True, can_publish_data=True)
            )
            await gus.was_told(can_publish=True)
            await site.writer.update_metadata(name, "{}")
            await gus.was_told("{}")
            await gus.until_metadata(right)
            await gus.until_permission(can_publish=False, can_publish_data=False, can_subscribe=True)
            await site.writer.update_permission(name, "sue", Permission())
            await sue.was_told(can_publish=False)
            await sue.until_permission(can_publish=True, can_publish_sources=[1, 2])
            assert gus.inside
            assert sue.inside


@dataclass(frozen=True, slots=True)
class Step:
    """One field's change, and what a guest and a speaker may do from then on."""

    edit: dict[str, Any]
    guest: dict[str, Any]
    speaker: dict[str, Any]


def _step(edit: dict[str, Any], **both: Any) -> Step:
    return Step(edit, both, both)


STEPS = (
    Step({"allow_webinar_mode": True}, {"can_publish": False}, {"can_publish": True}),
    _step({"allow_webinar_mode": False}, can_publish=True),
    _step({"allow_chat": False}, can_publish_data=False),
    _step({"allow_chat": True}, can_publish_data=True),
    _step({"allow_share_screen": False}, can_publish_sources=[1, 2]),
    _step({"allow_share_screen": True}, can_publish_sources=[1, 2, 3, 4]),
    _step({"mediaType": AUDIO_ONLY}, can_publish_sources=[2]),
    _step({"mediaType": VIDEO_ONLY}, can_publish_sources=[1, 3]),
    _step({"mediaType": BOTH}, can_publish_sources=[1, 2, 3, 4]),
)
"""Each switch of a policy, one way and back again."""


async def _seen(step: Step, gus: Canary, sue: Canary) -> None:
    """Both are told what they may, and nobody was put out."""
    await gus.until_permission(can_subscribe=True, **step.guest)
    await sue.until_permission(can_subscribe=True, **step.speaker)
    assert gus.inside
    assert sue.inside


@asynccontextmanager
async def _watched(site: Site, room_id: str) -> AsyncIterator[tuple[Canary, Canary]]:
    """A guest, and a speaker who has proven it, in the room."""
    await site.until_found(room_id)
    name = str((await site.find(room_id)).body["LKRoomName"])
    speaker = token(site.livekit, name, "sue", attributes={"role": "speaker"}, can_update_own_metadata=False)
    async with (
        asyncio.timeout(50),
        canary(site.livekit.ws_url, await site.token(room_id, "gus")) as gus,
        canary(site.livekit.ws_url, speaker) as sue,
    ):
        yield gus, sue


async def test_each_edit_in_git_reaches_guest_and_speaker_and_cuts_nobody_off(
    tmp_path: Path, livekit: LiveKitServer, mongodb: Server
) -> None:
    """The resync is too far away to have helped."""
    settings = {"ROOMCTL_RESYNC_SECONDS": "60"}
    async with Site(tmp_path, livekit, mongodb=mongodb.uri, **settings) as site:
        site.write("talk", allow_chat=True, allow_share_screen=True)
        async with site.run():
            room = (await site.converged())["talk"]
            async with _watched(site, room.id) as (gus, sue):
                for step in STEPS:
                    site.edit("talk", **step.edit)
                    await _seen(step, gus, sue)


async def test_each_update_by_api_reaches_guest_and_speaker_and_cuts_nobody_off(
    tmp_path: Path, livekit: LiveKitServer, mongodb: Server
) -> None:
    settings = {"ROOMCTL_RESYNC_SECONDS": "60", "ROOMCTL_ACCESS_TOKENS_FILE": str(write_tokens(tmp_path))}
    async with (
        Site(tmp_path, livekit, mongodb=mongodb.uri, **settings) as site,
        site.run(),
        callers(site) as (anna, _, _),
    ):
        policy = {"max_participants": 9, "allow_chat": True, "allow_share_screen": True}
        room = await anna.good("create", {"name": "Talk", **policy})
        async with _watched(site, room["id"]) as (gus, sue):
            for step in STEPS:
                await anna.good("update", {"id": room["id"], **step.edit})
                await _seen(step, gus, sue)
