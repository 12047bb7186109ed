"""Carries out steps: first the record, then LiveKit, then the ledger, then the record again.

An attempt is in the record before Start is called, with its output file. So after a lost response we search
for that file, and no second Start is called meanwhile.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Final, assert_never

from controller.companions.companion import CompanionContext
from controller.companions.recording.config import RecordingConfig
from controller.companions.recording.decision import (
    START_OUTCOME_TIMEOUT,
    ProbeWorker,
    RecordingRules,
    ResolveStart,
    StartRecording,
    Step,
    StopRecording,
    UpdateRecordingRecord,
    asks,
    entry_for_egress,
    file_keys,
    is_on_deleted_room,
    is_recording,
    layout_of,
    ours_on,
)
from controller.companions.recording.failures import RecordingFailures
from controller.companions.recording.ledger import STOP_RETRY_SECONDS, EgressTracker, Ledger
from controller.companions.recording.listing import EgressListing
from controller.companions.recording.outcome import (
    RecordingFailure,
    ended_row,
    is_stopped_early,
    lost_row,
    worker_lost,
)
from controller.errors import (
    LiveKitError,
    LiveKitNotFoundError,
    LiveKitRejectedError,
    NoEgressServiceError,
    NoEgressWorkerError,
    StoreError,
)
from controller.live.egress import Egress, RecordingRequest
from controller.logs import get_logger
from controller.records.record import Recording, RoomRecord
from controller.records.recordings import RecordingRow, RecordingState
from controller.room import RecordMode, redact_key, redact_room_id

STOP_WAIT_SECONDS: Final = 4.0
"""Seconds to wait for the end of a recording before its live room is deleted: API calls wait for five."""
STOP_POLL_SECONDS: Final = 0.1
TEMPLATE: Final = "/recording/template"
FORGOTTEN: Final = "LiveKit no longer knows this egress: its Redis data was lost"
UNANSWERED: Final = RecordingFailure(
    "Starting", "no response to StartRoomCompositeEgress; checking whether it started"
)
UNHEARD: Final = RecordingFailure(
    "Failed",
    "recording did not start: no response from LiveKit; see the logs of LiveKit and its egress workers",
)

log = get_logger()


class RecordingApplier:
    """Carries out steps. Raises StoreError's and LiveKitError's kinds, and LeaseLostError."""

    def __init__(
        self,
        context: CompanionContext,
        config: RecordingConfig,
        *,
        listing: EgressListing,
        ledger: Ledger,
        failures: RecordingFailures,
        tracker: EgressTracker,
    ) -> None:
        self.store, self.reader, self.writer = context.store, context.reader, context.writer
        self.state, self.clock, self.later = context.state, context.clock, context.later
        self.config, self.owner, self.listing, self.ledger = config, context.owner, listing, ledger
        self.failures, self.tracker = failures, tracker

    def rules(self) -> RecordingRules:
        return RecordingRules(self.config.output, self.config.idle, self.clock.wall())

    async def apply_step(self, record: RoomRecord, step: Step) -> None:
        """One step of one room's recording."""
        match step:
            case UpdateRecordingRecord(recording):
                await self._update_record(record, recording)
            case StartRecording():
                await self._start(record)
            case ResolveStart():
                await self._resolve_start(record)
            case StopRecording(egress, why):
                await self._stop(record, egress, why)
            case ProbeWorker(egress):
                await self._probe_worker(record, egress)
            case _:
                assert_never(step)

    async def _update_record(self, record: RoomRecord, recording: Recording | None) -> None:
        if recording is not None and recording.egress_id is not None:
            await self.ledger.enter(_row(record, recording))
        await self.store.save(record, record.with_recording(recording))
        if recording is not None and recording.empty_since is not None:
            self.later(self.config.idle.total_seconds())

    async def _start(self, record: RoomRecord) -> None:
        output, live = self.config.output, record.live
        if output is None or live is None:
            return
        now = self.clock.wall()
        key, chance = file_keys(record, self.owner)[0], self.clock.new_name().rpartition("-")[2]
        path = output.path(key, record.id, now, chance)
        attempt = Recording(now, live.name, output.location(path))
        record = await self.store.save(record, record.with_recording(attempt))
        if not await self._may_start(record, attempt):
            return
        request = self._request(record, attempt, path, output.bucket)
        try:
            egress = await self.writer.start_recording(request)
        except (
            LiveKitNotFoundError,
            LiveKitRejectedError,
            NoEgressServiceError,
            NoEgressWorkerError,
        ) as error:
            await self._on_refused(record, attempt, error)
        except LiveKitError:
            self.failures.record_reason(record, UNANSWERED)
            unknown_since = replace(attempt, attempt_at=self.clock.wall())  # the write may have waited
            await self._replace(record.id, attempt, unknown_since)
            raise
        else:
            await self._on_started(record, attempt, egress)

    async def _may_start(self, record: RoomRecord, attempt: Recording) -> bool:
        """Whether Start may be called: we have no recording there, and the record has not changed."""
        ours = self.ours(record, await self.reader.recordings())
        live = self.state.live
        if any(is_recording(one) and not is_on_deleted_room(one, record, live) for one in ours):
            return False  # the next check finds it
        current = self.store.by_id.get(record.id)
        if current is None or current.recording != attempt:
            return False
        if asks(current) and current.live == record.live:
            return True
        await self.store.save(current, current.with_recording(None))
        return False

    def ours(self, record: RoomRecord, listed: Iterable[Egress]) -> tuple[Egress, ...]:
        """The room's running egresses, without lost ones; the oldest first."""
        ours = ours_on(record, listed, self.config.output, self.owner)
        return tuple(one for one in ours if one.id not in self.ledger.lost)

    def _request(self, record: RoomRecord, attempt: Recording, path: str, bucket: str) -> RecordingRequest:
        mode = record.spec.record_mode
        return RecordingRequest(
            room=attempt.room,
            layout=layout_of(mode),
            path=path,
            bucket=bucket,
            page=self.config.page_url + TEMPLATE if mode is RecordMode.AND_CHAT else "",
            preset=self.config.preset,
            s3=self.config.s3,
        )

    async def _on_started(self, record: RoomRecord, attempt: Recording, egress: Egress) -> None:
        started = replace(attempt, egress_id=egress.id)
        await self.ledger.enter(_row(record, started))
        file = redact_room_id(attempt.file, record.id)
        log.info("recording started", key=redact_key(record.key), egress_id=egress.id, file=file)
        await self._replace(record.id, attempt, started)
        self.failures.started(record)

    async def _on_refused(self, record: RoomRecord, attempt: Recording, error: LiveKitError) -> None:
        """LiveKit reports that nothing was started. That may be wrong, so check it.

        If a worker responds late, LiveKit calls it again and reports the result of the last call: that the
        egress already exists, or that no worker is free, because the one that started it is busy with it.
        """
        if await self._find_started(record, attempt) is None:
            self.failures.failed(record, RecordingFailure(_REASONS.get(type(error), "Failed"), str(error)))
            await self._replace(record.id, attempt, None)

    async def _resolve_start(self, record: RoomRecord) -> None:
        """Search the recording of a Start without a result, or give up when it can no longer start."""
        attempt = record.recording
        if attempt is None or await self._find_started(record, attempt) is not None:
            return
        waited = self.clock.wall() - attempt.attempt_at
        if abs(waited) < START_OUTCOME_TIMEOUT:  # the clock of the replica that called Start may be ahead
            self.failures.record_reason(record, UNANSWERED)
            self.later((START_OUTCOME_TIMEOUT - waited).total_seconds())
        else:
            self.failures.record_reason(record, UNHEARD)
            await self._replace(record.id, attempt, None)

    async def _find_started(self, record: RoomRecord, attempt: Recording) -> Egress | None:
        """The egress with the attempt's file; one that is found is saved in the record."""
        listed = await self.reader.recordings_of(attempt.room)
        egress = next((one for one in listed if one.file == attempt.file), None)
        if egress is None:
            return None
        started = entry_for_egress(egress, attempt, self.clock.wall())
        await self.ledger.enter(_row(record, started))
        await self._replace(record.id, attempt, started)
        return egress

    async def _replace(self, room_id: str, before: Recording, after: Recording | None) -> None:
        """Only if the record still has `before`; otherwise another writer's state is newer."""
        current = self.store.by_id.get(room_id)
        if current is not None and current.recording == before:
            await self.store.save(current, current.with_recording(after))

    async def _stop(self, record: RoomRecord, egress: Egress, why: str) -> None:
        """Enter it into the ledger first: one that another controller started may be missing there."""
        await self.ledger.enter(self._row_of(record, egress))
        if egress.id not in self.tracker.stop_requested_at:
            log.info("recording stopping", key=redact_key(record.key), egress_id=egress.id, reason=why)
        await self._request_stop(egress.id)

    async def _request_stop(self, egress_id: str) -> None:
        """May be called again; a missing response is logged once."""
        first = self.tracker.record_stop_requested(egress_id, self.clock.monotonic())
        self.later(STOP_RETRY_SECONDS)
        try:
            await self.writer.stop_recording(egress_id)
        except (LiveKitNotFoundError, LiveKitRejectedError):
            pass  # it has already ended: the listing will show it
        except LiveKitError as error:
            if first:
                log.warning("recording stop failed", egress_id=egress_id, error=str(error), retrying=True)
            raise

    async def _probe_worker(self, record: RoomRecord, egress: Egress) -> None:
        """A running worker responds, and may finish; if it does not respond the recording is lost."""
        try:
            await self.writer.stop_recording(egress.id)
        except LiveKitError:
            now = await self.reader.recording(egress.id)  # raises if LiveKit is unavailable
            if now.status.ended or now.updated != egress.updated:
                return
        else:
            self.tracker.heard_from(egress.id, self.clock.monotonic())
            return
        row, _ = self.ledger.open.get(egress.id, (self._row_of(record, egress), 0.0))
        await self._mark_lost(row, worker_lost(egress.id))

    async def resolve_unlisted(self, row: RecordingRow, recorders: frozenset[str]) -> None:
        """An open row that LiveKit no longer lists. `recorders` are now inside the room.

        If LiveKit's Redis lost the entry, the worker may still record, even if its recorder is not listed:
        so Stop is called, which still reaches it.
        """
        try:
            egress = await self.reader.recording(row.egress_id)
        except LiveKitNotFoundError:
            if not self.tracker.is_stop_requested(row.egress_id, self.clock.monotonic()):
                await self._request_stop(row.egress_id)
            if row.egress_id not in recorders:
                await self._mark_lost(row, FORGOTTEN)
            return
        if egress.status.ended:
            await self._on_ended(row, egress)
        else:
            self.ledger.seen(row.egress_id)

    async def resume(self, record: RoomRecord, egress: Egress) -> None:
        """A lost egress still records: track it again, and stop the newer one if there are two."""
        log.warning("lost recording resumed", key=redact_key(record.key), egress_id=egress.id)
        await self.ledger.resume(self._row_of(record, egress))

    def _row_of(self, record: RoomRecord, egress: Egress) -> RecordingRow:
        return _row(record, entry_for_egress(egress, None, self.clock.wall()))

    async def _on_ended(self, row: RecordingRow, egress: Egress) -> None:
        stop_requested = egress.id in self.tracker.stop_requested_at
        final = ended_row(row, egress, stop_requested, self.clock.wall())
        await self._close(final)
        if final.state is RecordingState.COMPLETE:
            self.failures.succeeded(row.room_id)
        elif is_stopped_early(egress, stop_requested):
            return
        elif (record := self.store.by_id.get(row.room_id)) is not None:
            self.failures.recording_failed(record, final)

    async def _mark_lost(self, row: RecordingRow, why: str) -> None:
        last_seen = self.tracker.last_seen.get(row.egress_id)
        await self._close(lost_row(row, why, last_seen, self.clock.wall()))
        if (record := self.store.by_id.get(row.room_id)) is not None:
            self.failures.worker_lost(record, f"{row.egress_id}: {why}")

    async def _close(self, row: RecordingRow) -> None:
        await self.ledger.close_row(row)
        self.tracker.forget(row.egress_id)

    async def before_deletion(self, record: RoomRecord, name: str) -> None:
        """Stop our recordings of the live room `name` before it is deleted; waits 5 s.

        An error in this does not delay the room.
        """
        if self._may_be_recorded(record, name):
            with suppress(TimeoutError, LiveKitError, StoreError):
                async with asyncio.timeout(STOP_WAIT_SECONDS):
                    await self._stop_all(record, name)

    def _may_be_recorded(self, record: RoomRecord, name: str) -> bool:
        current = self.store.by_id.get(record.id, record)
        noted = current.recording is not None and current.recording.room == name
        return noted or name in self.listing.by_room

    async def _stop_all(self, record: RoomRecord, name: str) -> None:
        """Call Stop once for each: a second call takes LiveKit three seconds if it has ended."""
        while running := await self._running(record, name):
            for egress in running:
                if not self.tracker.is_stop_requested(egress.id, self.clock.monotonic()):
                    await self._stop(record, egress, "LiveKit room is deleted")
            await asyncio.sleep(STOP_POLL_SECONDS)

    async def _running(self, record: RoomRecord, name: str) -> list[Egress]:
        current = self.store.by_id.get(record.id, record)
        ours = self.ours(current, await self.reader.recordings())
        return [egress for egress in ours if egress.room == name]


def _row(record: RoomRecord, recording: Recording) -> RecordingRow:
    return RecordingRow(
        egress_id=recording.egress_id or "",
        key=record.key,
        room_id=record.id,
        file=recording.file,
        started=recording.attempt_at,
    )


_REASONS: Final = {
    NoEgressServiceError: "NoEgressService",
    NoEgressWorkerError: "NoWorker",
    LiveKitNotFoundError: "Starting",
}
