"""Pass after pass: woken by triggers, paced, and patient while a server is away."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import structlog

from controller.errors import LiveError, RoomctlError, StoreForeign
from controller.manifests.snapshot import Desired, ManifestError, RoomsDirState
from controller.metrics import Metrics
from controller.reconcile.clock import Clock
from controller.reconcile.reconciler import Reconciler
from controller.reconcile.status import census, unusable_census
from controller.reconcile.task_runner import Workshop
from controller.reconcile.trackers import Backoff
from controller.reconcile.triggers import Triggers
from controller.records.record import RoomRecord
from controller.state_cache import Known

SPACING: Final = 0.05
"""Seconds between two passes at least; a pass that took longer is given as long a rest as it took."""
LONGEST_REST: Final = 1.0

log = structlog.get_logger()


@dataclass(slots=True)
class Outage:
    """Says once that a server is away, and once that it is back."""

    away: set[str] = field(default_factory=set)

    def failed(self, server: str, error: RoomctlError) -> None:
        if server not in self.away:
            self.away.add(server)
            log.error(
                "a server is away", server=server, error=str(error), doing="trying again until it is back"
            )

    def answered(self, server: str) -> bool:
        """Whether it had been away."""
        if server not in self.away:
            return False
        self.away.discard(server)
        log.info("a server is back", server=server)
        return True


@dataclass(slots=True)
class Notices:
    """Says each wrong manifest, and each state of the folder, once while it lasts."""

    _errors: frozenset[ManifestError] = frozenset()
    _state: RoomsDirState = RoomsDirState.OK

    def about(self, desired: Desired, errors: tuple[ManifestError, ...]) -> None:
        if desired.state is not self._state:
            self._state = desired.state
            if desired.state is not RoomsDirState.OK:
                log.warning("no room is removed: rooms.d", state=str(desired.state), problem=desired.problem)
        for error in sorted(frozenset(errors) - self._errors, key=lambda e: (e.file, e.message)):
            line, column = (error.mark.line, error.mark.column) if error.mark else (None, None)
            log.warning("wrong manifest", file=error.file, line=line, column=column, error=error.message)
        self._errors = frozenset(errors)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the loop is woken by, reports to, and measures with."""

    triggers: Triggers
    known: Known
    metrics: Metrics
    clock: Clock


class Loop:
    """Runs the reconciler until told to stop. Nothing that a server does or leaves undone ends it."""

    def __init__(
        self,
        reconciler: Reconciler,
        workshop: Workshop,
        around: Surroundings,
        *,
        resync: float,
        watch_was_silent: Callable[[], None],
    ) -> None:
        self._reconciler = reconciler
        self._workshop = workshop
        self._triggers, self._known = around.triggers, around.known
        self._metrics, self._clock = around.metrics, around.clock
        self._resync = resync
        self._watch_was_silent = watch_was_silent
        self._outage, self._notices, self._backoff = Outage(), Notices(), Backoff()
        self._counted: Mapping[str, RoomRecord] | None = None
        self._untold = False

    async def run(self, stop: asyncio.Event) -> None:
        """Pass after pass; `stop` ends it once the loop is woken."""
        resync_at = self._clock.monotonic()
        while not stop.is_set():
            begun = self._clock.monotonic()
            resync_due = begun >= resync_at
            if resync_due:
                resync_at = begun + self._resync
            rest = await self._turn(resync_due=resync_due)
            took = self._clock.monotonic() - begun
            self._metrics.pass_seconds.observe(took)
            await asyncio.sleep(max(SPACING, min(took, LONGEST_REST)))  # the pace, not a wait for something
            await self._triggers.wait(min(rest, max(0.0, resync_at - self._clock.monotonic())))

    async def _turn(self, *, resync_due: bool) -> float:
        """One pass; how long to wait for a trigger after it, in seconds."""
        told = self._triggers.take_files()
        self._judge_watch(told=told, resync_due=resync_due)
        before = self._reconciler.desired
        try:
            plan = await self._reconciler.turn(read_files=told or resync_due, audit=resync_due)
        except RoomctlError as error:
            if isinstance(error, StoreForeign) and self._known.mongodb.seen is None:
                raise  # at the start it is a mistake in the settings, and waiting will not mend it
            return self._away(error, told=told)
        except Exception as error:
            log.exception("unexpected fault in a pass; the next one tries again")
            return self._came_to_nothing(error, told=told)
        self._back()
        after = self._reconciler.desired
        if not told and before is not None and after is not None and before.revision != after.revision:
            self._untold = True
        if plan is not None and after is not None:
            self._notices.about(after, plan.invalid)
        return self._resync

    def _judge_watch(self, *, told: bool, resync_due: bool) -> None:
        """A resync may see a change before the watch tells of it: silent is one that never told."""
        if self._untold and resync_due and not told:
            self._watch_was_silent()
        if told or resync_due:
            self._untold = False

    def _away(self, error: RoomctlError, *, told: bool) -> float:
        failed = {_server(e): e for e in (error.__cause__, error) if isinstance(e, RoomctlError)}
        for server, why in failed.items():
            self._outage.failed(server, why)
        for server in {"LiveKit", "MongoDB"} - failed.keys():
            self._outage.answered(server)
        return self._came_to_nothing(error, told=told)

    def _came_to_nothing(self, error: Exception, *, told: bool) -> float:
        """A pass that failed; how long to wait for the next."""
        if told:
            self._triggers.files_stay_changed()
        self._metrics.passes.labels("failed").inc()
        self._metrics.errors.labels(type(error).__name__).inc()
        self._known.turned = self._clock.monotonic()
        return self._backoff.failed("pass", self._clock.monotonic(), self._clock.chance())

    def _back(self) -> None:
        returned = [self._outage.answered(server) for server in ("LiveKit", "MongoDB")]
        if any(returned):
            self._workshop.recovered()
        self._backoff.succeeded("pass")
        self._metrics.passes.labels("ok").inc()
        self._count_rooms()
        self._known.turned = self._clock.monotonic()

    def _count_rooms(self) -> None:
        """Rooms by condition; counted anew only when a record changed."""
        records = self._known.records.by_id  # replaced as a whole where one of them changes
        if records is self._counted:
            return
        self._counted = records
        unusable = self._known.records.unusable
        conditions = census(record for room_id, record in records.items() if room_id not in unusable)
        self._metrics.rooms.clear()
        for (kind, status), count in (conditions + unusable_census(unusable.values())).items():
            self._metrics.rooms.labels(kind, status).set(count)
        self._metrics.unusable_records.clear()
        for reason, count in Counter(str(each.reason) for each in unusable.values()).items():
            self._metrics.unusable_records.labels(reason).set(count)


def _server(error: RoomctlError) -> str:
    return "LiveKit" if isinstance(error, LiveError) else "MongoDB"
