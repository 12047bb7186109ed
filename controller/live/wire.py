"""LiveKit's protobuf messages to our frozen data and back. Pure."""

from dataclasses import asdict, fields
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any, Final

from livekit.protocol.egress import (
    EgressInfo,
    EncodedFileOutput,
    EncodedFileType,
    FileInfo,
    RoomCompositeEgressRequest,
    S3Upload,
)
from livekit.protocol.egress import EgressStatus as WireStatus
from livekit.protocol.models import ParticipantInfo, ParticipantPermission, Room, TrackSource, TrackType

from controller.live.egress import Egress, EgressStatus, RecordingRequest, S3Access
from controller.live.room import LiveRoom, Participant, Permission, Track

_SOURCES: Final = {number: name for name, number in TrackSource.items() if number}
_TYPES: Final = {number: name for name, number in TrackType.items()}
_COPIED: Final = tuple(each.name for each in fields(LiveRoom) if each.name != "created_at")
"""What a room has by the same name. A name and a SID are of one creation, so the time of it needs no look."""
_copy: Final = attrgetter(*_COPIED)
_FLAGS: Final = tuple(each.name for each in fields(Permission) if each.name != "sources")
_KINDS: Final = {number: name for name, number in ParticipantInfo.Kind.items()}


def read_room(room: Room, before: LiveRoom | None = None) -> LiveRoom:
    """A listed room; `before` itself where nothing changed, so that identity is a fast path upstream."""
    copied = _copy(room)
    if before is not None and copied == _copy(before):
        return before
    created_at = room.creation_time_ms or room.creation_time * 1000
    return LiveRoom(**dict(zip(_COPIED, copied, strict=True)), created_at=created_at)


def read_participant(info: ParticipantInfo) -> Participant:
    """Somebody listed; the deprecated bools `agent` and `recorder` say what `kind` says nowadays."""
    kind = _KINDS.get(info.kind, str(info.kind))
    return Participant(
        identity=info.identity,
        sid=info.sid,
        name=info.name,
        kind="AGENT" if info.permission.agent else kind,
        permission=read_permission(info.permission),
        recorder=info.permission.recorder,
        attributes=dict(info.attributes),
        tracks=tuple(
            Track(_TYPES.get(track.type, str(track.type)), _SOURCES.get(track.source, str(track.source)))
            for track in info.tracks
        ),
        joined_at=info.joined_at_ms or info.joined_at * 1000,
    )


def read_permission(permission: ParticipantPermission) -> Permission:
    """Sources come in canonical order (LiveKit's own numbers), each once."""
    numbers = sorted(set(permission.can_publish_sources))
    sources = tuple(_SOURCES.get(source, str(source)) for source in numbers)
    return Permission(**_flags(permission), sources=sources)


def write_permission(permission: Permission) -> ParticipantPermission:
    """The whole permission: what LiveKit is not told, it takes away."""
    return ParticipantPermission(**_flags(permission), can_publish_sources=permission.sources)


def _flags(permission: Permission | ParticipantPermission) -> dict[str, Any]:
    """What a permission has by the same name on both sides."""
    return {name: getattr(permission, name) for name in _FLAGS}


_STATUSES: Final = {WireStatus.Value(f"EGRESS_{status}"): status for status in EgressStatus}
_WHY: Final = (  # the first that is said
    (
        (
            "upload",
            "access denied",
            "accessdenied",
            "bucket",
            "storage",
            "permission denied",
            "credential",
            "no space",
            "read-only",
        ),
        "could not write the output: check ROOMCTL_RECORDING_OUTPUT, credentials and permissions",
    ),
    (
        ("start signal", "page load", "net::err", "template", "chrome"),
        "recording page did not load: check that the worker reaches LiveKit and ROOMCTL_RECORDING_PAGE_URL",
    ),
    (("cpu", "memory", "resource"), "egress worker ran out of CPU or memory"),
    (("shutting down",), "egress worker was shut down: the file ends there"),
    (("room closed", "room was closed", "source closed"), "LiveKit room was closed"),
)


def read_egress(info: EgressInfo) -> Egress:
    """A listed egress. Of the request only path, layout and page are kept, of the error only its kind."""
    status = _STATUSES.get(info.status, EgressStatus.FAILED)
    asked = info.room_composite
    done = info.file_results[0] if info.file_results else FileInfo()
    return Egress(
        id=info.egress_id,
        room=info.room_name,
        status=status,
        file=_location(asked),
        layout=asked.layout,
        page=asked.custom_base_url,
        started=_moment(info.started_at),
        ended=_moment(info.ended_at),
        updated=info.updated_at,
        seconds=done.duration / 1e9,
        size=done.size,
        error=_why(status, info.error, info.egress_id),
    )


def _location(asked: RoomCompositeEgressRequest) -> str:
    output = asked.file_outputs[0] if asked.file_outputs else asked.file
    bucket = output.s3.bucket
    return f"s3://{bucket}/{output.filepath}" if bucket else output.filepath


def _moment(nanoseconds: int) -> datetime | None:
    """LiveKit's nanoseconds since the epoch; 0 is not yet."""
    if nanoseconds <= 0:
        return None
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=nanoseconds // 1_000_000)


def _why(status: EgressStatus, reason: str, egress_id: str) -> str:
    """A sentence of ours for what the worker says of a failure."""
    if status not in (EgressStatus.FAILED, EgressStatus.ABORTED):
        return ""
    text = reason.lower()
    sentence = next((why for words, why in _WHY if any(word in text for word in words)), "")
    return f"{sentence or 'recording failed'}; see the egress worker log for {egress_id}"


def write_recording(request: RecordingRequest) -> RoomCompositeEgressRequest:
    """A room composite into one MP4 file."""
    output = EncodedFileOutput(
        file_type=EncodedFileType.MP4,
        filepath=request.path,
        s3=_s3(request.bucket, request.s3) if request.bucket else None,
    )
    return RoomCompositeEgressRequest(
        room_name=request.room,
        layout=request.layout,
        custom_base_url=request.page,
        file_outputs=[output],
        preset=request.preset,
    )


def _s3(bucket: str, access: S3Access) -> S3Upload:
    """Hosts other than Amazon's are addressed by path: few of them have a name for each bucket."""
    return S3Upload(bucket=bucket, **asdict(access), force_path_style=bool(access.endpoint))
