"""The key of a manifest's room: its syntax, and the default from the path below rooms.d. Pure."""

import re
from typing import Final

KEY_LENGTH: Final = 200
KEY_PATTERN: Final = r"^(?!api/)(?!\.{1,2}(/|\Z))[A-Za-z0-9._-]+(/(?!\.{1,2}(/|\Z))[A-Za-z0-9._-]+)*\Z"
KEY_RULE: Final = (
    f"1 to {KEY_LENGTH} characters (A-Z a-z 0-9 . _ / -), without empty, . or .. segments, "
    "not beginning with api/"
)
ENDINGS: Final = (".yaml", ".yml", ".json")

_KEY: Final = re.compile(KEY_PATTERN)
_NEAR_ENDING: Final = re.compile(
    r"(.*[^/])(\.ya?ml|\.ymal|\.json)[^./~#]?(\.[^./~#]+)?", re.IGNORECASE | re.DOTALL
)


def is_key(text: str) -> bool:
    """Whether `text` is a valid key for a manifest."""
    return len(text) <= KEY_LENGTH and _KEY.match(text) is not None


def path_key(file: str) -> str:
    """The key from the path below rooms.d, without its extension; it may be invalid."""
    return next((file.removesuffix(ending) for ending in ENDINGS if file.endswith(ending)), file)


def meant_path(file: str) -> str | None:
    """The path under which a similar name would be read: `a.yaml` for `a.YAML`, `a.yaml.j2`; None for others.

    Names that end in `~` or `#` are an editor's backups, and ignored.
    """
    match = _NEAR_ENDING.fullmatch(file)
    if match is None or file.endswith(ENDINGS):
        return None
    return match[1] + match[2].lower().replace("ymal", "yaml")
