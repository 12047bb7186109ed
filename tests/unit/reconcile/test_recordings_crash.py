"""A fault at each call in turn during the whole life of a recorded room: never two at once, none unnamed.

The process dies before the call or after it, or goes on with an answer that says nothing.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final, TypeAlias

import pytest

from controller.companions.recording.config import RecordingConfig
from controller.errors import LiveKitUnavailableError, StoreUnavailableError
from controller.live.egress import Egress, EgressStatus, RecordingRequest
from controller.live.room import Permission
from controller.manifests.snapshot import Desired
from controller.recording_output import RecordingOutput
from controller.records.recordings import RecordingState
from tests.support.crash import READS_AND_WRITES, Died, fused
from tests.support.fake_live import FakeLive
from tests.support.fake_store import FakeDatabase, FakeStore
from tests.support.inprocess import HandClock, InProcess
from tests.support.sample import Sample
from tests.support.worlds import NOW, desired, manifest

TAPING: Final = RecordingConfig(
    RecordingOutput.read("file:///recordings/{key}/{start}-{id}.mp4"),
    timedelta(seconds=60),
    page_url="http://sidecar",
)
SPEAKER: Final = Permission(can_publish=True, sources=("CAMERA",))
LIVE_CALLS: Final = READS_AND_WRITES | {
    "recordings",
    "recording",
    "recordings_of",
    "start_recording",
    "stop_recording",
}
STORE_CALLS: Final = READS_AND_WRITES
ROW_CALLS: Final = frozenset({"put", "unfinished", "lost"})
RUNNING: Final = (EgressStatus.STARTING, EgressStatus.ACTIVE)
AFTER: Final = {EgressStatus.STARTING: EgressStatus.ACTIVE, EgressStatus.ENDING: EgressStatus.COMPLETE}


class RecordingSite(FakeLive):
    """LiveKit with a worker, which takes a while to begin and to end; what it records ends with its room.

    `twice`: what was running each time that a second recording was begun in a room. `ghosts`: those whose
    worker was killed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.twice: list[str] = []
        self.ghosts: set[str] = set()

    def running(self) -> list[Egress]:
        """What is being recorded in truth."""
        alive = (egress for egress in self.egresses.values() if egress.id not in self.ghosts)
        return [egress for egress in alive if egress.status in RUNNING]

    async def recordings(self) -> list[Egress]:
        listed = await super().recordings()
        for egress in listed:
            if egress.status in AFTER:
                self.becomes(egress.id, AFTER[egress.status])
        return listed

    async def start_recording(self, request: RecordingRequest) -> Egress:
        self.twice += [egress.id for egress in self.running() if egress.room == request.room]
        return await super().start_recording(request)

    async def stop_recording(self, egress_id: str) -> None:
        ended = self.egresses[egress_id].status.ended if egress_id in self.egresses else False
        await super().stop_recording(egress_id)
        if not ended:
            self.becomes(egress_id, EgressStatus.ENDING)

    def vanish(self, name: str) -> None:
        super().vanish(name)
        for egress in self.running():
            if egress.room == name:
                self.becomes(egress.id, EgressStatus.COMPLETE)

    def kill(self, egress_id: str) -> None:
        """Its worker is gone: it stays as it is for ever, out of the room, and nobody can end it."""
        ghost = self.egresses[egress_id]
        self.ghosts.add(egress_id)
        self.go(ghost.room, egress_id)
        self.fail[f"stop_recording {egress_id}"] = LiveKitUnavailableError("no answer")

    def double(self, elder: Egress) -> None:
        """A second recording of ours of the same room, which we did not start."""
        self._made += 1
        started = (elder.started or NOW) + timedelta(seconds=1)
        file = elder.file.replace(".mp4", "2.mp4")
        self.egresses["EG_double"] = replace(elder, id="EG_double", file=file, started=started)


@dataclass(slots=True)
class Fault:
    """Something goes wrong at the call after `calls` others; `after`: once that has taken effect.

    A process that `dies` makes no further call. Else LiveKit or MongoDB seems away, for this once.
    """

    calls: int
    after: bool
    dies: bool
    met: str = ""
    dead: bool = False

    def line(self, kind: Callable[[str], Exception]) -> "_Line":
        return _Line(self, kind)

    async def through(
        self, kind: Callable[[str], Exception], name: str, call: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Any:
        if self.dead:
            raise Died
        self.calls -= 1
        if self.calls != -1:
            return await call(*args, **kwargs)
        self.met, self.dead = name, self.dies
        if self.after:
            await call(*args, **kwargs)
        raise Died if self.dies else kind("no answer")


@dataclass(frozen=True, slots=True)
class _Line:
    """The way to one server: how it fails is its own."""

    fault: Fault
    kind: Callable[[str], Exception]

    async def through(self, name: str, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await self.fault.through(self.kind, name, call, *args, **kwargs)


def stage(**more: Any) -> Desired:
    """Beside the recorded room stands another, so that rooms.d is never empty."""
    return desired(manifest("stage", **{"record": True, **more}), manifest("plain"))


def never() -> Fault:
    return Fault(-1, after=False, dies=False)


@dataclass(slots=True)
class Life:
    """One room's life on fakes that outlive the controller: whoever dies is followed by another."""

    live: RecordingSite = field(default_factory=RecordingSite)
    database: FakeDatabase = field(default_factory=FakeDatabase)
    time: HandClock = field(default_factory=HandClock)
    manifests: Desired = field(default_factory=stage)
    fault: Fault = field(default_factory=never)
    _process: InProcess | None = None
    _mended: bool = False

    def again(self, fault: Fault) -> "Life":
        """The same life from here on, under another controller, and with a fault to come."""
        return Life(deepcopy(self.live), deepcopy(self.database), deepcopy(self.time), self.manifests, fault)

    def _born(self) -> InProcess:
        store: Any = FakeStore(self.database)
        live: Any = self.live
        if not self.fault.dead:
            store.recordings = fused(store.recordings, self.fault.line(StoreUnavailableError), ROW_CALLS)
            store = fused(store, self.fault.line(StoreUnavailableError), STORE_CALLS)
            live = fused(live, self.fault.line(LiveKitUnavailableError), LIVE_CALLS)
        return InProcess(live, store=store, time=self.time, config=TAPING)

    async def passes(self, count: int, *, apart: float = 0.0) -> None:
        for _ in range(count):
            dead = self.fault.dead
            if self._process is None:
                self._process = self._born()
            process, process.manifests = self._process, self.manifests
            with contextlib.suppress(Died, LiveKitUnavailableError, StoreUnavailableError):
                await process.reconciler.reconcile(read_files=True, audit=True)
            ended = await asyncio.gather(*process.task_runner._tasks.values(), return_exceptions=True)
            assert all(error is None or isinstance(error, Died) for error in ended)
            if self.fault.dead and not dead:
                self._process = None
            self.time.seconds += apart + 1e-6

    async def run_until_stable(self) -> None:
        """After the fault long enough that what nobody answered is given up, and what failed tried again."""
        await self.passes(4)
        if self.fault.met and not self._mended:
            self._mended = True
            await self.passes(4, apart=31.0)
            await self.passes(4)

    def name(self) -> str:
        (live,) = (room.live for room in self.database.rooms.values() if room.key == "stage")
        assert live is not None
        return live.name

    def enter(self) -> None:
        self.live.enter(self.name(), "ann", SPEAKER)

    def leave(self) -> None:
        self.live.go(self.name(), "ann")

    async def one_is_running(self) -> None:
        await self.run_until_stable()
        assert [egress.room for egress in self.live.running()] == [self.name()]

    async def none_is_running(self) -> None:
        await self.run_until_stable()
        assert not self.live.running()


async def somebody_comes(life: Life) -> None:
    life.enter()
    await life.one_is_running()


async def everybody_leaves(life: Life) -> None:
    life.leave()
    await life.run_until_stable()
    life.time.seconds += 61.0
    await life.none_is_running()


async def the_layout_changes(life: Life) -> None:
    life.enter()
    await life.one_is_running()
    life.manifests = stage(record_mode="ROOM_COMPOSITE_AND_CHAT")
    await life.run_until_stable()
    await life.one_is_running()
    assert life.live.running()[0].page


async def the_worker_fails(life: Life) -> None:
    for egress in life.live.running():
        life.live.becomes(egress.id, EgressStatus.FAILED, error="could not write the output")
    await life.run_until_stable()
    life.time.seconds += 61.0
    await life.one_is_running()


async def the_worker_is_killed(life: Life) -> None:
    """Its recording stays ACTIVE, and nobody answers for it."""
    (ghost,) = life.live.running()
    life.live.kill(ghost.id)
    for _ in range(3):
        life.time.seconds += 61.0
        await life.run_until_stable()
    await life.one_is_running()
    assert life.database.recordings[ghost.id].state is RecordingState.LOST


async def a_second_one_turns_up(life: Life) -> None:
    """Somebody else's controller was at work on our database, say."""
    (elder,) = life.live.running()
    life.live.double(elder)
    await life.one_is_running()
    assert life.live.running() == [life.live.egresses[elder.id]]


async def record_is_taken_back(life: Life) -> None:
    life.manifests = stage(record=False)
    await life.none_is_running()
    life.manifests = stage()
    await life.one_is_running()


async def the_room_is_stopped(life: Life) -> None:
    life.manifests = stage(active=False)
    await life.none_is_running()
    life.manifests = stage()
    await life.run_until_stable()
    life.enter()
    await life.one_is_running()


async def the_room_is_removed(life: Life) -> None:
    life.leave()
    life.manifests = desired(manifest("plain"))
    await life.none_is_running()


Scenario: TypeAlias = Callable[[Life], Awaitable[None]]

SCENARIOS: Final[tuple[Scenario, ...]] = (
    somebody_comes,
    everybody_leaves,
    the_layout_changes,
    the_worker_fails,
    the_worker_is_killed,
    a_second_one_turns_up,
    record_is_taken_back,
    the_room_is_stopped,
    the_room_is_removed,
)


async def lived_until(scenario: Scenario) -> Life:
    """A life without a fault, as it stands when `scenario` begins."""
    life = Life()
    await life.run_until_stable()
    for before in SCENARIOS[: SCENARIOS.index(scenario)]:
        await before(life)
    return life


@pytest.mark.parametrize("dies", [True, False], ids=["it dies", "no answer"])
@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_whatever_goes_wrong_one_at_a_time_is_recorded_and_each_is_named(
    scenario: Scenario, after: bool, dies: bool, sample: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.companions.recording.applier.STOP_POLL_SECONDS", 0.0)
    before = await lived_until(scenario)
    for calls in sample.every(4):
        fault = Fault(calls, after, dies)
        life = before.again(fault)
        await scenario(life)
        await life.run_until_stable()
        where = f"{fault.met}, call {calls}"
        assert not life.live.twice, where
        rows = life.database.recordings
        assert rows.keys() == life.live.egresses.keys(), where
        unsettled = {row.egress_id for row in rows.values() if row.state is RecordingState.RECORDING}
        assert unsettled == {egress.id for egress in life.live.running()}, where
        if not fault.met:
            break
    assert calls > 20
