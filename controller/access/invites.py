"""Invites and egress tokens (docs/access.md#invites), each signed with its own key.

Neither is valid as the other or as a LiveKit token: each has its own key, `typ` and `aud`, and no `video`
claim. Pure; times are in whole seconds since the epoch.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from controller.access import jwt
from controller.access.policy import Role

DEFAULT_INVITE_TTL_SECONDS: Final = 24 * 3600
MAX_INVITE_TTL_SECONDS: Final = 30 * 24 * 3600
MAX_EGRESS_TOKEN_TTL_SECONDS: Final = 15 * 60
"""Default and maximum lifetime of an invite, and maximum of an egress token, in seconds."""

INVITE_ROLES: Final = (Role.SPEAKER, Role.GUEST)
"""The roles in invites. A guest's invite is for rooms that cannot be joined with only the link."""

_INVITE: Final = jwt.header("roomctl-invite+jwt")
_EGRESS: Final = jwt.header("roomctl-egress+jwt")
_INVITES: Final = "roomctl/invite"
_EGRESSES: Final = "roomctl/egress"


@dataclass(frozen=True, slots=True)
class Invite:
    """What an invite proves: `role` in the room `room_id`, only for `identity` if that is given.

    It is valid until `expires`, and only while the room's invite epoch is `epoch`.
    """

    room_id: str
    role: Role
    epoch: int
    expires: int
    identity: str | None = None


def mint_invite(invite: Invite, key: bytes, now: int) -> str:
    """The invite as text; `key` is the derived key of Purpose.INVITE. ValueError beyond 30 days."""
    if not now < invite.expires <= now + MAX_INVITE_TTL_SECONDS:
        raise ValueError("an invite is good for 1 second to 30 days")
    claims = {
        "aud": _INVITES,
        "room": invite.room_id,
        "role": str(invite.role),
        "epoch": invite.epoch,
        "iat": now,
        "exp": invite.expires,
        **({"sub": invite.identity} if invite.identity is not None else {}),
    }
    return jwt.sign(_INVITE, json.dumps(claims, separators=(",", ":")), key)


def read_invite(token: str, key: bytes, now: int) -> Invite | None:
    """The invite in `token`; None if it is not ours, or not valid at `now`.

    The caller must compare room, epoch and identity.
    """
    claims = jwt.read(token, _INVITE, key)
    room, epoch, identity = claims.get("room"), claims.get("epoch"), claims.get("sub")
    if claims.get("aud") != _INVITES or claims.get("role") not in INVITE_ROLES:
        return None
    if not isinstance(room, str) or type(epoch) is not int or not isinstance(identity, str | None):
        return None
    if not _in_time(claims, now, MAX_INVITE_TTL_SECONDS):
        return None
    return Invite(room, Role(claims["role"]), epoch, claims["exp"], identity)


def mint_egress(
    room_id: str, room_name: str, key: bytes, now: int, seconds: int = MAX_EGRESS_TOKEN_TTL_SECONDS
) -> str:
    """An egress_mode_token for one activation of a room; `key` is the derived key of Purpose.EGRESS."""
    claims = {"aud": _EGRESSES, "room": room_id, "name": room_name, "iat": now, "exp": now + seconds}
    return jwt.sign(_EGRESS, json.dumps(claims, separators=(",", ":")), key)


def admits_hidden(token: str, room_id: str, room_name: str, key: bytes, now: int) -> bool:
    """Whether `token` is an egress token for this room under this LiveKit name, valid at `now`."""
    claims = jwt.read(token, _EGRESS, key)
    return (
        claims.get("aud") == _EGRESSES
        and claims.get("room") == room_id
        and claims.get("name") == room_name
        and _in_time(claims, now, MAX_EGRESS_TOKEN_TTL_SECONDS)
    )


def _in_time(claims: Mapping[str, Any], now: int, longest: int) -> bool:
    begins, ends = claims.get("iat"), claims.get("exp")
    if type(begins) is not int or type(ends) is not int:
        return False
    return begins <= now + jwt.CLOCK_LEEWAY_SECONDS and now < ends <= begins + longest
