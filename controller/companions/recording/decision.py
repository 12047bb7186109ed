"""What the recording of one room needs next, decided from what is known of it. Pure (docs/recording.md).

Level-triggered like the rest: one step at a time, each of which may be lost or done twice, and the next look
decides again. A Start is never repeated blindly: while its result is unknown, the step is to find it out.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from controller.access.people import is_person
from controller.companions.companion import NewCondition
from controller.companions.recording.outcome import RecordingFailure, StandingFailures, with_previous
from controller.live.egress import Egress, EgressStatus, Layout
from controller.live.room import Participant
from controller.recording_output import RecordingOutput
from controller.records.record import Recording, RoomRecord
from controller.room import RecordMode, format_time, redact_room_id

START_OUTCOME_TIMEOUT: Final = timedelta(seconds=60)
"""For how long a Start whose outcome nobody knows may still become a recording."""
WORKER_SILENCE_SECONDS: Final = 60.0
"""Seconds for which an egress must have been silent before it may be a ghost."""
STOP_GRACE_SECONDS: Final = 10.0
"""Seconds that one which ends is waited for before another begins: an upload may take longer."""
PERSISTENT_REASONS: Final = frozenset({"NoEgressService", "NoWorker", "Failed", "WorkerLost"})
"""What is said of an empty room as well: who looks in the morning finds why there is no recording."""
SILENT: Final = "no update from the egress worker for 60 s; checking whether it is running"


@dataclass(frozen=True, slots=True)
class UpdateRecordingRecord:
    """The record is brought to what is so: an egress that was found, nobody inside any more, an end."""

    recording: Recording | None


@dataclass(frozen=True, slots=True)
class StartRecording:
    """A recording is started."""


@dataclass(frozen=True, slots=True)
class ResolveStart:
    """What came of a Start is looked up by its file, ended ones included."""


@dataclass(frozen=True, slots=True)
class StopRecording:
    """A recording is asked to end."""

    egress: Egress
    why: str


@dataclass(frozen=True, slots=True)
class ProbeWorker:
    """One that seems to be a ghost is asked to end: if nobody answers, it is lost."""

    egress: Egress


Step: TypeAlias = UpdateRecordingRecord | StartRecording | ResolveStart | StopRecording | ProbeWorker


@dataclass(frozen=True, slots=True)
class Occupancy:
    """Who is inside a live room as far as its recording goes: people who count, recorders by identity.

    `gone` are recorders who are listed, and for whom no server answers.
    """

    people: int
    recorders: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RecordingInputs:
    """All that is known of one room's recording.

    `listed`: its live room is there; `livekit_says_recording`: LiveKit says that it is recorded. `ours` are
    egresses of ours on any of its names that have not ended, the eldest first. `occupancy`: None where nobody
    looked. `silent_seconds`: for how many seconds each of them has been silent, by id. `is_closed`: the
    record's own has ended, and that is written down. `is_backing_off`: it failed not long ago.
    `stop_requested`: those that were asked to end a moment ago.
    """

    record: RoomRecord
    listed: bool
    livekit_says_recording: bool
    ours: tuple[Egress, ...]
    occupancy: Occupancy | None
    silent_seconds: Mapping[str, float]
    is_closed: bool
    is_backing_off: bool
    stop_requested: frozenset[str] = frozenset()
    on_deleted_room: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RecordingRules:
    """`output` None: nothing is recorded. `idle`: how long a recording goes on with nobody inside."""

    output: RecordingOutput | None
    idle: timedelta
    now: datetime


def next_step(inputs: RecordingInputs, rules: RecordingRules) -> Step | None:
    """The next step; None where all is as it should be, or something has to be waited for."""
    for egress in inputs.ours:
        if _seems_ghost(egress, inputs):
            return ProbeWorker(egress)
    running = [
        egress for egress in inputs.ours if is_recording(egress) and egress.id not in inputs.on_deleted_room
    ]
    if len(running) > 1:
        return _end(running[-1], "duplicate recording of the same room", inputs)
    if running:
        return _next_while_running(running[0], inputs, rules)
    ending = (egress for egress in inputs.ours if not is_recording(egress))
    if any(inputs.silent_seconds[egress.id] < STOP_GRACE_SECONDS for egress in ending):
        return None
    return _next_without_recording(inputs, rules)


def _next_while_running(egress: Egress, inputs: RecordingInputs, rules: RecordingRules) -> Step | None:
    recording = inputs.record.recording
    if recording is None or recording.egress_id != egress.id:
        return UpdateRecordingRecord(entry_for_egress(egress, recording, rules.now))
    why = _stop_reason(egress, recording, inputs, rules)
    if why:
        return _end(egress, why, inputs)
    if inputs.occupancy is None or bool(inputs.occupancy.people) == (recording.empty_since is None):
        return None
    return UpdateRecordingRecord(
        replace(recording, empty_since=None if inputs.occupancy.people else rules.now)
    )


def _end(egress: Egress, why: str, inputs: RecordingInputs) -> StopRecording | None:
    return None if egress.id in inputs.stop_requested else StopRecording(egress, why)


def entry_for_egress(egress: Egress, recording: Recording | None, now: datetime) -> Recording:
    """The record's entry for an egress that turned up: the attempt's own, or one of another life of ours."""
    attempt_at = egress.started or now
    if recording is not None and recording.file == egress.file:
        attempt_at = recording.attempt_at
    return Recording(attempt_at, egress.room, egress.file, egress.id)


def _stop_reason(egress: Egress, recording: Recording, inputs: RecordingInputs, rules: RecordingRules) -> str:
    """Why a recording should end; '' while it should not."""
    record = inputs.record
    if rules.output is None:
        return "ROOMCTL_RECORDING_OUTPUT is no longer set"
    if not record.spec.record:
        return "record is false"
    if not record.should_be_live or record.live is None or record.live.name != egress.room:
        return "LiveKit room was replaced or stopped"
    if mode_of(egress) is not record.spec.record_mode:
        return "record_mode changed"
    empty, nobody = recording.empty_since, inputs.occupancy is not None and not inputs.occupancy.people
    if empty is not None and nobody and rules.now - empty >= rules.idle:
        return "no participants left"
    return ""


def _next_without_recording(inputs: RecordingInputs, rules: RecordingRules) -> Step | None:
    """Nothing of ours is running; what lingers at its end is waited for no more, and its row stays open."""
    recording = inputs.record.recording
    if recording is None:
        return StartRecording() if _should_start(inputs, rules) else None
    if recording.egress_id is None:
        return ResolveStart()
    lingers = any(egress.id == recording.egress_id for egress in inputs.ours)
    return UpdateRecordingRecord(None) if inputs.is_closed or lingers else None


def _should_start(inputs: RecordingInputs, rules: RecordingRules) -> bool:
    wanted = rules.output is not None and asks(inputs.record)
    return wanted and inputs.listed and not inputs.is_backing_off and _has_people(inputs)


def asks(record: RoomRecord) -> bool:
    """Whether the room is to be recorded while people are inside."""
    return record.spec.record and record.should_be_live


def _seems_ghost(egress: Egress, inputs: RecordingInputs) -> bool:
    """Whether its worker may have gone without a word. One that ends leaves the room, and uploads after."""
    if inputs.silent_seconds[egress.id] < WORKER_SILENCE_SECONDS:
        return False
    seen = inputs.occupancy
    if egress.status is EgressStatus.ENDING or (seen is not None and egress.id in seen.gone):
        return True
    if seen is None:
        return not inputs.listed and not inputs.livekit_says_recording
    # LiveKit's word that the room is recorded may be about another: that counts as well
    is_recorded = inputs.livekit_says_recording and not seen.recorders - seen.gone
    return egress.id not in seen.recorders and not is_recorded


def is_recording(egress: Egress) -> bool:
    """Whether it still records: one that ends has left the room, and uploads."""
    return egress.status is not EgressStatus.ENDING


def is_on_deleted_room(egress: Egress, record: RoomRecord, live: Container[str]) -> bool:
    """Whether LiveKit room was replaced or stopped and is gone; `live` are the names of all live rooms."""
    current = record.live.name if record.live is not None else None
    return egress.room != current and egress.room not in live


def mode_of(egress: Egress) -> RecordMode:
    """The record_mode that it was started for."""
    if egress.page:
        return RecordMode.AND_CHAT
    return RecordMode.SPEAKER if egress.layout.startswith(Layout.SPEAKER) else RecordMode.GRID


def layout_of(mode: RecordMode) -> Layout:
    return Layout.SPEAKER if mode is RecordMode.SPEAKER else Layout.GRID


def counts(one: Participant) -> bool:
    return is_person(one) and not one.permission.hidden


def occupancy_of(inside: Sequence[Participant], unlisted: int = 0) -> Occupancy:
    """Hidden ones, agents and recorders are nobody, and whom a crash left listed. `unlisted` are people."""
    recorders = [one for one in inside if one.kind == "EGRESS" or one.recorder]
    return Occupancy(
        people=sum(counts(one) for one in inside) or unlisted,
        recorders=frozenset(one.identity for one in recorders),
        gone=frozenset(one.identity for one in recorders if one.gone),
    )


def ours_on(
    record: RoomRecord, listed: Iterable[Egress], output: RecordingOutput | None
) -> tuple[Egress, ...]:
    """The egresses of ours on the room's names, the eldest first; a foreign one is nobody's business.

    Ours is what stands in the record, and what goes where recordings of this room go: where the template has
    neither key nor id, others' go there as well. One that has no start yet is younger than all that have.
    """
    names = record.names
    mine = (egress for egress in listed if egress.room in names and _is_ours(egress, record, output))
    return tuple(sorted(mine, key=lambda one: (one.started is None, one.started or record.created, one.id)))


def _is_ours(egress: Egress, record: RoomRecord, output: RecordingOutput | None) -> bool:
    recording = record.recording
    if recording is not None and (egress.id == recording.egress_id or egress.file == recording.file):
        return True
    return output is not None and output.is_of(egress.file, record.key, record.id)


def has_live_name(record: RoomRecord, names: AbstractSet[str]) -> bool:
    """Whether one of `names` was or is the record's. Most records have their current name alone."""
    if record.live is not None and record.live.name in names:
        return True
    more = bool(record.retired) or record.recording is not None
    return more and not names.isdisjoint(record.names)


def not_recorded(reason: str, message: str) -> NewCondition:
    return NewCondition("Recording", "False", reason, message)


def condition(
    inputs: RecordingInputs, output: RecordingOutput | None, standing: StandingFailures
) -> NewCondition:
    """The condition of a room with `record: true`.

    What prevents a recording is said until one is under way, and what is not PERSISTENT_REASONS only while
    somebody is inside. How the last one failed is said until one succeeds, also while the next one runs.
    """
    if output is None:
        return not_recorded("NotConfigured", "recording is disabled; set ROOMCTL_RECORDING_OUTPUT")
    return with_previous(_under_way(inputs) or _missing(inputs, standing), standing.failed)


def _under_way(inputs: RecordingInputs) -> NewCondition | None:
    """What is said of the egresses there are; None where none says enough."""
    for egress in inputs.ours:
        if is_recording(egress) and _seems_ghost(egress, inputs):
            return not_recorded("WorkerLost", f"{egress.id}: {SILENT}")
        if egress.status is EgressStatus.ACTIVE and egress.id not in inputs.on_deleted_room:
            return NewCondition("Recording", "True", "Recording", _describe(egress, inputs.record))
    return None if _has_people(inputs) else _ending(inputs)


def _missing(inputs: RecordingInputs, standing: StandingFailures) -> NewCondition:
    """Why there is no recording."""
    idle = not inputs.ours and inputs.record.recording is None and not _has_people(inputs)
    failure = _most_important(standing)
    if failure is not None and (failure.reason in PERSISTENT_REASONS or not idle):
        return not_recorded(failure.reason, failure.message)
    if idle:
        return not_recorded("Idle", "no participants")
    return _ending(inputs) or not_recorded("Starting", "waiting for an egress worker")


def _most_important(standing: StandingFailures) -> RecordingFailure | None:
    """An attempt that has proved nothing yet hides no recording that failed."""
    current = standing.current
    if current is not None and current.reason in PERSISTENT_REASONS:
        return current
    return standing.failed or current


def _ending(inputs: RecordingInputs) -> NewCondition | None:
    if all(is_recording(egress) for egress in inputs.ours):
        return None
    return not_recorded("Stopping", "finalizing the recording")


def _has_people(inputs: RecordingInputs) -> bool:
    """As far as we know."""
    return inputs.occupancy is not None and inputs.occupancy.people > 0


def _describe(egress: Egress, record: RoomRecord) -> str:
    since = f", since {format_time(egress.started)}" if egress.started is not None else ""
    return redact_room_id(egress.file, record.id) + since
