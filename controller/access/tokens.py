"""LiveKit access tokens: minted, and read back as proof of identity. Pure given clock and secret.

Written out by hand, for a token is minted on every join: the header never changes, a permission's grants are
written once, and what is left is one HMAC. Tests hold the outcome against PyJWT and against livekit-server.
"""

import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from controller.access.policy import ROLE_ATTRIBUTE, Role
from controller.live.room import Permission

PREVIOUS_TOKEN_GRACE: Final = 6 * 3600
"""For how long after its end a token still proves whose it was, in seconds."""

LEEWAY: Final = 60
"""How far a clock of somebody else may be ahead, in seconds."""

_text = json.encoder.encode_basestring_ascii
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
_PLAIN: Final = bytes.maketrans(b"-_", b"+/")


def _encoded(data: bytes) -> bytes:
    return binascii.b2a_base64(data, newline=False).translate(_URL_SAFE).rstrip(b"=")


def _decoded(text: bytes) -> bytes:
    return binascii.a2b_base64(text.translate(_PLAIN) + b"=" * (-len(text) % 4), strict_mode=True)


_HEADER: Final = _encoded(b'{"alg":"HS256","typ":"JWT"}')


@dataclass(frozen=True, slots=True)
class Minter:
    """Signs with LIVEKIT_API_KEY and LIVEKIT_API_SECRET; `ttl` is a token's life in seconds."""

    key: str
    secret: str = field(repr=False)
    ttl: int

    def mint(
        self, room: str, identity: str, name: str | None, *, role: Role, may: Permission, now: int
    ) -> str:
        """A token for `identity` to join the LiveKit room `room`, good from `now` (epoch seconds) for `ttl`.

        It can do nothing but join, with the permission `may` in full; `role` stands in its attributes.
        """
        shown = f'"name":{_text(name)},' if name is not None else ""
        claims = (
            f'{{"iss":{_text(self.key)},"sub":{_text(identity)},"nbf":{now},"exp":{now + self.ttl},{shown}'
            f'"attributes":{{"{ROLE_ATTRIBUTE}":"{role}"}},'
            f'"video":{{"roomJoin":true,"room":{_text(room)},{_grants(may)}}}}}'
        )
        signed = _HEADER + b"." + _encoded(claims.encode())
        return (signed + b"." + _encoded(self._signature(signed))).decode()

    def proves(self, token: str, room: str, identity: str, now: int) -> bool:
        """Whether `token` is one of ours for `identity` in `room`, over by at most six hours."""
        claims = self._claims(token)
        grants = claims.get("video")
        return (
            isinstance(grants, dict)
            and grants.get("roomJoin") is True
            and grants.get("room") == room
            and claims.get("iss") == self.key
            and claims.get("sub") == identity
            and _in_time(claims, now)
        )

    def _claims(self, token: str) -> dict[str, Any]:
        """What a token signed with our secret says; {} for any other."""
        try:
            signed, _, signature = token.encode("ascii").rpartition(b".")
            if not hmac.compare_digest(self._signature(signed), _decoded(signature)):
                return {}
            header, claims = (json.loads(_decoded(part)) for part in signed.split(b"."))
        except (ValueError, RecursionError):
            return {}
        right = isinstance(header, dict) and header.get("alg") == "HS256" and isinstance(claims, dict)
        return claims if right else {}

    def _signature(self, signed: bytes) -> bytes:
        return hmac.digest(self.secret.encode(), signed, hashlib.sha256)


def _in_time(claims: dict[str, Any], now: int) -> bool:
    begins, ends = claims.get("nbf", 0), claims.get("exp")
    if type(begins) is not int or type(ends) is not int:
        return False
    return begins <= now + LEEWAY and now <= ends + PREVIOUS_TOKEN_GRACE


@lru_cache(maxsize=256)
def _grants(may: Permission) -> str:
    """Every permission of a join in LiveKit's spelling: what is left out would mean yes."""
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
