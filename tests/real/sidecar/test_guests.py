"""Tokens of the sidecar at a real livekit-server: who gets in, with which rights, and who does not."""

import asyncio
import json
import re
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

import pytest

from controller.access.people import is_person
from controller.access.policy import Role, permission_correction, permission_for
from controller.clock import Clock as MachineClock
from controller.events.log import EventLog
from controller.live.client import ApiReader, ApiWriter, LiveKitConnection
from controller.live.room import Participant
from controller.live.webhook import WebhookEvent
from controller.metrics import Metrics
from controller.records.record import LiveName
from controller.room import RoomSpec
from controller.settings_parsers import Address
from controller.sidecar import Context, ReconcilerHandle, Sidecar
from controller.state_cache import StateCache
from tests.support.livekit import LiveKitServer
from tests.support.participants import JoinRefusedError, canary
from tests.support.ports import free_ports
from tests.support.wait import PATIENCE, until
from tests.unit.sidecar.harness import (
    FIND,
    ROOM_ID,
    SETTINGS,
    TOKEN,
    Clock,
    RecordCache,
    Reply,
    ask,
    record,
    spec,
)

TIMEOUT = PATIENCE


@dataclass
class Venue:
    """A livekit-server that tells a sidecar, with rooms as a policy says."""

    server: LiveKitServer
    sidecar: Sidecar
    state: StateCache
    memory: RecordCache
    reader: ApiReader
    writer: ApiWriter
    hints: "asyncio.Queue[WebhookEvent]"
    metrics: Metrics
    clock: Clock

    async def open(self, policy: RoomSpec) -> str:
        """A live room of this policy under ROOM_ID; its LiveKit name."""
        name = str(uuid.uuid4())
        self.memory.by_id[ROOM_ID] = record(spec=policy, live=LiveName(name))
        self.state.live[name] = await self.writer.create_room(name, "", policy.max_participants)
        return name

    async def token(self, identity: str, headers: dict[str, str] | None = None, **fields: Any) -> Reply:
        """Both helpers, as a page calls them."""
        answer = await self.post(FIND, {"id": ROOM_ID})
        body = {"room_id": ROOM_ID, "LKRoomName": answer.json["LKRoomName"], "participant_id": identity}
        return await self.post(TOKEN, body | fields, headers)

    async def post(self, path: str, content: Any, headers: dict[str, str] | None = None) -> Reply:
        return await ask(self.sidecar.public, "POST", path, json.dumps(content).encode(), headers)

    async def until_refused(self, identity: str, code: str) -> None:
        """Return when the server said in time who is inside, and the token is refused for that."""

        async def refused() -> bool:
            self.clock.now += 1
            reply = await self.token(identity)
            return reply.status == HTTPStatus.CONFLICT and reply.code == code

        await until(refused)

    def skipped(self) -> float:
        """How often it did not say so in time."""
        answer = re.search(rb"\nroomctl_participant_checks_skipped_total (\S+)", self.metrics.text())
        assert answer is not None
        return float(answer[1])

    @asynccontextmanager
    async def joined(self, identity: str, **fields: Any) -> AsyncIterator[Participant]:
        """The participant as the server lists them, once they are inside."""
        token = (await self.token(identity, **fields)).json["participant_token"]
        async with canary(self.server.ws_url, token):
            name = self.memory.by_id[ROOM_ID].live
            assert name is not None
            inside = {p.identity: p for p in await self.reader.participants(name.name)}
            yield inside[identity]


@pytest.fixture(name="venue", scope="module")
async def _venue(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Venue]:
    (port,) = free_ports(1)
    webhook = f"http://127.0.0.1:{port}/livekit/webhook"
    async with LiveKitServer(tmp_path_factory.mktemp("livekit"), webhook_url=webhook) as server:
        settings = replace(
            SETTINGS,
            livekit_api_key=server.key,
            livekit_api_secret=server.secret,
            private_listen=Address("127.0.0.1", port),
        )
        async with LiveKitConnection(server.access) as connection:
            memory, metrics, hints = RecordCache(), Metrics(), asyncio.Queue[WebhookEvent]()
            state, reader = StateCache(memory), ApiReader(connection)
            clock = Clock()
            reconciler = ReconcilerHandle(on_webhook=hints.put_nowait)
            events = EventLog(metrics, MachineClock())
            sidecar = Sidecar(Context(settings, state, reader, metrics, events, reconciler, clock=clock))
            state.livekit.record_success(clock())
            state.mongodb.record_success(clock())
            async with sidecar.listening():
                yield Venue(
                    server, sidecar, state, memory, reader, ApiWriter(connection), hints, metrics, clock
                )


@pytest.mark.parametrize("webinar", [False, True])
@pytest.mark.parametrize(
    "media", ["MEDIA_TYPE_VIDEO_AUDIO", "MEDIA_TYPE_VIDEO_ONLY", "MEDIA_TYPE_AUDIO_ONLY"]
)
async def test_the_server_shows_exactly_the_permission_of_the_policy(
    venue: Venue, media: str, webinar: bool
) -> None:
    policy = spec(mediaType=media, allow_webinar_mode=webinar, allow_chat=True, allow_share_screen=True)
    await venue.open(policy)
    async with venue.joined("jane", participant_name="Jane") as jane:
        assert jane.permission == permission_for(Role.GUEST, policy)
        assert jane.attributes.keys() == {"role", "jti_sha256"}
        assert jane.attributes["role"] == Role.GUEST
        assert permission_correction(jane, policy) is None


async def test_a_hidden_one_is_hidden(venue: Venue) -> None:
    policy = spec()
    await venue.open(policy)
    async with venue.joined("eye", hidden=True) as eye:
        assert eye.permission == permission_for(Role.HIDDEN, policy)
        assert is_person(eye)


async def test_who_is_inside_keeps_their_place_unless_the_caller_proves_to_be_them(venue: Venue) -> None:
    await venue.open(spec())
    first = (await venue.token("jane")).json["participant_token"]
    async with canary(venue.server.ws_url, first) as jane:
        await venue.until_refused("jane", "IDENTITY_IN_USE")
        again = await venue.token("jane", {"X-Previous-Token": first})
        async with canary(venue.server.ws_url, again.json["participant_token"]) as second:
            assert await asyncio.wait_for(jane.left, TIMEOUT) == "DUPLICATE_IDENTITY"
            assert second.inside


async def test_a_full_room_says_so_before_the_server_would(venue: Venue) -> None:
    await venue.open(spec(max_participants=2))
    spare = (await venue.token("late")).json["participant_token"]
    async with venue.joined("jane"), venue.joined("eye", hidden=True):
        await venue.until_refused("joe", "ROOM_FULL")
        with pytest.raises(JoinRefusedError):
            async with canary(venue.server.ws_url, spare):
                pass


async def test_a_token_opens_only_its_own_room(venue: Venue) -> None:
    await venue.open(spec())
    token = (await venue.token("jane")).json["participant_token"]
    name = venue.memory.by_id[ROOM_ID].live
    assert name is not None
    await venue.writer.delete_room(name.name)
    with pytest.raises(JoinRefusedError) as refused:
        async with canary(venue.server.ws_url, token):
            pass
    assert refused.value.status == 404


async def test_the_servers_webhooks_arrive_as_hints(venue: Venue) -> None:
    name = await venue.open(spec())
    await venue.writer.delete_room(name)
    async with asyncio.timeout(TIMEOUT):
        events = set[str]()
        while not {"room_started", "room_finished"} <= events:
            hint = await venue.hints.get()
            events |= {hint.event} if hint.room == name else set()


async def test_while_the_server_hangs_guests_still_get_tokens(venue: Venue) -> None:
    await venue.open(spec())
    before = venue.skipped()
    venue.server.pause()
    try:
        assert (await asyncio.wait_for(venue.token("jane"), TIMEOUT)).status == 200
    finally:
        venue.server.resume()
    assert venue.skipped() == before + 1
