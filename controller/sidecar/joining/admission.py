"""The checks before a token is issued, in their order, and the role of its holder (docs/access.md).

Every call that issues a token uses them, so that all have the same rights.
"""

from typing import Final, NamedTuple

from multidict import CIMultiDictProxy

from controller.access.policy import Role, permission_for
from controller.access.tokens import Minter
from controller.live.room import LiveRoom
from controller.records.record import RoomRecord
from controller.sidecar.access_tokens import AccessTokens
from controller.sidecar.context import Context
from controller.sidecar.http.limits import RateLimiter
from controller.sidecar.http.response import ApiError, Code
from controller.sidecar.joining.credentials import CredentialVerifier, VerifiedClaims
from controller.sidecar.joining.participant_cache import ParticipantCache, RoomOccupants

_IDENTITY_BYTES: Final = 12


class JoinRequest(NamedTuple):
    """A request for a token, its fields checked. Without an `identity` one is generated."""

    room_id: str
    identity: str | None = None
    shown_name: str | None = None
    hidden: bool = False
    egress_token: str | None = None
    room_name: str | None = None
    """The LiveKit name in the request, if the call requires it."""


class Admission:
    """Issues tokens, or raises the ApiError that says why not."""

    def __init__(self, context: Context, access_tokens: AccessTokens) -> None:
        settings, metrics = context.settings, context.metrics
        self._settings, self._state = settings, context.state
        self._clock, self._wall, self._entropy = context.clock, context.wall, context.entropy
        key, *previous = settings.livekit_keys
        self._minter = Minter(key, settings.token_ttl_seconds, tuple(previous))
        self._credentials = CredentialVerifier(settings, access_tokens, self._minter)
        self._rates = RateLimiter(settings.room_tokens_per_second)
        self._minted = {role: metrics.tokens.labels(role) for role in Role}
        self._skipped = metrics.participant_checks_skipped
        self.participants = ParticipantCache(context.reader, context.clock)

    def live(self, room_id: str) -> tuple[RoomRecord, LiveRoom]:
        """The room of this id and its live room; unknown, inactive and malformed ids are refused alike."""
        record = self._state.room(room_id)
        if record is None and room_id in self._state.records.unusable:
            raise ApiError(Code.UNAVAILABLE, "The room's record cannot be used", retry_after=60)
        if record is None:
            what = "No active room has this ID; check the ID, or the room's status"
            raise ApiError(Code.ROOM_NOT_FOUND, what)
        room = self._state.live_room(record)
        if room is None:
            raise ApiError(Code.ROOM_NOT_READY)
        return record, room

    async def admit(self, join_request: JoinRequest, headers: CIMultiDictProxy[str]) -> str:
        """The token for `join_request`, or the first reason against it."""
        record, room = self.live(join_request.room_id)
        if join_request.room_name is not None and join_request.room_name != room.name:
            raise ApiError(Code.ROOM_NAME_STALE)
        now = int(self._wall())
        claims = self._credentials.verify(headers, record, join_request.identity, now)
        role = self._role(join_request, record, room, claims, now)
        self._rates.take(record.id, self._clock())
        identity = join_request.identity or claims.identity or self._entropy(_IDENTITY_BYTES).hex()
        await self._check_occupants(identity, record, room, claims, headers)
        return self._issue_token(identity, join_request.shown_name, record, room, role)

    def _role(
        self, join_request: JoinRequest, record: RoomRecord, room: LiveRoom, claims: VerifiedClaims, now: int
    ) -> Role:
        """The proven role; without a proof it is guest. No invite or access token makes anybody hidden."""
        if not join_request.hidden:
            return Role.SPEAKER if claims.speaker else Role.GUEST
        if record.spec.allow_webinar_mode or self._settings.hidden_requires_token:
            token = join_request.egress_token
            if token is None or not self._credentials.admits_hidden(token, record.id, room.name, now):
                raise ApiError(Code.HIDDEN_NOT_ALLOWED)
        return Role.HIDDEN

    async def _check_occupants(
        self,
        identity: str,
        record: RoomRecord,
        room: LiveRoom,
        claims: VerifiedClaims,
        headers: CIMultiDictProxy[str],
    ) -> None:
        occupants = await self.participants.occupants(room.name)
        if occupants is None:
            self._skipped.inc()
        elif identity in occupants.identities:
            if not self._may_take_over(identity, room, claims, headers):
                raise ApiError(Code.IDENTITY_IN_USE)
        elif _is_full(occupants, record, room):
            raise ApiError(Code.ROOM_FULL)

    def _may_take_over(
        self, identity: str, room: LiveRoom, claims: VerifiedClaims, headers: CIMultiDictProxy[str]
    ) -> bool:
        return (
            self._settings.identity_takeover == "allow"
            or claims.anybody
            or claims.identity == identity
            or self._credentials.proves_identity(identity, headers, room.name, int(self._wall()))
        )

    def _issue_token(
        self, identity: str, shown_name: str | None, record: RoomRecord, room: LiveRoom, role: Role
    ) -> str:
        may = permission_for(role, record.spec)
        now = int(self._wall())  # again: LiveKit may have been asked in between
        token = self._minter.mint(room.name, identity, shown_name, role=role, may=may, now=now)
        self._minted[role].inc()
        return token


def _is_full(occupants: RoomOccupants, record: RoomRecord, room: LiveRoom) -> bool:
    """By the smaller of the limit in the spec and the limit of the LiveKit room."""
    limit = record.spec.max_participants
    return occupants.people >= (min(limit, room.max_participants) if room.max_participants else limit)
