"""How companions are driven, with one that is not recording."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

import pytest

from controller.companions.companion import Companion, NewCondition
from controller.errors import LiveKitError, LiveKitUnavailableError, RoomctlError, StoreConflictError
from controller.plan.model import Observed, Plan
from controller.reconcile.companion_runner import CONFLICT_RETRY_SECONDS, RETRY_SECONDS, CompanionRunner
from controller.records.record import RoomRecord
from tests.support.inprocess import InProcess
from tests.support.worlds import desired, manifest

WAITING = NewCondition("Agents", "False", "Waiting", "no agent has come")


@dataclass
class Agents:
    """A companion that serves every room; `failure` is what a step raises."""

    blind: bool = False
    failure: Exception | None = None
    again: bool = False
    steps: list[str] = field(default_factory=list)
    name = "agents"

    async def observe(self) -> None:
        pass

    async def load(self) -> None:
        pass

    def due(self, observed: Observed, queued: AbstractSet[str], *, audit: bool) -> AbstractSet[str] | None:
        del queued, audit
        return None if self.blind else observed.records.keys()

    async def step(self, room_id: str) -> bool:
        self.steps.append(room_id)
        if self.failure is not None:
            raise self.failure
        return self.again

    async def before_deletion(self, record: RoomRecord, name: str) -> None:
        del record, name

    def condition(self, record: RoomRecord) -> NewCondition | None:
        del record
        return WAITING

    def conditions_without_livekit(self, error: LiveKitError) -> Iterable[tuple[RoomRecord, NewCondition]]:
        del error
        return ()

    def concerns(self, record: RoomRecord) -> bool:
        return record.key == "a"

    def on_standby(self) -> None:
        pass


async def started() -> tuple[InProcess, Observed]:
    process = InProcess()
    process.manifests = desired(manifest("a"), manifest("b"))
    await process.run_until_stable()
    process.triggers.companion_checks.drain()
    await process.triggers.wait(0.0)
    process.triggers.delays.clear()
    return process, await process.planner.observer.observe(process.manifests)


def runner(process: InProcess, *companions: Companion) -> CompanionRunner:
    return CompanionRunner(companions, process.task_runner, process.triggers, process.store)


async def test_each_companion_gets_a_step_for_each_room_that_is_due() -> None:
    process, observed = await started()
    one, other = Agents(), Agents(again=True)
    other.name = "others"
    await runner(process, one, other).run_pass(observed, audit=False)
    await process.task_runner.wait_until_idle()
    assert sorted(one.steps) == sorted(other.steps) == sorted(observed.records)
    assert process.triggers.woken


async def test_one_that_cannot_look_keeps_what_was_queued_and_is_asked_again() -> None:
    process, observed = await started()
    process.triggers.companion_checks.put("somewhere")
    blind, sees = Agents(blind=True), Agents()
    await runner(process, blind, sees).run_pass(observed, audit=False)
    await process.task_runner.wait_until_idle()
    assert (len(blind.steps), len(sees.steps)) == (0, 2)
    assert process.triggers.companion_checks.drain() == {"somewhere"}
    assert process.triggers.delays == [RETRY_SECONDS]


@pytest.mark.parametrize(
    ("failure", "delay"),
    [
        (StoreConflictError("another was faster"), CONFLICT_RETRY_SECONDS),
        (LiveKitUnavailableError("no answer"), RETRY_SECONDS),
    ],
)
async def test_a_step_that_fails_is_tried_later_and_holds_nothing_back(
    failure: RoomctlError, delay: float
) -> None:
    process, observed = await started()
    fails, works = Agents(failure=failure), Agents()
    works.name = "others"
    await runner(process, fails, works).run_pass(observed, audit=False)
    await process.task_runner.wait_until_idle()
    assert len(works.steps) == 2
    assert set(process.triggers.delays) == {delay}


async def test_what_happens_during_a_step_is_looked_at_after_it() -> None:
    process, observed = await started()
    agents, name = Agents(), process.name("a")
    drive = runner(process, agents)
    await drive.run_pass(observed, audit=False)
    process.triggers.companion_checks.put(name)
    await drive.run_pass(observed, audit=False)  # the step has not ended
    await process.task_runner.wait_until_idle()
    assert len(agents.steps) == 2
    assert process.triggers.companion_checks.drain() == {name}
    assert process.triggers.woken


async def test_webhooks_matter_for_the_rooms_that_concern_any_companion() -> None:
    process, observed = await started()
    rooms = {record.key: record for record in observed.records.values()}
    assert runner(process, Agents()).concern(rooms["a"])
    assert not runner(process, Agents()).concern(rooms["b"])
    assert not runner(process).concern(rooms["a"])


async def test_its_condition_stands_in_the_status_beside_the_others() -> None:
    process, _ = await started()
    writer = replace(process.status_writer, companions=(Agents(),))
    await writer.write_status(process.record("a"), Plan(), None)
    status = process.record("a").status
    conditions = [(one.type, one.status) for one in status.conditions]
    assert conditions == [("Ready", "True"), ("Live", "True"), ("ManifestValid", "True"), ("Agents", "False")]
