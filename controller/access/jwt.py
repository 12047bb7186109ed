"""Signs and reads JSON Web Tokens: only HS256, for any header. Pure.

Without a library, since a token is minted on every join: the header is constant, so only one HMAC remains.
Tests compare the result with PyJWT.
"""

import binascii
import hashlib
import hmac
import json
from typing import Any, Final

CLOCK_LEEWAY_SECONDS: Final = 60
"""How far another host's clock may be ahead, in seconds."""

MAX_TOKEN_LENGTH: Final = 8 * 1024
"""A longer text is not one of our tokens, and is not parsed."""

_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
_PLAIN: Final = bytes.maketrans(b"-_", b"+/")


def header(kind: str) -> bytes:
    """The encoded header of our tokens of one kind (`typ`)."""
    return _encoded(json.dumps({"alg": "HS256", "typ": kind}, separators=(",", ":")).encode())


def sign(head: bytes, claims: str, key: bytes) -> str:
    """The token: `head` from `header`, `claims` the text of a JSON object."""
    signed = head + b"." + _encoded(claims.encode())
    return (signed + b"." + _encoded(_signature(signed, key))).decode()


def read(token: str, head: bytes, key: bytes) -> dict[str, Any]:
    """The claims of a token of this header signed with `key`, their times unchecked; {} for any other."""
    try:
        signed, _, signature = token[: MAX_TOKEN_LENGTH + 1].encode("ascii").rpartition(b".")
        if len(token) > MAX_TOKEN_LENGTH or not hmac.compare_digest(
            _encoded(_signature(signed, key)), signature
        ):
            return {}  # compared as text, since other texts decode to the same bytes
        began, _, claims = signed.partition(b".")
        content = json.loads(_decoded(claims)) if began == head else None
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _signature(signed: bytes, key: bytes) -> bytes:
    return hmac.digest(key, signed, hashlib.sha256)


def _encoded(data: bytes) -> bytes:
    return binascii.b2a_base64(data, newline=False).translate(_URL_SAFE).rstrip(b"=")


def _decoded(text: bytes) -> bytes:
    return binascii.a2b_base64(text.translate(_PLAIN) + b"=" * (-len(text) % 4), strict_mode=True)
