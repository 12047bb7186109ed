"""One room on one page: what is shown of it, in text and as JSON."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from controller.cli.describe import Description, Manifest, _show, to_dict
from controller.cli.rooms import RoomStatus
from controller.git import Commit
from controller.live.room import Participant, Track
from controller.manifests.snapshot import ManifestRoom, SourcePosition
from controller.records.events import Event, EventType
from controller.records.record import Condition
from controller.room import FieldChange
from tests.support.rooms import NOW, room

ROOM = replace(room(1, live="lk-1"), file="events/room-1.yaml")
COMMIT = Commit("a1b2c3d4e5f6a7b8", "Ada", NOW - timedelta(hours=3), "Add the keynote")
READY = Condition("Ready", "True", "AsSpecified", "", NOW - timedelta(minutes=5))
SPEAKER = Participant(
    "ann",
    name="Ann",
    attributes={"role": "speaker"},
    tracks=(Track("VIDEO", "CAMERA"), Track("AUDIO", "MICROPHONE")),
    joined_at=int((NOW - timedelta(minutes=2)).timestamp() * 1000),
)
EVENT = Event(
    at=NOW - timedelta(minutes=3),
    type=EventType.UPDATE,
    key=ROOM.key,
    room_id=ROOM.id,
    reason="manifest changed",
    fields=(FieldChange("allow_chat", False, True),),
    by="git a1b2c3d4e5f6 Ada",
)
REFUSAL = Event(at=NOW, type=EventType.REFUSE, key=ROOM.key, room_id=ROOM.id, reason="ROOM_FULL", count=3)


def description(*conditions: Condition, ready: Condition = READY, **fields: object) -> Description:
    manifest = Manifest(
        "events/room-1.yaml", ManifestRoom(ROOM.key, "x", ROOM.spec, SourcePosition(4, 1)), COMMIT
    )
    status = replace(ROOM.status, observed_generation=ROOM.generation)
    shown = RoomStatus(replace(ROOM, status=status), (ready, *conditions))
    return replace(Description(shown, manifest, [SPEAKER], [EVENT], [REFUSAL], NOW), **fields)  # type: ignore[arg-type]


def page(given: Description, capsys: pytest.CaptureFixture[str]) -> str:
    _show(given)
    return capsys.readouterr().out


def test_page_has_everything_and_no_id(capsys: pytest.CaptureFixture[str]) -> None:
    text = page(description(), capsys)
    for part in (
        "Key:          events/room-1\n",
        "Manifest:     events/room-1.yaml:4, commit a1b2c3d4e5f6 by Ada 3 h ago: Add the keynote\n",
        "LiveKit room: lk-1\n",
        "Pending:      nothing\n",
        "ann       Ann   standard  speaker  2 min  camera, microphone",
        "3 min ago  update  allow_chat false -> true  git a1b2c3d4e5f6 Ada",
        "0 s ago  refuse  ROOM_FULL (3 times)",
    ):
        assert part in text
    assert "Ready  True    AsSpecified  5 min  -" in text
    assert ROOM.id not in text


def test_what_waits_is_said_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    deferred = Condition("Deferred", "True", "PeopleInside", "remove deferred, 1 participant inside", NOW)
    assert description(deferred).pending == ["remove deferred, 1 participant inside"]
    edited = ManifestRoom(
        ROOM.key, "x", ROOM.spec.model_copy(update={"max_participants": 3}), SourcePosition(1, 1)
    )
    assert description(manifest=Manifest("x", edited)).pending == [
        "the manifest has not been applied yet: max_participants"
    ]
    assert "Pending:      remove deferred" in page(description(deferred), capsys)


def test_an_edit_that_is_not_applied_says_what_it_does_to_whom() -> None:
    stopped = ManifestRoom(
        ROOM.key, "x", ROOM.spec.model_copy(update={"active": False}), SourcePosition(1, 1)
    )
    edit, text = Manifest("x", stopped), "the manifest has not been applied yet: active - disconnects"
    agent = Participant("bot", kind="AGENT")
    assert description(manifest=edit, people=[SPEAKER, agent]).pending == [f"{text} 1 participant"]
    assert description(manifest=edit, people=None).pending == [f"{text} everybody inside"]


def test_what_a_hold_a_guard_or_a_failure_blocks_is_pending() -> None:
    hold = Condition("Held", "True", "Held", "by ann until 12:00: the show is on", NOW)
    assert description(hold).pending == ["changes held by ann until 12:00: the show is on"]
    waits = replace(READY, reason="Held", message="update held by ann until 12:00: the show is on")
    assert description(hold, ready=waits).pending == [waits.message]
    guard = Condition("Guarded", "True", "TooManyMissing", "4 manifests are missing at once", NOW)
    assert description(guard).pending == [guard.message]
    failed = replace(READY, status="False", reason="Failed", message="LiveKit refused the room")
    flapping = Condition("Stalled", "True", "Flapping", "recreated at most once a minute", NOW)
    assert description(flapping, ready=failed).pending == [
        "tried again: LiveKit refused the room",
        "recreated at most once a minute",
    ]


def test_what_is_not_known_is_said_to_be_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    text = page(description(manifest=None, people=None, events=[], refusals=[]), capsys)
    assert "Manifest:     none; made over the API\n" in text
    assert "People: unknown: LiveKit was not asked, or did not answer\n" in text
    assert "Last events: none\n" in text
    assert "People: nobody\n" in page(description(people=[]), capsys)
    elsewhere = page(description(manifest=Manifest("events/room-1.yaml")), capsys)
    assert "Manifest:     events/room-1.yaml (not in this rooms directory)\n" in elsewhere
    wrong = Condition("ManifestValid", "False", "Invalid", "events/room-1.yaml:1:1: it is wrong", NOW)
    invalid = page(description(wrong, manifest=Manifest("events/room-1.yaml")), capsys)
    assert "Manifest:     events/room-1.yaml (invalid)\n" in invalid


def test_document_is_the_room_of_get_with_more_keys() -> None:
    document = to_dict(description())
    assert list(document)[-6:] == ["manifest", "pending", "open_hours", "people", "events", "refusals"]
    assert document["open_hours"] is None
    assert document["id"] == ROOM.id
    assert document["participants"] == 1
    assert document["manifest"]["line"] == 4
    assert document["manifest"]["commit"]["author"] == "Ada"
    assert document["people"][0] == {
        "identity": "ann",
        "name": "Ann",
        "kind": "STANDARD",
        "role": "speaker",
        "reserved_seat": False,
        "since": "2026-03-24T15:58:00.123Z",
        "publishes": ["CAMERA", "MICROPHONE"],
    }
    assert document["refusals"][0]["count"] == 3
    unknown = to_dict(description(manifest=None, people=None))
    assert (unknown["manifest"], unknown["people"], unknown["participants"]) == (None, None, None)


@pytest.mark.parametrize(
    ("hours", "text"),
    [
        ({"opens": "2026-03-24T14:00"}, "open, without an end, overrun 15m"),
        ({"closes": "2026-03-24T20:00"}, "open, until 2026-03-24T20:00:00.000Z, overrun 15m"),
        (
            {"opens": "2026-03-25T14:00", "overrun": "0s"},
            "closed; opens at 2026-03-25T14:00:00.000Z, without an end, overrun 0s",
        ),
        ({"closes": "2026-03-24T14:00"}, "closed, and does not open again"),
    ],
)
def test_the_current_or_the_next_window(
    hours: dict[str, str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    record = replace(ROOM, spec=ROOM.spec.model_copy(update=hours))
    described = replace(
        description(), room=RoomStatus(record, (READY,)), now=datetime(2026, 3, 24, 16, tzinfo=UTC)
    )
    assert f"Open hours:   {text}\n" in page(described, capsys)
    shown = to_dict(described)["open_hours"]
    assert shown["open"] is text.startswith("open")
    assert set(shown) == {"open", "opens", "closes"}
