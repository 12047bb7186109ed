"""What we write into a live room's metadata: whose it is, and what its guests may know of it. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from controller.room import FIELDS, RoomSpec


@dataclass(frozen=True, slots=True)
class OwnerMark:
    """Who made a live room, as its metadata says. Anybody with the API secret can write one."""

    instance: str
    store: str
    room_id: str


_PREFIX: Final = "roomctl/"
_SHOWN: Final = tuple(name for name, field in FIELDS.items() if field.in_metadata)
_POLICY: Final = tuple(name for name, field in FIELDS.items() if field.restricts is not None)


@lru_cache(maxsize=1 << 15)
def room_metadata(spec: RoomSpec, room_id: str, instance: str, store: str) -> str:
    """The metadata of a room's live room: canonical JSON, so that equal text means equal content.

    Remembered, since each pass compares every room's.
    """
    content = {
        "managed_by": _PREFIX + instance,
        "store": store,
        "room_id": room_id,
        **{name: getattr(spec, name) for name in _SHOWN},
    }
    return json.dumps(content, separators=(",", ":"))


@lru_cache(maxsize=1 << 15)
def owner_mark(metadata: str) -> OwnerMark | None:
    """The mark in a room's metadata; None where there is none of ours (foreign metadata may be anything).

    Remembered, since what is another's is listed at each pass.
    """
    if _PREFIX not in metadata:
        return None
    content = _content(metadata)
    managed_by, store, room_id = (content.get(name) for name in ("managed_by", "store", "room_id"))
    if not (isinstance(managed_by, str) and isinstance(store, str) and isinstance(room_id, str)):
        return None
    instance = managed_by.removeprefix(_PREFIX)
    return OwnerMark(instance, store, room_id) if instance != managed_by else None


def policy_from_metadata(metadata: str) -> Mapping[str, object]:
    """What a room's metadata tells of the fields that decide what people may do, as it stands there."""
    content = _content(metadata)
    return {name: content[name] for name in _POLICY if name in content}


def _content(metadata: str) -> Mapping[str, object]:
    """The object that a room's metadata is; empty where it is none."""
    try:
        content = json.loads(metadata)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
