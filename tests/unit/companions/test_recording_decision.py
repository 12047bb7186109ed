"""What a room's recording needs next: never a second one, and nothing of anybody else's."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any, Final, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.companions.occupancy import Occupancy, occupancy_of
from controller.companions.recording.decision import (
    ProbeWorker,
    RecordingInputs,
    RecordingRules,
    ResolveStart,
    StartRecording,
    Step,
    StopRecording,
    UpdateRecordingRecord,
    condition,
    file_keys,
    next_step,
    ours_on,
)
from controller.companions.recording.outcome import RecordingFailure, StandingFailures
from controller.live.egress import Egress, EgressStatus
from controller.live.room import Participant, Permission
from controller.plan.metadata import Owner
from controller.recording_output import RecordingOutput
from controller.records.record import Origin, Recording, Retired, RoomRecord
from tests.support.worlds import NOW, OWNER, record

OUTPUT: Final = RecordingOutput.read("file:///recordings/{key}/{start}-{id}.mp4")
RULES: Final = RecordingRules(OUTPUT, timedelta(seconds=60), NOW)
BORN: Final = NOW - timedelta(days=1)
ROOM: Final = replace(record("stage", live="now", record=True), created=BORN)
FILE: Final = "/recordings/stage/20260324T155900Z-1.mp4"
OTHER: Final = "/recordings/stage/20260324T155930Z-2.mp4"
EGRESS: Final = Egress("EG_1", "now", EgressStatus.ACTIVE, FILE, "grid", started=NOW - timedelta(seconds=60))
NOTED: Final = Recording(NOW - timedelta(seconds=60), "now", FILE, "EG_1")
SOMEBODY, EMPTY = Occupancy(1), Occupancy(0)


def noted(recording: Recording | None = NOTED, **fields: Any) -> RoomRecord:
    return replace(ROOM, recording=recording, **fields)


def inputs(room: RoomRecord = ROOM, *ours: Egress, **more: Any) -> RecordingInputs:
    """A live room with somebody inside, and its recorder where one is at work."""
    recorders = frozenset(one.id for one in ours if one.status is EgressStatus.ACTIVE)
    facts: dict[str, Any] = {
        "listed": True,
        "livekit_says_recording": bool(recorders),
        "occupancy": Occupancy(1, recorders),
        "silent_seconds": {one.id: 0.0 for one in ours},
        "is_closed": False,
        "is_backing_off": False,
    }
    return RecordingInputs(room, ours=ours, **{**facts, **more})


def stands(reason: str, message: str) -> StandingFailures:
    """What prevents the room's recording."""
    return StandingFailures(RecordingFailure(reason, message))


def ago(seconds: float) -> Any:
    return NOW - timedelta(seconds=seconds)


STARTING: Final = replace(EGRESS, status=EgressStatus.STARTING)
ENDING: Final = replace(EGRESS, status=EgressStatus.ENDING)
YOUNGER: Final = replace(EGRESS, id="EG_2", file=OTHER, started=NOW)
SECOND: Final = Recording(NOW, "now", OTHER, "EG_2")
ATTEMPT: Final = replace(NOTED, egress_id=None)
EMPTIED: Final = replace(NOTED, empty_since=ago(30))
UNWANTED: Final = record("stage", live="now", record=False)


@pytest.mark.parametrize(
    ("facts", "step"),
    [
        pytest.param(inputs(), StartRecording(), id="somebody is inside"),
        pytest.param(inputs(occupancy=EMPTY), None, id="nobody is inside"),
        pytest.param(inputs(occupancy=None), None, id="nobody has looked"),
        pytest.param(inputs(listed=False), None, id="the room is not live"),
        pytest.param(inputs(is_backing_off=True), None, id="it failed not long ago"),
        pytest.param(inputs(UNWANTED), None, id="record is false"),
        pytest.param(inputs(record("stage", record=True, active=False)), None, id="active is false"),
        pytest.param(inputs(noted(ATTEMPT)), ResolveStart(), id="nobody knows what came of a Start"),
        pytest.param(inputs(noted(), EGRESS), None, id="all is well"),
        pytest.param(inputs(noted(), STARTING), None, id="it is starting"),
        pytest.param(inputs(noted(), occupancy=SOMEBODY), None, id="its end is not written down yet"),
        pytest.param(
            inputs(noted(), is_closed=True), UpdateRecordingRecord(None), id="its end is written down"
        ),
        pytest.param(inputs(noted(), ENDING), None, id="the end of it is waited for"),
        pytest.param(
            inputs(noted(), ENDING, silent_seconds={"EG_1": 11.0}, is_closed=True),
            UpdateRecordingRecord(None),
            id="it uploads for long",
        ),
        pytest.param(
            inputs(noted(ATTEMPT), EGRESS),
            UpdateRecordingRecord(NOTED),
            id="the Start is found to have come about",
        ),
        pytest.param(
            inputs(noted(None), EGRESS),
            UpdateRecordingRecord(replace(NOTED, attempt_at=ago(60))),
            id="one that is ours and not noted",
        ),
        pytest.param(
            inputs(noted(), EGRESS, occupancy=Occupancy(0, frozenset({"EG_1"}))),
            UpdateRecordingRecord(replace(NOTED, empty_since=NOW)),
            id="the last one left",
        ),
        pytest.param(inputs(noted(EMPTIED), EGRESS), UpdateRecordingRecord(NOTED), id="somebody came back"),
        pytest.param(inputs(noted(EMPTIED), EGRESS, occupancy=EMPTY), None, id="nobody came back yet"),
        pytest.param(
            inputs(noted(replace(NOTED, empty_since=ago(60))), EGRESS, occupancy=EMPTY),
            StopRecording(EGRESS, "no participants left"),
            id="nobody came back in time",
        ),
        pytest.param(
            inputs(noted(replace(NOTED, empty_since=ago(60))), EGRESS, occupancy=None),
            None,
            id="nobody looked whether somebody came back",
        ),
        pytest.param(
            inputs(replace(UNWANTED, recording=NOTED), EGRESS),
            StopRecording(EGRESS, "record is false"),
            id="taken back",
        ),
        pytest.param(
            inputs(noted(live=None), EGRESS),
            StopRecording(EGRESS, "LiveKit room was replaced or stopped"),
            id="room given up",
        ),
        pytest.param(
            inputs(noted(removed_at=NOW), EGRESS),
            StopRecording(EGRESS, "LiveKit room was replaced or stopped"),
            id="room removed",
        ),
        pytest.param(
            inputs(noted(), replace(EGRESS, layout="speaker")),
            StopRecording(replace(EGRESS, layout="speaker"), "record_mode changed"),
            id="another layout is wanted",
        ),
        pytest.param(
            inputs(replace(UNWANTED, recording=NOTED), EGRESS, stop_requested=frozenset({"EG_1"})),
            None,
            id="it was asked to end a moment ago",
        ),
        pytest.param(
            inputs(noted(), EGRESS, YOUNGER),
            StopRecording(YOUNGER, "duplicate recording of the same room"),
            id="recorded twice",
        ),
        pytest.param(
            inputs(noted(), ENDING, YOUNGER), UpdateRecordingRecord(SECOND), id="the next one is there"
        ),
        pytest.param(
            inputs(
                noted(),
                EGRESS,
                livekit_says_recording=False,
                occupancy=SOMEBODY,
                silent_seconds={"EG_1": 60.0},
            ),
            ProbeWorker(EGRESS),
            id="silent, and not in the room",
        ),
        pytest.param(
            inputs(
                noted(),
                EGRESS,
                livekit_says_recording=False,
                occupancy=SOMEBODY,
                silent_seconds={"EG_1": 59.0},
            ),
            None,
            id="silent, not for long",
        ),
        pytest.param(
            inputs(noted(), EGRESS, livekit_says_recording=False, silent_seconds={"EG_1": 90.0}),
            None,
            id="silent, in the room",
        ),
        pytest.param(
            inputs(noted(), EGRESS, occupancy=SOMEBODY, silent_seconds={"EG_1": 90.0}),
            None,
            id="silent, the room is taped",
        ),
        pytest.param(
            inputs(
                noted(), EGRESS, livekit_says_recording=False, occupancy=None, silent_seconds={"EG_1": 90.0}
            ),
            None,
            id="silent, nobody looked",
        ),
        pytest.param(
            inputs(
                noted(),
                EGRESS,
                livekit_says_recording=False,
                listed=False,
                occupancy=None,
                silent_seconds={"EG_1": 90.0},
            ),
            ProbeWorker(EGRESS),
            id="silent, and its room is gone",
        ),
        pytest.param(
            inputs(noted(), ENDING, silent_seconds={"EG_1": 60.0}),
            ProbeWorker(ENDING),
            id="its end never comes",
        ),
    ],
)
def test_one_step_at_a_time(facts: RecordingInputs, step: Step | None) -> None:
    assert next_step(facts, RULES) == step


def test_without_an_output_nothing_begins_and_what_runs_ends() -> None:
    rules = replace(RULES, output=None)
    assert next_step(inputs(), rules) is None
    ended = next_step(inputs(noted(), EGRESS), rules)
    assert ended == StopRecording(EGRESS, "ROOMCTL_RECORDING_OUTPUT is no longer set")


@pytest.mark.parametrize(
    ("mode", "layout", "page"),
    [
        ("ROOM_COMPOSITE_GRID", "grid", ""),
        ("ROOM_COMPOSITE_SPEAKER", "speaker", ""),
        ("ROOM_COMPOSITE_SPEAKER", "speaker-light", ""),
        ("ROOM_COMPOSITE_AND_CHAT", "grid", "http://sidecar/recording/template"),
    ],
)
def test_each_layout_goes_on_under_its_own_mode_alone(mode: str, layout: str, page: str) -> None:
    taped = replace(EGRESS, layout=layout, page=page)
    modes = ("ROOM_COMPOSITE_GRID", "ROOM_COMPOSITE_SPEAKER", "ROOM_COMPOSITE_AND_CHAT")
    rooms = {one: record("stage", live="now", record=True, record_mode=one) for one in modes}
    goes_on = [
        one
        for one, room in rooms.items()
        if next_step(inputs(replace(room, recording=NOTED), taped), RULES) is None
    ]
    assert goes_on == [mode]


def test_hidden_ones_streams_agents_and_recorders_are_nobody() -> None:
    people = [
        Participant("ann", permission=Permission(can_publish=True)),
        Participant("hid", permission=Permission(hidden=True)),
        Participant("bot", kind="AGENT"),
        Participant("camera", kind="INGRESS"),
        Participant("EG_1", kind="EGRESS"),
        Participant("EG_2", recorder=True),
    ]
    assert occupancy_of(people) == Occupancy(1, frozenset({"EG_1", "EG_2"}))


def test_ours_are_the_noted_one_and_what_goes_where_only_this_room_goes() -> None:
    moved = replace(EGRESS, id="EG_1", file="/elsewhere.mp4")
    foreign = replace(EGRESS, id="EG_3", file="/recordings/stage-2/20260324T155900Z-1.mp4")
    web = replace(EGRESS, id="EG_4", file="")
    assert ours_on(noted(), [foreign, YOUNGER, web, moved], OUTPUT, OWNER) == (moved, YOUNGER)


def test_with_another_output_the_noted_one_alone_is_ours() -> None:
    assert ours_on(noted(), [EGRESS, YOUNGER], None, OWNER) == (EGRESS,)


def test_files_of_an_api_room_hold_a_hash_for_its_id_and_those_of_earlier_releases_are_ours() -> None:
    room = replace(record("api/" + "ab" * 12, live="now", record=True), id="ab" * 12, origin=Origin.API)
    rotated = Owner(OWNER.instance, (b"a new key", *OWNER.keys))
    keys = file_keys(room, rotated)
    assert keys == (*(f"api/{mark}" for mark in rotated.room_marks(room.id)[:2]), room.key)
    assert all(len(key) == len("api/") + 32 and room.id not in key for key in keys[:2])
    listed = [
        replace(EGRESS, id=f"EG_{number}", file=OUTPUT.path(key, room.id, NOW, str(number)))
        for number, key in enumerate((*keys, f"api/{'cd' * 12}", *file_keys(room, other_owner())))
    ]
    assert [one.id for one in ours_on(room, listed, OUTPUT, rotated)] == ["EG_0", "EG_1", "EG_2", "EG_5"]
    assert file_keys(ROOM, rotated) == ("stage",)


def other_owner() -> Owner:
    return Owner(OWNER.instance, (b"a key of somebody else",))


def test_one_that_has_not_begun_is_the_younger() -> None:
    unbegun = replace(YOUNGER, id="EG_0", status=EgressStatus.STARTING, started=None)
    assert ours_on(noted(), [unbegun, EGRESS], OUTPUT, OWNER) == (EGRESS, unbegun)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (inputs(occupancy=EMPTY), ("False", "Idle")),
        (inputs(), ("False", "Starting")),
        (inputs(noted(ATTEMPT)), ("False", "Starting")),
        (inputs(noted(), STARTING), ("False", "Starting")),
        (inputs(noted(), EGRESS), ("True", "Recording")),
        (inputs(noted(), ENDING), ("False", "Stopping")),
        (
            inputs(
                noted(),
                EGRESS,
                livekit_says_recording=False,
                occupancy=SOMEBODY,
                silent_seconds={"EG_1": 90.0},
            ),
            ("False", "WorkerLost"),
        ),
        (inputs(noted(), EGRESS, on_deleted_room=frozenset({"EG_1"})), ("False", "Starting")),
    ],
)
def test_the_condition_says_what_is_so(facts: RecordingInputs, expected: tuple[str, str]) -> None:
    said = condition(facts, OUTPUT, StandingFailures())
    assert (said.status, said.reason) == expected


def test_the_condition_names_file_and_time_and_nothing_of_the_id() -> None:
    by_id = replace(EGRESS, file=f"/recordings/{ROOM.id}/x.mp4")
    said = condition(inputs(noted(replace(NOTED, file=by_id.file)), by_id), OUTPUT, StandingFailures())
    assert "since 2026-03-24T15:59:00.000Z" in said.message
    assert ROOM.id not in said.message


def test_trouble_is_said_while_somebody_waits_for_the_recording() -> None:
    trouble = stands("Starting", "LiveKit has not said what came of the Start")
    assert (
        condition(inputs(is_backing_off=True), OUTPUT, trouble).message
        == "LiveKit has not said what came of the Start"
    )
    assert condition(inputs(noted(), EGRESS), OUTPUT, trouble).status == "True"
    assert condition(inputs(occupancy=EMPTY), OUTPUT, trouble).reason == "Idle"


def test_what_was_mended_is_not_said_while_the_last_of_a_good_recording_is_written() -> None:
    trouble = stands("Failed", "the one before")
    assert condition(inputs(noted(), ENDING, occupancy=EMPTY), OUTPUT, trouble).reason == "Stopping"
    assert condition(inputs(noted(), ENDING, occupancy=SOMEBODY), OUTPUT, trouble).reason == "Failed"


def test_a_recording_that_never_begins_is_probed_even_if_its_recorder_is_listed() -> None:
    """LiveKit was restarted while the recorder joined, and then its worker: LiveKit lists it for ever."""
    starting, look = replace(EGRESS, status=EgressStatus.STARTING), Occupancy(1, frozenset({EGRESS.id}))
    silent = inputs(noted(), starting, occupancy=look, silent_seconds={EGRESS.id: 60.0})
    assert next_step(silent, RULES) == ProbeWorker(starting)
    active = inputs(noted(), EGRESS, occupancy=look, silent_seconds={EGRESS.id: 60.0})
    assert next_step(active, RULES) is None


def test_anothers_recorder_hides_no_worker_that_is_gone() -> None:
    look = Occupancy(1, frozenset({"EG_foreign"}))
    assert isinstance(
        next_step(inputs(noted(), EGRESS, occupancy=look, silent_seconds={"EG_1": 61.0}), RULES), ProbeWorker
    )
    gone = replace(look, gone=look.recorders)
    assert next_step(inputs(noted(), EGRESS, occupancy=gone, silent_seconds={"EG_1": 61.0}), RULES) is None


def test_what_is_left_of_a_room_that_was_given_up_holds_nothing_up() -> None:
    left = inputs(noted(), EGRESS, on_deleted_room=frozenset({"EG_1"}))
    assert next_step(left, RULES) == UpdateRecordingRecord(None)
    assert next_step(replace(left, record=ROOM), RULES) == StartRecording()


@pytest.mark.parametrize("reason", ["NoEgressService", "NoWorker", "Failed", "WorkerLost"])
def test_what_went_wrong_for_good_is_said_of_an_empty_room_too(reason: str) -> None:
    assert condition(inputs(occupancy=EMPTY), OUTPUT, stands(reason, "why")).reason == reason


# What holds of every scene.

Facts: TypeAlias = tuple[RecordingInputs, Sequence[Egress]]

_statuses = st.sampled_from([EgressStatus.STARTING, EgressStatus.ACTIVE, EgressStatus.ENDING])
_files = st.sampled_from([FILE, OTHER, "/recordings/stage/20260324T155900Z-3.mp4"])
_foreign = st.sampled_from(
    ["", "/elsewhere/x.mp4", "/recordings/stage-2/20260324T155900Z-1.mp4", "s3://b/x.mp4"]
)
_moments = st.none() | st.integers(0, 200).map(ago)


def _egress(number: int, files: st.SearchStrategy[str]) -> st.SearchStrategy[Egress]:
    return st.builds(
        Egress,
        st.just(f"EG_{number}"),
        st.sampled_from(["now", "before"]),
        _statuses,
        files,
        st.sampled_from(["grid", "speaker"]),
        st.sampled_from(["", "http://sidecar/recording/template"]),
        _moments,
    )


_listings: st.SearchStrategy[list[Egress]] = st.integers(0, 4).flatmap(
    lambda count: st.tuples(*(_egress(number, _files | _foreign) for number in range(count))).map(list)
)
_recordings = st.none() | st.builds(
    Recording,
    st.integers(0, 200).map(ago),
    st.sampled_from(["now", "before"]),
    _files,
    st.none() | st.sampled_from(["EG_0", "EG_1", "EG_gone"]),
    _moments,
)
_rooms = st.builds(
    lambda taped, active, recording, removed: replace(
        record("stage", live="now" if active else None, record=taped, active=active),
        created=BORN,
        recording=recording,
        removed_at=NOW if removed else None,
        retired=(Retired("before", NOW),),
    ),
    st.booleans(),
    st.booleans(),
    _recordings,
    st.booleans(),
)


@st.composite
def recording_inputs(draw: st.DrawFn) -> Facts:
    """The inputs, and the listing that it was made of."""
    room, listed = draw(_rooms), draw(_listings)
    ours = ours_on(room, listed, OUTPUT, OWNER)
    ids = [one.id for one in ours]
    some = st.frozensets(st.sampled_from(ids)) if ids else st.just(frozenset[str]())
    facts = RecordingInputs(
        record=room,
        listed=room.live is not None and draw(st.booleans()),
        livekit_says_recording=draw(st.booleans()),
        ours=ours,
        occupancy=draw(st.none() | st.builds(Occupancy, st.integers(0, 2), some)),
        silent_seconds={key: draw(st.sampled_from([0.0, 9.0, 11.0, 61.0])) for key in ids},
        is_closed=room.recording is not None and room.recording.egress_id is not None and draw(st.booleans()),
        is_backing_off=draw(st.booleans()),
        stop_requested=draw(some),
    )
    return facts, listed


def _running(facts: RecordingInputs) -> list[Egress]:
    return [one for one in facts.ours if one.status is not EgressStatus.ENDING]


@given(recording_inputs())
def test_nothing_begins_while_one_runs_or_an_outcome_is_unknown(
    facts: Facts,
) -> None:
    known, _ = facts
    if next_step(known, RULES) == StartRecording():
        assert not _running(known)
        assert known.record.recording is None
        assert known.record.should_be_live
        assert known.record.spec.record
        assert known.listed


@given(recording_inputs())
def test_nothing_foreign_is_ever_ended(facts: Facts) -> None:
    step = next_step(facts[0], RULES)
    if isinstance(step, StopRecording | ProbeWorker):
        recording = facts[0].record.recording
        noted_ = recording is not None and step.egress.id == recording.egress_id
        assert noted_ or OUTPUT.is_of(step.egress.file, "stage", ROOM.id)


@given(recording_inputs())
def test_of_several_that_run_the_youngest_ends(facts: Facts) -> None:
    known, running = facts[0], _running(facts[0])
    step = next_step(known, RULES)
    if len(running) < 2 or isinstance(step, ProbeWorker):
        return
    youngest = max(running, key=lambda one: (one.started is None, one.started or NOW, one.id))
    assert step == (
        None
        if youngest.id in known.stop_requested
        else StopRecording(youngest, "duplicate recording of the same room")
    )


@given(recording_inputs(), st.randoms())
def test_the_order_of_the_listing_decides_nothing(facts: Facts, random: Random) -> None:
    known, listed = facts
    shuffled = list(listed)
    random.shuffle(shuffled)
    assert ours_on(known.record, shuffled, OUTPUT, OWNER) == known.ours


@given(recording_inputs(), st.booleans())
def test_with_people_inside_and_a_worker_every_room_comes_to_rest(facts: Facts, somebody: bool) -> None:
    known = replace(
        facts[0], occupancy=Occupancy(int(somebody)), is_backing_off=False, stop_requested=frozenset()
    )
    for _ in range(20):
        step = next_step(known, RULES)
        before, known = known, _done(known, step)
        if known == before:
            break
    assert known == before
    room = known.record
    wanted = somebody and known.listed and room.should_be_live and room.spec.record
    assert not wanted or [one.room for one in _running(known)] == ["now"]
    assert (room.should_be_live and room.spec.record) or not _running(known)


def _done(known: RecordingInputs, step: Step | None) -> RecordingInputs:
    """What comes of a step, or of waiting, where all goes well: what is to end has ended, and is settled."""
    room = known.record
    match step:
        case UpdateRecordingRecord(recording):
            known = replace(known, record=room.with_recording(recording))
        case StartRecording():
            begun = replace(EGRESS, id="EG_new", layout="grid", page="", started=NOW)
            known = replace(
                known,
                ours=(*known.ours, begun),
                silent_seconds={**known.silent_seconds, begun.id: 0.0},
                livekit_says_recording=True,
            )
            known = replace(known, record=room.with_recording(Recording(NOW, "now", FILE, begun.id)))
        case ResolveStart():
            known = replace(known, record=room.with_recording(None))
        case StopRecording(egress) | ProbeWorker(egress):
            known = replace(known, ours=tuple(one for one in known.ours if one.id != egress.id))
        case None:
            known = replace(known, ours=tuple(_running(known)))
    ids = {one.id for one in known.ours}
    noted_ = known.record.recording
    return replace(known, is_closed=noted_ is not None and noted_.egress_id not in {*ids, None})
