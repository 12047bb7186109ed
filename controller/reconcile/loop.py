"""Runs passes: woken by triggers, at a limited rate, with retries while a server is unavailable."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from controller.backoff import Backoff
from controller.clock import CLOCK_WARNING_SECONDS, Clock
from controller.errors import LiveKitError, RoomctlError, StoreMismatchError
from controller.logs import get_logger
from controller.manifests.snapshot import Desired, ManifestError, RoomsDirState
from controller.metrics import Metrics
from controller.reconcile.peers import is_away
from controller.reconcile.reconciler import Reconciler
from controller.reconcile.shown_conditions import count_conditions
from controller.reconcile.triggers import Triggers
from controller.records.record import RoomRecord
from controller.state_cache import StateCache

MIN_PASS_INTERVAL_SECONDS: Final = 0.05
"""Minimum seconds between two passes; after a longer pass, the pause is as long as the pass."""
MAX_PASS_PAUSE_SECONDS: Final = 1.0

_SYNCHRONIZE: Final = "LiveKit may reject tokens; synchronize both hosts with NTP"

log = get_logger()


@dataclass(slots=True)
class OutageLog:
    """Logs once that a server is unavailable, and once that it is available again."""

    away: set[str] = field(default_factory=set)

    def failed(self, server: str, error: RoomctlError) -> None:
        if server not in self.away:
            self.away.add(server)
            log.error("dependency unavailable", dependency=server.lower(), error=str(error), retrying=True)

    def record_success(self, server: str) -> bool:
        """Whether it was unavailable before."""
        if server not in self.away:
            return False
        self.away.discard(server)
        log.info("dependency recovered", dependency=server.lower())
        return True


@dataclass(slots=True)
class ClockLog:
    """Logs once that our clock and LiveKit's differ too much, while they do."""

    apart: bool = False

    def report(self, ahead_s: float | None) -> None:
        before, self.apart = self.apart, abs(ahead_s or 0.0) > CLOCK_WARNING_SECONDS
        if self.apart and not before:
            log.warning("clock differs from LiveKit", ahead_seconds=round(ahead_s or 0.0), hint=_SYNCHRONIZE)


@dataclass(slots=True)
class ManifestErrorLog:
    """Logs each invalid manifest, unread file and state of the folder once while it lasts."""

    _errors: frozenset[ManifestError] = frozenset()
    _unread: frozenset[ManifestError] = frozenset()
    _state: RoomsDirState = RoomsDirState.OK

    def report(self, desired: Desired, errors: tuple[ManifestError, ...]) -> None:
        if desired.state is not self._state:
            self._state = desired.state
            if desired.state is not RoomsDirState.OK:
                log.warning("removals disabled", rooms_dir_state=str(desired.state), error=desired.problem)
        for error in sorted(frozenset(errors) - self._errors, key=lambda e: (e.file, e.message)):
            line, column = (error.position.line, error.position.column) if error.position else (None, None)
            log.warning("manifest invalid", file=error.file, line=line, column=column, error=error.message)
        for unread in sorted(frozenset(desired.unread) - self._unread, key=lambda e: e.file):
            log.warning("file not read", file=unread.file, error=unread.message)
        self._errors, self._unread = frozenset(errors), frozenset(desired.unread)


@dataclass(slots=True)
class Loop:
    """Runs the reconciler until it is stopped. No failure of a server ends it.

    `resync`: maximum seconds between two passes. `watch_was_silent` is called if a resync found a change of
    rooms.d that the watch did not report.
    """

    reconciler: Reconciler
    triggers: Triggers
    state: StateCache
    metrics: Metrics
    clock: Clock
    resync: float
    watch_was_silent: Callable[[], None]
    _outage_log: OutageLog = field(default_factory=OutageLog)
    _clock_log: ClockLog = field(default_factory=ClockLog)
    _manifest_errors: ManifestErrorLog = field(default_factory=ManifestErrorLog)
    _backoff: Backoff = field(default_factory=Backoff)
    _counted: tuple[Mapping[str, RoomRecord], bool] | None = None
    _watch_missed_change: bool = False

    async def run(self, stop: asyncio.Event) -> None:
        """Run passes; `stop` ends it once the loop is woken."""
        resync_at = self.clock.monotonic()
        while not stop.is_set():
            begun = self.clock.monotonic()
            resync_due = begun >= resync_at
            if resync_due:
                resync_at = begun + self.resync
            rest = await self._run_pass(resync_due=resync_due)
            took = self.clock.monotonic() - begun
            self.metrics.pass_seconds.observe(took)
            # limits the rate, waits for no event
            await asyncio.sleep(max(MIN_PASS_INTERVAL_SECONDS, min(took, MAX_PASS_PAUSE_SECONDS)))
            await self.triggers.wait(min(rest, max(0.0, resync_at - self.clock.monotonic())))

    async def _run_pass(self, *, resync_due: bool) -> float:
        """One pass; how long to wait for a trigger after it, in seconds."""
        watch_reported = self.triggers.drain_files_changed()
        self._judge_watch(watch_reported=watch_reported, resync_due=resync_due)
        before = self.reconciler.desired
        try:
            plan = await self.reconciler.reconcile(read_files=watch_reported or resync_due, audit=resync_due)
        except RoomctlError as error:
            if isinstance(error, StoreMismatchError) and self.state.mongodb.seen is None:
                raise  # at the start it is a wrong setting, and waiting does not help
            return self._handle_unavailable(error, watch_reported=watch_reported)
        except Exception as error:
            log.exception("reconcile pass crashed")
            return self._record_failure(error, watch_reported=watch_reported)
        self._record_success()
        after = self.reconciler.desired
        if not watch_reported and before and after and before.revision != after.revision:
            self._watch_missed_change = True
        if plan is not None and after is not None:
            self._manifest_errors.report(after, plan.invalid)
        return self.resync

    def _judge_watch(self, *, watch_reported: bool, resync_due: bool) -> None:
        """A resync may see a change before the watch reports it: only one that never does is silent."""
        if self._watch_missed_change and resync_due and not watch_reported:
            self.watch_was_silent()
        if watch_reported or resync_due:
            self._watch_missed_change = False

    def _handle_unavailable(self, error: RoomctlError, *, watch_reported: bool) -> float:
        failed = {_server(e): e for e in (error.__cause__, error) if isinstance(e, RoomctlError)}
        for server, why in failed.items():
            self._outage_log.failed(server, why)
        for server in {"LiveKit", "MongoDB"} - failed.keys():
            self._outage_log.record_success(server)
        return self._record_failure(error, watch_reported=watch_reported)

    def _record_failure(self, error: Exception, *, watch_reported: bool) -> float:
        """Record a failed pass; how long to wait for the next."""
        if watch_reported:
            self.triggers.files_stay_changed()
        kind = error.kind if isinstance(error, RoomctlError) else type(error).__name__
        self.metrics.errors.labels(kind).inc()
        self._end_pass("failed")
        return self._backoff.failed("pass", self.clock.monotonic(), self.clock.chance())

    def _record_success(self) -> None:
        returned = [self._outage_log.record_success(server) for server in ("LiveKit", "MongoDB")]
        if any(returned):
            self.reconciler.task_runner.reset_backoff()
        self._backoff.succeeded("pass")
        self._end_pass("ok")

    def _end_pass(self, outcome: str) -> None:
        """What is reported of every pass, also of one that LiveKit refused for the time of its token."""
        self.metrics.passes.labels(outcome).inc()
        self._count_rooms()
        self._clock_log.report(self.state.clock_ahead_s)
        self.state.record_pass(self.clock.monotonic())

    def _count_rooms(self) -> None:
        """Count rooms by condition, only when a record has changed."""
        records = self.state.records.by_id  # the mapping is replaced when a record changes
        away = self.state.leader and is_away(self.state.livekit.seen, self.clock.monotonic())
        if self._counted is not None and self._counted[0] is records and self._counted[1] is away:
            return
        self._counted, unusable = (records, away), self.state.records.unusable
        self.metrics.rooms.clear()
        for (kind, status), count in count_conditions(records.values(), unusable, livekit_away=away).items():
            self.metrics.rooms.labels(kind, status).set(count)
        self.metrics.unusable_records.clear()
        for reason, count in Counter(str(each.reason) for each in unusable.values()).items():
            self.metrics.unusable_records.labels(reason).set(count)


def _server(error: RoomctlError) -> str:
    return "LiveKit" if isinstance(error, LiveKitError) else "MongoDB"
