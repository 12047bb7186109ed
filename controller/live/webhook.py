"""LiveKit's webhooks: verification and parsing. Pure; the time is an argument.

Webhooks get lost, come twice or out of order. So one only says which room to read; it carries no facts.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import jwt

from controller.errors import LiveKitError
from controller.settings_parsers import ApiKey

LEEWAY_SECONDS: Final = 60
"""How far LiveKit's clock and ours may differ."""


class RejectionReason(StrEnum):
    """Why a webhook is rejected, as the metric counts it."""

    KEY = "key"
    BODY = "body"
    TIME = "time"


class WebhookRejectedError(LiveKitError):
    """Not proven to come from our LiveKit, or not readable: the response is 401."""

    def __init__(self, reason: RejectionReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """An event in a room (`room` is its name, `sid` its SID), maybe about a participant.

    Fields that the event does not have are "".
    """

    event: str
    id: str = ""
    room: str = ""
    sid: str = ""
    identity: str = ""
    kind: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict, hash=False)
    disconnect_reason: str = ""


def verify_signature(authorization: str, keys: Iterable[ApiKey], now: float) -> Mapping[str, Any]:
    """The claims that our LiveKit signed, including a hash of the body. Checked before the body is read.

    `authorization` is the unchanged header, a bare JWT, signed with any of `keys`; `now` is in seconds since
    the epoch. Raises WebhookRejectedError, whose text never quotes header or body.
    """
    claims = _claims(authorization, keys)
    if not _in_time(claims, now):
        raise WebhookRejectedError(
            RejectionReason.TIME,
            "The webhook's token is expired or not valid yet; synchronize the clocks of LiveKit and roomctl",
        )
    return claims


def parse_event(body: bytes, claims: Mapping[str, Any]) -> WebhookEvent:
    """The event in `body`. WebhookRejectedError if it does not match the claims."""
    if not _covers(claims, body):
        raise WebhookRejectedError(
            RejectionReason.BODY,
            "The body of the webhook is not the one that was signed; a proxy must not change it",
        )
    return _read_event(body)


def _claims(token: str, keys: Iterable[ApiKey]) -> dict[str, Any]:
    """Checks signature and issuer; the times are checked separately, with the caller's clock."""
    options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False}
    for key in keys:
        with suppress(jwt.PyJWTError, RecursionError):  # older PyJWT does not catch a deeply nested header
            return dict(jwt.decode(token, key.secret, ["HS256"], options, issuer=key.name))
    raise WebhookRejectedError(
        RejectionReason.KEY,
        "The webhook is not signed with LIVEKIT_API_KEY and its secret; "
        "set webhook.api_key in LiveKit's configuration to that key",
    )


def _in_time(claims: Mapping[str, Any], now: float) -> bool:
    """`exp` is required, `nbf` optional."""
    start, end = claims.get("nbf", 0), claims.get("exp")
    if not isinstance(start, int | float) or not isinstance(end, int | float):
        return False
    return start - LEEWAY_SECONDS <= now < end + LEEWAY_SECONDS


def _covers(claims: Mapping[str, Any], body: bytes) -> bool:
    try:
        signed = base64.b64decode(claims["sha256"], validate=True)
    except (KeyError, TypeError, ValueError, binascii.Error):
        return False
    return hmac.compare_digest(signed, hashlib.sha256(body).digest())


def _read_event(body: bytes) -> WebhookEvent:
    """The body is LiveKit's, since the signature matches, but another version may have other fields."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise WebhookRejectedError(RejectionReason.BODY, "The body of the webhook is not a JSON object")
    room, participant = _part(content, "room"), _part(content, "participant")
    egress = _part(content, "egressInfo")
    return WebhookEvent(
        event=_text(content, "event"),
        id=_text(content, "id"),
        room=_text(room, "name") or _text(egress, "roomName"),
        sid=_text(room, "sid"),
        identity=_text(participant, "identity"),
        kind=_text(participant, "kind") or ("STANDARD" if participant else ""),
        attributes={k: v for k, v in _part(participant, "attributes").items() if isinstance(v, str)},
        disconnect_reason=_text(participant, "disconnectReason"),
    )


def _part(content: dict[str, Any], name: str) -> dict[str, Any]:
    part = content.get(name)
    return part if isinstance(part, dict) else {}


def _text(part: dict[str, Any], name: str) -> str:
    value = part.get(name)
    return value if isinstance(value, str) else ""
