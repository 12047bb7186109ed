"""The composition root: settings -> clients -> reconciler -> sidecar. The only place that builds them."""

import asyncio
import gc
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final, TypeVar

import structlog

from controller.errors import LeaseHeld, RoomctlError, RoomsDirError, StoreError
from controller.known import Known
from controller.live.client import Actor, Connection, Observer
from controller.live.ports import LiveActor
from controller.live.room import LiveRoom, Permission
from controller.live.webhook import Hint
from controller.manifests import Cache, load
from controller.manifests.desired import Desired, RoomsDirState
from controller.manifests.watch import Watch
from controller.metrics import Metrics
from controller.plan.model import Plan, Remove, RoomChange, Rules
from controller.reconcile.clock import Clock
from controller.reconcile.loop import Loop, Surroundings
from controller.reconcile.memory import SETTLE, Flapping
from controller.reconcile.observe import Eyes
from controller.reconcile.reconciler import Planner, Reconciler
from controller.reconcile.speaker import Speaker
from controller.reconcile.steps import Steps
from controller.reconcile.triggers import Triggers
from controller.reconcile.workshop import Progress, Workshop
from controller.records import open_lease, open_store
from controller.records.memory import Memory
from controller.records.ports import Lease, RemovalLeave, RoomStore
from controller.room import Purpose, derive_key
from controller.settings import Settings
from controller.sidecar import Sidecar

STOP_GRACE: Final = 1.0
STOP_AT_MOST: Final = 4.5
"""Seconds that rooms under way are given at the end, and that all of the ending may take."""
LEASE_WAIT: Final = 15.0
LEAVE_LIFE: Final = timedelta(minutes=15)
OTHER_IDS: Final = "rooms on record keep their ids; new ones get others than before: set the old one again"
RARELY: Final = (50_000, 20, 50)
"""Thresholds of the garbage collector: with ten thousand rooms a full collection costs as much as a pass."""
ROUNDS: Final = 5
"""How often `apply` looks again at the rooms of its plan that are not as they should be."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Leased:
    """A LiveActor that writes only while the lease is held (architecture, rule 4)."""

    actor: LiveActor
    lease: Lease

    async def create_room(self, name: str, metadata: str, max_participants: int) -> LiveRoom:
        self.lease.check()
        return await self.actor.create_room(name, metadata, max_participants)

    async def delete_room(self, name: str) -> None:
        self.lease.check()
        await self.actor.delete_room(name)

    async def update_metadata(self, name: str, metadata: str) -> None:
        self.lease.check()
        await self.actor.update_metadata(name, metadata)

    async def update_permission(self, name: str, identity: str, permission: Permission) -> None:
        self.lease.check()
        await self.actor.update_permission(name, identity, permission)


def _silent(_key: str, _word: str, _outcome: str) -> None:
    """Progress that nobody watches."""


@dataclass(slots=True)
class Process:
    """What one controlling process shares: what it knows, what it counts, what wakes it."""

    settings: Settings
    live: Connection
    known: Known
    metrics: Metrics
    triggers: Triggers
    clock: Clock

    @classmethod
    def of(cls, settings: Settings, live: Connection) -> "Process":
        return cls(settings, live, Known(Memory()), Metrics(), Triggers(), Clock())


@dataclass(frozen=True, slots=True)
class Engine:
    """The parts that plan and act, once the records are open."""

    planner: Planner
    workshop: Workshop
    reconciler: Reconciler


def _planner(process: Process, store: RoomStore, settle: float) -> Planner:
    """Reads and plans; has no way to write."""
    cache, rooms_dir = Cache(), process.settings.rooms_dir

    async def read_manifests() -> Desired:
        return await asyncio.to_thread(load, rooms_dir, cache)

    process.known.records = store
    eyes = Eyes(read_manifests, Observer(process.live), store, process.known, process.clock)
    return Planner(_rules(process, store, settle), eyes, store, process.clock)


def _rules(process: Process, store: RoomStore, settle: float) -> Rules:
    return Rules(
        instance=process.settings.instance,
        store=store.identity.store,
        id_key=derive_key(process.settings.secret, Purpose.ROOM_ID),
        now=process.clock.wall(),
        token_ttl=process.settings.token_ttl_seconds,
        settle=settle,
    )


def engine(
    process: Process, store: RoomStore, lease: Lease, settle: float, progress: Progress = _silent
) -> Engine:
    planner = _planner(process, store, settle)
    actor = Leased(Actor(process.live), lease)
    known, clock, instance = process.known, process.clock, process.settings.instance
    steps = Steps(store, actor, Observer(process.live), known, clock, instance)
    speaker = Speaker(store, known, clock, Flapping())
    workshop = Workshop(steps, speaker, process.triggers, process.metrics, progress)
    return Engine(planner, workshop, Reconciler(planner, workshop, speaker, lease, process.triggers))


def _connection(settings: Settings) -> Connection:
    return Connection(settings.livekit_url, settings.livekit_api_key, settings.livekit_api_secret)


# -- plan -------------------------------------------------------------------------------------------------


@asynccontextmanager
async def opened_store(settings: Settings, *, verb: str, read_only: bool) -> AsyncIterator[RoomStore]:
    """The records, read once: MongoDB's, or the embedded server's, which is started where it does not run."""
    async with _store(settings, verb=verb, read_only=read_only) as store:
        await store.refresh()
        yield store


def _store(
    settings: Settings, *, verb: str, read_only: bool = False
) -> AbstractAsyncContextManager[RoomStore]:
    return open_store(
        settings.mongodb_uri,
        settings.mongodb_database,
        settings.data_dir,
        settings.instance,
        _fingerprint(settings),
        read_only=read_only,
        verb=verb,
    )


def _fingerprint(settings: Settings) -> str:
    """What `meta` keeps of ROOMCTL_SECRET, so that a change of it is noticed; '' where it is not set."""
    return derive_key(settings.secret, Purpose.FINGERPRINT).hex()[:16] if settings.secret else ""


async def make_plan(settings: Settings) -> Plan:
    """What `apply` would do now. Changes nothing at all. RoomctlError where it cannot be said."""
    async with _connection(settings) as live, opened_store(settings, verb="plan", read_only=True) as store:
        planner = _planner(Process.of(settings, live), store, settle=0.0)
        return await _planned(planner)


async def _planned(planner: Planner) -> Plan:
    observed = await planner.eyes.observe(None)
    _readable(observed.desired)
    return await planner.plan(observed, everyone=True)


def _readable(desired: Desired) -> None:
    if desired.state in (RoomsDirState.MISSING, RoomsDirState.UNREADABLE):
        raise RoomsDirError(f"rooms.d is {desired.state}: {desired.problem}")


# -- apply ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ApplyReport:
    """What came of `apply`: the plan it set out with, what failed by key, and what it left on purpose.

    `granted` holds the keys that a running controller was given leave to remove. `confirmed` is False
    where nothing was done because the answer was no.
    """

    plan: Plan
    failed: Mapping[str, str] = field(default_factory=dict)
    left: tuple[RoomChange, ...] = ()
    granted: tuple[str, ...] = ()
    confirmed: bool = True


async def apply(
    settings: Settings,
    *,
    confirm: Callable[[Plan], bool],
    progress: Progress = _silent,
    allow_removals: int | None = None,
) -> ApplyReport:
    """Converge in the foreground. LeaseHeld while a controller is at work on the same records.

    With `allow_removals` a controller that is at work is given leave instead (contract 4).
    """
    async with _connection(settings) as live, opened_store(settings, verb="apply", read_only=False) as store:
        process = Process.of(settings, live)
        async with open_lease(store, settings.data_dir, "apply") as lease:
            try:
                await lease.acquire(LEASE_WAIT)
            except LeaseHeld:
                if allow_removals is None:
                    raise
                return await _grant(_planner(process, store, 0.0), store, allow_removals, confirm)
            store.reread()
            foreground = _Foreground(process, store, lease, progress)
            plan = await foreground.plan(allow_removals)
            if not plan.empty:
                await lease.release()  # nobody is kept waiting while somebody thinks
                if not confirm(plan):
                    return ApplyReport(plan, confirmed=False)
                await lease.acquire(LEASE_WAIT)
            return await foreground.converge(plan)


async def _grant(
    planner: Planner, store: RoomStore, most: int, confirm: Callable[[Plan], bool]
) -> ApplyReport:
    """Record leave for the rooms that are missing now, for the controller that is at work."""
    plan = await _planned(planner)
    missing = _missing(plan)
    if len(missing) > most:
        raise RoomctlError(
            f"{len(missing)} rooms are missing, more than --allow-removals {most}: "
            f"{', '.join(sorted(missing))}"
        )
    if not confirm(plan):
        return ApplyReport(plan, confirmed=False)
    await store.grant_removal_leave(RemovalLeave(missing, planner.clock.wall() + LEAVE_LIFE))
    return ApplyReport(plan, granted=tuple(sorted(missing)))


def _missing(plan: Plan) -> frozenset[str]:
    """The rooms whose manifest is gone."""
    return frozenset(c.key for c in plan.changes if any(isinstance(a, Remove) for a in c.actions))


class _Foreground:
    """`apply`: one confirmed plan, carried out with a look after each round until nothing of it is due."""

    def __init__(self, process: Process, store: RoomStore, lease: Lease, progress: Progress) -> None:
        self._failed: dict[str, str] = {}
        self._told = progress
        self._engine = engine(process, store, lease, settle=0.0, progress=self._progress)

    def _progress(self, key: str, word: str, outcome: str) -> None:
        if outcome == "done":
            self._failed.pop(key, None)
        else:
            self._failed[key] = outcome
        self._told(key, word, outcome)

    async def plan(self, allow_removals: int | None) -> Plan:
        """The plan, with leave for the rooms that are missing now where they are few enough."""
        planner = self._engine.planner
        plan = await _planned(planner)
        missing = _missing(plan)
        if allow_removals is None or len(missing) > allow_removals:
            return plan
        planner.rules = replace(planner.rules, leave=missing)
        return await _planned(planner)

    async def converge(self, plan: Plan) -> ApplyReport:
        """Rounds over the rooms of `plan` alone, until nothing of it is due."""
        agreed = frozenset(change.id for change in plan.changes)
        now = plan
        for _ in range(ROUNDS):
            self._engine.workshop.carry_out(now)
            await self._engine.workshop.settled()
            self._engine.workshop.recovered()
            later = await self._engine.planner.plan(await self._engine.planner.eyes.observe(None))
            now = replace(later, changes=tuple(c for c in later.changes if c.id in agreed))
            await self._engine.reconciler.say(now)
            if not any(change.due for change in now.changes):
                break
        self._failed |= {
            change.key: "it is still not as it should be"
            for change in now.changes
            if change.due and change.key not in self._failed
        }
        return ApplyReport(plan, dict(self._failed), tuple(now.held_back))


# -- run --------------------------------------------------------------------------------------------------


async def run(settings: Settings) -> int:
    """The controller and the sidecar, until SIGTERM or SIGINT; the exit code.

    Both listeners are bound first. RoomctlError where they, or the embedded store, cannot be had.
    """
    stop = asyncio.Event()
    gc.set_threshold(*RARELY)
    async with AsyncExitStack() as stack:
        process = Process.of(settings, await stack.enter_async_context(_connection(settings)))
        _end_on_signals(stop, process.triggers)
        hints = _Hints()
        sidecar = Sidecar(settings, process.known, Observer(process.live), process.metrics, hints)
        await stack.enter_async_context(sidecar.listening())
        log.info("listening", public=str(sidecar.public), private=str(sidecar.private))
        store = await _unless(stop, stack.enter_async_context(_store(settings, verb="run")))
        if store is not None:
            await _control(process, store, hints, stop)
    log.info("stopped; the rooms stay")
    return 0


class _Hints:
    """Passes webhooks on to the reconciler, once there is one."""

    def __init__(self) -> None:
        self.target: Callable[[Hint], None] | None = None

    def __call__(self, hint: Hint) -> None:
        if self.target is not None:
            self.target(hint)


async def _control(process: Process, store: RoomStore, hints: _Hints, stop: asyncio.Event) -> None:
    """Reconcile while the lease is ours, stand by while it is another's."""
    watch = Watch(process.settings.rooms_dir, stop)
    told = _leading(process, stop)
    async with open_lease(store, process.settings.data_dir, "run", told) as lease:
        parts = engine(process, store, lease, settle=SETTLE)
        hints.target = parts.reconciler.hint
        background = [
            asyncio.create_task(_lead(lease, store)),
            asyncio.create_task(_watch(watch, process.triggers)),
        ]
        try:
            await _loop(process, parts, watch).run(stop)
        finally:
            hints.target = None
            process.triggers.close()
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            await parts.workshop.close(STOP_GRACE)


def _loop(process: Process, parts: Engine, watch: Watch) -> Loop:
    def watch_was_silent() -> None:
        process.metrics.watch_restarts.inc()
        log.warning("the watch on rooms.d was silent while a resync found a change: it begins anew")
        watch.restart()

    return Loop(
        parts.reconciler,
        parts.workshop,
        Surroundings(process.triggers, process.known, process.metrics, process.clock),
        resync=process.settings.resync_seconds,
        watch_was_silent=watch_was_silent,
    )


def _leading(process: Process, stop: asyncio.Event) -> Callable[[bool], None]:
    def told(leads: bool) -> None:
        process.known.leader = leads
        process.metrics.leader.set(leads)
        if not stop.is_set():
            log.info("holding the lease: reconciling" if leads else "the lease is lost: standing by")
        process.triggers.files_changed()

    return told


async def _lead(lease: Lease, store: RoomStore) -> None:
    """Take the lease whenever it can be had; what stands in memory is not trusted then."""
    while True:
        await lease.acquire(None)
        store.reread()
        with suppress(StoreError):
            await store.refresh()
        if store.secret_changed:
            log.warning("ROOMCTL_SECRET is not the one that this database was made with", mend=OTHER_IDS)
        await lease.lost.wait()


async def _watch(watch: Watch, triggers: Triggers) -> None:
    async for _ in watch:
        triggers.files_changed()


T = TypeVar("T")


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """The result of `work`, or None where `stop` came first."""
    working, stopping = asyncio.ensure_future(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return await working if working.done() else None
    finally:
        for task in (working, stopping):
            task.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)


def _end_on_signals(stop: asyncio.Event, triggers: Triggers) -> None:
    """SIGTERM and SIGINT end it gently; what hangs is cut off in time, for a crash costs nothing either."""

    def end() -> None:
        log.info("stopping")
        stop.set()
        triggers.wake()
        watchdog = threading.Timer(STOP_AT_MOST, os._exit, (0,))
        watchdog.daemon = True
        watchdog.start()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, end)
