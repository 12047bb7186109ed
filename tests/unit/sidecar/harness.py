"""A sidecar on free ports, over rooms and people in memory and clocks that stand still."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import jwt

from controller.access.tokens import token_digest
from controller.clock import Clock as MachineClock
from controller.errors import LiveKitUnavailableError
from controller.events.log import EventLog
from controller.live.room import LiveRoom, Participant
from controller.live.webhook import WebhookEvent
from controller.metrics import Metrics
from controller.records.record import Hold, LiveName, Origin, RoomRecord, UnusableRecord
from controller.room import RoomSpec
from controller.settings import Settings
from controller.settings_parsers import Address
from controller.sidecar import Context, ReconcilerHandle, Sidecar
from controller.sidecar.calls import CALLS
from controller.sidecar.http.models import field_names
from controller.sidecar.http.protocol import MAX_CONNECTIONS
from controller.sidecar.openapi import document
from controller.state_cache import StateCache

FIND = "/api/conferences-public/findLKRoomNameById"
TOKEN = "/api/conferences-public/createToken"
KEY, SECRET = "APIkey", "a-secret-of-at-least-32-characters"
ROOM_ID = "69f013c1aa11bb22cc33dd44"
ROOM_NAME = "34d4f497-f95b-4543-8d15-fde0b77d8abc"
NOW = 1_795_000_000
JTI = "0123456789abcdef0123456789abcdef"
FIELD = "|".join({name for call in CALLS if call.body for name in field_names(call.body)})
SENTENCE = re.compile(rf"([A-Z]|({FIELD})\b)([^.\n]|\.(?! [A-Z]))*[.?]")
"""One sentence, which may begin with the name of a field; one that asks `did you mean` ends so."""
RETRIED = {"STARTING", "ROOM_NOT_READY", "UNAVAILABLE", "TOO_MANY_REQUESTS", "IDENTITY_IN_USE", "ROOM_CLOSED"}
"""The codes that say in Retry-After when to come back."""
SETTINGS = Settings(
    livekit_api_key=KEY,
    livekit_api_secret=SECRET,
    public_listen=Address("127.0.0.1", 0),
    private_listen=Address("127.0.0.1", 0),
)


def public_document() -> dict[str, Any]:
    return document("public", CALLS)


def private_document() -> dict[str, Any]:
    return document("private", CALLS)


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class RecordCache:
    by_id: dict[str, RoomRecord] = field(default_factory=dict)
    by_key: dict[str, RoomRecord] = field(default_factory=dict)
    by_live: dict[str, RoomRecord] = field(default_factory=dict)
    unusable: dict[str, UnusableRecord] = field(default_factory=dict)
    hold_all: Hold | None = None


@dataclass
class People:
    """An observer whose rooms hold whom they are told to; `held` keeps it from answering.

    `asked` is set when it is asked who is inside.
    """

    inside: dict[str, list[Participant]] = field(default_factory=dict)
    error: Exception | None = None
    held: asyncio.Event | None = None
    looks: int = 0
    clock_ahead_s: float | None = None
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def rooms(self) -> list[LiveRoom]:
        return []

    async def is_listed(self, name: str) -> bool:
        del name
        return False

    async def participants(self, name: str, within: float | None = None) -> list[Participant]:
        self.looks += 1
        self.asked.set()
        try:
            async with asyncio.timeout(within):
                if self.held is not None:
                    await self.held.wait()
        except TimeoutError:
            raise LiveKitUnavailableError("LiveKit did not answer in time") from None
        if self.error is not None:
            raise self.error
        return self.inside.get(name, [])


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of a failure, which has exactly the three fields of our form and one full sentence.

        A closed room has a fourth: when it opens.
        """
        content = self.json
        more = ["opens"] if content["code"] == "ROOM_CLOSED" else []
        assert list(content) == ["success", "code", "error", *more]
        assert content["success"] is False
        assert SENTENCE.fullmatch(content["error"]), content["error"]
        assert self.headers["content-type"] == "application/json"
        assert ("retry-after" in self.headers) == (content["code"] in RETRIED)
        return str(content["code"])


def person(identity: str, jti: str = JTI, **attributes: str) -> Participant:
    """A participant who joined with a token of ours that has this `jti`."""
    return Participant(identity, attributes={"role": "guest", "jti_sha256": token_digest(jti), **attributes})


def token_claims(reply: Reply) -> Any:
    """The claims of the token in an answer, its signature checked."""
    token = reply.json["participant_token"]
    return jwt.decode(token, SECRET, algorithms=["HS256"], options={"verify_exp": False, "verify_nbf": False})


def spec(**fields: Any) -> RoomSpec:
    return RoomSpec(**{"name": "Main stage", "max_participants": 3, **fields})


def record(**fields: Any) -> RoomRecord:
    at = datetime(2026, 3, 24, 16, tzinfo=UTC)
    start = RoomRecord(
        ROOM_ID, "main", Origin.MANIFEST, "main.yaml", spec(), at, at, live=LiveName(ROOM_NAME, "RM_1")
    )
    return replace(start, **fields)


class Harness:
    """Everything a sidecar is handed, with one live room in it."""

    def __init__(self, settings: Settings = SETTINGS, max_connections: int = MAX_CONNECTIONS) -> None:
        self.clock, self.wall = Clock(), Clock(NOW)
        self.people, self.metrics, self.hints = People(), Metrics(), list[WebhookEvent]()
        time = MachineClock(wall=lambda: datetime.fromtimestamp(self.wall(), UTC))
        self.events = EventLog(self.metrics, time)
        self.memory = RecordCache()
        self.state = StateCache(self.memory)
        self.state.mongodb.record_success(self.clock())
        self.state.livekit.record_success(self.clock())
        self.put(record())
        self.checked: list[str] = []
        self.wanted: list[str] = []
        self.reconciler = ReconcilerHandle(
            on_webhook=self.hints.append, check_people=self.checked.append, want=self.wanted.append
        )
        context = Context(
            settings,
            self.state,
            self.people,
            self.metrics,
            self.events,
            self.reconciler,
            clock=self.clock,
            wall=self.wall,
        )
        self.sidecar = Sidecar(context, max_connections)

    def put(self, room: RoomRecord, **live: Any) -> None:
        """The record, and its live room if it has a name."""
        self.memory.by_id[room.id] = self.memory.by_key[room.key] = room
        if room.live is not None:
            fields = {"max_participants": room.spec.max_participants, **live}
            self.state.live[room.live.name] = LiveRoom(room.live.name, "RM_1", **fields)

    async def post(self, path: str, content: Any, headers: Mapping[str, str] | None = None) -> Reply:
        """A JSON body to the public listener."""
        return await ask(self.sidecar.public, "POST", path, json.dumps(content).encode(), headers)

    async def token(self, headers: Mapping[str, str] | None = None, **fields: Any) -> Reply:
        """createToken with a good body but for `fields` (None leaves one out)."""
        body = {"room_id": ROOM_ID, "LKRoomName": ROOM_NAME, "participant_id": "jane", **fields}
        return await self.post(TOKEN, body, headers)


@asynccontextmanager
async def serving(
    settings: Settings = SETTINGS, max_connections: int = MAX_CONNECTIONS
) -> AsyncIterator[Harness]:
    harness = Harness(settings, max_connections)
    async with harness.sidecar.listening():
        yield harness


async def ask(
    address: Address,
    method: str,
    target: str,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """One request, its target sent as it is written, over a connection of its own."""
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", "Connection: close"]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return await raw(address, "\r\n".join([*lines, "", ""]).encode("latin-1") + body)


async def raw(address: Address, data: bytes) -> Reply:
    """Exactly these bytes, and all that comes back until the other side closes."""
    reader, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(data)
    try:
        answer = await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()
    return reply(answer)


def reply(answer: bytes) -> Reply:
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *rest = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in rest)
    result = Reply(int(first.split()[1]), {name.lower(): value for name, value in headers.items()}, body)
    if b'"code": ' in body[:40]:
        assert result.code  # its form is checked
    return result
