"""The checks before a token is issued, in their order, and the role of its holder (docs/access.md).

Every call that issues a token uses them, so that all have the same rights.
"""

from datetime import UTC, datetime
from typing import Final, NamedTuple

from multidict import CIMultiDictProxy

from controller.access.occupancy import unreserved_seats
from controller.access.policy import Role, permission_for
from controller.access.tokens import Badge, Minter, token_digest
from controller.live.room import LiveRoom
from controller.records.record import RoomRecord
from controller.room import Join
from controller.sidecar.access_tokens import AccessTokens
from controller.sidecar.closed import closed_error
from controller.sidecar.context import Context
from controller.sidecar.http.limits import RateLimiter
from controller.sidecar.http.response import ApiError, Code
from controller.sidecar.joining.credentials import CredentialVerifier, VerifiedClaims
from controller.sidecar.joining.participant_cache import ParticipantCache, RoomOccupants
from controller.sidecar.waking import Waker

_IDENTITY_BYTES: Final = 12
_TOKEN_ID_BYTES: Final = 16
_SHARE: Final = 1 / 4
"""Of a room's allowance, what one address or one proof may use."""

_BOUND: Final = "The identity is kept for the holder of an invite; use another one, or send that invite"


class Caller(NamedTuple):
    """The sender of a request: its headers, which may have a proof, and the address for rate limits."""

    headers: CIMultiDictProxy[str]
    address: str


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
    """Issues tokens, or raises the ApiError with the reason."""

    def __init__(self, context: Context, access_tokens: AccessTokens) -> None:
        settings, metrics = context.settings, context.metrics
        self._settings, self._state = settings, context.state
        self._reconciler = context.reconciler
        self._clock, self._wall, self._entropy = context.clock, context.wall, context.entropy
        key, *previous = settings.livekit_keys
        self._minter = Minter(key, settings.token_ttl_seconds, tuple(previous))
        self._credentials = CredentialVerifier(settings, access_tokens, self._minter)
        self._rates = RateLimiter(settings.room_tokens_per_second)
        self._shares = RateLimiter(settings.room_tokens_per_second * _SHARE)
        self._minted = {role: metrics.tokens.labels(role) for role in Role}
        self._skipped = metrics.participant_checks_skipped
        self._waker = Waker(context)
        self.participants = ParticipantCache(context.reader, context.clock)

    async def wake(self, room_id: str) -> None:
        """Have the room made if it is open and live on demand, and wait for it."""
        await self._waker.wake(room_id)

    def live(self, room_id: str) -> tuple[RoomRecord, LiveRoom]:
        """The room of this id and its live room, for newcomers. ApiError also if the room is closed."""
        record = self._known(room_id)
        if closed := self._closed(record):
            raise closed
        return record, self._live_room(record)

    def _closed(self, record: RoomRecord) -> ApiError | None:
        return closed_error(self._state, record, datetime.fromtimestamp(self._wall(), UTC))

    def _known(self, room_id: str) -> RoomRecord:
        """The room of this id; unknown, inactive and malformed ids have the same error."""
        record = self._state.room(room_id)
        if record is None and room_id in self._state.records.unusable:
            raise ApiError(Code.UNAVAILABLE, "The room's record cannot be used", retry_after=60)
        if record is None:
            what = "No active room has this ID; check the ID, or the room's status"
            raise ApiError(Code.ROOM_NOT_FOUND, what)
        return record

    def _live_room(self, record: RoomRecord) -> LiveRoom:
        room = self._state.live_room(record)
        if room is None:
            raise self._closed(record) or ApiError(Code.ROOM_NOT_READY)
        return room

    async def admit(self, join_request: JoinRequest, caller: Caller) -> str:
        """The token for `join_request`. ApiError of the first check that fails."""
        record = self._known(join_request.room_id)
        room = self._live_room(record)
        if join_request.room_name is not None and join_request.room_name != room.name:
            raise ApiError(Code.ROOM_NAME_STALE)
        now = int(self._wall())
        claims = self._credentials.verify(caller.headers, record, join_request.identity, now)
        role = self._role(join_request, record, room, claims, now)
        identity = join_request.identity or claims.identity or self._entropy(_IDENTITY_BYTES).hex()
        _check_identity(identity, record, claims, now)
        self._take_allowance(record.id, claims, caller.address)
        admitted = _Admitted(identity, record, room, claims, self._closed(record))
        token_id = await self._check_occupants(admitted, caller.headers)
        badge = Badge(role, token_id or self._entropy(_TOKEN_ID_BYTES).hex(), reserved=bool(claims.proof))
        return self._issue_token(admitted, join_request.shown_name, badge)

    def _role(
        self, join_request: JoinRequest, record: RoomRecord, room: LiveRoom, claims: VerifiedClaims, now: int
    ) -> Role:
        """The proven role. No invite or access token makes anybody hidden.

        ApiError (INVITE_REQUIRED, HIDDEN_NOT_ALLOWED) without the proof that the room asks for.
        """
        token = join_request.egress_token if join_request.hidden else None
        proven = token is not None and self._credentials.admits_hidden(token, record.id, room.name, now)
        if record.spec.join is Join.INVITE and not (claims.proof or proven):
            raise ApiError(Code.INVITE_REQUIRED, headers={"WWW-Authenticate": "Bearer"})
        if not join_request.hidden:
            return claims.role
        if not proven and (record.spec.allow_webinar_mode or self._settings.hidden_requires_token):
            raise ApiError(Code.HIDDEN_NOT_ALLOWED)
        return Role.HIDDEN

    def _take_allowance(self, room_id: str, claims: VerifiedClaims, address: str) -> None:
        """One address may use a quarter of the room's rate; each proof has its own rate.

        ApiError (TOO_MANY_REQUESTS) if it is used up.
        """
        now = self._clock()
        self._shares.take(f"{room_id} {claims.proof or address}", now)
        if not claims.proof:
            self._rates.take(room_id, now)

    async def _check_occupants(self, admitted: "_Admitted", headers: CIMultiDictProxy[str]) -> str | None:
        """The `jti` of the participant inside, if the caller proves to be that participant.

        ApiError (IDENTITY_IN_USE, ROOM_FULL; ROOM_CLOSED, unless the caller proves to be inside).
        """
        identity, room = admitted.identity, admitted.room
        occupants = await self.participants.occupants(room.name)
        inside = occupants.digests.get(identity) if occupants is not None else None
        if inside is None and admitted.closed is not None:
            raise admitted.closed
        if occupants is None:
            self._skipped.inc()
            return None
        if inside is None:
            self._check_seats(occupants, admitted)
            return None
        token_id = self._credentials.previous_token_id(identity, headers, room.name, int(self._wall()))
        if token_id is not None and token_digest(token_id) == inside:
            return token_id
        if admitted.claims.proves(identity):
            return None
        if admitted.closed is None and self._settings.identity_takeover == "allow":
            return None
        raise admitted.closed or ApiError(Code.IDENTITY_IN_USE)

    def _check_seats(self, occupants: RoomOccupants, admitted: "_Admitted") -> None:
        """ApiError (ROOM_FULL). Has those removed who sit on a seat that is reserved for the caller."""
        spec = admitted.record.spec
        seats = unreserved_seats(spec, admitted.room.max_participants)
        if not _is_full(occupants, admitted, seats):
            return
        if admitted.claims.proof and spec.reserved_seats and occupants.unreserved > seats:
            self._reconciler.check_people(admitted.room.name)
        raise ApiError(Code.ROOM_FULL)

    def _issue_token(self, admitted: "_Admitted", shown_name: str | None, badge: Badge) -> str:
        may = permission_for(badge.role, admitted.record.spec)
        now = int(self._wall())  # again: LiveKit may have been read in between
        name, identity = admitted.room.name, admitted.identity
        token = self._minter.mint(name, identity, shown_name, badge=badge, may=may, now=now)
        self._minted[badge.role].inc()
        return token


class _Admitted(NamedTuple):
    """A request that has passed the checks without LiveKit; `closed` refuses all who are not inside."""

    identity: str
    record: RoomRecord
    room: LiveRoom
    claims: VerifiedClaims
    closed: ApiError | None = None


def _check_identity(identity: str, record: RoomRecord, claims: VerifiedClaims, now: int) -> None:
    """ApiError: KICKED; IDENTITY_IN_USE if another person's invite has the identity."""
    if not (record.kicked or record.bound):
        return
    moment = datetime.fromtimestamp(now, UTC)
    if identity in record.kicked_at(moment):
        raise ApiError(Code.KICKED)
    if identity in record.bound_at(moment) and not claims.proves(identity):
        raise ApiError(Code.IDENTITY_IN_USE, _BOUND)


def _is_full(occupants: RoomOccupants, admitted: _Admitted, unreserved: int) -> bool:
    """Whether it is full: the reserved seats are only for those with a proof, `unreserved` are for all."""
    if occupants.people >= unreserved + admitted.record.spec.reserved_seats:
        return True
    return not admitted.claims.proof and occupants.unreserved >= unreserved
