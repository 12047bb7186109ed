"""Recording as a companion: selects rooms, reads who is inside, decides (decision.py) and applies steps.

The state of egresses comes from the listing at the start of each pass.
"""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Final

from controller.companions.companion import CompanionContext, NewCondition
from controller.companions.occupancy import EMPTY, Occupancy, OccupancyTracker
from controller.companions.recording.applier import RecordingApplier
from controller.companions.recording.config import RecordingConfig
from controller.companions.recording.decision import (
    ProbeWorker,
    RecordingInputs,
    RecordingRules,
    StopRecording,
    asks,
    condition,
    has_live_name,
    is_on_deleted_room,
    next_step,
    not_recorded,
)
from controller.companions.recording.failures import RecordingBlockedLog, RecordingFailures
from controller.companions.recording.ledger import EgressTracker, Ledger
from controller.companions.recording.listing import EgressListing
from controller.companions.recording.outcome import RecordingFailure, with_previous
from controller.errors import LiveKitError
from controller.live.egress import Egress, EgressStatus
from controller.plan.model import Observed
from controller.records.record import RoomRecord
from controller.records.recordings import RecordingRow

LEASE_GAP_SECONDS: Final = 8.0
"""Seconds between two passes after which another controller may have acted: a lease lasts this long."""


class RecordingCompanion:
    """The recordings of a controller that holds the lease."""

    name = "recording"

    def __init__(self, config: RecordingConfig, context: CompanionContext) -> None:
        self._config, self._context = config, context
        self._store, self._state, self._clock = context.store, context.state, context.clock
        self._listing = EgressListing(context.reader, self._clock)
        self._ledger = Ledger(context.store.recordings, self._clock, context.metrics, context.events)
        self._failures = RecordingFailures(self._clock, context.metrics, context.later)
        self._tracker = EgressTracker()
        self._applier = RecordingApplier(
            context,
            config,
            listing=self._listing,
            ledger=self._ledger,
            failures=self._failures,
            tracker=self._tracker,
        )
        self._occupancy = OccupancyTracker(
            context.reader,
            self._state,
            self._clock,
            asks=lambda record: record.spec.record,
            is_served=lambda record: record.recording is not None,
        )
        self._blocked_log = RecordingBlockedLog(config.output is not None, context.metrics)
        self._last_pass_at = self._clock.monotonic()
        self._lists_egress = True

    async def observe(self) -> None:
        """Where nothing is recorded and nothing is to be, LiveKit is not asked."""
        if self._lists_egress:
            await self._listing.refresh()

    async def load(self) -> None:
        if self._clock.monotonic() - self._last_pass_at >= LEASE_GAP_SECONDS:
            self._ledger.forget()
        await self._ledger.load()
        self._last_pass_at = self._clock.monotonic()

    def due(self, observed: Observed, queued: AbstractSet[str], *, audit: bool) -> AbstractSet[str] | None:
        self._blocked_log.report(observed, self._listing.error)
        if self._listing.error is not None:
            return None
        entries = self._listing.all()
        reports = {one.id: (one.status, one.updated) for one in entries}
        self._tracker.observe(reports, self._clock.monotonic())
        records = list(self._concerned(observed.records))
        self._occupancy.keep({record.id for record in records})
        self._failures.keep(self._store.by_id)
        self._update_gauge(records, entries)
        rules = self._applier.rules()
        return {
            *self._occupancy.due(records, observed.live, audit=audit),
            *(r.id for r in records if has_live_name(r, queued) or self._has_a_step(r, rules)),
            *(row.room_id for row in self._unlisted()),
            *(row.room_id for row in self._ledger.begun(entries)),
        }

    async def before_deletion(self, record: RoomRecord, name: str) -> None:
        await self._applier.before_deletion(record, name)

    def conditions_without_livekit(self, error: LiveKitError) -> Iterator[tuple[RoomRecord, NewCondition]]:
        """LiveKit's Redis may be unavailable: it is unknown whether anything is recorded."""
        unknown = not_recorded("NoEgressService", f"unknown whether it is recorded: {error}")
        for record in self._store.by_id.values():
            if record.recording is not None and record.spec.record:
                # read from the previous condition before it is replaced
                yield record, with_previous(unknown, self._failures.get(record).failed)

    def on_standby(self) -> None:
        """Another controller is active, and reports the number of recordings."""
        self._context.metrics.recording.set(0)
        self._ledger.forget()
        self._failures.forget()
        self._occupancy.clear()

    def concerns(self, record: RoomRecord) -> bool:
        return record.spec.record or record.recording is not None

    def condition(self, record: RoomRecord) -> NewCondition | None:
        if not record.spec.record:
            return None
        away, standing = self._listing.error, self._failures.get(record)
        if away is not None:
            standing = standing.with_current(RecordingFailure("NoEgressService", str(away)))
        inputs = self._inputs(record, self._occupancy.last(record))
        return condition(inputs, self._config.output, standing)

    def _concerned(self, records: Mapping[str, RoomRecord]) -> Iterator[RoomRecord]:
        """Rooms that should be recorded, and rooms that are."""
        listed, wanted = self._listing.by_room.keys(), self._config.output is not None
        for record in records.values():
            if (
                (wanted and asks(record))
                or record.recording is not None
                or (listed and has_live_name(record, listed))
            ):
                yield record

    def _unlisted(self) -> list[RecordingRow]:
        ids = frozenset(egress.id for egress in self._listing.all())
        return self._ledger.unlisted(ids, self._listing.asked)

    def _has_a_step(self, record: RoomRecord, rules: RecordingRules) -> bool:
        occupancy = self._occupancy.last(record)
        used = record.recording is not None or (occupancy is not None and occupancy.people > 0)
        if not used and not has_live_name(record, self._listing.by_room.keys()):
            return False  # most rooms, most of the time
        return next_step(self._inputs(record, occupancy), rules) is not None

    async def step(self, room_id: str) -> bool:
        """Close ended recordings, read, decide, apply; whether anything was done."""
        record = self._store.by_id.get(room_id)
        occupancy = await self._check_occupancy(record) if record is not None else EMPTY
        rows = [row for row in self._unlisted() if row.room_id == room_id]
        for row in rows:
            await self._applier.resolve_unlisted(row, occupancy.recorders)
        closed = any(row.egress_id not in self._ledger.open for row in rows)
        await self._note_begun(room_id, occupancy)
        record = self._store.by_id.get(room_id)
        if record is None:
            return closed
        await self._resume_lost(record, occupancy)
        step = next_step(self._inputs(record, occupancy), self._applier.rules())
        if step is not None:
            await self._applier.apply_step(record, step)
        moved = self._store.by_id.get(room_id) is not record
        return closed or moved or isinstance(step, StopRecording | ProbeWorker)

    async def _resume_lost(self, record: RoomRecord, occupancy: Occupancy) -> None:
        """Track lost recordings again whose recorder is in the room: the worker was only frozen."""
        listed = (occupancy.recorders - occupancy.gone) & self._ledger.lost
        for egress in self._listing.of_rooms(record.names) if listed else ():
            if egress.id in listed and await self._context.reader.is_connected(egress.room, egress.id):
                await self._applier.resume(record, egress)

    async def _note_begun(self, room_id: str, occupancy: Occupancy) -> None:
        """Save when each of its egresses began to record, and that its recorder is present."""
        seen = (occupancy.recorders - occupancy.gone) & self._ledger.open.keys()
        self._tracker.record_seen(seen, self._clock.wall())
        for row in list(self._ledger.begun(self._listing.all())):
            if row.room_id == room_id:
                await self._ledger.enter_begun(row)

    async def _check_occupancy(self, record: RoomRecord) -> Occupancy:
        before = self._occupancy.last(record)
        occupancy = await self._occupancy.check(record)
        if before is not None and before != occupancy:
            self._context.later(0.0)  # its status may change
        return occupancy

    def _inputs(self, record: RoomRecord, occupancy: Occupancy | None) -> RecordingInputs:
        now, tracker, room = self._clock.monotonic(), self._tracker, self._state.live_room(record)
        ours = self._applier.ours(record, self._listing.of_rooms(record.names))
        egress_id = record.recording.egress_id if record.recording is not None else None
        return RecordingInputs(
            record=record,
            listed=room is not None,
            livekit_says_recording=room is not None and room.active_recording,
            ours=ours,
            occupancy=occupancy,
            silent_seconds={one.id: tracker.silent_seconds(one.id, now) for one in ours},
            is_closed=egress_id is not None and egress_id not in self._ledger.open,
            is_backing_off=self._failures.backoff.is_backing_off(record.id, now),
            stop_requested=frozenset(one.id for one in ours if tracker.is_stop_requested(one.id, now)),
            on_deleted_room=frozenset(
                one.id for one in ours if is_on_deleted_room(one, record, self._state.live)
            ),
        )

    def _update_gauge(self, records: Iterable[RoomRecord], entries: Iterable[Egress]) -> None:
        """Set the gauge, and whether LiveKit's egresses must be listed."""
        listed = {egress.id for egress in entries if egress.status is EgressStatus.ACTIVE}
        open_ = self._ledger.open.keys()
        self._context.metrics.recording.set(len(listed & open_))
        configured = self._config.output is not None
        is_recorded = any(record.recording is not None for record in records)
        self._lists_egress = configured or bool(open_) or is_recorded
