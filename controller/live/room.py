"""What LiveKit shows of its rooms, as frozen data of ours, and the owner mark in a room's metadata. Pure."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from controller.room import FIELDS, RoomSpec

EMPTY_TIMEOUT_SECONDS: Final = 10 * 365 * 24 * 3600
"""empty_timeout and departure_timeout of our rooms: LiveKit has no 'for ever', so ten years."""


@dataclass(frozen=True, slots=True)
class LiveRoom:
    """A room as ListRooms or CreateRoom answers it.

    `num_participants` lags by seconds (docs/livekit.md#rooms): never decide by it alone that a room is empty.
    `created_at` is in milliseconds since the epoch. The room's TURN password is dropped on reading.
    """

    name: str
    sid: str
    metadata: str = ""
    max_participants: int = 0
    empty_timeout: int = 0
    departure_timeout: int = 0
    num_participants: int = 0
    created_at: int = 0
    active_recording: bool = False


@dataclass(frozen=True, slots=True)
class Permission:
    """A participant's permission in LiveKit's terms, every bool set.

    `sources` holds TrackSource names in canonical order (CAMERA, MICROPHONE, SCREEN_SHARE,
    SCREEN_SHARE_AUDIO); LiveKit reads an empty list as 'all', so nothing to publish means can_publish False.
    """

    can_subscribe: bool = True
    can_publish: bool = False
    can_publish_data: bool = False
    sources: tuple[str, ...] = ()
    hidden: bool = False
    can_update_metadata: bool = False


@dataclass(frozen=True, slots=True)
class Track:
    """What somebody publishes, in LiveKit's terms.

    `type` is what it carries: AUDIO, VIDEO or DATA. `source` is what its publisher calls it (CAMERA,
    MICROPHONE, …), and nothing binds the one to the other (docs/livekit.md#participants).
    """

    type: str
    source: str


@dataclass(frozen=True, slots=True)
class Participant:
    """Somebody inside a room, by ListParticipants.

    `kind` is LiveKit's own: STANDARD, AGENT, EGRESS, INGRESS, SIP. `joined_at` is in milliseconds since the
    epoch. `gone`: listed, and not there any more (presence.py).
    """

    identity: str
    sid: str = ""
    kind: str = "STANDARD"
    permission: Permission = Permission()
    recorder: bool = False
    attributes: dict[str, str] = field(default_factory=dict)
    tracks: tuple[Track, ...] = ()
    joined_at: int = 0
    gone: bool = False

    @property
    def is_person(self) -> bool:
        """Counts for deferral and limits: hidden ones too; agents, egress, recorders and who is gone not."""
        return not self.gone and self.kind not in ("AGENT", "EGRESS") and not self.recorder


def people_in(room: LiveRoom | None, inside: Collection[Participant]) -> int:
    """How many people are inside: who is listed there, or `unlisted`."""
    return sum(one.is_person for one in inside) or unlisted(room, inside)


def unlisted(room: LiveRoom | None, inside: Collection[Participant]) -> int:
    """How many people the room counts while nobody is listed inside.

    A Redis that lost its data lists nobody of those who were inside and stay there (measured). The number
    lags, so a room may seem occupied for seconds after the last has left: cutting people off would be worse.
    """
    if room is None or any(one.is_person or one.gone for one in inside):
        return 0
    return room.num_participants


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
    try:
        content = json.loads(metadata)
        managed_by, store, room_id = content["managed_by"], content["store"], content["room_id"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if not all(isinstance(text, str) for text in (managed_by, store, room_id)):
        return None
    return (
        OwnerMark(managed_by.removeprefix(_PREFIX), store, room_id)
        if managed_by.startswith(_PREFIX)
        else None
    )


def policy_from_metadata(metadata: str) -> Mapping[str, object]:
    """What a room's metadata tells of the fields that decide what people may do, as it stands there."""
    try:
        content = json.loads(metadata)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {name: content[name] for name in _POLICY if name in content}
