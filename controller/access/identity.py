"""Identities and names of guests (docs/access.md#identities). Pure."""

import re
import unicodedata
from typing import Final

RESERVED_PREFIXES: Final = ("EG_", "agent-")
"""Prefixes for identities of egress workers and agents."""

MAX_NAME_LENGTH: Final = 64

_CHARACTERS: Final = "[A-Za-z0-9._:@+=~-]{1,128}"
_IDENTITY: Final = re.compile(_CHARACTERS)

IDENTITY_PATTERN: Final = f"^(?!{'|'.join(RESERVED_PREFIXES)}){_CHARACTERS}$"
"""The syntax of an identity in JSON Schema."""

_BIDI: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_UNSEEN: Final = frozenset({"Cc", "Zl", "Zp"})


def identity_problem(identity: str) -> str | None:
    """Why `identity` cannot be a participant_id, as the end of a sentence; None if it can."""
    if _IDENTITY.fullmatch(identity) is None:
        return "must be 1 to 128 of A-Z a-z 0-9 . _ : @ + = ~ -"
    prefix = next((prefix for prefix in RESERVED_PREFIXES if identity.startswith(prefix)), None)
    return f"must not begin with {prefix}: LiveKit's own helpers do" if prefix else None


def display_name(name: str) -> str | None:
    """`name` for display: without control and bidi characters, at most 64; None if nothing is left."""
    seen = name if name.isascii() and name.isprintable() else "".join(filter(_may_be_seen, name))
    cut = seen[:MAX_NAME_LENGTH]
    return cut if cut.strip() else None


def _may_be_seen(character: str) -> bool:
    return character not in _BIDI and unicodedata.category(character) not in _UNSEEN
