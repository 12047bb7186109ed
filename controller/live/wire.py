"""LiveKit's protobuf messages to our frozen data and back. Pure."""

from typing import Final

from livekit.protocol.models import ParticipantInfo, ParticipantPermission, Room, TrackSource, TrackType

from controller.live.room import LiveRoom, Participant, Permission, Track

_SOURCES: Final = {number: name for name, number in TrackSource.items() if number}
_TYPES: Final = {number: name for name, number in TrackType.items()}
_KINDS: Final = {number: name for name, number in ParticipantInfo.Kind.items()}


def read_room(room: Room, before: LiveRoom | None = None) -> LiveRoom:
    """A listed room; `before` itself where nothing changed, so that identity is a fast path upstream."""
    if before is not None and _unchanged(room, before):
        return before
    return LiveRoom(
        name=room.name,
        sid=room.sid,
        metadata=room.metadata,
        max_participants=room.max_participants,
        empty_timeout=room.empty_timeout,
        departure_timeout=room.departure_timeout,
        num_participants=room.num_participants,
        created_at=room.creation_time_ms or room.creation_time * 1000,
        active_recording=room.active_recording,
    )


def _unchanged(room: Room, before: LiveRoom) -> bool:
    """A name and a SID are of one creation, so the time of it needs no look."""
    return (
        room.sid == before.sid
        and room.num_participants == before.num_participants
        and room.metadata == before.metadata
        and room.max_participants == before.max_participants
        and room.empty_timeout == before.empty_timeout
        and room.departure_timeout == before.departure_timeout
        and room.active_recording == before.active_recording
    )


def read_participant(info: ParticipantInfo) -> Participant:
    """Somebody listed; the deprecated bools `agent` and `recorder` say what `kind` says nowadays."""
    kind = _KINDS.get(info.kind, str(info.kind))
    return Participant(
        identity=info.identity,
        sid=info.sid,
        kind="AGENT" if info.permission.agent else kind,
        permission=read_permission(info.permission),
        recorder=info.permission.recorder,
        attributes=dict(info.attributes),
        tracks=tuple(
            Track(_TYPES.get(track.type, str(track.type)), _SOURCES.get(track.source, str(track.source)))
            for track in info.tracks
        ),
    )


def read_permission(permission: ParticipantPermission) -> Permission:
    """Sources come in canonical order (LiveKit's own numbers), each once."""
    return Permission(
        can_subscribe=permission.can_subscribe,
        can_publish=permission.can_publish,
        can_publish_data=permission.can_publish_data,
        sources=tuple(
            _SOURCES.get(source, str(source)) for source in sorted(set(permission.can_publish_sources))
        ),
        hidden=permission.hidden,
        can_update_metadata=permission.can_update_metadata,
    )


def write_permission(permission: Permission) -> ParticipantPermission:
    """The whole permission: what LiveKit is not told, it takes away."""
    return ParticipantPermission(
        can_subscribe=permission.can_subscribe,
        can_publish=permission.can_publish,
        can_publish_data=permission.can_publish_data,
        can_publish_sources=permission.sources,
        hidden=permission.hidden,
        can_update_metadata=permission.can_update_metadata,
    )
