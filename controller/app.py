"""The composition root: settings -> clients, records, reconciler. The only place that builds them.

What is built here runs once in the foreground (one_shot.py), or until it is stopped (daemon.py).
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial

from controller.clock import Clock
from controller.companions.agents.companion import AgentCompanion
from controller.companions.companion import CompanionContext, CompanionFactory
from controller.companions.recording.companion import RecordingCompanion
from controller.companions.recording.config import RecordingConfig
from controller.events.log import EventLog
from controller.git import GitReader
from controller.live.client import (
    MAX_CONCURRENT_COMPANION_CALLS,
    MAX_CONCURRENT_WRITES,
    ApiReader,
    ApiWriter,
    LiveKitConnection,
)
from controller.live.ports import CompanionReader, LiveKitWriter
from controller.manifests.folder_policy import policy_files
from controller.manifests.load import Cache, load
from controller.manifests.snapshot import Desired
from controller.metrics import Metrics
from controller.plan.metadata import Owner
from controller.plan.model import PlanInputs
from controller.reconcile.change_applier import ChangeApplier
from controller.reconcile.companion_runner import CompanionRunner
from controller.reconcile.fenced_writer import fenced
from controller.reconcile.observe import Listings, StateObserver
from controller.reconcile.peers import Peers
from controller.reconcile.reconciler import Planner, Reconciler
from controller.reconcile.room_events import AuthorOf, RoomEvents, unknown_author
from controller.reconcile.status_writer import StatusWriter
from controller.reconcile.task_runner import Progress, TaskRunner
from controller.reconcile.trackers import FlapDetector
from controller.reconcile.triggers import Triggers
from controller.records.ports import Lease, Records, RoomStore
from controller.room import Purpose, derive_key
from controller.settings import Settings
from controller.state_cache import StateCache


def silent(_key: str, _word: str, _outcome: str) -> None:
    """Progress that is not shown."""


@dataclass(frozen=True, slots=True)
class Process:
    """The parts of one process: clients of its servers, state, metrics and triggers.

    In tests these are fakes. `inputs` holds the inputs that all plans share.
    """

    read_manifests: Callable[[], Awaitable[Desired]]
    reader: CompanionReader
    writer: LiveKitWriter
    inputs: PlanInputs
    state: StateCache
    events: EventLog
    companions: tuple[CompanionFactory, ...] = ()
    triggers: Triggers = field(default_factory=Triggers)
    metrics: Metrics = field(default_factory=Metrics)
    clock: Clock = field(default_factory=Clock)
    peers: Peers = field(default_factory=Peers)
    author_of: AuthorOf = unknown_author

    @classmethod
    def create(
        cls,
        settings: Settings,
        live: LiveKitConnection,
        records: Records,
        *,
        prune_grace_seconds: float = 0.0,
        triggers: Triggers | None = None,
    ) -> "Process":
        """With real servers. `records` are those in `state`."""
        cache, metrics, clock, git = Cache(), Metrics(), Clock(), GitReader(settings.rooms_dir)

        def read() -> Desired:
            return replace(load(settings.rooms_dir, cache), history=git.history())

        def author_of(file: str) -> str | None:
            return git.author_of(file, *policy_files(file))

        return cls(
            read_manifests=lambda: asyncio.to_thread(read),
            reader=ApiReader(live),
            writer=ApiWriter(live),
            inputs=_plan_inputs(settings, prune_grace_seconds),
            state=StateCache(records),
            events=EventLog(metrics, clock, send_out=bool(settings.events_url)),
            companions=_companions(settings),
            triggers=triggers or Triggers(),
            metrics=metrics,
            clock=clock,
            author_of=author_of,
        )


@dataclass(frozen=True, slots=True)
class ControllerParts:
    """The parts that plan and act, once the records are open."""

    planner: Planner
    applier: ChangeApplier
    status_writer: StatusWriter
    task_runner: TaskRunner
    reconciler: Reconciler


def build_planner(process: Process, store: RoomStore, listings: Listings = ()) -> Planner:
    """A planner, which reads and cannot write."""
    read = process.read_manifests
    observer = StateObserver(read, process.reader, store, process.state, process.clock, listings)
    return Planner(process.inputs, observer, store, store, process.clock)


def build_controller(
    process: Process, store: RoomStore, lease: Lease, progress: Progress = silent
) -> ControllerParts:
    """All parts, for `run`, for `apply` and for tests."""
    reader, state, clock, triggers = process.reader, process.state, process.clock, process.triggers
    companions = tuple(factory(_companion_context(process, store, lease)) for factory in process.companions)
    planner = build_planner(process, store, tuple(companion.observe for companion in companions))
    writer = fenced(process.writer, lease, asyncio.Semaphore(MAX_CONCURRENT_WRITES))
    events = RoomEvents(process.events, state, clock, process.author_of)
    owner = process.inputs.owner
    applier = ChangeApplier(store, writer, reader, state, clock, owner, companions, events.removed)
    status_writer = StatusWriter(store, state, clock, FlapDetector(), companions)
    demands, metrics = planner.demands, process.metrics
    task_runner = TaskRunner(applier, status_writer, events, demands, triggers, metrics, progress)
    runner = CompanionRunner(companions, task_runner, triggers, store)
    reconciler = Reconciler(planner, task_runner, runner, lease, triggers, process.peers)
    return ControllerParts(planner, applier, status_writer, task_runner, reconciler)


def _companions(settings: Settings) -> tuple[CompanionFactory, ...]:
    """What serves rooms beside the plan."""
    return (partial(RecordingCompanion, RecordingConfig.from_settings(settings)), AgentCompanion)


def _companion_context(process: Process, store: RoomStore, lease: Lease) -> CompanionContext:
    """What a companion writes has a lane of its own: neither a room nor another companion waits for it."""
    return CompanionContext(
        store=store,
        reader=process.reader,
        writer=fenced(process.writer, lease, asyncio.Semaphore(MAX_CONCURRENT_COMPANION_CALLS)),
        state=process.state,
        clock=process.clock,
        metrics=process.metrics,
        events=process.events,
        owner=process.inputs.owner,
        later=process.triggers.later,
    )


def _plan_inputs(settings: Settings, prune_grace_seconds: float) -> PlanInputs:
    """The inputs; each plan adds the database's id and the time."""
    return PlanInputs(
        owner=Owner(
            settings.instance, tuple(derive_key(secret, Purpose.OWNER_MARK) for secret in settings.secrets)
        ),
        store="",
        id_key=derive_key(settings.secret, Purpose.ROOM_ID),
        now=Clock().wall(),
        token_ttl=settings.token_ttl_seconds,
        prune_grace_seconds=prune_grace_seconds,
    )
