"""Recording as a companion: whose turn it is, who is inside, what is decided (decision.py) and carried out.

What is known of egresses comes from the listing that each pass begins with.
"""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Final

from controller.companions.companion import NewCondition
from controller.companions.recording.applier import RecordingApplier
from controller.companions.recording.blocked_log import RecordingBlockedLog
from controller.companions.recording.decision import (
    Occupancy,
    ProbeWorker,
    RecordingFailure,
    RecordingInputs,
    RecordingRules,
    StopRecording,
    condition,
    has_live_name,
    is_on_deleted_room,
    names_of,
    next_step,
    not_recorded,
    ours_on,
)
from controller.companions.recording.occupancy import NOBODY, OccupancyTracker
from controller.errors import LiveKitError
from controller.live.egress import Egress, EgressStatus
from controller.live.room import LiveRoom
from controller.plan.model import Observed
from controller.records.record import RoomRecord
from controller.records.recordings import RecordingRow

LEASE_GAP_SECONDS: Final = 8.0
"""Seconds without a turn after which another may have been at work: so long a lease lasts unrenewed."""


class RecordingCompanion:
    """One controller's recordings, while it holds the lease."""

    name = "recording"

    def __init__(self, applier: RecordingApplier) -> None:
        self._applier = applier
        self._waker = applier.waker
        self._store, self._state, self._clock = applier.store, applier.state, applier.clock
        self._ledger, self._failures, self._egress_tracker = applier.ledger, applier.failures, applier.tracker
        self._occupancy = OccupancyTracker(applier.reader, self._state, self._clock)
        self._blocked_log = RecordingBlockedLog(applier.config.output is not None, self._failures.metrics)
        self._last_pass_at = self._clock.monotonic()
        self._state.lists_egress = True

    async def load(self) -> None:
        if self._clock.monotonic() - self._last_pass_at >= LEASE_GAP_SECONDS:
            self._ledger.forget()
        await self._ledger.load()
        self._last_pass_at = self._clock.monotonic()

    def due(self, observed: Observed, queued: AbstractSet[str], *, audit: bool) -> AbstractSet[str] | None:
        listing = self._state.egress
        self._blocked_log.report(observed, listing.error)
        if listing.error is not None:
            return None
        entries = [egress for egresses in listing.by_room.values() for egress in egresses]
        reports = {one.id: (one.status, one.updated) for one in entries}
        self._egress_tracker.heartbeats.observe(reports, self._clock.monotonic())
        records = list(self._concerned(observed.records))
        self._forget(records)
        due = self._due(records, observed.live, queued, audit=audit)
        due |= {row.room_id for row in self._unlisted()}
        self._update_gauge(records, entries)
        return due

    async def before_deletion(self, record: RoomRecord, name: str) -> None:
        await self._applier.before_deletion(record, name)

    def conditions_without_livekit(self, error: LiveKitError) -> Iterator[tuple[RoomRecord, NewCondition]]:
        """Its Redis is away perhaps: nobody knows whether anything is recorded."""
        unknown = not_recorded("NoEgressService", f"whether it is recorded cannot be said: {error}")
        for record in self._store.by_id.values():
            if record.recording is not None and record.spec.record:
                self._failures.get(record)  # it is taken from the condition before that says something else
                yield record, unknown

    def on_standby(self) -> None:
        """Another is at work, and counts."""
        self._ledger.metrics.recording.set(0)
        self._ledger.forget()
        self._failures.forget()
        self._occupancy.clear()

    def concerns(self, record: RoomRecord) -> bool:
        return record.spec.record or record.recording is not None

    def names_of(self, record: RoomRecord) -> AbstractSet[str]:
        return names_of(record)

    def condition(self, record: RoomRecord) -> NewCondition | None:
        if not record.spec.record:
            return None
        away, failure = self._state.egress.error, self._failures.get(record)
        service = RecordingFailure("NoEgressService", str(away)) if away is not None else None
        inputs = self._inputs(record, self._occupancy.last(record))
        return condition(inputs, self._applier.config.output, service or failure)

    def _concerned(self, records: Mapping[str, RoomRecord]) -> Iterator[RoomRecord]:
        """Rooms that are to be recorded, or are, whether or not they should."""
        listed, wanted = self._state.egress.by_room.keys(), self._applier.config.output is not None
        for record in records.values():
            asked = wanted and record.spec.record and record.should_be_live
            if asked or record.recording is not None or (listed and has_live_name(record, listed)):
                yield record

    def _forget(self, records: Iterable[RoomRecord]) -> None:
        self._occupancy.keep({record.id for record in records})
        self._failures.keep(self._store.by_id)

    def _unlisted(self) -> list[RecordingRow]:
        listing = self._state.egress
        ids = frozenset(one.id for egresses in listing.by_room.values() for one in egresses)
        return self._ledger.unlisted(ids, listing.asked)

    def _due(
        self,
        records: Iterable[RoomRecord],
        live: Mapping[str, LiveRoom],
        queued: AbstractSet[str],
        *,
        audit: bool,
    ) -> set[str]:
        """Who was marked, whose turn it is to be looked into, and who needs a step by what is known."""
        due = set(self._occupancy.due(records, live)) if audit else set()
        rules = self._applier.rules()
        for record in records:
            unseen = self._occupancy.has_unseen(record, live)
            if unseen or has_live_name(record, queued) or self._has_a_step(record, rules):
                due.add(record.id)
        return due

    def _has_a_step(self, record: RoomRecord, rules: RecordingRules) -> bool:
        if self._rests(record):
            return False
        return next_step(self._inputs(record, self._occupancy.last(record)), rules) is not None

    def _rests(self, record: RoomRecord) -> bool:
        """Whether nobody was inside and nothing is recorded: most rooms, most of the time."""
        occupancy = self._occupancy.last(record)
        if record.recording is not None or (occupancy is not None and occupancy.people):
            return False
        return not has_live_name(record, self._state.egress.by_room.keys())

    async def step(self, room_id: str) -> bool:
        """Settle what has ended, look, decide, do; whether anything was done."""
        record = self._store.by_id.get(room_id)
        occupancy = await self._check_occupancy(record) if record is not None else NOBODY
        rows = [row for row in self._unlisted() if row.room_id == room_id]
        for row in rows:
            await self._applier.resolve_unlisted(row, occupancy.recorders)
        closed = any(row.egress_id not in self._ledger.open for row in rows)
        record = self._store.by_id.get(room_id)
        if record is not None:
            await self._resume_lost(record, occupancy)
        step = (
            next_step(self._inputs(record, occupancy), self._applier.rules()) if record is not None else None
        )
        if record is not None and step is not None:
            await self._applier.apply_step(record, step)
        moved = self._store.by_id.get(room_id) is not record
        return closed or moved or isinstance(step, StopRecording | ProbeWorker)

    async def _resume_lost(self, record: RoomRecord, occupancy: Occupancy) -> None:
        """A worker that was only frozen is back in the room, answers there, and so its recording goes on."""
        listed = (occupancy.recorders - occupancy.gone) & self._ledger.lost
        for egress in self._state.egress.of_rooms(names_of(record)) if listed else ():
            if egress.id in listed and await self._applier.reader.is_connected(egress.room, egress.id):
                await self._applier.resume(record, egress)

    async def _check_occupancy(self, record: RoomRecord) -> Occupancy:
        before = self._occupancy.last(record)
        occupancy = await self._occupancy.check(record)
        if before is not None and before != occupancy:
            self._waker.wake()  # its status may say something else
        return occupancy

    def _inputs(self, record: RoomRecord, occupancy: Occupancy | None) -> RecordingInputs:
        now, tracker, ours = self._clock.monotonic(), self._egress_tracker, self._ours(record)
        recording, room = record.recording, self._state.live_room(record)
        noted = recording is not None and recording.egress_id is not None
        return RecordingInputs(
            record=record,
            listed=room is not None,
            livekit_says_recording=room is not None and room.active_recording,
            ours=ours,
            occupancy=occupancy,
            silent_seconds={one.id: tracker.heartbeats.silent_seconds(one.id, now) for one in ours},
            is_closed=noted and recording is not None and recording.egress_id not in self._ledger.open,
            is_backing_off=self._failures.is_backing_off(record.id),
            stop_requested=frozenset(one.id for one in ours if tracker.is_stop_requested(one.id, now)),
            on_deleted_room=frozenset(
                one.id for one in ours if is_on_deleted_room(one, record, self._state.live)
            ),
        )

    def _ours(self, record: RoomRecord) -> tuple[Egress, ...]:
        """The room's egresses that have not ended, as far as anybody answers for them."""
        listing = self._state.egress
        if not has_live_name(record, listing.by_room.keys()):
            return ()
        egresses = ours_on(record, listing.of_rooms(names_of(record)), self._applier.config.output)
        return tuple(one for one in egresses if one.id not in self._ledger.lost)

    def _update_gauge(self, records: Iterable[RoomRecord], entries: Iterable[Egress]) -> None:
        """The gauge; and whether LiveKit has to be asked for egresses at all."""
        listed = {egress.id for egress in entries if egress.status is EgressStatus.ACTIVE}
        open_ = self._ledger.open.keys()
        self._ledger.metrics.recording.set(len(listed & open_))
        configured = self._applier.config.output is not None
        self._state.lists_egress = configured or bool(open_) or any(r.recording is not None for r in records)
