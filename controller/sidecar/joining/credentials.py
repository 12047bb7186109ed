"""What the credentials of a request prove (docs/access.md): invite, access token, previous token.

In a body only egress_mode_token is a credential, for a hidden participant.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aiohttp import hdrs
from multidict import CIMultiDictProxy

from controller.access.invites import Invite, admits_hidden, read_invite
from controller.access.policy import Role
from controller.access.tokens import Minter, token_digest
from controller.records.record import RoomRecord
from controller.room import Purpose, derive_key
from controller.settings import Settings
from controller.sidecar.access_tokens import AccessTokens
from controller.sidecar.http.response import ApiError, Code

PREVIOUS_TOKEN: Final = "X-Previous-Token"  # noqa: S105 - the name of a header


@dataclass(frozen=True, slots=True)
class VerifiedClaims:
    """What was proven: `role`; `anybody`: may use any identity; `identity`: may use this one.

    `proof` identifies the invite or access token, and is "" without either.
    """

    role: Role = Role.GUEST
    anybody: bool = False
    identity: str | None = None
    proof: str = ""

    def proves(self, identity: str) -> bool:
        """Whether the caller may use the identity, even if it is connected."""
        return self.anybody or self.identity == identity


_NOTHING: Final = VerifiedClaims()


class CredentialVerifier:
    """Verifies credentials. Times are in whole seconds since the epoch."""

    def __init__(self, settings: Settings, access_tokens: AccessTokens, minter: Minter) -> None:
        self._access_tokens, self._minter = access_tokens, minter
        self._invite_keys = [derive_key(secret, Purpose.INVITE) for secret in settings.secrets]
        self._egress_keys = [derive_key(secret, Purpose.EGRESS) for secret in settings.secrets]

    def verify(
        self, headers: CIMultiDictProxy[str], record: RoomRecord, identity: str | None, now: int
    ) -> VerifiedClaims:
        """What the headers prove for `record` and the claimed `identity`.

        ApiError (PROOF_INVALID) if an invite is not valid for both: its holder never becomes a guest without
        notice. The text is always the same, so that an invite reveals nothing about other rooms.
        """
        invited = (
            self._verify_invite(headers, record, identity, now) if hdrs.AUTHORIZATION in headers else _NOTHING
        )
        caller = self._access_tokens.authenticate(headers)
        if caller is not None and caller.owns(record):
            return VerifiedClaims(Role.SPEAKER, anybody=True, proof=f"user {caller.user_id}")
        return invited

    def admits_hidden(self, token: str, room_id: str, room_name: str, now: int) -> bool:
        """Whether an egress_mode_token is valid for the room under its LiveKit name."""
        return any(admits_hidden(token, room_id, room_name, key, now) for key in self._egress_keys)

    def previous_token_id(
        self, identity: str, headers: Mapping[str, str], room_name: str, now: int
    ) -> str | None:
        """The `jti` of the previous token, if it is for `identity` in this room; otherwise it is ignored."""
        previous = headers.get(PREVIOUS_TOKEN)
        return None if previous is None else self._minter.token_id(previous, room_name, identity, now)

    def _verify_invite(
        self, headers: CIMultiDictProxy[str], record: RoomRecord, identity: str | None, now: int
    ) -> VerifiedClaims:
        bearers = [
            token
            for scheme, token in map(_split, headers.getall(hdrs.AUTHORIZATION))
            if scheme.lower() == "bearer"
        ]
        if not bearers:
            return _NOTHING
        invite = self._read_invite(bearers[0], now) if len(bearers) == 1 else None
        if invite is None or not _fits(invite, record, identity):
            raise ApiError(Code.PROOF_INVALID, headers={"WWW-Authenticate": "Bearer"})
        return VerifiedClaims(invite.role, identity=invite.identity, proof=token_digest(bearers[0]))

    def _read_invite(self, token: str, now: int) -> Invite | None:
        read = (read_invite(token, key, now) for key in self._invite_keys)
        return next((invite for invite in read if invite is not None), None)


def _split(authorization: str) -> tuple[str, str]:
    """Scheme and token, with any space between them."""
    scheme, *rest = authorization.split(None, 1) or [""]
    return scheme, rest[0].strip() if rest else ""


def _fits(invite: Invite, record: RoomRecord, identity: str | None) -> bool:
    return (
        invite.room_id == record.id
        and invite.epoch == record.invite_epoch
        and (invite.identity is None or identity is None or invite.identity == identity)
    )
