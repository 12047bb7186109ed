"""The composition root: settings -> clients, records, reconciler. The only place that builds them.

What is built here runs in two ways: for a while in the foreground (one_shot.py), or until it is told to
stop (daemon.py).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from controller.live.client import (
    LIVEKIT_TIMEOUT_SECONDS,
    MAX_CONCURRENT_RECORDING_CALLS,
    MAX_CONCURRENT_WRITES,
    ApiReader,
    ApiWriter,
    LiveKitConnection,
)
from controller.live.egress import S3Access
from controller.manifests import Cache, load
from controller.manifests.snapshot import Desired
from controller.metrics import Metrics
from controller.plan.model import PlanInputs
from controller.reconcile.change_applier import ChangeApplier
from controller.reconcile.clock import Clock
from controller.reconcile.fenced_writer import FencedWriter
from controller.reconcile.observe import StateObserver
from controller.reconcile.reconciler import Planner, Reconciler
from controller.reconcile.recordings.failures import RecordingFailures
from controller.reconcile.recordings.ledger import Ledger
from controller.reconcile.recordings.recorder import RecordingReconciler
from controller.reconcile.recordings.recording_applier import EgressTracker, RecordingApplier, RecordingConfig
from controller.reconcile.status_writer import StatusWriter
from controller.reconcile.task_runner import Progress, TaskRunner
from controller.reconcile.trackers import FlapDetector
from controller.reconcile.triggers import Triggers
from controller.records import open_store
from controller.records.ports import Lease, RoomStore
from controller.records.record_cache import RecordCache
from controller.room import Purpose, derive_key
from controller.settings import Settings
from controller.state_cache import StateCache


def silent(_key: str, _word: str, _outcome: str) -> None:
    """Progress that nobody watches."""


@dataclass(slots=True)
class Process:
    """What one controlling process shares: what it knows, what it counts, what wakes it."""

    settings: Settings
    live: LiveKitConnection
    state: StateCache
    metrics: Metrics
    triggers: Triggers
    clock: Clock

    @classmethod
    def create(cls, settings: Settings, live: LiveKitConnection) -> "Process":
        return cls(settings, live, StateCache(RecordCache()), Metrics(), Triggers(), Clock())


@dataclass(frozen=True, slots=True)
class ControllerParts:
    """The parts that plan and act, once the records are open."""

    planner: Planner
    task_runner: TaskRunner
    reconciler: Reconciler


def build_planner(process: Process, store: RoomStore, prune_grace_seconds: float) -> Planner:
    """Reads and plans; has no way to write."""
    cache, rooms_dir = Cache(), process.settings.rooms_dir

    async def read_manifests() -> Desired:
        return await asyncio.to_thread(load, rooms_dir, cache)

    process.state.records = store
    observer = StateObserver(read_manifests, ApiReader(process.live), store, process.state, process.clock)
    return Planner(_plan_inputs(process, store, prune_grace_seconds), observer, store, process.clock)


def _plan_inputs(process: Process, store: RoomStore, prune_grace_seconds: float) -> PlanInputs:
    return PlanInputs(
        instance=process.settings.instance,
        store=store.identity.store,
        id_key=derive_key(process.settings.secret, Purpose.ROOM_ID),
        now=process.clock.wall(),
        token_ttl=process.settings.token_ttl_seconds,
        prune_grace_seconds=prune_grace_seconds,
    )


def build_controller(
    process: Process, store: RoomStore, lease: Lease, prune_grace_seconds: float, progress: Progress = silent
) -> ControllerParts:
    plans = build_planner(process, store, prune_grace_seconds)
    limits = asyncio.Semaphore(MAX_CONCURRENT_WRITES), asyncio.Semaphore(MAX_CONCURRENT_RECORDING_CALLS)
    writer = FencedWriter(ApiWriter(process.live), lease, *limits)
    reader, state, clock = plans.observer.reader, process.state, process.clock
    recording_applier = RecordingApplier(
        store,
        writer,
        reader,
        state,
        clock,
        _recording_config(process.settings),
        Ledger(store, clock, process.metrics),
        RecordingFailures(clock, process.metrics, process.triggers.later),
        EgressTracker(),
        process.triggers.later,
    )
    applier = ChangeApplier(store, writer, reader, state, clock, process.settings.instance, recording_applier)
    status_writer = StatusWriter(store, state, clock, FlapDetector())
    task_runner = TaskRunner(applier, status_writer, process.triggers, process.metrics, progress)
    recordings = RecordingReconciler(recording_applier, task_runner, process.triggers)
    status_writer.recording = recordings.condition_for
    reconciler = Reconciler(
        plans, task_runner, status_writer, recordings, lease=lease, triggers=process.triggers
    )
    return ControllerParts(plans, task_runner, reconciler)


def _recording_config(settings: Settings) -> RecordingConfig:
    return RecordingConfig(
        output=settings.recording_output,
        idle=timedelta(seconds=settings.recording_idle_seconds),
        preset=settings.recording_preset,
        page_url=settings.recording_page_url,
        s3=S3Access(
            settings.recording_s3_endpoint,
            settings.recording_s3_region,
            settings.recording_s3_access_key,
            settings.recording_s3_secret,
        ),
    )


def connection(settings: Settings, deadline: float = LIVEKIT_TIMEOUT_SECONDS) -> LiveKitConnection:
    """A session with the LiveKit of `settings`; a call in it takes `deadline` seconds at most."""
    url, key, secret = settings.livekit_url, settings.livekit_api_key, settings.livekit_api_secret
    return LiveKitConnection(url, key, secret, deadline=deadline)


@asynccontextmanager
async def connect_store(settings: Settings, *, verb: str, read_only: bool) -> AsyncIterator[RoomStore]:
    """The records, read once: MongoDB's, or the embedded server's, which is started where it does not run."""
    async with open_store_from_settings(settings, verb=verb, read_only=read_only) as store:
        await store.refresh()
        yield store


def connect_store_for_watch(settings: Settings, *, verb: str) -> AbstractAsyncContextManager[RoomStore]:
    """The records for whoever looks at them for long: the embedded server is left to a controller."""
    return open_store_from_settings(settings, verb=verb, read_only=True, starts=False)


def open_store_from_settings(
    settings: Settings, *, verb: str, read_only: bool = False, starts: bool = True
) -> AbstractAsyncContextManager[RoomStore]:
    return open_store(
        settings.mongodb_uri,
        settings.mongodb_database,
        settings.data_dir,
        settings.instance,
        _fingerprint(settings),
        read_only=read_only,
        starts=starts,
        verb=verb,
    )


def _fingerprint(settings: Settings) -> str:
    """What `meta` keeps of ROOMCTL_SECRET, so that a change of it is noticed; '' where it is not set."""
    return derive_key(settings.secret, Purpose.FINGERPRINT).hex()[:16] if settings.secret else ""
