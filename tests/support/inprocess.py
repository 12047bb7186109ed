"""A whole controller in memory: the real reconciler on fakes of LiveKit, MongoDB, the lease and the time."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count

from controller.errors import LeaseLost
from controller.manifests.snapshot import Desired
from controller.metrics import Metrics
from controller.plan.model import Plan
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
from controller.reconcile.task_runner import Workshop
from controller.reconcile.trackers import Flapping
from controller.reconcile.triggers import Triggers
from controller.records.record import RoomRecord
from controller.room import truncate_to_millis
from controller.state_cache import Known
from tests.support.fake_live import FakeLive
from tests.support.fake_store import FakeDatabase, FakeStore
from tests.support.worlds import INSTANCE, NOW, desired, rules

WRITES = (
    "start_recording",
    "stop_recording",
    "create_room",
    "delete_room",
    "update_metadata",
    "update_permission",
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
            raise LeaseLost("another controller holds the lease")

    async def acquire(self, wait: float | None) -> None:
        del wait
        self.held = True

    async def release(self) -> None:
        self.held = False


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
    """One controller process. `manifests` is what rooms.d says; a second on its fakes is a restart."""

    def __init__(
        self,
        live: FakeLive | None = None,
        database: FakeDatabase | None = None,
        *,
        store: FakeStore | None = None,
        time: HandClock | None = None,
        settle: float = 0.0,
        taping: Taping | None = None,
    ) -> None:
        self.live = live or FakeLive()
        self.store = store or FakeStore(database)
        self.time = time or HandClock()
        self.lease, self.triggers, self.metrics = FakeLease(), TellingTriggers(), Metrics()
        self.manifests: Desired = desired()
        self.reads = 0
        self.told: list[tuple[str, str, str]] = []
        clock = self.time.clock()
        self.known = Known(self.store)
        eyes = Eyes(self._read, self.live, self.store, self.known, clock)
        self.planner = Planner(replace(rules(), settle=settle), eyes, self.store, clock)
        actor = Leased(self.live, self.lease, asyncio.Semaphore(20), asyncio.Semaphore(20))
        tapes = RecordingSteps(
            self.store,
            actor,
            self.live,
            self.known,
            clock,
            taping or Taping(),
            Ledger(self.store, clock, self.metrics),
            Troubles(clock, self.metrics, self.triggers.later),
            Remembered(),
            self.triggers.later,
        )
        self.steps = Steps(self.store, actor, self.live, self.known, clock, INSTANCE, tapes)
        self.speaker = Speaker(self.store, self.known, clock, Flapping())
        self.workshop = Workshop(self.steps, self.speaker, self.triggers, self.metrics, self._progress)
        self.recorder = Recorder(tapes, self.workshop, self.triggers)
        self.speaker.recording = self.recorder.says
        self.reconciler = Reconciler(
            self.planner,
            self.workshop,
            self.speaker,
            self.recorder,
            lease=self.lease,
            triggers=self.triggers,
        )

    async def _read(self) -> Desired:
        self.reads += 1
        return self.manifests

    def _progress(self, key: str, word: str, outcome: str) -> None:
        self.told.append((key, word, outcome))

    async def turn(self, *, read_files: bool = True, audit: bool = False) -> Plan:
        """One pass, and all that it set under way, a little later than what was before."""
        self.time.seconds += 1e-6
        plan = await self.reconciler.turn(read_files=read_files, audit=audit)
        await self.workshop.settled()
        assert plan is not None, "the lease is not held"
        return plan

    async def settle(self, passes: int = 8) -> Plan:
        """Resyncs, half a minute apart, until one has nothing left to do."""
        for _ in range(passes):
            writes, acts = self.store.writes, self.acts()
            plan = await self.turn(audit=True)
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

    def calls(self) -> Counter[str]:
        """The calls since this was asked last."""
        made = Counter(self.live.calls)
        self.live.calls.clear()
        return made
