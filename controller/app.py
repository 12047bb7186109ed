"""The composition root: settings -> clients, records, reconciler. The only place that builds them.

What is built here runs in two ways: for a while in the foreground (one_shot.py), or until it is told to
stop (daemon.py).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from controller.live.client import DEADLINE, RECORDERS, WRITES, Actor, Connection, Observer
from controller.live.egress import S3Access
from controller.manifests import Cache, load
from controller.manifests.snapshot import Desired
from controller.metrics import Metrics
from controller.plan.model import Rules
from controller.reconcile.change_applier import Steps
from controller.reconcile.clock import Clock
from controller.reconcile.fenced_writer import Leased
from controller.reconcile.observe import Eyes
from controller.reconcile.reconciler import Planner, Reconciler
from controller.reconcile.recordings.failures import Troubles
from controller.reconcile.recordings.ledger import Ledger
from controller.reconcile.recordings.recorder import Recorder
from controller.reconcile.recordings.recording_applier import RecordingSteps, Remembered, Taping
from controller.reconcile.status_writer import Speaker
from controller.reconcile.task_runner import Progress, Workshop
from controller.reconcile.trackers import Flapping
from controller.reconcile.triggers import Triggers
from controller.records import open_store
from controller.records.ports import Lease, RoomStore
from controller.records.record_cache import RecordCache
from controller.room import Purpose, derive_key
from controller.settings import Settings
from controller.state_cache import Known


def silent(_key: str, _word: str, _outcome: str) -> None:
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
        return cls(settings, live, Known(RecordCache()), Metrics(), Triggers(), Clock())


@dataclass(frozen=True, slots=True)
class Engine:
    """The parts that plan and act, once the records are open."""

    planner: Planner
    workshop: Workshop
    reconciler: Reconciler


def planner(process: Process, store: RoomStore, settle: float) -> Planner:
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
    process: Process, store: RoomStore, lease: Lease, settle: float, progress: Progress = silent
) -> Engine:
    plans = planner(process, store, settle)
    lanes = asyncio.Semaphore(WRITES), asyncio.Semaphore(RECORDERS)
    actor = Leased(Actor(process.live), lease, *lanes)
    observer, known, clock = plans.eyes.observer, process.known, process.clock
    tapes = RecordingSteps(
        store,
        actor,
        observer,
        known,
        clock,
        _taping(process.settings),
        Ledger(store, clock, process.metrics),
        Troubles(clock, process.metrics, process.triggers.later),
        Remembered(),
        process.triggers.later,
    )
    steps = Steps(store, actor, observer, known, clock, process.settings.instance, tapes)
    speaker = Speaker(store, known, clock, Flapping())
    workshop = Workshop(steps, speaker, process.triggers, process.metrics, progress)
    recorder = Recorder(tapes, workshop, process.triggers)
    speaker.recording = recorder.says
    reconciler = Reconciler(plans, workshop, speaker, recorder, lease=lease, triggers=process.triggers)
    return Engine(plans, workshop, reconciler)


def _taping(settings: Settings) -> Taping:
    return Taping(
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


def connection(settings: Settings, deadline: float = DEADLINE) -> Connection:
    """A session with the LiveKit of `settings`; a call in it takes `deadline` seconds at most."""
    url, key, secret = settings.livekit_url, settings.livekit_api_key, settings.livekit_api_secret
    return Connection(url, key, secret, deadline=deadline)


@asynccontextmanager
async def opened_store(settings: Settings, *, verb: str, read_only: bool) -> AsyncIterator[RoomStore]:
    """The records, read once: MongoDB's, or the embedded server's, which is started where it does not run."""
    async with store_of(settings, verb=verb, read_only=read_only) as store:
        await store.refresh()
        yield store


def followed_store(settings: Settings, *, verb: str) -> AbstractAsyncContextManager[RoomStore]:
    """The records for whoever looks at them for long: the embedded server is left to a controller."""
    return store_of(settings, verb=verb, read_only=True, starts=False)


def store_of(
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
