"""A second companion, built here, on the real reconciler: the frame needs no change for it."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import cast

import pytest

from controller.companions.companion import CompanionContext, NewCondition
from controller.errors import LeaseLostError, LiveKitError, LiveKitUnavailableError
from controller.live.room import Permission
from controller.plan.model import Observed
from controller.records.record import RoomRecord
from tests.support.fake_live import FakeLive
from tests.support.inprocess import InProcess
from tests.support.worlds import desired, manifest


class Stage(FakeLive):
    """A LiveKit that lends a piano to a room; `order` is what was asked for, in which order."""

    def __init__(self) -> None:
        super().__init__()
        self.pianos: set[str] = set()
        self.order: list[str] = []

    async def list_pianos(self) -> set[str]:
        self._called("list_pianos", "")
        return set(self.pianos)

    async def lend(self, name: str) -> None:
        self._called("lend", name)
        self.pianos.add(name)

    async def take_back(self, name: str) -> None:
        self._called("take_back", name)
        self.pianos.discard(name)

    def _called(self, call: str, name: str) -> None:
        self.order.append(call)
        super()._called(call, name)


def needs_piano(record: RoomRecord, people: int, pianos: AbstractSet[str]) -> bool:
    """The pure decision."""
    return record.live is not None and people > 0 and record.live.name not in pianos


@dataclass
class Pianos:
    """A piano for every room that people are in."""

    context: CompanionContext
    pianos: set[str] = field(default_factory=set)
    name = "piano"

    @property
    def stage(self) -> Stage:
        return cast("Stage", self.context.writer)

    async def observe(self) -> None:
        self.pianos = await cast("Stage", self.context.reader).list_pianos()

    async def load(self) -> None:
        pass

    def due(self, observed: Observed, queued: AbstractSet[str], *, audit: bool) -> AbstractSet[str] | None:
        del queued, audit
        return {room_id for room_id, record in observed.records.items() if self._needs(record)}

    async def step(self, room_id: str) -> bool:
        record = self.context.store.by_id[room_id]
        if record.live is not None and self._needs(record):
            await self.stage.lend(record.live.name)
        return True

    async def before_deletion(self, record: RoomRecord, name: str) -> None:
        del record
        await self.stage.take_back(name)

    def condition(self, record: RoomRecord) -> NewCondition | None:
        there = record.live is not None and record.live.name in self.pianos
        return NewCondition("Piano", str(there), "Lent" if there else "Idle")

    def conditions_without_livekit(self, error: LiveKitError) -> Iterable[tuple[RoomRecord, NewCondition]]:
        for record in self.context.store.by_id.values():
            yield record, NewCondition("Piano", "Unknown", "Unavailable", str(error))

    def concerns(self, record: RoomRecord) -> bool:
        return record.live is not None

    def on_standby(self) -> None:
        self.pianos = set()

    def _needs(self, record: RoomRecord) -> bool:
        room = self.context.state.live_room(record)
        return needs_piano(record, room.num_participants if room is not None else 0, self.pianos)


async def opened() -> tuple[InProcess, Stage, str]:
    """A controller with recording and pianos, a room, and somebody inside; its pass is to come."""
    stage = Stage()
    process = InProcess(stage, companions=(Pianos,))
    process.manifests = desired(manifest("hall"))
    await process.run_until_stable()
    name = process.name("hall")
    stage.enter(name, "ann", Permission())
    return process, stage, name


def said(process: InProcess) -> tuple[str, str]:
    condition = process.record("hall").status.condition("Piano")
    assert condition is not None
    return condition.status, condition.reason


async def test_it_decides_acts_and_says_how_it_stands() -> None:
    process, stage, name = await opened()
    assert (said(process), stage.pianos) == (("False", "Idle"), set())
    await process.reconcile()
    assert (process.triggers.woken, stage.pianos) == (True, {name})
    await process.reconcile()
    assert (said(process), stage.pianos) == (("True", "Lent"), {name})
    assert stage.calls["lend"] == 1


async def test_what_it_lists_is_asked_for_once_in_each_pass() -> None:
    process, stage, _ = await opened()
    stage.calls.clear()
    for _ in range(3):
        await process.reconcile()
    assert (stage.calls["rooms"], stage.calls["list_pianos"]) == (3, 3)


async def test_what_serves_a_live_room_ends_before_the_room() -> None:
    process, stage, name = await opened()
    await process.run_until_stable()
    stage.go(name, "ann")
    process.manifests = desired(manifest("hall", active=False))
    stage.order.clear()
    await process.run_until_stable()
    assert stage.order.index("take_back") < stage.order.index("delete_room")
    assert not stage.pianos


async def test_its_calls_are_made_only_while_the_lease_is_held() -> None:
    process, stage, _ = await opened()
    await process.planner.observer.observe(process.manifests)
    process.lease.held = False
    *_, pianos = process.status_writer.companions
    with pytest.raises(LeaseLostError):
        await pianos.step(process.record("hall").id)
    assert not stage.pianos


async def test_what_it_says_while_livekit_is_unavailable_stands_in_the_status() -> None:
    process, stage, _ = await opened()
    await process.run_until_stable()
    stage.fail["rooms"] = LiveKitUnavailableError("no answer")
    with pytest.raises(LiveKitUnavailableError):
        await process.reconciler.reconcile(read_files=True)
    await process.task_runner.wait_until_idle()
    assert said(process) == ("Unknown", "Unavailable")
