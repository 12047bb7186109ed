"""Messages of LiveKit as our data, and back."""

from datetime import UTC, datetime
from typing import Any

import pytest
from livekit.protocol.egress import (
    EgressInfo,
    EncodedFileOutput,
    FileInfo,
    RoomCompositeEgressRequest,
    S3Upload,
    SegmentedFileOutput,
    WebEgressRequest,
)
from livekit.protocol.egress import (
    EgressStatus as WireStatus,
)
from livekit.protocol.models import ParticipantInfo, ParticipantPermission, Room, TrackSource

from controller.access.people import is_person
from controller.live.egress import Egress, EgressStatus, Layout, RecordingRequest, S3Access
from controller.live.room import LiveRoom, Permission
from controller.live.wire import (
    read_egress,
    read_participant,
    read_permission,
    read_room,
    write_permission,
    write_recording,
)

ROOM = Room(
    name="a", sid="RM_1", metadata="m", max_participants=3, empty_timeout=4, departure_timeout=5,
    num_participants=6, creation_time_ms=7_001, creation_time=7, active_recording=True,
    turn_password="secret-of-the-room",
)  # fmt: skip


def test_a_room_is_read_without_its_turn_password() -> None:
    room = read_room(ROOM)
    assert room == LiveRoom("a", "RM_1", "m", 3, 4, 5, 6, 7_001, active_recording=True)
    assert "secret-of-the-room" not in repr(room)


def test_an_old_server_gives_the_time_in_seconds() -> None:
    assert read_room(Room(name="a", creation_time=7)).created_at == 7_000


def test_an_unchanged_room_is_the_same_object_again() -> None:
    before = read_room(ROOM)
    assert read_room(ROOM, before) is before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sid", "RM_2"),
        ("metadata", "other"),
        ("max_participants", 9),
        ("empty_timeout", 9),
        ("departure_timeout", 9),
        ("num_participants", 9),
        ("active_recording", False),
    ],
)
def test_a_changed_room_is_read_anew(field: str, value: object) -> None:
    before, changed = read_room(ROOM), Room()
    changed.CopyFrom(ROOM)
    setattr(changed, field, value)
    after = read_room(changed, before)
    assert after != before
    assert getattr(after, field) == value


def test_sources_are_read_in_canonical_order_each_once() -> None:
    unordered = ParticipantPermission(
        can_publish_sources=[TrackSource.SCREEN_SHARE, TrackSource.CAMERA, TrackSource.SCREEN_SHARE]
    )
    assert read_permission(unordered).sources == ("CAMERA", "SCREEN_SHARE")


def test_a_permission_survives_the_way_there_and_back() -> None:
    permission = Permission(
        can_subscribe=False,
        can_publish=True,
        can_publish_data=True,
        sources=("CAMERA", "MICROPHONE", "SCREEN_SHARE", "SCREEN_SHARE_AUDIO"),
        hidden=True,
        can_update_metadata=True,
    )
    assert read_permission(write_permission(permission)) == permission


@pytest.mark.parametrize(
    ("info", "kind", "counts"),
    [
        (ParticipantInfo(), "STANDARD", True),
        (ParticipantInfo(kind=ParticipantInfo.SIP), "SIP", True),
        (ParticipantInfo(kind=ParticipantInfo.AGENT), "AGENT", False),
        (ParticipantInfo(kind=ParticipantInfo.EGRESS), "EGRESS", False),
        (ParticipantInfo(permission=ParticipantPermission(agent=True)), "AGENT", False),
        (ParticipantInfo(permission=ParticipantPermission(recorder=True)), "STANDARD", False),
        (ParticipantInfo(permission=ParticipantPermission(hidden=True)), "STANDARD", True),
    ],
)
def test_who_is_a_person(info: ParticipantInfo, kind: str, counts: bool) -> None:
    participant = read_participant(info)
    assert (participant.kind, is_person(participant)) == (kind, counts)


REQUEST = RecordingRequest(
    "a", Layout.SPEAKER, "/recordings/x.mp4", page="https://sidecar/recording/template"
)
ACCESS = S3Access("https://minio:9000", "eu-1", "the-access-key", "the-secret")
TOKEN = "eyJhbGciOiJIUzI1NiJ9.a.token"

PUT = "S3 upload failed: operation error S3: PutObject, "
ANSWER = "https response error StatusCode: {}, RequestID: 17F5, HostID: 5d1+503=, "
REFUSALS = [
    # "NAME upload failed: ERROR" is ErrUploadFailed (pkg/errors/errors.go of livekit/egress).
    # ERROR is, for files, of Go's os package (MkdirAll, Create and Copy in local.go of livekit/storage), and
    # for S3 of aws-sdk-go-v2. A disk that fills while it records is GST_RESOURCE_ERROR_NO_SPACE_LEFT.
    ("Local upload failed: write /recordings/x.mp4: no space left on device", "the disk or storage is full"),
    ("gst error: No space left on the resource.", "the disk or storage is full"),
    (PUT + ANSWER.format(507) + "api error XMinioStorageFull: threshold", "the disk or storage is full"),
    ("Local upload failed: mkdir /recordings/a: permission denied", "permission denied"),
    ("Local upload failed: open /recordings/x.mp4: read-only file system", "permission denied"),
    (
        PUT + ANSWER.format(404) + "api error NoSuchBucket: The specified bucket does not exist",
        "no such bucket",
    ),
    (PUT + ANSWER.format(403) + "api error AccessDenied: Access Denied", "the storage denied access"),
    (PUT + ANSWER.format(403) + "api error SignatureDoesNotMatch: no", "the storage denied access"),
    (
        "operation error S3: GetBucketLocation, " + ANSWER.format(403) + "api error InvalidAccessKeyId: no",
        "the storage denied access",
    ),
    (
        PUT + "get identity: get credentials: failed to refresh cached credentials",
        "the storage denied access",
    ),
    (
        PUT
        + "exceeded maximum number of attempts, 3, "
        + ANSWER.format(503)
        + "api error SlowDown: Please reduce",
        "the storage answered with a server error",
    ),
    (PUT + ANSWER.format(500) + "api error InternalError: again", "the storage answered with a server error"),
    (  # livekit/egress issue 954
        PUT
        + "exceeded maximum number of attempts, 3, "
        + ANSWER.format(502)
        + "error while deserializing xml error response : XML syntax error on line 6",
        "the storage answered with a server error",
    ),
    (  # with a backup storage, pkg/pipeline/sink/uploader/uploader.go: the primary's error is what to mend
        "primary: "
        + PUT
        + ANSWER.format(404)
        + "api error NoSuchBucket: The specified bucket does not exist\nbackup: Local upload failed: "
        "write /backup/x.mp4: no space left on device",
        "no such bucket",
    ),
    (
        PUT + ANSWER.format(0) + 'request send failed, Put "https://b": dial tcp: lookup b: no such host',
        "the egress worker cannot reach the storage",
    ),
    (PUT + ANSWER.format(400) + "api error EntityTooLarge: no", "check ROOMCTL_RECORDING_OUTPUT"),
]


def listed(request: RoomCompositeEgressRequest, **fields: object) -> EgressInfo:
    info = EgressInfo(egress_id="EG_1", room_name="a", room_composite=request)
    info.MergeFrom(EgressInfo(**fields))  # type: ignore[arg-type]
    return info


def test_a_recording_is_asked_for_as_one_mp4_of_the_room() -> None:
    wire = write_recording(REQUEST)
    assert (wire.room_name, wire.layout, wire.custom_base_url) == ("a", "speaker", REQUEST.page)
    (output,) = wire.file_outputs
    assert (output.filepath, output.WhichOneof("output")) == ("/recordings/x.mp4", None)


def test_a_bucket_is_written_to_with_the_credentials_given() -> None:
    (output,) = write_recording(RecordingRequest("a", Layout.GRID, "x.mp4", "b", s3=ACCESS)).file_outputs
    s3 = output.s3
    assert (s3.bucket, s3.endpoint, s3.region) == ("b", "https://minio:9000", "eu-1")
    assert (s3.access_key, s3.secret, s3.force_path_style) == ("the-access-key", "the-secret", True)


def test_a_bucket_of_amazons_is_addressed_by_its_name() -> None:
    (output,) = write_recording(RecordingRequest("a", Layout.GRID, "x.mp4", "b")).file_outputs
    assert output.s3.bucket == "b"
    assert not output.s3.force_path_style


@pytest.mark.parametrize(("bucket", "file"), [("", "/recordings/x.mp4"), ("b", "s3://b//recordings/x.mp4")])
def test_what_was_asked_for_is_read_back(bucket: str, file: str) -> None:
    request = RecordingRequest("a", Layout.SPEAKER, REQUEST.path, bucket, page=REQUEST.page, s3=ACCESS)
    egress = read_egress(listed(write_recording(request), status=WireStatus.EGRESS_ACTIVE))
    assert egress == Egress("EG_1", "a", EgressStatus.ACTIVE, file, "speaker", REQUEST.page)
    assert "the-secret" not in repr(egress) + repr(request)
    assert "the-access-key" not in repr(egress) + repr(request)


def test_an_older_way_to_ask_for_a_file_is_read_too() -> None:
    request = RoomCompositeEgressRequest(file=EncodedFileOutput(filepath="x.mp4", s3=S3Upload(bucket="b")))
    assert read_egress(listed(request)).file == "s3://b/x.mp4"


def test_times_are_nanoseconds_and_the_file_tells_its_length() -> None:
    info = listed(
        write_recording(REQUEST),
        status=WireStatus.EGRESS_COMPLETE,
        started_at=1_700_000_000_123_456_789,
        ended_at=1_700_000_060_000_000_000,
        updated_at=7,
        file_results=[FileInfo(duration=59_500_000_000, size=4096)],
    )
    egress = read_egress(info)
    assert egress.started == datetime(2023, 11, 14, 22, 13, 20, 123000, UTC)
    assert egress.ended == datetime(2023, 11, 14, 22, 14, 20, tzinfo=UTC)
    assert (egress.updated, egress.seconds, egress.size, egress.error) == (7, 59.5, 4096, "")


@pytest.mark.parametrize(
    "info",
    [
        EgressInfo(egress_id="EG_1", room_name="a"),
        EgressInfo(egress_id="EG_1", room_name="a", web=WebEgressRequest(url="https://x.example")),
        listed(RoomCompositeEgressRequest(segment_outputs=[SegmentedFileOutput(filename_prefix="x")])),
    ],
)
def test_what_goes_to_no_file_has_none(info: EgressInfo) -> None:
    egress = read_egress(info)
    assert (egress.id, egress.room, egress.file, egress.started, egress.ended) == (
        "EG_1",
        "a",
        "",
        None,
        None,
    )


def test_a_status_of_a_version_to_come_counts_as_ended() -> None:
    assert read_egress(EgressInfo(egress_id="EG_1", status=99)).status.ended  # type: ignore[arg-type]


@pytest.mark.parametrize("status", list(EgressStatus))
def test_every_status_is_read(status: EgressStatus) -> None:
    wire = f"EGRESS_{status}"
    assert read_egress(EgressInfo(egress_id="EG_1", status=wire)).status is status
    assert status.ended == (WireStatus.Value(wire) >= WireStatus.EGRESS_COMPLETE)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            f"Failed to upload: AccessDenied for key AKIA {TOKEN}",
            "could not write the output: the storage denied",
        ),
        (
            f"open /recordings/x.mp4: permission denied {TOKEN}",
            "could not write the output: permission denied",
        ),
        *((f"{said} {TOKEN}", f"could not write the output: {why}") for said, why in REFUSALS),
        (f"Start signal not received {TOKEN}", "recording page did not load"),
        (
            f"page load error: net::ERR_CONNECTION_REFUSED https://x/?token={TOKEN}",
            "recording page did not load",
        ),
        (f"CPU exhausted {TOKEN}", "ran out of CPU or memory"),
        (f"room closed {TOKEN}", "LiveKit room was closed"),
        (f"server is shutting down {TOKEN}", "egress worker was shut down"),
        (
            f"failed to refresh cached credentials {TOKEN}",
            "could not write the output: the storage denied access",
        ),
        (TOKEN, "recording failed"),
        ("", "recording failed"),
    ],
)
@pytest.mark.parametrize("status", ["EGRESS_FAILED", "EGRESS_ABORTED"])
def test_what_a_worker_says_of_a_failure_becomes_a_sentence_of_ours(
    said: str, expected: str, status: str
) -> None:
    info = listed(write_recording(REQUEST), status=status, error=said, details=said)
    egress = read_egress(info)
    assert expected in egress.error
    assert "EG_1" in egress.error
    assert TOKEN not in repr(egress)
    assert "AKIA" not in repr(egress)


KILLED = "End reason: Process killed"
SAVED = FileInfo(location="/recordings/x.mp4", size=7, duration=3_000_000_000)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"details": KILLED, "file_results": [SAVED]}, EgressStatus.COMPLETE),
        ({"error": "server is shutting down", "file_results": [SAVED]}, EgressStatus.COMPLETE),
        ({"details": KILLED, "file_results": [FileInfo(duration=3_000_000_000)]}, EgressStatus.FAILED),
        ({"details": KILLED}, EgressStatus.FAILED),
        ({"error": "pipeline frozen", "file_results": [SAVED]}, EgressStatus.FAILED),
    ],
)
def test_file_that_a_worker_completed_when_it_was_told_to_end_is_complete(
    told: dict[str, Any], expected: EgressStatus
) -> None:
    egress = read_egress(listed(write_recording(REQUEST), status=WireStatus.EGRESS_FAILED, **told))
    assert (egress.status, bool(egress.error)) == (expected, expected is EgressStatus.FAILED)


def test_recording_begins_with_its_file_and_not_with_its_request() -> None:
    begun = FileInfo(started_at=1_700_000_004_500_000_000)
    request = write_recording(REQUEST)
    assert read_egress(listed(request, started_at=1_700_000_000_000_000_000)).recorded_from is None
    recorded_from = read_egress(listed(request, file_results=[begun])).recorded_from
    assert recorded_from == datetime.fromtimestamp(1_700_000_004.5, UTC)


def test_one_that_went_well_has_no_error_whatever_was_said() -> None:
    info = listed(write_recording(REQUEST), status=WireStatus.EGRESS_COMPLETE, error=TOKEN, details=TOKEN)
    assert read_egress(info).error == ""
    assert TOKEN not in repr(read_egress(info))
