"""What is said of a room: conditions, made by one pure function from what was found and what came of it."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from controller.manifests.snapshot import ManifestError
from controller.plan.model import Finish, Heal, Refusal, RoomChange, Word
from controller.plan.recording import RecordingSays
from controller.plan.unusable import advice
from controller.records.record import Condition, Origin, RoomRecord, Status, UnusableRecord

TRUE: Final = "True"
FALSE: Final = "False"


@dataclass(frozen=True, slots=True)
class Findings:
    """What there is to say of a room besides its record.

    `live`: its current live room is there. `failure`: why the last try failed, one sentence. `change`: what
    still has to happen to it. `stale`: the error that keeps it at its last good spec. `recording`: where
    it is to be recorded, what is said of that.
    """

    live: bool
    stale: ManifestError | None = None
    change: RoomChange | None = None
    failure: str | None = None
    stalled: bool = False
    recording: RecordingSays | None = None


def status_of(record: RoomRecord, found: Findings, now: datetime) -> Status:
    """The room's status for its present generation; a condition keeps its time while its status stays."""
    said = [_kept(record.status, condition, now) for condition in _conditions(record, found)]
    return Status(record.generation, tuple(said))


def restated(status: Status, recording: RecordingSays, now: datetime) -> Status:
    """`status` with another word on the recording, where it has one; the rest stays as it was said."""
    said = _Said("Recording", recording.status, recording.reason, recording.message)
    conditions = (_kept(status, said, now) if old.type == said.type else old for old in status.conditions)
    return replace(status, conditions=tuple(conditions))


@dataclass(frozen=True, slots=True)
class _Said:
    type: str
    status: str
    reason: str
    message: str = ""


def _kept(before: Status, said: _Said, now: datetime) -> Condition:
    old = before.condition(said.type)
    since = old.last_transition if old is not None and old.status == said.status else now
    return Condition(said.type, said.status, said.reason, said.message, since)


def _conditions(record: RoomRecord, found: Findings) -> Iterator[_Said]:
    yield _ready(record, found)
    yield _live(record, found)
    if record.origin is Origin.MANIFEST:
        yield _manifest_valid(found.stale)
    if (said := found.recording) is not None:
        yield _Said("Recording", said.status, said.reason, said.message)
    if found.change is not None and found.change.deferred:
        yield _Said("Deferred", TRUE, "PeopleInside", _deferral(found.change))
    if found.stalled:
        yield _Said("Stalled", TRUE, "Flapping", "vanished five times in ten minutes; healed once a minute")


def _ready(record: RoomRecord, found: Findings) -> _Said:
    if found.failure is not None:
        return _Said("Ready", FALSE, "Failed", found.failure)
    if record.should_be_live and not found.live:
        return _Said("Ready", FALSE, "NotLive", "its live room is not there yet")
    if not record.should_be_live and (found.live or _given_up(found.change)):
        return _Said("Ready", FALSE, "StillLive", "its live room is not gone yet")
    if found.change is not None and found.change.refused is not None:
        return _Said("Ready", TRUE, "AsSpecified", _refusal(found.change.refused))
    if found.change is not None and found.change.deferred:
        return _Said("Ready", TRUE, "Deferred", _deferral(found.change))
    return _Said("Ready", TRUE, "AsSpecified")


def _given_up(change: RoomChange | None) -> bool:
    """Whether a live room under a retired name still stands."""
    return change is not None and any(isinstance(action, Finish) for action in change.actions)


def _live(record: RoomRecord, found: Findings) -> _Said:
    if found.live:
        return _Said("Live", TRUE, "Listed")
    return _Said("Live", FALSE, "NotListed" if record.should_be_live else "Inactive")


def _manifest_valid(stale: ManifestError | None) -> _Said:
    if stale is None:
        return _Said("ManifestValid", TRUE, "Valid")
    place = f"{stale.file}:{stale.mark.line}:{stale.mark.column}" if stale.mark else stale.file
    return _Said("ManifestValid", FALSE, "Invalid", f"{place}: {stale.message}")


def _deferral(change: RoomChange) -> str:
    words = " and ".join(word for word in change.words if word in (Word.REMOVE, Word.RECREATE))
    return f"{words} waits until the room is empty; {change.participants} inside"


def _refusal(refusal: Refusal) -> str:
    return f"its manifest is gone, and it stays: {refusal}"


def vanished(change: RoomChange) -> bool:
    """Whether the change heals a room that was live before."""
    made = change.record is not None and change.record.live is not None and change.record.live.sid is not None
    return made and any(isinstance(action, Heal) for action in change.actions)


def unusable_condition(each: UnusableRecord) -> Condition:
    """What is said of a record that must not be acted on: derived by whoever shows it, never written."""
    status = FALSE if each.is_damaged else "Unknown"
    return Condition("Ready", status, str(each.reason), advice(each), each.record.modified)


def unusable_census(unusable: Iterable[UnusableRecord]) -> Counter[tuple[str, str]]:
    """The same count as `census`, of the records that must not be acted on."""
    return Counter((c.type, c.status) for c in map(unusable_condition, unusable))


def census(records: Iterable[RoomRecord]) -> Counter[tuple[str, str]]:
    """How many rooms say what: by condition type and status."""
    return Counter((c.type, c.status) for r in records if not r.removed for c in r.status.conditions)
