"""Who may do what inside a room (docs/access.md#roles-and-rights): role and policy -> permission. Pure.

A role is what somebody has proven, and stands in the participant's attributes, where its holder cannot
change it. Rights are never stored: they are computed from role and policy when a token is minted, and
again for the people inside whenever the policy changes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from typing import Final

from controller.access.people import is_person
from controller.live.room import Participant, Permission, Track
from controller.room import MediaType, RoomSpec

ROLE_ATTRIBUTE: Final = "role"
"""The name of the participant attribute that holds the role."""

JTI_ATTRIBUTE: Final = "jti_sha256"
"""The attribute that holds the SHA-256 of the `jti` of the participant's token."""

SEAT_ATTRIBUTE: Final = "seat"
RESERVED: Final = "reserved"
"""The attribute, and its value, of a participant who may take a reserved seat."""

MEDIA_ATTRIBUTE: Final = "media"
WITHDRAWN: Final = "withdrawn"
"""The attribute, and its value, of one who published what the room must not carry under another's name.

LiveKit keeps it for as long as that participant is connected, and its holder cannot change it.
"""

SOURCES: Final = ("CAMERA", "MICROPHONE", "SCREEN_SHARE", "SCREEN_SHARE_AUDIO")
"""LiveKit's track sources in the one order in which we write and compare them."""


class Role(StrEnum):
    """What a participant has proven when the token was minted."""

    SPEAKER = "speaker"
    GUEST = "guest"
    HIDDEN = "hidden"


def permission_for(role: Role, spec: RoomSpec) -> Permission:
    """The permission that `role` has under the policy of `spec`.

    Outside webinar mode a guest has the speaker column.
    """
    if role is Role.HIDDEN:
        return Permission(hidden=True)
    if role is Role.GUEST and spec.allow_webinar_mode:
        return Permission(can_publish_data=spec.allow_chat)
    sources = _sources(spec.mediaType, spec.allow_share_screen)
    return Permission(can_publish=bool(sources), can_publish_data=spec.allow_chat, sources=sources)


@dataclass(frozen=True, slots=True)
class Correction:
    """What somebody inside is to be given: a permission as a whole, and attributes beside it.

    The other attributes stay; "" takes one away.
    """

    permission: Permission
    attributes: Mapping[str, str] = field(default_factory=dict)


def permission_correction(participant: Participant, spec: RoomSpec) -> Correction | None:
    """What somebody inside should be given; None where what they have is right already.

    Agents, egress and recorders are left alone. `hidden` cannot be changed on a connected participant, so
    it stays what it is. One without a role of ours is only narrowed, by mediaType. Who lies about what a
    track carries may publish nothing any more, until the room carries everything or they rejoin.
    """
    if not is_person(participant):
        return None
    now, role = participant.permission, role_of(participant)
    wanted = _narrowed(now, spec.mediaType) if role is None else permission_for(role, spec)
    before = participant.attributes.get(MEDIA_ATTRIBUTE) == WITHDRAWN
    withdrawn = spec.mediaType is not MediaType.VIDEO_AUDIO and (
        before or _has_mislabeled_track(participant, wanted, spec)
    )
    if withdrawn:
        wanted = replace(wanted, can_publish=False, sources=())
    wanted = replace(wanted, hidden=now.hidden)
    news = {MEDIA_ATTRIBUTE: WITHDRAWN if withdrawn else ""} if withdrawn != before else {}
    return Correction(wanted, news) if news or _effect(now) != _effect(wanted) else None


def role_of(participant: Participant) -> Role | None:
    """The role that was proven at minting; None for a participant whose token is not ours.

    What a participant can write proves nothing: with our tokens no one may change their own attributes.
    """
    if participant.permission.can_update_metadata:
        return None
    try:
        return Role(participant.attributes.get(ROLE_ATTRIBUTE, ""))
    except ValueError:
        return None


def has_reserved_seat(participant: Participant) -> bool:
    """Whether the participant may take a reserved seat: see `role_of` for whose attributes count."""
    attributes, permission = participant.attributes, participant.permission
    return attributes.get(SEAT_ATTRIBUTE) == RESERVED and not permission.can_update_metadata


def _has_mislabeled_track(participant: Participant, wanted: Permission, spec: RoomSpec) -> bool:
    """Whether a track carries what the room must not, under a source that stays allowed.

    One whose source is not allowed goes with the permission, and its publisher may only be late.
    """
    return wanted.can_publish and any(
        track.source in wanted.sources and not _carries(spec.mediaType, track) for track in participant.tracks
    )


def _carries(media: MediaType, track: Track) -> bool:
    return media.has_video if track.type == "VIDEO" else media.has_audio or track.type != "AUDIO"


@lru_cache
def _sources(media: MediaType, share_screen: bool) -> tuple[str, ...]:
    screen = share_screen and media.has_video
    allowed = (media.has_video, media.has_audio, screen, screen and media.has_audio)
    return tuple(source for source, may in zip(SOURCES, allowed, strict=True) if may)


def _narrowed(now: Permission, media: MediaType) -> Permission:
    """What is left of a permission that we did not give; LiveKit reads no sources as all of them."""
    if not now.can_publish or media is MediaType.VIDEO_AUDIO:
        return now
    allowed = _sources(media, share_screen=True)
    left = tuple(source for source in allowed if source in now.sources) if now.sources else allowed
    return replace(now, can_publish=bool(left), sources=left)


def _effect(permission: Permission) -> Permission:
    """The permission by what it does: sources in canonical order, and none where nothing may be published."""
    sources = permission.sources if permission.can_publish else ()
    return replace(permission, sources=tuple(sorted(set(sources), key=_place)))


def _place(source: str) -> tuple[int, str]:
    return (SOURCES.index(source) if source in SOURCES else len(SOURCES), source)
