"""What each step does to a recording: first the record, then LiveKit, then the ledger, then the record again.

An attempt stands in the record before Start is called, with the file that it goes to: so an answer that was
lost is settled by looking for that file, and no second Start is called meanwhile.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final, assert_never

import structlog

from controller.errors import (
    LiveError,
    LiveNotFound,
    LiveRejected,
    NoEgressService,
    NoEgressWorker,
    StoreError,
)
from controller.live.egress import Egress, EgressStatus, RecordingRequest, S3Access
from controller.live.ports import EgressObserver, LiveActor
from controller.plan.recording import (
    UNKNOWN_FOR,
    Begin,
    End,
    Note,
    Probe,
    RecordingRules,
    Step,
    Trace,
    Trouble,
    found,
    is_stranded,
    layout_of,
    names_of,
    ours_on,
    records_on,
)
from controller.reconcile.clock import Clock
from controller.reconcile.recordings.failures import Troubles
from controller.reconcile.recordings.ledger import Ledger
from controller.reconcile.trackers import Silence
from controller.recording_output import Output
from controller.records.ports import RoomStore
from controller.records.record import Recording, RoomRecord
from controller.records.recordings import RecordingRow, RecordingState
from controller.room import RecordMode, redact_key, redact_room_id
from controller.state_cache import Known

STOP_AT_MOST: Final = 4.0
"""Seconds that a live room which goes waits for its recording to end: who stops it by API waits for five."""
LOOK_EVERY: Final = 0.1
ASK_EVERY: Final = 5.0
"""Seconds after which an egress that was asked to end, and has not, is asked again."""
TEMPLATE: Final = "/recording/template"
LOST: Final = "its egress worker went without a word: what it had written may lie on the worker's disk"
FORGOTTEN: Final = "LiveKit knows nothing of it any more: its Redis lost it"
UNBEGUN: Final = "it was ended before it had begun"
UNANSWERED: Final = Trouble("Starting", "LiveKit has not said what came of the Start: looking for it")
UNHEARD: Final = Trouble(
    "Failed",
    "a Start was never answered, and nothing came of it: see the logs of LiveKit and its egress workers",
)
LASTED: Final = 60.0
"""A recording that failed after so many seconds is no reason to wait before the next."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Taping:
    """How rooms are recorded. `output` None: not at all. `page_url` is where a worker reaches our pages."""

    output: Output | None = None
    idle: timedelta = timedelta(seconds=60)
    preset: str = "H264_720P_30"
    page_url: str = ""
    s3: S3Access = field(default_factory=S3Access)


@dataclass(slots=True)
class Remembered:
    """What is known of egresses between passes, and forgotten with the process.

    `asked` by egress id is when it was asked to end.
    """

    silence: Silence = field(default_factory=Silence)
    asked: dict[str, float] = field(default_factory=dict)

    def asked_lately(self, egress_id: str, now: float) -> bool:
        return now - self.asked.get(egress_id, -ASK_EVERY) < ASK_EVERY


@dataclass(frozen=True, slots=True)
class RecordingSteps:
    """Carries out steps. Raises StoreError's and LiveError's kinds, and LeaseLost. `later` wakes the loop."""

    store: RoomStore
    actor: LiveActor
    observer: EgressObserver
    known: Known
    clock: Clock
    taping: Taping
    ledger: Ledger
    troubles: Troubles
    memory: Remembered
    later: Callable[[float], None]

    def rules(self) -> RecordingRules:
        return RecordingRules(self.taping.output, self.taping.idle, self.clock.wall())

    async def carry_out(self, record: RoomRecord, step: Step) -> None:
        """One step of one room's recording."""
        match step:
            case Note(recording):
                await self._note(record, recording)
            case Begin():
                await self._begin(record)
            case Trace():
                await self._trace(record)
            case End(egress, why):
                await self._end(record, egress, why)
            case Probe(egress):
                await self._probe(record, egress)
            case _:
                assert_never(step)

    async def _note(self, record: RoomRecord, recording: Recording | None) -> None:
        if recording is not None and recording.egress_id is not None:
            await self.ledger.enter(_row(record, recording))
        await self.store.save(record, record.with_recording(recording))
        if recording is not None and recording.empty_since is not None:
            self.later(self.taping.idle.total_seconds())

    async def _begin(self, record: RoomRecord) -> None:
        output, live = self.taping.output, record.live
        if output is None or live is None:
            return
        now = self.clock.wall()
        path = output.path(record.key, record.id, now, self.clock.new_name().rpartition("-")[2])
        attempt = Recording(now, live.name, output.location(path))
        record = await self.store.save(record, record.with_recording(attempt))
        if not await self._clear(record, attempt):
            return
        request = self._request(record, attempt, path, output.bucket)
        try:
            egress = await self.actor.start_recording(request)
        except (LiveNotFound, LiveRejected, NoEgressService, NoEgressWorker) as error:
            await self._not_begun(record, attempt, error)
        except LiveError:
            self.troubles.met(record, UNANSWERED)
            unknown_since = replace(attempt, attempt_at=self.clock.wall())  # it may have queued for long
            await self._replace(record.id, attempt, unknown_since)
            raise
        else:
            await self._begun(record, attempt, egress)

    async def _clear(self, record: RoomRecord, attempt: Recording) -> bool:
        """Whether Start may be called: nothing of ours runs there, and the room is wanted as it was.

        Where the template has neither key nor id, other rooms' recordings go to places like this one's.
        """
        names = names_of(record)
        listed = [one for one in await self.observer.recordings() if one.room in names]
        ours = ours_on(record, listed, self.taping.output)
        if any(self._is_in_the_way(one, record) for one in ours):
            return False  # the next look takes it
        standing = self.store.by_id.get(record.id)
        if standing is None or standing.recording != attempt:
            return False
        if standing.should_be_live and standing.spec.record and standing.live == record.live:
            return True
        await self.store.save(standing, standing.with_recording(None))
        return False

    def _is_in_the_way(self, egress: Egress, record: RoomRecord) -> bool:
        over = egress.id in self.ledger.lost or is_stranded(egress, record, self.known.live)
        return records_on(egress) and not over

    def _request(self, record: RoomRecord, attempt: Recording, path: str, bucket: str) -> RecordingRequest:
        mode = record.spec.record_mode
        return RecordingRequest(
            room=attempt.room,
            layout=layout_of(mode),
            path=path,
            bucket=bucket,
            page=self.taping.page_url + TEMPLATE if mode is RecordMode.AND_CHAT else "",
            preset=self.taping.preset,
            s3=self.taping.s3,
        )

    async def _begun(self, record: RoomRecord, attempt: Recording, egress: Egress) -> None:
        known = replace(attempt, egress_id=egress.id)
        await self.ledger.enter(_row(record, known))
        log.info(
            "recording begun", key=redact_key(record.key), egress=egress.id, file=_shown(attempt, record)
        )
        await self._replace(record.id, attempt, known)
        self.troubles.taken(record.id)

    async def _not_begun(self, record: RoomRecord, attempt: Recording, error: LiveError) -> None:
        """LiveKit says that nothing was started, and is not believed before it was looked up.

        It calls a worker again whose answer is late, and then says what came of the last call: that there is
        such an egress already, or that no worker was free, because the one that began it is full with it.
        """
        if await self._traced(record, attempt) is None:
            self.troubles.failed(record, Trouble(_REASONS.get(type(error), "Failed"), str(error)))
            await self._replace(record.id, attempt, None)

    async def _trace(self, record: RoomRecord) -> None:
        """A Start whose outcome nobody knows: found, or given up once it cannot come about any more."""
        attempt = record.recording
        if attempt is None or await self._traced(record, attempt) is not None:
            return
        waited = self.clock.wall() - attempt.attempt_at
        if abs(waited) < UNKNOWN_FOR:  # the clock of whoever called Start may be ahead of ours
            self.troubles.met(record, UNANSWERED)
            self.later((UNKNOWN_FOR - waited).total_seconds())
        else:
            self.troubles.met(record, UNHEARD)
            await self._replace(record.id, attempt, None)

    async def _traced(self, record: RoomRecord, attempt: Recording) -> Egress | None:
        """The egress that goes to the attempt's file, noted where it was found."""
        listed = await self.observer.recordings_of(attempt.room)
        egress = next((one for one in listed if one.file == attempt.file), None)
        if egress is None:
            return None
        known = found(egress, attempt, self.clock.wall())
        await self.ledger.enter(_row(record, known))
        await self._replace(record.id, attempt, known)
        return egress

    async def _replace(self, room_id: str, before: Recording, after: Recording | None) -> None:
        """Only where the record still says what we went out from: else somebody knows better."""
        standing = self.store.by_id.get(room_id)
        if standing is not None and standing.recording == before:
            await self.store.save(standing, standing.with_recording(after))

    async def _end(self, record: RoomRecord, egress: Egress, why: str) -> None:
        """It is written down first: one that somebody else began may not be known yet."""
        await self.ledger.enter(_row(record, found(egress, None, self.clock.wall())))
        if egress.id not in self.memory.asked:
            log.info("recording ends", key=redact_key(record.key), egress=egress.id, reason=why)
        await self._ask_to_end(egress.id)

    async def _ask_to_end(self, egress_id: str) -> None:
        """Again and again; that nobody answers is told once."""
        first = egress_id not in self.memory.asked
        self.memory.asked[egress_id] = self.clock.monotonic()
        self.later(ASK_EVERY)
        try:
            await self.actor.stop_recording(egress_id)
        except (LiveNotFound, LiveRejected):
            pass  # it has ended by itself: the listing will tell
        except LiveError as error:
            if first:
                log.warning(
                    "a recording does not end", egress=egress_id, error=str(error), doing="asking again"
                )
            raise

    async def _probe(self, record: RoomRecord, egress: Egress) -> None:
        """A living worker answers, and is let end; of a dead one the recording is lost."""
        try:
            await self.actor.stop_recording(egress.id)
        except LiveError:
            now = await self.observer.recording(egress.id)  # raises where LiveKit itself is away
            if now.status.ended or now.updated != egress.updated:
                return
        else:
            self.memory.silence.broken(egress.id, self.clock.monotonic())
            return
        row, _ = self.ledger.open.get(egress.id, (_row(record, found(egress, None, self.clock.wall())), 0.0))
        await self._lose(row, LOST)

    async def settle(self, row: RecordingRow, recorders: frozenset[str]) -> None:
        """An open row that LiveKit does not list any more. `recorders` are inside the room now.

        Where its Redis lost the entry the worker may still be at work, though nobody sees its recorder
        either: it is asked to end, and a Stop reaches it all the same.
        """
        try:
            egress = await self.observer.recording(row.egress_id)
        except LiveNotFound:
            if not self.memory.asked_lately(row.egress_id, self.clock.monotonic()):
                await self._ask_to_end(row.egress_id)
            if row.egress_id not in recorders:
                await self._lose(row, FORGOTTEN)
            return
        if egress.status.ended:
            await self._settled(row, egress)
        else:
            self.ledger.seen(row.egress_id)

    async def rise(self, record: RoomRecord, egress: Egress) -> None:
        """One that was lost goes on after all: it is ours again, and of two the younger ends."""
        log.warning("a lost recording goes on", key=redact_key(record.key), egress=egress.id)
        await self.ledger.rise(_row(record, found(egress, None, self.clock.wall())))

    async def _settled(self, row: RecordingRow, egress: Egress) -> None:
        fine = egress.status in (EgressStatus.COMPLETE, EgressStatus.LIMIT_REACHED)
        unbegun = egress.status is EgressStatus.ABORTED and egress.id in self.memory.asked
        ended = egress.ended or self.clock.wall()
        final = replace(
            row,
            started=egress.started or row.started,
            ended=ended,
            seconds=egress.seconds,
            size=egress.size,
            state=RecordingState.COMPLETE if fine else RecordingState.FAILED,
            error=UNBEGUN if unbegun else egress.error,
        )
        await self._close(final)
        if fine or unbegun or (ended - final.started).total_seconds() >= LASTED:
            self.troubles.try_at_once(row.room_id)
        if fine or unbegun:
            self.troubles.put(row.room_id, None)
        elif (record := self.store.by_id.get(row.room_id)) is not None:
            self.troubles.failed(record, Trouble("Failed", final.error))

    async def _lose(self, row: RecordingRow, why: str) -> None:
        await self._close(replace(row, ended=self.clock.wall(), state=RecordingState.LOST, error=why))
        self.troubles.put(row.room_id, Trouble("WorkerLost", f"{row.egress_id}: {why}"))

    async def _close(self, row: RecordingRow) -> None:
        await self.ledger.settle(row)
        self.memory.asked.pop(row.egress_id, None)

    async def before_deletion(self, record: RoomRecord, name: str) -> None:
        """Whatever of ours is recorded in the live room `name` ends before the room does; 5 s are waited.

        Nothing that goes wrong with it holds the room back.
        """
        if self._may_be_recorded(record, name):
            with suppress(TimeoutError, LiveError, StoreError):
                async with asyncio.timeout(STOP_AT_MOST):
                    await self._end_all(record, name)

    def _may_be_recorded(self, record: RoomRecord, name: str) -> bool:
        standing = self.store.by_id.get(record.id, record)
        noted = standing.recording is not None and standing.recording.room == name
        return noted or name in self.known.egress.by_room

    async def _end_all(self, record: RoomRecord, name: str) -> None:
        """Each is asked once: LiveKit takes three seconds to say of a second time that it has ended."""
        while running := await self._running(record, name):
            for egress in running:
                if not self.memory.asked_lately(egress.id, self.clock.monotonic()):
                    await self._end(record, egress, "its live room goes")
            await asyncio.sleep(LOOK_EVERY)

    async def _running(self, record: RoomRecord, name: str) -> list[Egress]:
        standing = self.store.by_id.get(record.id, record)
        ours = ours_on(standing, await self.observer.recordings(), self.taping.output)
        return [egress for egress in ours if egress.room == name and egress.id not in self.ledger.lost]


def _row(record: RoomRecord, recording: Recording) -> RecordingRow:
    return RecordingRow(
        egress_id=recording.egress_id or "",
        key=record.key,
        room_id=record.id,
        file=recording.file,
        started=recording.attempt_at,
    )


def _shown(recording: Recording, record: RoomRecord) -> str:
    return redact_room_id(recording.file, record.id)


_REASONS: Final = {NoEgressService: "NoEgressService", NoEgressWorker: "NoWorker", LiveNotFound: "Starting"}
