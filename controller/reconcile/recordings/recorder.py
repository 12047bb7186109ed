"""Looks after recordings: chooses whose turn it is, looks inside, decides (plan/recording.py), has it done.

It runs beside the plan: a recording is no change of a room, and a fault in it never holds a room back.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Final

import structlog

from controller.errors import LeaseLost, LiveError, RoomctlError, StoreConflict
from controller.live.egress import Egress, EgressStatus
from controller.live.room import LiveRoom
from controller.plan.model import Observed
from controller.plan.recording import (
    End,
    Look,
    Probe,
    RecordingRules,
    RecordingSays,
    Scene,
    Trouble,
    condition,
    decide,
    is_called,
    is_stranded,
    names_of,
    ours_on,
)
from controller.reconcile.recordings.blocked_log import Missed
from controller.reconcile.recordings.occupancy import NOBODY, Looks
from controller.reconcile.recordings.recording_applier import ASK_EVERY, RecordingSteps
from controller.reconcile.status import restated
from controller.reconcile.task_runner import Workshop
from controller.reconcile.triggers import Triggers
from controller.records.record import RoomRecord, Status
from controller.records.recordings import RecordingRow

RACE: Final = 0.5
"""Seconds until a room is looked at again whose record somebody else wrote meanwhile."""
HANDOVER: Final = 8.0
"""Seconds without a turn after which another may have been at work: so long a lease lasts unrenewed."""

log = structlog.get_logger()


class Recorder:
    """One controller's recordings, while it holds the lease."""

    def __init__(self, steps: RecordingSteps, workshop: Workshop, triggers: Triggers) -> None:
        self._steps = steps
        self._workshop = workshop
        self._triggers = triggers
        self._store, self._known, self._clock = steps.store, steps.known, steps.clock
        self._ledger, self._troubles, self._memory = steps.ledger, steps.troubles, steps.memory
        self._looks = Looks(steps.observer, self._known, self._clock)
        self._missed = Missed(steps.taping.output is not None, self._troubles.metrics)
        self._turned = self._clock.monotonic()
        self._known.listens = True

    async def turn(self, observed: Observed, *, audit: bool) -> None:
        """Begin what is due, waiting for none of it. StoreError's kinds, where the ledger cannot be read."""
        if self._clock.monotonic() - self._turned >= HANDOVER:
            self._ledger.forget()
        await self._ledger.load()
        self._turned = self._clock.monotonic()
        marked, listing = self._triggers.take_marked(), self._known.egress
        self._missed.about(observed, listing.trouble)
        if listing.trouble is not None:
            for name in marked:
                self._triggers.still_marked(name)
            self._triggers.later(ASK_EVERY)
            return
        now = self._clock.monotonic()
        entries = [egress for found in listing.by_room.values() for egress in found]
        self._memory.silence.saw({one.id: (one.status, one.updated) for one in entries}, now)
        records = list(self._concerned(observed.records))
        self._forget(records)
        due = self._due(records, observed.live, marked, audit=audit)
        due |= {row.room_id for row in self._unlisted()}
        for room_id in sorted(due):
            self._tend(room_id, marked)
        self._say_so(records, entries)

    def blind(self, error: LiveError) -> None:
        """LiveKit tells nothing, its Redis is away perhaps: nobody knows whether anything is recorded."""
        said = RecordingSays("False", "NoEgressService", f"whether it is recorded cannot be said: {error}")
        for record in self._store.by_id.values():
            key = f"recording {record.id}"
            if record.recording is not None and record.spec.record and key not in self._workshop.busy:
                self._troubles.of(record)  # it is taken from the condition before that says something else
                status = restated(record.status, said, self._clock.wall())
                if status != record.status:
                    self._workshop.start(key, self._say(record, status))

    async def _say(self, record: RoomRecord, status: Status) -> None:
        with suppress(RoomctlError):
            await self._store.save(record, record.with_status(status))

    def stand_by(self) -> None:
        """Another is at work, and counts: what it does and says is read when it is our turn."""
        self._ledger.metrics.recording.set(0)
        self._ledger.forget()
        self._troubles.forget()
        self._looks.clear()

    def says(self, record: RoomRecord) -> RecordingSays | None:
        """What the condition Recording says of a room; None where none is wanted of it."""
        if not record.spec.record:
            return None
        away, trouble = self._known.egress.trouble, self._troubles.of(record)
        service = Trouble("NoEgressService", str(away)) if away is not None else None
        scene = self._scene(record, self._looks.last(record))
        return condition(scene, self._steps.taping.output, service or trouble)

    def _concerned(self, records: Mapping[str, RoomRecord]) -> Iterator[RoomRecord]:
        """Rooms that are to be recorded, or are, whether or not they should."""
        listed, wanted = self._known.egress.by_room.keys(), self._steps.taping.output is not None
        for record in records.values():
            asked = wanted and record.spec.record and record.should_be_live
            if asked or record.recording is not None or (listed and is_called(record, listed)):
                yield record

    def _forget(self, records: Iterable[RoomRecord]) -> None:
        self._looks.keep({record.id for record in records})
        self._troubles.keep(self._store.by_id)

    def _unlisted(self) -> list[RecordingRow]:
        listing = self._known.egress
        ids = frozenset(one.id for found in listing.by_room.values() for one in found)
        return self._ledger.unlisted(ids, listing.asked)

    def _due(
        self,
        records: Iterable[RoomRecord],
        live: Mapping[str, LiveRoom],
        marked: frozenset[str],
        *,
        audit: bool,
    ) -> set[str]:
        """Who was marked, whose turn it is to be looked into, and who needs a step by what is known."""
        due = set(self._looks.due(records, live)) if audit else set()
        rules = self._steps.rules()
        for record in records:
            unseen = self._looks.has_unseen(record, live)
            if unseen or is_called(record, marked) or self._has_a_step(record, rules):
                due.add(record.id)
        return due

    def _has_a_step(self, record: RoomRecord, rules: RecordingRules) -> bool:
        if self._rests(record):
            return False
        return decide(self._scene(record, self._looks.last(record)), rules) is not None

    def _rests(self, record: RoomRecord) -> bool:
        """Whether nobody was inside and nothing is recorded: most rooms, most of the time."""
        look = self._looks.last(record)
        if record.recording is not None or (look is not None and look.people):
            return False
        return not is_called(record, self._known.egress.by_room.keys())

    def _tend(self, room_id: str, marked: frozenset[str]) -> None:
        """Give the room's recording a task; one that is under way may have missed what made it due."""
        key = f"recording {room_id}"
        if key not in self._workshop.busy:
            self._workshop.start(key, self._look_after(room_id))
            return
        record = self._store.by_id.get(room_id)
        missed = names_of(record) & marked if record is not None else set()
        for name in missed:
            self._triggers.still_marked(name)
        if missed:
            self._workshop.again(key)

    async def _look_after(self, room_id: str) -> None:
        try:
            await self._one_step(room_id)
        except (LeaseLost, StoreConflict):
            self._triggers.later(RACE)  # the next look decides by what stands then
        except RoomctlError as error:
            log.debug("a recording's step failed", room=room_id[:6], error=str(error))
            self._triggers.later(ASK_EVERY)

    async def _one_step(self, room_id: str) -> None:
        """Settle what has ended, look, decide, do; then the loop is woken where anything was done."""
        record = self._store.by_id.get(room_id)
        look = await self._look(record) if record is not None else NOBODY
        rows = [row for row in self._unlisted() if row.room_id == room_id]
        for row in rows:
            await self._steps.settle(row, look.recorders)
        settled = any(row.egress_id not in self._ledger.open for row in rows)
        record = self._store.by_id.get(room_id)
        if record is not None:
            await self._let_rise(record, look)
        step = decide(self._scene(record, look), self._steps.rules()) if record is not None else None
        if record is not None and step is not None:
            await self._steps.carry_out(record, step)
        moved = self._store.by_id.get(room_id) is not record
        if settled or moved or isinstance(step, End | Probe):
            self._triggers.wake()

    async def _let_rise(self, record: RoomRecord, look: Look) -> None:
        """A worker that was only frozen is back in the room, answers there, and so its recording goes on."""
        listed = (look.recorders - look.gone) & self._ledger.lost
        for egress in self._known.egress.of_rooms(names_of(record)) if listed else ():
            if egress.id in listed and await self._steps.observer.stands(egress.room, egress.id):
                await self._steps.rise(record, egress)

    async def _look(self, record: RoomRecord) -> Look:
        before = self._looks.last(record)
        look = await self._looks.look(record)
        if before is not None and before != look:
            self._triggers.wake()  # its status may say something else
        return look

    def _scene(self, record: RoomRecord, look: Look | None) -> Scene:
        now, memory, ours = self._clock.monotonic(), self._memory, self._ours(record)
        recording, room = record.recording, self._known.live_room(record)
        noted = recording is not None and recording.egress_id is not None
        return Scene(
            record=record,
            listed=room is not None,
            taped=room is not None and room.active_recording,
            ours=ours,
            look=look,
            still={one.id: memory.silence.lasts(one.id, now) for one in ours},
            settled=noted and recording is not None and recording.egress_id not in self._ledger.open,
            waits=self._troubles.waits(record.id),
            asked=frozenset(one.id for one in ours if memory.asked_lately(one.id, now)),
            stranded=frozenset(one.id for one in ours if is_stranded(one, record, self._known.live)),
        )

    def _ours(self, record: RoomRecord) -> tuple[Egress, ...]:
        """The room's egresses that have not ended, as far as anybody answers for them."""
        listing = self._known.egress
        if not is_called(record, listing.by_room.keys()):
            return ()
        found = ours_on(record, listing.of_rooms(names_of(record)), self._steps.taping.output)
        return tuple(one for one in found if one.id not in self._ledger.lost)

    def _say_so(self, records: Iterable[RoomRecord], entries: Iterable[Egress]) -> None:
        """The gauge; and whether LiveKit has to be asked for egresses at all."""
        listed = {egress.id for egress in entries if egress.status is EgressStatus.ACTIVE}
        open_ = self._ledger.open.keys()
        self._ledger.metrics.recording.set(len(listed & open_))
        configured = self._steps.taping.output is not None
        self._known.listens = configured or bool(open_) or any(r.recording is not None for r in records)
