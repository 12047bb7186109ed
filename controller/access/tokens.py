"""LiveKit access tokens: mints them, and reads them as proofs of identity. Pure.

A token is minted on every join, so its claims are built as text, a permission's grants only once. Tests
compare the result with PyJWT and livekit-server.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from controller.access import jwt
from controller.access.policy import JTI_ATTRIBUTE, RESERVED, ROLE_ATTRIBUTE, SEAT_ATTRIBUTE, Role
from controller.live.room import Permission
from controller.settings_parsers import ApiKey

PREVIOUS_TOKEN_GRACE_SECONDS: Final = 6 * 3600
"""How long after its expiry a token still proves an identity, in seconds."""

_HEADER: Final = jwt.header("JWT")
_text = json.encoder.encode_basestring_ascii


@dataclass(frozen=True, slots=True)
class Badge:
    """What the attributes of a participant contain about their token.

    `role` is the proven one. `token_id` is the random `jti`, which only its holder knows: the attribute is
    its digest. `reserved`: proven by an invite or an access token, so a reserved seat may be taken.
    """

    role: Role
    token_id: str
    reserved: bool = False


@dataclass(frozen=True, slots=True)
class Minter:
    """Signs with `key`; `ttl` is a token's life in seconds. Tokens of `previous` keys are still proofs."""

    key: ApiKey
    ttl: int
    previous: tuple[ApiKey, ...] = ()

    def mint(
        self, room: str, identity: str, name: str | None, *, badge: Badge, may: Permission, now: int
    ) -> str:
        """A token for `identity` to join the LiveKit room `room`, valid from `now` (epoch seconds) for `ttl`.

        It only permits to join, with the whole permission `may`.
        """
        shown = f'"name":{_text(name)},' if name is not None else ""
        claims = (
            f'{{"iss":{_text(self.key.name)},"sub":{_text(identity)},'
            f'"nbf":{now},"exp":{now + self.ttl},{shown}'
            f'"jti":"{badge.token_id}","attributes":{_attributes(badge)},'
            f'"video":{{"roomJoin":true,"room":{_text(room)},{_grants(may)}}}}}'
        )
        return jwt.sign(_HEADER, claims, self.key.secret.encode())

    def token_id(self, token: str, room: str, identity: str, now: int) -> str | None:
        """The `jti` of `token`, if it is ours for `identity` in `room`, and expired at most six hours ago."""
        ids = (_token_id(token, key, room, identity, now) for key in (self.key, *self.previous))
        return next((token_id for token_id in ids if token_id is not None), None)


def token_digest(token_id: str) -> str:
    """The digest of a `jti` in the participant's attributes: it can be compared, but proves nothing."""
    return hashlib.sha256(token_id.encode()).hexdigest()


def _attributes(badge: Badge) -> str:
    seat = f',"{SEAT_ATTRIBUTE}":"{RESERVED}"' if badge.reserved else ""
    digest = token_digest(badge.token_id)
    return f'{{"{ROLE_ATTRIBUTE}":"{badge.role}","{JTI_ATTRIBUTE}":"{digest}"{seat}}}'


def _token_id(token: str, key: ApiKey, room: str, identity: str, now: int) -> str | None:
    claims = jwt.read(token, _HEADER, key.secret.encode())
    grants, token_id = claims.get("video"), claims.get("jti")
    proves = (
        isinstance(grants, dict)
        and grants.get("roomJoin") is True
        and grants.get("room") == room
        and claims.get("iss") == key.name
        and claims.get("sub") == identity
        and _in_time(claims, now)
    )
    return token_id if proves and isinstance(token_id, str) else None


def _in_time(claims: dict[str, Any], now: int) -> bool:
    begins, ends = claims.get("nbf", 0), claims.get("exp")
    if type(begins) is not int or type(ends) is not int:
        return False
    return begins <= now + jwt.CLOCK_LEEWAY_SECONDS and now <= ends + PREVIOUS_TOKEN_GRACE_SECONDS


@lru_cache(maxsize=256)
def _grants(may: Permission) -> str:
    """All permissions of a join with LiveKit's names: a missing one would mean yes."""
    grants = {
        "canSubscribe": may.can_subscribe,
        "canPublish": may.can_publish,
        "canPublishData": may.can_publish_data,
        "canPublishSources": [source.lower() for source in may.sources],
        "canUpdateOwnMetadata": may.can_update_metadata,
        "hidden": may.hidden,
        "recorder": False,
        "agent": False,
        "canSubscribeMetrics": False,
        "canManageAgentSession": False,
    }
    return json.dumps(grants, separators=(",", ":"))[1:-1]
