"""Decides the next step for the recording of one room. Pure (docs/recording.md).

Level-triggered: one step at a time, which may get lost or be repeated, since the next check decides again.
Only Start must not be repeated: while its result is unknown, the step is to find it.
"""

from collections.abc import Container, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from controller.companions.companion import NewCondition
from controller.companions.occupancy import Occupancy
from controller.companions.recording.outcome import RecordingFailure, StandingFailures, with_previous
from controller.live.egress import Egress, EgressStatus, Layout
from controller.plan.metadata import Owner
from controller.recording_output import RecordingOutput
from controller.records.record import Origin, Recording, RoomRecord
from controller.room import RecordMode, api_key, format_time, redact_room_id

START_OUTCOME_TIMEOUT: Final = timedelta(seconds=60)
"""For how long a Start with unknown result may still become a recording."""
WORKER_SILENCE_SECONDS: Final = 60.0
"""Seconds without an update after which the worker of an egress may be dead."""
STOP_GRACE_SECONDS: Final = 10.0
"""Seconds to wait for the end of a recording before another starts: an upload may take longer."""
PERSISTENT_REASONS: Final = frozenset({"NoEgressService", "NoWorker", "Failed", "WorkerLost"})
"""Also reported for an empty room, so that operators can see later why there is no recording."""
SILENT: Final = "no update from the egress worker for 60 s; checking whether it is running"


@dataclass(frozen=True, slots=True)
class UpdateRecordingRecord:
    """Update the record: an egress was found, the room became empty, or the recording ended."""

    recording: Recording | None


@dataclass(frozen=True, slots=True)
class StartRecording:
    """Start a recording."""


@dataclass(frozen=True, slots=True)
class ResolveStart:
    """Find the result of a Start by its file, ended egresses included."""


@dataclass(frozen=True, slots=True)
class StopRecording:
    """Stop a recording."""

    egress: Egress
    why: str


@dataclass(frozen=True, slots=True)
class ProbeWorker:
    """Call Stop for an egress whose worker seems dead: if it does not respond, the recording is lost."""

    egress: Egress


Step: TypeAlias = UpdateRecordingRecord | StartRecording | ResolveStart | StopRecording | ProbeWorker


@dataclass(frozen=True, slots=True)
class RecordingInputs:
    """All that is known of the recording of one room.

    `listed`: its live room exists; `livekit_says_recording`: LiveKit reports it as recorded. `ours` are our
    running egresses on any of its names, the oldest first. `occupancy`: None if it was not read.
    `silent_seconds`: by id, the seconds without an update. `is_closed`: the record's recording has ended, and
    the ledger has its end. `is_backing_off`: it failed recently. `stop_requested`: those for which Stop was
    called recently.
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
    """`output` None: recording is disabled. `idle`: how long a recording continues in an empty room."""

    output: RecordingOutput | None
    idle: timedelta
    now: datetime


def next_step(inputs: RecordingInputs, rules: RecordingRules) -> Step | None:
    """The next step; None if there is nothing to do, or only to wait."""
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
    """The record's entry for an egress that was found: that of the attempt, or of an earlier process."""
    attempt_at = egress.started or now
    if recording is not None and recording.file == egress.file:
        attempt_at = recording.attempt_at
    return Recording(attempt_at, egress.room, egress.file, egress.id)


def _stop_reason(egress: Egress, recording: Recording, inputs: RecordingInputs, rules: RecordingRules) -> str:
    """Why a recording should end; '' if it should not."""
    record = inputs.record
    if rules.output is None:
        return "ROOMCTL_RECORDING_OUTPUT is no longer set"
    if not record.spec.record:
        return "record is false"
    if not record.should_be_live or record.live is None or record.live.name != egress.room:
        return "LiveKit room was replaced or stopped"
    if mode_of(egress) is not record.spec.record_mode:
        return "record_mode changed"
    empty, is_empty = recording.empty_since, inputs.occupancy is not None and not inputs.occupancy.people
    if empty is not None and is_empty and rules.now - empty >= rules.idle:
        return "no participants left"
    return ""


def _next_without_recording(inputs: RecordingInputs, rules: RecordingRules) -> Step | None:
    """No recording is running. One that takes too long to end is no longer waited for; its row stays open."""
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
    """Whether the room should be recorded while people are inside."""
    return record.spec.record and record.should_be_live


def _seems_ghost(egress: Egress, inputs: RecordingInputs) -> bool:
    """Whether its worker may be dead. One that finishes leaves the room, and then uploads."""
    if inputs.silent_seconds[egress.id] < WORKER_SILENCE_SECONDS:
        return False
    seen = inputs.occupancy
    if egress.status is not EgressStatus.ACTIVE or (seen is not None and egress.id in seen.gone):
        return True  # one that never begins may even be listed in the room: a join that LiveKit broke off
    if seen is None:
        return not inputs.listed and not inputs.livekit_says_recording
    # LiveKit may report the room as recorded because of another egress: that counts too
    is_recorded = inputs.livekit_says_recording and not seen.recorders - seen.gone
    return egress.id not in seen.recorders and not is_recorded


def is_recording(egress: Egress) -> bool:
    """Whether it still records: one that finishes has left the room, and uploads."""
    return egress.status is not EgressStatus.ENDING


def is_on_deleted_room(egress: Egress, record: RoomRecord, live: Container[str]) -> bool:
    """Whether its LiveKit room was replaced or stopped, and deleted; `live` are all live rooms' names."""
    current = record.live.name if record.live is not None else None
    return egress.room != current and egress.room not in live


def mode_of(egress: Egress) -> RecordMode:
    """The record_mode for which it was started."""
    if egress.page:
        return RecordMode.AND_CHAT
    return RecordMode.SPEAKER if egress.layout.startswith(Layout.SPEAKER) else RecordMode.GRID


def layout_of(mode: RecordMode) -> Layout:
    return Layout.SPEAKER if mode is RecordMode.SPEAKER else Layout.GRID


def file_keys(record: RoomRecord, owner: Owner) -> tuple[str, ...]:
    """The possible values of {key} in the names of the room's files, the current one first.

    Webhooks and ListEgress contain the names. The key of an API room contains its id, so the name has a hash
    instead; earlier releases wrote the key.
    """
    if record.origin is Origin.MANIFEST:
        return (record.key,)
    return tuple(api_key(mark) for mark in owner.room_marks(record.id))


def ours_on(
    record: RoomRecord, listed: Iterable[Egress], output: RecordingOutput | None, owner: Owner
) -> tuple[Egress, ...]:
    """Our egresses on the room's names, the oldest first; foreign ones are ignored.

    Ours are the one in the record, and those whose output fits the template of this room: if the template
    has neither key nor id, others' do too. One without a start time counts as the newest.
    """
    names = record.names
    on_names = (egress for egress in listed if egress.room in names)
    mine = (egress for egress in on_names if _is_ours(egress, record, output, owner))
    return tuple(sorted(mine, key=lambda one: (one.started is None, one.started or record.created, one.id)))


def _is_ours(egress: Egress, record: RoomRecord, output: RecordingOutput | None, owner: Owner) -> bool:
    recording = record.recording
    if recording is not None and (egress.id == recording.egress_id or egress.file == recording.file):
        return True
    return output is not None and any(
        output.is_of(egress.file, key, record.id) for key in file_keys(record, owner)
    )


def has_live_name(record: RoomRecord, names: AbstractSet[str]) -> bool:
    """Whether one of `names` is or was the record's. Most records have only their current name."""
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

    What prevents a recording is reported until one runs; reasons that are not in PERSISTENT_REASONS only
    while people are inside. How the last one failed is reported until one succeeds, also while one runs.
    """
    if output is None:
        return not_recorded("NotConfigured", "recording is disabled; set ROOMCTL_RECORDING_OUTPUT")
    return with_previous(_under_way(inputs) or _missing(inputs, standing), standing.failed)


def _under_way(inputs: RecordingInputs) -> NewCondition | None:
    """The condition from the running egresses; None if they do not determine it."""
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
    """An attempt without a result does not hide a failed recording."""
    current = standing.current
    if current is not None and current.reason in PERSISTENT_REASONS:
        return current
    return standing.failed or current


def _ending(inputs: RecordingInputs) -> NewCondition | None:
    if all(is_recording(egress) for egress in inputs.ours):
        return None
    return not_recorded("Stopping", "finalizing the recording")


def _has_people(inputs: RecordingInputs) -> bool:
    """Whether people are known to be inside."""
    return inputs.occupancy is not None and inputs.occupancy.people > 0


def _describe(egress: Egress, record: RoomRecord) -> str:
    since = f", since {format_time(egress.started)}" if egress.started is not None else ""
    return redact_room_id(egress.file, record.id) + since
