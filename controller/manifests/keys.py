"""The stable name of a manifest's room: what may stand in it, and what the path below rooms.d gives. Pure."""

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
    """Whether `text` may be the key of a manifest's room."""
    return len(text) <= KEY_LENGTH and _KEY.match(text) is not None


def path_key(file: str) -> str:
    """What the path below rooms.d, without its ending, would give as key; it need not be a valid one."""
    return next((file.removesuffix(ending) for ending in ENDINGS if file.endswith(ending)), file)


def meant_path(file: str) -> str | None:
    """Where a file that looks meant would be read: `a.yaml` for `a.YAML`, `a.yaml.j2`; None for other files.

    What ends in `~` or `#` is an editor's backup, and not meant.
    """
    match = _NEAR_ENDING.fullmatch(file)
    if match is None or file.endswith(ENDINGS):
        return None
    return match[1] + match[2].lower().replace("ymal", "yaml")
