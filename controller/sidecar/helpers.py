"""The two public helpers: findLKRoomNameById and createToken (contract 6 and 7). Answered from memory."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import hdrs, web

from controller.access.identity import display_name, identity_problem
from controller.access.policy import Role, permission_for
from controller.access.tokens import Minter
from controller.live.room import LiveRoom
from controller.records.record import RoomRecord
from controller.sidecar.answer import Answer, Code, Refusal, retry
from controller.sidecar.body import BODY_LIMIT, flag, invalid, optional_text, parse, read, text
from controller.sidecar.context import Context
from controller.sidecar.inside import Inside, Lookout
from controller.sidecar.limits import Buckets

IN_FLIGHT: Final = 256
LISTED_SECONDS: Final = 20
"""For how long LiveKit lists somebody whose connection broke."""

PREVIOUS_TOKEN: Final = "X-Previous-Token"  # noqa: S105 - the name of a header

_ROOM_NOT_FOUND: Final = (Code.ROOM_NOT_FOUND, "no active room has this id")
_STALE: Final = (
    Code.ROOM_NAME_STALE,
    "LKRoomName is not the room's current one; ask findLKRoomNameById again",
)
_PROOF_INVALID: Final = (
    Code.PROOF_INVALID,
    "the invite in Authorization is not valid for this room; ask for a new one",
    {"WWW-Authenticate": "Bearer"},
)
_HIDDEN: Final = (
    Code.HIDDEN_NOT_ALLOWED,
    "a hidden participant needs a valid egress_mode_token for this room",
)
_IN_USE: Final = (
    Code.IDENTITY_IN_USE,
    "this participant_id is in the room now; send its last token in X-Previous-Token, or choose another",
    {"Retry-After": str(LISTED_SECONDS)},
)
_FULL: Final = (Code.ROOM_FULL, "the room has as many participants as it may have")


@dataclass(frozen=True, slots=True)
class Wish:
    """The body of createToken, its fields checked."""

    room_id: str
    room_name: str
    identity: str
    shown_name: str | None
    hidden: bool

    @classmethod
    def of(cls, content: dict[str, Any]) -> "Wish":
        """Refusal (INVALID_FIELD) that names the first field that is wrong. Unknown fields are ignored."""
        room_id, room_name = text(content, "room_id"), text(content, "LKRoomName")
        identity, name = text(content, "participant_id"), optional_text(content, "participant_name")
        if problem := identity_problem(identity):
            raise invalid("participant_id", problem)
        optional_text(content, "egress_mode_token")
        hidden = flag(content, "hidden")
        return cls(room_id, room_name, identity, display_name(name) if name else None, hidden)


class Helpers:
    """Both helpers over what is known."""

    def __init__(self, context: Context) -> None:
        settings, metrics = context.settings, context.metrics
        self._settings, self._known, self._metrics = settings, context.known, metrics
        self._clock, self._wall = context.clock, context.wall
        self._minter = Minter(
            settings.livekit_api_key, settings.livekit_api_secret, settings.token_ttl_seconds
        )
        self._rates = Buckets(settings.room_tokens_per_second)
        self._in_flight = 0
        self._minted = {role: metrics.tokens.labels(role) for role in Role}
        self._find_seconds = metrics.helper_seconds.labels("findLKRoomNameById")
        self._token_seconds = metrics.helper_seconds.labels("createToken")
        self.lookout = Lookout(context.observer, context.clock)

    async def find(self, request: web.BaseRequest) -> Answer:
        """findLKRoomNameById: the current LiveKit room name, and what the join page needs to know."""
        self._check_known()
        body = await read(request, BODY_LIMIT)
        began = self._clock()
        record, room = self._live(text(parse(body), "id"))
        answer = Answer(json.dumps(_found(record, room.name)).encode())
        self._find_seconds.observe(self._clock() - began)
        return answer

    async def create_token(self, request: web.BaseRequest) -> Answer:
        """createToken: a participant token for one room, or the first reason against it."""
        self._check_known()
        body = await read(request, BODY_LIMIT)
        if self._in_flight >= IN_FLIGHT:
            raise retry(Code.UNAVAILABLE, "too many token requests at once; try again in a second", 1)
        began = self._clock()
        self._in_flight += 1
        try:
            return await self._granted(Wish.of(parse(body)), request.headers)
        finally:
            self._in_flight -= 1
            self._token_seconds.observe(self._clock() - began)

    async def _granted(self, wish: Wish, headers: Mapping[str, str]) -> Answer:
        record, room = self._live(wish.room_id)
        if wish.room_name != room.name:
            raise Refusal(*_STALE)
        role = self._role(wish, record, headers)
        self._rates.take(record.id, self._clock())
        await self._check_inside(wish, record, room, headers.get(PREVIOUS_TOKEN))
        return self._token(wish, record, role)

    def _check_known(self) -> None:
        if not self._known.started:
            raise retry(Code.STARTING, "the controller is starting; try again in a second", 1)
        if not self._known.ready(self._clock()):
            raise retry(Code.UNAVAILABLE, "what is known of the rooms is too old to be relied on", 5)

    def _live(self, room_id: str) -> tuple[RoomRecord, LiveRoom]:
        record = self._known.room(room_id)
        if record is None:
            raise Refusal(*_ROOM_NOT_FOUND)
        room = self._known.live_room(record)
        if room is None:
            raise retry(Code.ROOM_NOT_READY, "the room is being made ready; try again in a second", 1)
        return record, room

    def _role(self, wish: Wish, record: RoomRecord, headers: Mapping[str, str]) -> Role:
        """The role that was proven; nothing is a guest's, and no field of the request can raise it."""
        if hdrs.AUTHORIZATION in headers and _is_bearer(headers[hdrs.AUTHORIZATION]):
            raise Refusal(*_PROOF_INVALID)
        if not wish.hidden:
            return Role.GUEST
        if record.spec.allow_webinar_mode or self._settings.hidden_requires_token:
            raise Refusal(*_HIDDEN)
        return Role.HIDDEN

    async def _check_inside(
        self, wish: Wish, record: RoomRecord, room: LiveRoom, previous: str | None
    ) -> None:
        inside = await self.lookout.inside(room.name)
        if inside is None:
            self._metrics.participant_checks_skipped.inc()
        elif wish.identity in inside.identities:
            if not self._may_take_over(wish, room, previous):
                raise Refusal(*_IN_USE)
        elif _is_full(inside, record, room):
            raise Refusal(*_FULL)

    def _may_take_over(self, wish: Wish, room: LiveRoom, previous: str | None) -> bool:
        if self._settings.identity_takeover == "allow":
            return True
        now = int(self._wall())
        return previous is not None and self._minter.proves(previous, room.name, wish.identity, now)

    def _token(self, wish: Wish, record: RoomRecord, role: Role) -> Answer:
        may = permission_for(role, record.spec)
        token = self._minter.mint(
            wish.room_name, wish.identity, wish.shown_name, role=role, may=may, now=int(self._wall())
        )
        self._minted[role].inc()
        name = json.dumps(wish.room_name)
        return Answer(f'{{"participant_token": "{token}", "LKRoomName": {name}, "success": true}}'.encode())


def _is_bearer(authorization: str) -> bool:
    return authorization.strip().partition(" ")[0].lower() == "bearer"


def _is_full(inside: Inside, record: RoomRecord, room: LiveRoom) -> bool:
    """By the smaller of what the policy says now and what LiveKit was told when it made the room."""
    limit = record.spec.max_participants
    return inside.people >= (min(limit, room.max_participants) if room.max_participants else limit)


def _found(record: RoomRecord, name: str) -> dict[str, Any]:
    spec = record.spec
    return {
        "id": record.id,
        "LKRoomName": name,
        "allow_webinar_mode": spec.allow_webinar_mode,
        "allow_chat": spec.allow_chat,
        "allow_share_screen": spec.allow_share_screen,
        "record": spec.record,
        "record_mode": spec.record_mode,
        "success": True,
    }
