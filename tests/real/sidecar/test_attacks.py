"""People who try to be somebody else, to stay where they may not, or to keep others out: on real servers.

LiveKit sends webhooks to the controller and to the test. The controller's resync is too far away to help.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import jwt
import pytest

from controller.access.policy import JTI_ATTRIBUTE
from controller.live.room import Participant, Permission
from controller.records import open_store
from controller.records.events import EventType
from tests.real.recordings.harness import recording_site
from tests.support.api_callers import callers, write_tokens
from tests.support.controller import Reply, Site
from tests.support.embedded import Server
from tests.support.livekit import LiveKitServer
from tests.support.participants import Canary, Guest, canary, guest, token
from tests.support.ports import free_ports
from tests.support.wait import until
from tests.support.webhooks import WebhookCapture

OWNER: Final = {"x-access-token": "anna-token"}
FAR: Final = "600"
"""Seconds between resyncs: nothing in these tests waits for one."""


@dataclass(frozen=True, slots=True)
class Room:
    """A live room, and where its controller is."""

    site: Site
    key: str
    id: str
    name: str

    async def token(self, identity: str, headers: Mapping[str, str] | None = None, **fields: Any) -> str:
        return await self.site.token(self.id, identity, headers, **fields)

    async def ask(self, identity: str, headers: Mapping[str, str] | None = None, **fields: Any) -> Reply:
        return await self.site.ask_token(self.id, identity, headers, **fields)

    async def until_refused(self, code: str, identity: str, headers: Mapping[str, str] | None = None) -> None:
        """Return when the answer is that code: who is inside is read once a second."""

        async def refused() -> bool:
            return (await self.ask(identity, headers)).body.get("code") == code

        await until(refused)

    async def until_admitted(self, identity: str, headers: Mapping[str, str] | None = None) -> str:
        """The token, once there is one."""
        replies: list[Reply] = []

        async def admitted() -> bool:
            replies.append(await self.ask(identity, headers))
            return replies[-1].status == 200

        await until(admitted)
        return str(replies[-1].body["participant_token"])

    async def until_recognized(self, identity: str, owned: str) -> str:
        """The token on the proof of the one before; a join less than a second old may be missed."""
        tokens: list[str] = []

        async def has_its_jti() -> bool:
            tokens.append(await self.until_admitted(identity, previous(owned)))
            return bool(claims(tokens[-1])["jti"] == claims(owned)["jti"])

        await until(has_its_jti)
        return tokens[-1]

    async def invite(self, *words: str, role: str = "speaker") -> dict[str, str]:
        """The header of an invite that `roomctl invite` made."""
        made = await self.site.verb("invite", self.key, "--role", role, *words)
        assert made.code == 0, made.err
        return {"Authorization": f"Bearer {made.out.strip().partition('#invite=')[2]}"}

    def enter(self, join_token: str) -> AbstractAsyncContextManager[Canary]:
        """A canary, which connects no media."""
        return canary(self.site.livekit.ws_url, join_token)

    def connect(self, join_token: str) -> AbstractAsyncContextManager[Guest]:
        """A participant with media, whom LiveKit reports in a webhook."""
        return guest(self.site.livekit.ws_url, join_token)

    async def inside(self) -> set[str]:
        return {one.identity for one in await self.site.reader.participants(self.name)}

    async def until_inside(self, *identities: str) -> None:
        async def so() -> bool:
            return await self.inside() == {*identities}

        await until(so)

    async def events(self, kind: EventType) -> list[str]:
        """The reasons of the room's events of that kind."""
        async with open_store(replace(self.site.access, read_only=True)) as store:
            return [
                one.reason for one in await store.events.find() if one.type == kind and one.room_id == self.id
            ]


def previous(join_token: str) -> dict[str, str]:
    return {"X-Previous-Token": join_token}


def claims(join_token: str) -> dict[str, Any]:
    return jwt.decode(join_token, options={"verify_signature": False})


async def opened(site: Site, key: str, **fields: Any) -> Room:
    """The room of a new manifest, once the public calls know it."""
    site.write(key, **fields)
    await site.until_condition(key, "Ready", "True")
    record = await site.record(key)
    assert record.live is not None
    await site.until_found(record.id)
    return Room(site, key, record.id, record.live.name)


@asynccontextmanager
async def hooked(folder: Path, mongodb: str) -> AsyncIterator[tuple[Site, WebhookCapture]]:
    """A site whose LiveKit sends webhooks to the controller and to the test."""
    (port,) = free_ports(1)
    capture = WebhookCapture()
    urls = f"http://127.0.0.1:{port}/livekit/webhook {capture.url}"
    settings = {"ROOMCTL_RESYNC_SECONDS": FAR, "ROOMCTL_ACCESS_TOKENS_FILE": str(write_tokens(folder))}
    async with (
        capture.listening(),
        LiveKitServer(folder / "livekit", webhook_url=urls) as server,
        Site(folder, server, mongodb=mongodb, **settings) as site,
    ):
        site.private = port
        yield site, capture


@pytest.fixture(name="place", scope="module")
async def _place(
    tmp_path_factory: pytest.TempPathFactory, mongodb: Server
) -> AsyncIterator[tuple[Site, WebhookCapture]]:
    async with hooked(tmp_path_factory.mktemp("attacks"), mongodb.uri) as (site, capture), site.run():
        yield site, capture


Place = tuple[Site, WebhookCapture]


# -- to be somebody else ----------------------------------------------------------------------------------


async def test_token_from_before_its_owner_came_proves_nothing_and_a_reload_keeps_the_jti(
    place: Place,
) -> None:
    room = await opened(place[0], "early")
    squatted, owned = await room.token("mary"), await room.token("mary")
    assert claims(squatted)["jti"] != claims(owned)["jti"]
    async with room.enter(owned) as mary:
        await room.until_refused("IDENTITY_IN_USE", "mary", previous(squatted))
        reloaded = await room.token("mary", previous(owned))
        assert claims(reloaded)["jti"] == claims(owned)["jti"]
        assert mary.inside
        async with room.enter(reloaded) as again:
            assert await mary.left == "DUPLICATE_IDENTITY"
            for proof in (owned, reloaded):
                assert claims(await room.token("mary", previous(proof)))["jti"] == claims(owned)["jti"]
            await room.until_refused("IDENTITY_IN_USE", "mary", previous(squatted))
            assert again.inside


async def test_a_previous_token_of_nobody_inside_keeps_no_jti(place: Place) -> None:
    """Else a token from before its owner came would prove the identity after the owner had asked with it."""
    room = await opened(place[0], "absent")
    first = await room.token("mary")
    assert claims(await room.token("mary", previous(first)))["jti"] != claims(first)["jti"]


async def _until_kept(room: Room, others: Mapping[str, Mapping[str, str]]) -> None:
    for what, headers in others.items():
        reply = await room.ask("mary", headers)
        assert reply.body.get("code") == "IDENTITY_IN_USE", (what, reply)


async def test_identity_of_an_invite_is_refused_to_everybody_else_inside_or_not(place: Place) -> None:
    room = await opened(place[0], "keynote", allow_webinar_mode=True, user_id="anna")
    squatted = await room.token("mary")
    hers = await room.invite("--identity", "mary")
    others = {
        "nothing": {},
        "an earlier token": previous(squatted),
        "an invite for all": await room.invite(),
        "a guest's invite": await room.invite(role="guest"),
        "another user's access token": {"x-access-token": "bert-token"},
        "an earlier token and an invite": previous(squatted) | await room.invite(),
    }
    await _until_kept(room, others)
    joes = await room.ask("mary", await room.invite("--identity", "joe"))
    assert (joes.status, joes.body["code"]) == (401, "PROOF_INVALID")
    hers_token = await room.token("mary", hers)
    async with room.enter(hers_token) as mary:
        await room.until_refused("IDENTITY_IN_USE", "mary", previous(squatted))
        await _until_kept(room, others | {"her own token": previous(hers_token)})
        assert (
            claims(await room.token("mary", hers | previous(hers_token)))["attributes"]["role"] == "speaker"
        )
        await room.token("mary", OWNER)
        assert mary.inside
    assert (await room.site.verb("revoke", "keynote")).code == 0
    await room.until_admitted("mary")


async def test_takeover_allow_opens_no_identity_of_an_invite(site: Site) -> None:
    async with site.run(ROOMCTL_IDENTITY_TAKEOVER="allow"):
        room = await opened(site, "keynote")
        hers = await room.invite("--identity", "mary")
        async with room.enter(await room.token("mary", hers)), room.enter(await room.token("joe")):
            await room.token("joe")
            await _until_kept(room, {"nothing": {}, "an invite for all": await room.invite()})


async def test_a_takeover_is_an_event_and_a_reload_is_none(place: Place) -> None:
    site, capture = place
    room = await opened(site, "stolen")
    squatted, owned = await room.token("mary"), await room.token("mary")
    async with room.connect(owned) as mary:
        await capture.until_said("participant_joined", room.name, "mary")
        reloaded = await room.until_recognized("mary", owned)
        async with room.connect(reloaded) as again:
            assert await mary.left == "DUPLICATE_IDENTITY"
            left = await capture.until_said("participant_left", room.name, "mary")
            assert left["participant"]["disconnectReason"] == "DUPLICATE_IDENTITY"
            digest = hashlib.sha256(claims(owned)["jti"].encode()).hexdigest()
            assert left["participant"]["attributes"][JTI_ATTRIBUTE] == digest
            async with room.connect(squatted):
                assert await again.left == "DUPLICATE_IDENTITY"

                async def recorded() -> bool:
                    return bool(await room.events(EventType.TAKEOVER))

                await until(recorded)
                assert await room.events(EventType.TAKEOVER) == ['"mary" joined again with another token']


async def test_no_invite_outlives_a_lost_database(site: Site) -> None:
    async with site.run():
        room = await opened(site, "hall", allow_webinar_mode=True)
        invites = [await room.invite(), await room.invite("--identity", "mary")]
        await room.token("mary", invites[1])
    await site.lose_database()
    async with site.run():
        await site.until_found(room.id)
        for invite in invites:
            reply = await room.ask("mary", invite)
            assert (reply.status, reply.body["code"]) == (401, "PROOF_INVALID")


# -- to have more than is given ---------------------------------------------------------------------------


async def test_attributes_that_a_participant_wrote_give_no_role(site: Site) -> None:
    """Neither at a resync nor after changes of the policy."""
    async with site.run(), asyncio.timeout(200):
        room = await opened(site, "talk", allow_webinar_mode=True)
        foreign = token(
            *(site.livekit, room.name, "eve"),
            can_publish=False,
            can_publish_data=False,
            can_update_own_metadata=True,
        )
        async with room.connect(foreign) as eve, room.enter(await room.token("gus")) as gus:
            await eve.room.local_participant.set_attributes({"role": "speaker", "seat": "reserved"})

            async def written() -> bool:
                return (await _listed(room, "eve")).attributes.get("role") == "speaker"

            await until(written)
            await site.another_pass()
            changes: tuple[dict[str, Any], ...] = (
                {"allow_chat": True},
                {"mediaType": "MEDIA_TYPE_AUDIO_ONLY"},
                {"allow_webinar_mode": False},
                {"mediaType": "MEDIA_TYPE_VIDEO_AUDIO"},
            )
            gains: tuple[dict[str, Any], ...] = (
                {"can_publish_data": True},
                {},
                {"can_publish_sources": [2]},
                {"can_publish_sources": [1, 2]},
            )
            for change, gain in zip(changes, gains, strict=True):
                site.edit("talk", **change)
                await gus.until_permission(**gain)
                await site.converged()
                await site.another_pass()
                assert (await _listed(room, "eve")).permission == Permission(can_update_metadata=True)
            assert eve.room.isconnected()


async def _listed(room: Room, identity: str) -> Participant:
    (one,) = [one for one in await room.site.reader.participants(room.name) if one.identity == identity]
    return one


async def test_attributes_that_a_participant_may_write_reserve_no_seat(place: Place) -> None:
    """One seat is for all; the webhook of who joins last says that they are too many."""
    room = await opened(place[0], "small", max_participants=3, reserved_seats=2)
    attributes = {"role": "speaker", "seat": "reserved"}
    liar = token(room.site.livekit, room.name, "liar", attributes=attributes, can_update_own_metadata=True)
    speaker = await room.token("speaker", await room.invite())
    async with room.enter(await room.token("gus")) as gus, room.connect(liar) as eve:
        assert await eve.left == "PARTICIPANT_REMOVED"
        async with room.connect(speaker):
            await room.until_inside("gus", "speaker")
            assert gus.inside


# -- to keep others out -----------------------------------------------------------------------------------


async def test_five_guests_of_a_small_room_leave_the_reserved_seats_free(place: Place) -> None:
    """Five tokens were given before anybody was inside. LiveKit reports each guest who joins with media."""
    site, _ = place
    room = await opened(site, "five", max_participants=6, reserved_seats=4)
    tokens = [await room.token(f"guest-{number}") for number in range(5)]
    async with AsyncExitStack() as stack:
        for each in tokens:
            await stack.enter_async_context(room.connect(each))
        await room.until_inside("guest-0", "guest-1")
        await room.until_refused("ROOM_FULL", "late")
        async with room.enter(await room.token("speaker", await room.invite())):
            await room.until_inside("guest-0", "guest-1", "speaker")
    assert await room.events(EventType.KICK)


async def test_guests_without_media_leave_the_reserved_seats_when_somebody_needs_one(place: Place) -> None:
    """LiveKit reports nobody without media; the request of an invited speaker shows that it is full."""
    room = await opened(place[0], "raw", max_participants=3, reserved_seats=2)
    tokens = [await room.token(f"guest-{number}") for number in range(3)]
    invite = await room.invite()
    async with AsyncExitStack() as stack:
        for each in tokens:
            await stack.enter_async_context(room.enter(each))
        await room.until_refused("ROOM_FULL", "speaker", invite)
        async with room.enter(await room.until_admitted("speaker", invite)):
            await room.until_inside("guest-0", "speaker")


async def test_a_kicked_participant_is_removed_and_removed_again(place: Place) -> None:
    site, _ = place
    room = await opened(site, "kicked")
    first, spare = await room.token("mallory"), await room.token("mallory")
    async with room.connect(first) as mallory, room.enter(await room.token("gus")) as gus:
        kicked = await site.verb("kick", "kicked", "mallory", "--for", "1h")
        assert (kicked.code, kicked.out) == (0, "")
        assert await mallory.left == "PARTICIPANT_REMOVED"
        assert (await room.ask("mallory")).body["code"] == "KICKED"
        for proof in (
            await room.invite(),
            await room.invite("--identity", "mallory"),
            OWNER,
            previous(first),
        ):
            reply = await room.ask("mallory", proof)
            assert (reply.status, reply.body["code"]) == (403, "KICKED")
        async with room.connect(spare) as again:
            assert await again.left == "PARTICIPANT_REMOVED"
            await room.until_inside("gus")
        assert gus.inside
    assert [text for text in await room.events(EventType.KICK) if "removed: kicked" in text]


async def test_a_kick_without_webhooks_holds_at_each_resync_until_it_ends(site: Site) -> None:
    async with site.run():
        room = await opened(site, "kicked")
        spare = await room.token("mallory")
        assert (await site.verb("kick", "kicked", "mallory")).code == 0
        assert (await site.record("kicked")).reader == 2
        async with room.enter(spare) as mallory:
            assert await mallory.left == "PARTICIPANT_REMOVED"


async def test_a_kick_ends_by_itself(site: Site) -> None:
    async with site.run():
        room = await opened(site, "kicked")
        assert (await site.verb("kick", "kicked", "mallory", "--for", "3s")).code == 0
        async with room.enter(await room.until_admitted("mallory")) as mallory:
            await site.until_record("kicked", lambda record: not record.kicked and record.reader == 1)
            await site.another_pass()
            assert mallory.inside


# -- to learn what opens the room -------------------------------------------------------------------------


async def _secrets(site: Site, *ids: str) -> list[str]:
    """What nobody may read: the ids of the rooms, and of the database."""
    async with open_store(replace(site.access, read_only=True)) as store:
        await store.refresh()
        return [*ids, store.identity.store]


async def _readable(room: Room) -> str:
    """What a participant, or who has LiveKit's API key, can read about the room."""
    live = (await room.site.listed())[room.name]
    return json.dumps([live.metadata, *(str(one) for one in await room.site.reader.participants(room.name))])


async def test_no_id_is_in_metadata_attributes_or_webhooks(place: Place) -> None:
    site, capture = place
    talk = await opened(site, "leaks", allow_webinar_mode=True, allow_chat=True)
    async with callers(site) as (anna, _, _):
        made = await anna.good("create", {"name": "Hall", "max_participants": 5})
        await site.until_found(made["id"])
        record = await site.record(f"api/{made['id']}")
        assert record.live is not None
        hall = Room(site, record.key, record.id, record.live.name)
        for room in (talk, hall):
            hidden = (await site.verb("invite", room.key, "--role", "hidden")).out.strip()
            async with (
                room.connect(await room.token("gus")) as gus,
                room.connect(await room.token("sue", await room.invite())),
                room.connect(await room.token("eye", hidden=True, egress_mode_token=hidden)),
            ):
                seen = await _readable(room)
                assert "room_hash" in gus.room.metadata
                assert not [one for one in await _secrets(site, talk.id, hall.id) if one in gus.room.metadata]
                assert not [one for one in await _secrets(site, talk.id, hall.id) if one in seen]
            for event in ("participant_joined", "participant_left"):
                await capture.until_said(event, room.name, "eye")
        await anna.good("remove", {"id": hall.id})
    await capture.until_said("room_finished", hall.name)
    leaks = {one for one in await _secrets(site, talk.id, hall.id) for body in capture.bodies if one in body}
    assert capture.said("room_started", talk.name)
    assert not leaks


async def test_no_id_is_in_the_webhooks_of_a_recording(tmp_path: Path, mongodb: Server) -> None:
    capture = WebhookCapture()
    tokens = str(write_tokens(tmp_path))
    async with (
        capture.listening(),
        recording_site(
            tmp_path, mongodb.uri, also_tell=capture.url, ROOMCTL_ACCESS_TOKENS_FILE=tokens
        ) as site,
        site.run(),
        callers(site) as (anna, _, _),
    ):
        fields = {"record": True, "record_mode": "ROOM_COMPOSITE_AND_CHAT"}
        made = await anna.good("create", {"name": "Hall", "max_participants": 5, **fields})
        key = f"api/{made['id']}"
        await site.until_condition(key, "Ready", "True")
        name = await site.room_name(key)
        async with site.person(key):
            egress = await site.recorded(key)
            assert made["id"] not in egress.file
            assert egress.file.startswith("/recordings/api/")
        await site.ended(key, "complete")
        await capture.until_said("egress_ended", name)
        assert capture.said("egress_started", name)
        page = json.dumps(site.stack.worker.note(egress.id))
        for one in await _secrets(site, made["id"]):
            assert not [body for body in [*capture.bodies, page] if one in body]
