"""A fault at each call in turn while agents come and go: never two of one name, and all is right in the end.

The process dies before the call or after it, or goes on with an answer that says nothing.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import pytest

from controller.agents import read_agents
from controller.errors import LiveKitUnavailableError, StoreUnavailableError
from controller.live.room import Permission
from controller.manifests.snapshot import Desired
from tests.support.crash import READS_AND_WRITES, Died, fused
from tests.support.fake_live import FakeLive
from tests.support.fake_store import FakeDatabase, FakeStore
from tests.support.inprocess import HandClock, InProcess
from tests.support.sample import Sample
from tests.support.worlds import desired, manifest
from tests.unit.reconcile.test_recordings_crash import Fault, never

LIVE_CALLS: Final = READS_AND_WRITES | {"dispatches", "call_agent", "delete_dispatch"}
TALKER: Final = Permission(can_publish=True)


class Hall(FakeLive):
    """`twice`: the agents that were called while one of their name was inside."""

    def __init__(self) -> None:
        super().__init__()
        self.twice: list[str] = []
        self.workers = {"a", "b"}

    def agents(self, name: str) -> list[str]:
        return sorted(one.agent for one in self._inside.get(name, {}).values() if one.agent is not None)

    async def call_agent(self, name: str, agent: str, metadata: str) -> None:
        self.twice += [each for each in self.agents(name) if each == agent]
        await super().call_agent(name, agent, metadata)


def hall(*agents: str, **more: Any) -> Desired:
    """Beside it stands another room, so that rooms.d is never empty."""
    return desired(manifest("hall", agents=read_agents(agents), **more), manifest("plain"))


@dataclass(slots=True)
class Life:
    """One room's life on fakes that outlive the controller: whoever dies is followed by another."""

    live: Hall = field(default_factory=Hall)
    database: FakeDatabase = field(default_factory=FakeDatabase)
    time: HandClock = field(default_factory=HandClock)
    manifests: Desired = field(default_factory=lambda: hall("a", "b"))
    fault: Fault = field(default_factory=never)
    _process: InProcess | None = None

    def again(self, fault: Fault) -> "Life":
        """The same life from here on, under another controller, and with a fault to come."""
        return Life(deepcopy(self.live), deepcopy(self.database), deepcopy(self.time), self.manifests, fault)

    def _born(self) -> InProcess:
        store: Any = FakeStore(self.database)
        live: Any = self.live
        if not self.fault.dead:
            store = fused(store, self.fault.line(StoreUnavailableError))
            live = fused(live, self.fault.line(LiveKitUnavailableError), LIVE_CALLS)
        return InProcess(live, store=store, time=self.time)

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

    async def until_quiet(self) -> None:
        """Long enough that what nobody answered is given up, and what failed is tried again."""
        await self.passes(6)
        await self.passes(8, apart=16.0)
        await self.passes(4)

    def name(self) -> str:
        (live,) = (room.live for room in self.database.rooms.values() if room.key == "hall")
        assert live is not None
        return live.name

    async def are_inside(self, *agents: str) -> None:
        await self.until_quiet()
        assert self.live.agents(self.name()) == list(agents)


async def somebody_comes(life: Life) -> None:
    life.live.enter(life.name(), "ann", TALKER)
    await life.are_inside("a", "b")


async def an_agent_is_lost(life: Life) -> None:
    (lost,) = [one for one in life.live._inside[life.name()].values() if one.agent == "a"]
    life.live.go(life.name(), lost.identity)
    await life.are_inside("a", "b")


async def an_entry_goes(life: Life) -> None:
    life.manifests = hall("b")
    await life.are_inside("b")
    life.manifests = hall("a", "b")
    await life.are_inside("a", "b")


async def the_worker_is_away(life: Life) -> None:
    life.live.workers = {"b"}
    (lost,) = [one for one in life.live._inside[life.name()].values() if one.agent == "a"]
    life.live.go(life.name(), lost.identity)
    await life.are_inside("b")
    life.live.workers = {"a", "b"}
    await life.are_inside("a", "b")


async def everybody_leaves(life: Life) -> None:
    life.live.go(life.name(), "ann")
    await life.are_inside()
    assert all(room.agents is None for room in life.database.rooms.values())
    life.live.enter(life.name(), "ann", TALKER)
    await life.are_inside("a", "b")


async def the_room_is_stopped(life: Life) -> None:
    life.manifests = hall("a", "b", active=False)
    await life.until_quiet()
    life.manifests = hall("a", "b")
    await life.until_quiet()
    await somebody_comes(life)


Scenario: TypeAlias = Callable[[Life], Awaitable[None]]
SCENARIOS: Final[tuple[Scenario, ...]] = (
    somebody_comes,
    an_agent_is_lost,
    an_entry_goes,
    the_worker_is_away,
    everybody_leaves,
    the_room_is_stopped,
)


async def lived_until(scenario: Scenario) -> Life:
    """A life without a fault, as it stands when `scenario` begins."""
    life = Life()
    await life.until_quiet()
    for before in SCENARIOS[: SCENARIOS.index(scenario)]:
        await before(life)
    return life


@pytest.mark.parametrize("dies", [True, False], ids=["it dies", "no answer"])
@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_whatever_goes_wrong_there_are_never_two(
    scenario: Scenario, after: bool, dies: bool, sample: Sample
) -> None:
    before = await lived_until(scenario)
    for calls in sample.every(4):
        fault = Fault(calls, after, dies)
        life = before.again(fault)
        await scenario(life)
        assert not life.live.twice, f"{fault.met}, call {calls}"
        if not fault.met:
            break
    assert calls > 5
