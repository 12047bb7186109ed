"""What the recording of one room needs next, decided from what is known of it. Pure (docs/recording.md).

Level-triggered like the rest: one step at a time, each of which may be lost or done twice, and the next look
decides anew. A Start is never repeated blindly: while nobody knows what came of one, the step is to trace it.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from controller.live.egress import Egress, EgressStatus, Layout
from controller.live.room import Participant
from controller.recording_output import Output
from controller.records.record import Recording, RoomRecord
from controller.room import RecordMode, format_time, redact_room_id

UNKNOWN_FOR: Final = timedelta(seconds=60)
"""For how long a Start whose outcome nobody knows may still become a recording."""
STILL: Final = 60.0
"""Seconds for which an egress must have been silent before it may be a ghost."""
ENDING_GRACE: Final = 10.0
"""Seconds that one which ends is waited for before another begins: an upload may take longer."""
LASTING: Final = frozenset({"NoEgressService", "NoWorker", "Failed", "WorkerLost"})
"""What is said of an empty room as well: who looks in the morning finds why there is no recording."""
SILENT: Final = "its egress worker has long been silent, and is asked whether it is there"


@dataclass(frozen=True, slots=True)
class Note:
    """The record is brought to what is so: an egress that was found, nobody inside any more, an end."""

    recording: Recording | None


@dataclass(frozen=True, slots=True)
class Begin:
    """A recording is started."""


@dataclass(frozen=True, slots=True)
class Trace:
    """What came of a Start is looked up by its file, ended ones included."""


@dataclass(frozen=True, slots=True)
class End:
    """A recording is asked to end."""

    egress: Egress
    why: str


@dataclass(frozen=True, slots=True)
class Probe:
    """One that seems to be a ghost is asked to end: if nobody answers, it is lost."""

    egress: Egress


Step: TypeAlias = Note | Begin | Trace | End | Probe


@dataclass(frozen=True, slots=True)
class Look:
    """Who is inside a live room as far as its recording goes: people who count, recorders by identity.

    `gone` are recorders who are listed, and for whom no server answers.
    """

    people: int
    recorders: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Scene:
    """All that is known of one room's recording.

    `listed`: its live room is there; `taped`: LiveKit says that it is recorded. `ours` are egresses of ours
    on any of its names that have not ended, the eldest first. `look`: None where nobody looked. `still`: for
    how many seconds each of them has been silent, by id. `settled`: the record's own has ended, and that is
    written down. `waits`: it failed not long ago. `asked`: those that were asked to end a moment ago.
    """

    record: RoomRecord
    listed: bool
    taped: bool
    ours: tuple[Egress, ...]
    look: Look | None
    still: Mapping[str, float]
    settled: bool
    waits: bool
    asked: frozenset[str] = frozenset()
    stranded: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RecordingRules:
    """`output` None: nothing is recorded. `idle`: how long a recording goes on with nobody inside."""

    output: Output | None
    idle: timedelta
    now: datetime


def decide(scene: Scene, rules: RecordingRules) -> Step | None:
    """The next step; None where all is as it should be, or something has to be waited for."""
    for egress in scene.ours:
        if _seems_ghost(egress, scene):
            return Probe(egress)
    running = [egress for egress in scene.ours if records_on(egress) and egress.id not in scene.stranded]
    if len(running) > 1:
        return _end(running[-1], "the room is recorded twice", scene)
    if running:
        return _of_running(running[0], scene, rules)
    ending = (egress for egress in scene.ours if not records_on(egress))
    if any(scene.still[egress.id] < ENDING_GRACE for egress in ending):
        return None
    return _of_none(scene, rules)


def _of_running(egress: Egress, scene: Scene, rules: RecordingRules) -> Step | None:
    recording = scene.record.recording
    if recording is None or recording.egress_id != egress.id:
        return Note(found(egress, recording, rules.now))
    why = _unwanted(egress, recording, scene, rules)
    if why:
        return _end(egress, why, scene)
    if scene.look is None or bool(scene.look.people) == (recording.empty_since is None):
        return None
    return Note(replace(recording, empty_since=None if scene.look.people else rules.now))


def _end(egress: Egress, why: str, scene: Scene) -> End | None:
    return None if egress.id in scene.asked else End(egress, why)


def found(egress: Egress, recording: Recording | None, now: datetime) -> Recording:
    """The record's entry for an egress that turned up: the attempt's own, or one of another life of ours."""
    attempt_at = egress.started or now
    if recording is not None and recording.file == egress.file:
        attempt_at = recording.attempt_at
    return Recording(attempt_at, egress.room, egress.file, egress.id)


def _unwanted(egress: Egress, recording: Recording, scene: Scene, rules: RecordingRules) -> str:
    """Why a recording should end; '' while it should not."""
    record = scene.record
    if rules.output is None:
        return "ROOMCTL_RECORDING_OUTPUT is not set any more"
    if not record.spec.record:
        return "record is false"
    if not record.should_be_live or record.live is None or record.live.name != egress.room:
        return "its live room was given up"
    if mode_of(egress) is not record.spec.record_mode:
        return "record_mode changed"
    empty, nobody = recording.empty_since, scene.look is not None and not scene.look.people
    if empty is not None and nobody and rules.now - empty >= rules.idle:
        return "nobody is inside any more"
    return ""


def _of_none(scene: Scene, rules: RecordingRules) -> Step | None:
    """Nothing of ours is running; what lingers at its end is waited for no more, and its row stays open."""
    recording = scene.record.recording
    if recording is None:
        return Begin() if _wanted(scene, rules) else None
    if recording.egress_id is None:
        return Trace()
    lingers = any(egress.id == recording.egress_id for egress in scene.ours)
    return Note(None) if scene.settled or lingers else None


def _wanted(scene: Scene, rules: RecordingRules) -> bool:
    record = scene.record
    asked = record.spec.record and record.should_be_live and rules.output is not None
    return asked and scene.listed and not scene.waits and scene.look is not None and scene.look.people > 0


def _seems_ghost(egress: Egress, scene: Scene) -> bool:
    """Whether its worker may have gone without a word. One that ends leaves the room, and uploads after."""
    if scene.still[egress.id] < STILL:
        return False
    if egress.status is EgressStatus.ENDING or (scene.look is not None and egress.id in scene.look.gone):
        return True
    inside = scene.look is not None and egress.id in scene.look.recorders
    return not _is_taped(scene) and not inside and (scene.look is not None or not scene.listed)


def _is_taped(scene: Scene) -> bool:
    """Whether LiveKit's word that the room is recorded may be about ours: another's counts as well."""
    return scene.taped and not (scene.look is not None and scene.look.recorders - scene.look.gone)


def records_on(egress: Egress) -> bool:
    """Whether it still records: one that ends has left the room, and uploads."""
    return egress.status is not EgressStatus.ENDING


def is_stranded(egress: Egress, record: RoomRecord, live: Container[str]) -> bool:
    """Whether its live room was given up and is gone; `live` are the names of all live rooms."""
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
    return one.is_person and not one.permission.hidden


def look_of(inside: Sequence[Participant], unlisted: int = 0) -> Look:
    """Hidden ones, agents and recorders are nobody, and whom a crash left listed. `unlisted` are people."""
    recorders = [one for one in inside if one.kind == "EGRESS" or one.recorder]
    return Look(
        people=sum(counts(one) for one in inside) or unlisted,
        recorders=frozenset(one.identity for one in recorders),
        gone=frozenset(one.identity for one in recorders if one.gone),
    )


def ours_on(record: RoomRecord, listed: Iterable[Egress], output: Output | None) -> tuple[Egress, ...]:
    """The egresses of ours on the room's names, the eldest first; a foreign one is nobody's business.

    Ours is what stands in the record, and what goes where only this room's recordings go. One that has no
    start yet is younger than all that have.
    """
    mine = (egress for egress in listed if _is_ours(egress, record, output))
    return tuple(sorted(mine, key=lambda one: (one.started is None, one.started or record.created, one.id)))


def _is_ours(egress: Egress, record: RoomRecord, output: Output | None) -> bool:
    recording = record.recording
    if recording is not None and (egress.id == recording.egress_id or egress.file == recording.file):
        return True
    return output is not None and output.is_of(egress.file, record.key, record.id)


def is_called(record: RoomRecord, names: AbstractSet[str]) -> bool:
    """Whether one of `names` was or is the record's. Most records have their current name alone."""
    if record.live is not None and record.live.name in names:
        return True
    more = bool(record.retired) or record.recording is not None
    return more and not names.isdisjoint(names_of(record))


def names_of(record: RoomRecord) -> set[str]:
    """The LiveKit rooms that were or are the record's."""
    names = {old.name for old in record.retired}
    if record.live is not None:
        names.add(record.live.name)
    if record.recording is not None:
        names.add(record.recording.room)
    return names


@dataclass(frozen=True, slots=True)
class Trouble:
    """What went wrong last, as the condition says it: `reason` is one of docs/conditions.md#recording."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class RecordingSays:
    """What the condition Recording says."""

    status: str
    reason: str
    message: str = ""


def condition(scene: Scene, output: Output | None, trouble: Trouble | None) -> RecordingSays:
    """The condition of a room with `record: true`.

    What went wrong is said until a recording is under way, and what is not LASTING only while somebody is
    inside.
    """
    if output is None:
        return RecordingSays(
            "False", "NotConfigured", "set ROOMCTL_RECORDING_OUTPUT: until then nothing is recorded"
        )
    return _under_way(scene) or _missing(scene, trouble)


def _under_way(scene: Scene) -> RecordingSays | None:
    """What is said of the egresses there are; None where none says enough."""
    for egress in scene.ours:
        if records_on(egress) and _seems_ghost(egress, scene):
            return RecordingSays("False", "WorkerLost", f"{egress.id}: {SILENT}")
        if egress.status is EgressStatus.ACTIVE and egress.id not in scene.stranded:
            return RecordingSays("True", "Recording", _told(egress, scene.record))
    return None if _has_people(scene) else _ending(scene)


def _missing(scene: Scene, trouble: Trouble | None) -> RecordingSays:
    """Why there is no recording."""
    idle = not scene.ours and scene.record.recording is None and not _has_people(scene)
    if trouble is not None and (trouble.reason in LASTING or not idle):
        return RecordingSays("False", trouble.reason, trouble.message)
    if idle:
        return RecordingSays("False", "Idle", "nobody was seen inside")
    return _ending(scene) or RecordingSays("False", "Starting", "an egress worker is asked for")


def _ending(scene: Scene) -> RecordingSays | None:
    if all(records_on(egress) for egress in scene.ours):
        return None
    return RecordingSays("False", "Stopping", "the last of it is being written")


def _has_people(scene: Scene) -> bool:
    """As far as we know."""
    return scene.look is not None and scene.look.people > 0


def _told(egress: Egress, record: RoomRecord) -> str:
    since = f", since {format_time(egress.started)}" if egress.started is not None else ""
    return redact_room_id(egress.file, record.id) + since
