"""A whole controller in memory: the real reconciler on fakes of LiveKit, MongoDB, the lease and the time."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import count

from controller.app import Process, build_controller
from controller.clock import Clock
from controller.companions.agents.companion import AgentCompanion
from controller.companions.companion import CompanionFactory
from controller.companions.recording.companion import RecordingCompanion
from controller.companions.recording.config import RecordingConfig
from controller.errors import LeaseLostError
from controller.events.log import EventLog
from controller.manifests.snapshot import Desired
from controller.metrics import Metrics
from controller.plan.model import Plan
from controller.reconcile.triggers import Triggers
from controller.records.events import Event
from controller.records.record import RoomRecord
from controller.room import truncate_to_millis
from controller.state_cache import StateCache
from tests.support.fake_live import FakeLive
from tests.support.fake_store import FakeDatabase, FakeStore
from tests.support.worlds import NOW, desired, plan_inputs

WRITES = (
    "start_recording",
    "stop_recording",
    "create_room",
    "delete_room",
    "update_metadata",
    "update_permission",
    "remove_participant",
    "call_agent",
    "delete_dispatch",
)
_names = count(1)


@dataclass(slots=True)
class HandClock:
    """Time moves when a test says so; names are numbered."""

    seconds: float = 0.0
    chance: float = 0.0

    def wall(self) -> datetime:
        return truncate_to_millis(NOW + timedelta(seconds=self.seconds))

    def clock(self) -> Clock:
        return Clock(self.wall, lambda: self.seconds, lambda: f"live-{next(_names):06}", lambda: self.chance)


@dataclass(slots=True)
class FakeLease:
    """Held until a test takes it away."""

    held: bool = True
    lost: asyncio.Event = field(default_factory=asyncio.Event)

    def check(self) -> None:
        if not self.held:
            raise LeaseLostError("another controller holds the lease")

    async def acquire(self, wait: float | None) -> None:
        del wait
        self.held = True

    async def release(self) -> None:
        self.held = False

    async def give_up(self) -> None:
        await self.release()
        self.lost.set()


class TellingTriggers(Triggers):
    """Remembers what it was asked to wake for, too."""

    def __init__(self) -> None:
        super().__init__()
        self.delays: list[float] = []

    @property
    def woken(self) -> bool:
        return self._woken.is_set()

    def _at(self, delay: float, call: object) -> None:
        del call  # time is moved by hand
        self.delays.append(delay)


class InProcess:
    """One controller process. `manifests` is what rooms.d says; a second on its fakes is a restart.

    `companions` serve beside recording and agents.
    """

    def __init__(
        self,
        live: FakeLive | None = None,
        database: FakeDatabase | None = None,
        *,
        store: FakeStore | None = None,
        time: HandClock | None = None,
        prune_grace_seconds: float = 0.0,
        config: RecordingConfig | None = None,
        companions: tuple[CompanionFactory, ...] = (),
    ) -> None:
        self.live = live or FakeLive()
        self.store = store or FakeStore(database)
        self.time = time or HandClock()
        self.lease, self.triggers, self.metrics = FakeLease(), TellingTriggers(), Metrics()
        self.manifests: Desired = desired()
        self.reads = 0
        self.progress: list[tuple[str, str, str]] = []
        self.state = StateCache(self.store)
        self.events = EventLog(self.metrics, self.time.clock())
        self.process = Process(
            self._read,
            self.live,
            self.live,
            plan_inputs(prune_grace_seconds=prune_grace_seconds),
            self.state,
            self.events,
            (partial(RecordingCompanion, config or RecordingConfig()), AgentCompanion, *companions),
            self.triggers,
            self.metrics,
            self.time.clock(),
        )
        parts = build_controller(self.process, self.store, self.lease, self._progress)
        self.planner, self.applier, self.reconciler = parts.planner, parts.applier, parts.reconciler
        self.status_writer, self.task_runner = parts.status_writer, parts.task_runner

    async def _read(self) -> Desired:
        self.reads += 1
        return self.manifests

    def _progress(self, key: str, word: str, outcome: str) -> None:
        self.progress.append((key, word, outcome))

    async def reconcile(self, *, read_files: bool = True, audit: bool = False) -> Plan:
        """One pass, and all that it set under way, a little later than what was before."""
        self.time.seconds += 1e-6
        plan = await self.reconciler.reconcile(read_files=read_files, audit=audit)
        await self.task_runner.wait_until_idle()
        assert plan is not None, "the lease is not held"
        return plan

    async def run_until_stable(self, passes: int = 8) -> Plan:
        """Resyncs, half a minute apart, until one has nothing left to do."""
        for _ in range(passes):
            writes, acts = self.store.writes, self.acts()
            plan = await self.reconcile(audit=True)
            self.time.seconds += 31.0
            if not any(c.due for c in plan.changes) and (writes, acts) == (self.store.writes, self.acts()):
                return plan
        raise AssertionError("still not settled")

    def acts(self) -> int:
        """How many writes LiveKit was asked for."""
        return sum(self.live.calls[call] for call in WRITES)

    def record(self, key: str) -> RoomRecord:
        return next(room for room in self.store.database.rooms.values() if room.key == key)

    def name(self, key: str) -> str:
        """The LiveKit name of a room that has one."""
        room = self.record(key)
        assert room.live is not None, f"{key} has no live room"
        return room.live.name

    async def listed(self) -> set[str]:
        return {room.name for room in await FakeLive.rooms(self.live)}

    async def recorded(self) -> list[Event]:
        """The events so far."""
        await self.events.flush(self.store)
        return list(await self.store.events.find())

    def calls(self) -> Counter[str]:
        """The calls since this was asked last."""
        made = Counter(self.live.calls)
        self.live.calls.clear()
        return made
