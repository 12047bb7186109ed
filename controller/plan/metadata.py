"""What a live room is made with: timeouts, and metadata with its owner and what its guests may know. Pure.

All participants can read it, so it contains ids as keyed hashes: anyone with a room's id can join it.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

from controller.live.room import EMPTY_TIMEOUT_SECONDS, ON_DEMAND_TIMEOUT_SECONDS
from controller.room import FIELDS, RoomSpec, format_time


@dataclass(frozen=True, slots=True)
class OwnerMark:
    """The creator of a live room, from its metadata. Anybody with the API secret can write one.

    `store` and `room` are hashes by `Owner`; in metadata of the first release, the ids themselves. `adopted`:
    somebody else had made the room, and chosen its name.
    """

    instance: str
    store: str
    room: str
    adopted: bool = False


@dataclass(frozen=True, slots=True)
class Owner:
    """Makes and recognizes the marks of one instance.

    `keys` are the derived keys of OWNER_MARK: the first one makes marks, the others recognize earlier ones.
    """

    instance: str
    keys: tuple[bytes, ...]

    def room_marks(self, room_id: str) -> tuple[str, ...]:
        """The possible values for the room in a mark, the current one first."""
        return (*(_hashed(key, "room", room_id) for key in self.keys), room_id)

    def store_marks(self, store: str) -> tuple[str, ...]:
        """The possible values for the database in a mark, the current one first."""
        return (*(_hashed(key, "store", store) for key in self.keys), store)


def _hashed(key: bytes, kind: str, identifier: str) -> str:
    return hmac.digest(key, f"{kind} {identifier}".encode(), hashlib.sha256)[:16].hex()


_PREFIX: Final = "roomctl/"
_IDS: Final = (("store", "store"), ("room", "room_id"))
"""The parts of a mark, and the names under which the first release wrote their ids."""
_SHOWN: Final = tuple(name for name, field in FIELDS.items() if field.in_metadata)
_POLICY: Final = tuple(name for name, field in FIELDS.items() if field.restricts is not None)


def empty_timeout(spec: RoomSpec) -> int:
    """Both timeouts of the live room, in seconds: after which time LiveKit closes it when it is empty."""
    return ON_DEMAND_TIMEOUT_SECONDS if spec.is_on_demand else EMPTY_TIMEOUT_SECONDS


def room_metadata(
    spec: RoomSpec, room_id: str, owner: Owner, store: str, now: datetime, *, adopted: bool = False
) -> str:
    """The metadata of a room's live room: canonical JSON, so that equal text means equal content."""
    return _room_metadata(spec, room_id, owner, store, closes=spec.opening(now).closes(now), adopted=adopted)


@lru_cache(maxsize=1 << 15)
def _room_metadata(
    spec: RoomSpec, room_id: str, owner: Owner, store: str, *, closes: datetime | None, adopted: bool
) -> str:
    """Cached, since each pass compares that of every room."""
    hours = {} if closes is None else {"closes": closes, "cut_off": closes + spec.overrun_time}
    content = {
        "managed_by": _PREFIX + owner.instance,
        "store_hash": owner.store_marks(store)[0],
        "room_hash": owner.room_marks(room_id)[0],
        **({"adopted": True} if adopted else {}),
        **{name: getattr(spec, name) for name in _SHOWN},
        **{name: format_time(time) for name, time in hours.items()},
    }
    return json.dumps(content, separators=(",", ":"))


@lru_cache(maxsize=1 << 15)
def owner_mark(metadata: str) -> OwnerMark | None:
    """The mark in a room's metadata; None if it has none (foreign metadata may be anything).

    Cached, since foreign rooms are listed at each pass.
    """
    if _PREFIX not in metadata:
        return None
    content = _content(metadata)
    managed_by = content.get("managed_by")
    store, room = (content.get(f"{what}_hash", content.get(old)) for what, old in _IDS)
    if not (isinstance(managed_by, str) and isinstance(store, str) and isinstance(room, str)):
        return None
    instance = managed_by.removeprefix(_PREFIX)
    adopted = content.get("adopted") is True
    return OwnerMark(instance, store, room, adopted) if instance != managed_by else None


def is_of_foreign(metadata: str) -> bool:
    """Whether the mark is that of an adopted room: its name is somebody else's choice."""
    mark = owner_mark(metadata)
    return mark is not None and mark.adopted


@lru_cache(maxsize=1 << 15)
def has_mark(metadata: str) -> bool:
    """Whether a roomctl made the room, of whichever instance and release."""
    return _PREFIX in metadata and str(_content(metadata).get("managed_by")).startswith(_PREFIX)


def policy_from_metadata(metadata: str) -> Mapping[str, object]:
    """The policy fields in a room's metadata, unchecked."""
    content = _content(metadata)
    return {name: content[name] for name in _POLICY if name in content}


def _content(metadata: str) -> Mapping[str, object]:
    """The JSON object in a room's metadata; empty if it is not one."""
    try:
        content = json.loads(metadata)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
