"""Who may do what inside a room (docs/access.md#roles-and-rights): role and policy -> permission. Pure.

A role is what a participant has proven. It is in the participant's attributes, which the participant cannot
change. Rights are never stored: they are computed from role and policy when a token is minted, and again for
the people inside when the policy changes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from typing import Final

from controller.access.people import is_person
from controller.live.room import SOURCES, Participant, Permission, Track
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
"""The attribute of a participant who published forbidden media under an allowed source.

LiveKit keeps it while the participant is connected, and the participant cannot change it.
"""


class Role(StrEnum):
    """What a participant proved when the token was minted."""

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
    """The change for a participant: a whole permission, and attributes.

    Other attributes stay; "" removes one.
    """

    permission: Permission
    attributes: Mapping[str, str] = field(default_factory=dict)


def permission_correction(participant: Participant, spec: RoomSpec) -> Correction | None:
    """The correction for a participant; None if their permission is right.

    Agents, egress and recorders are not changed. `hidden` cannot be changed on a connected participant, so
    it stays. One without our role is only restricted, by mediaType. One who publishes forbidden media under
    an allowed source may not publish any more, until the room carries everything or they rejoin.
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


def loses_rights(participant: Participant, spec: RoomSpec) -> bool:
    """Whether the correction takes away anything that the participant may do now."""
    correction = permission_correction(participant, spec)
    return correction is not None and bool(_rights(participant.permission) - _rights(correction.permission))


def role_of(participant: Participant) -> Role | None:
    """The role that was proven at minting; None for a participant whose token is not ours.

    Our tokens do not let participants change their own attributes; other tokens may.
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
    """Whether a track carries forbidden media under a source that stays allowed.

    A track with a forbidden source ends with the permission, and its publisher may only be late.
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
    """A foreign permission, restricted to `media`; for LiveKit an empty list of sources means all."""
    if not now.can_publish or media is MediaType.VIDEO_AUDIO:
        return now
    allowed = _sources(media, share_screen=True)
    left = tuple(source for source in allowed if source in now.sources) if now.sources else allowed
    return replace(now, can_publish=bool(left), sources=left)


def _effect(permission: Permission) -> Permission:
    """The permission in canonical form: sources in order, and none if nothing may be published."""
    sources = permission.sources if permission.can_publish else ()
    return replace(permission, sources=tuple(sorted(set(sources), key=_place)))


def _rights(permission: Permission) -> frozenset[str]:
    """What the permission allows; for LiveKit an empty list of sources means all."""
    sources = (permission.sources or SOURCES) if permission.can_publish else ()
    others = ("can_subscribe", "can_publish_data", "can_update_metadata")
    return frozenset(sources).union(name for name in others if getattr(permission, name))


def _place(source: str) -> tuple[int, str]:
    return (SOURCES.index(source) if source in SOURCES else len(SOURCES), source)
