"""Converts LiveKit's protobuf messages to our frozen data and back. Pure."""

from dataclasses import asdict, fields
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any, Final

from livekit.protocol.agent_dispatch import AgentDispatch
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
from controller.live.room import Dispatch, LiveRoom, Participant, Permission, Track

_SOURCES: Final = {number: name for name, number in TrackSource.items() if number}
_TYPES: Final = {number: name for name, number in TrackType.items()}
_COPIED: Final = tuple(each.name for each in fields(LiveRoom) if each.name != "created_at")
"""Fields with the same name in both. Name and SID identify one creation, so its time is not compared."""
_copy: Final = attrgetter(*_COPIED)
_FLAGS: Final = tuple(each.name for each in fields(Permission) if each.name != "sources")
_KINDS: Final = {number: name for name, number in ParticipantInfo.Kind.items()}


def read_room(room: Room, before: LiveRoom | None = None) -> LiveRoom:
    """A listed room; `before` itself if nothing changed, so that callers can compare by identity."""
    copied = _copy(room)
    if before is not None and copied == _copy(before):
        return before
    created_at = room.creation_time_ms or room.creation_time * 1000
    return LiveRoom(**dict(zip(_COPIED, copied, strict=True)), created_at=created_at)


def read_participant(info: ParticipantInfo) -> Participant:
    """A listed participant. A permission's deprecated `agent` and `recorder` are read besides `kind`."""
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
    """Sources are sorted by LiveKit's numbers, each once."""
    numbers = sorted(set(permission.can_publish_sources))
    sources = tuple(_SOURCES.get(source, str(source)) for source in numbers)
    return Permission(**_flags(permission), sources=sources)


def write_permission(permission: Permission) -> ParticipantPermission:
    """The whole permission: LiveKit revokes what is missing."""
    return ParticipantPermission(**_flags(permission), can_publish_sources=permission.sources)


def _flags(permission: Permission | ParticipantPermission) -> dict[str, Any]:
    """The fields with the same name on both sides."""
    return {name: getattr(permission, name) for name in _FLAGS}


def read_dispatch(dispatch: AgentDispatch) -> Dispatch:
    """A listed call of an agent."""
    return Dispatch(dispatch.id, dispatch.agent_name, len(dispatch.state.jobs))


_STATUSES: Final = {WireStatus.Value(f"EGRESS_{status}"): status for status in EgressStatus}
_WORKER_ENDED: Final = ("Process killed", "server is shutting down")
"""A worker's texts when its process was asked to end. A file that it still completed has a location."""
_BACKUP: Final = "\nbackup: "
"""Separates the error of the output from that of the worker's own backup storage."""
_OUTPUT: Final = "could not write the output: "
_WHY: Final = (  # the first match counts
    (
        ("no space left", "storagefull", "statuscode: 507", "quota exceeded"),
        _OUTPUT + "the disk or storage is full; free some space",
    ),
    (
        ("permission denied", "read-only file system"),
        _OUTPUT + "permission denied; let the egress worker write to that folder",
    ),
    (
        ("nosuchbucket", "bucket does not exist"),
        _OUTPUT + "no such bucket; create it, or correct ROOMCTL_RECORDING_OUTPUT",
    ),
    (
        (
            "access denied",
            "accessdenied",
            "statuscode: 401",
            "statuscode: 403",
            "expiredtoken",
            " credentials",
        ),
        _OUTPUT + "the storage denied access; check credentials and permissions",
    ),
    (
        ("statuscode: 5", "slowdown", "internalerror", "serviceunavailable"),
        _OUTPUT + "the storage answered with a server error; check the storage",
    ),
    (
        ("request send failed", "dial tcp", "no such host"),
        _OUTPUT + "the egress worker cannot reach the storage; check its network and the S3 endpoint",
    ),
    (
        ("upload", "bucket", "storage", "operation error s3"),
        _OUTPUT + "check ROOMCTL_RECORDING_OUTPUT, credentials and permissions",
    ),
    (
        ("start signal", "page load", "net::err", "template", "chrome"),
        "recording page did not load: check that the worker reaches LiveKit and ROOMCTL_RECORDING_PAGE_URL",
    ),
    (("cpu", "memory", "resource"), "egress worker ran out of CPU or memory"),
    (("shutting down",), "egress worker was shut down before the file was complete"),
    (("room closed", "room was closed", "source closed"), "LiveKit room was closed"),
)


def read_egress(info: EgressInfo) -> Egress:
    """A listed egress. Only path, layout and page of the request are kept, and the kind of the error."""
    asked = info.room_composite
    done = info.file_results[0] if info.file_results else FileInfo()
    status = _status(info, done)
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
        recorded_from=_moment(done.started_at),
    )


def _status(info: EgressInfo, done: FileInfo) -> EgressStatus:
    """A worker whose process is asked to end reports all its recordings as failed, even completed ones."""
    status = _STATUSES.get(info.status, EgressStatus.FAILED)
    was_told = any(words in info.details or words in info.error for words in _WORKER_ENDED)
    if status is EgressStatus.FAILED and was_told and done.location and done.size:
        return EgressStatus.COMPLETE
    return status


def _location(asked: RoomCompositeEgressRequest) -> str:
    output = asked.file_outputs[0] if asked.file_outputs else asked.file
    bucket = output.s3.bucket
    return f"s3://{bucket}/{output.filepath}" if bucket else output.filepath


def _moment(nanoseconds: int) -> datetime | None:
    """LiveKit's nanoseconds since the epoch; 0: not yet."""
    if nanoseconds <= 0:
        return None
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=nanoseconds // 1_000_000)


def _why(status: EgressStatus, reason: str, egress_id: str) -> str:
    """Our text for a worker's failure."""
    if status not in (EgressStatus.FAILED, EgressStatus.ABORTED):
        return ""
    text = reason.partition(_BACKUP)[0].lower()
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
    """Hosts other than Amazon's are addressed by path: few have a host name for each bucket."""
    return S3Upload(bucket=bucket, **asdict(access), force_path_style=bool(access.endpoint))
