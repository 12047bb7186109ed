"""A hold in the running controller: what waits, what goes on, and what happens when it ends."""

from datetime import timedelta

import pytest

from controller.errors import LiveKitUnavailableError
from controller.records.record import Hold
from tests.support.fake_store import FakeStore
from tests.support.inprocess import InProcess
from tests.support.worlds import desired, manifest

HOUR = timedelta(hours=1)


async def running() -> InProcess:
    process = InProcess()
    process.manifests = desired(manifest("a"), manifest("b"))
    await process.run_until_stable()
    return process


async def place(process: InProcess, *, everything: bool, reason: str = "the show is on") -> Hold:
    placed = Hold("ann", reason, process.time.wall() + HOUR)
    if everything:
        await process.store.put_hold_all(placed)
    else:
        record = process.record("a")
        await process.store.save(record, record.with_hold(placed))
    return placed


def reason(process: InProcess, kind: str) -> str | None:
    condition = process.record("a").status.condition(kind)
    return None if condition is None else f"{condition.status} {condition.reason}: {condition.message}"


@pytest.mark.parametrize("everything", [True, False])
async def test_an_edit_waits_until_the_hold_ends_by_itself(everything: bool) -> None:
    process = await running()
    placed = await place(process, everything=everything)
    process.manifests = desired(manifest("a", allow_chat=True), manifest("b"))
    await process.reconcile()
    assert not process.record("a").spec.allow_chat
    assert reason(process, "Held") == f"True Held: {placed}"
    assert reason(process, "Ready") == f"True Held: update held {placed}"
    process.time.seconds += 3600
    await process.run_until_stable()
    assert process.record("a").spec.allow_chat
    assert reason(process, "Held") is None
    assert reason(process, "Ready") == "True AsSpecified: "
    assert (process.record("a").hold, process.record("a").reader) == (None, 1)


@pytest.mark.parametrize("everything", [True, False])
async def test_a_removal_waits_and_the_room_is_healed(everything: bool) -> None:
    process = await running()
    await place(process, everything=everything)
    name = process.name("a")
    process.manifests = desired(manifest("b"))
    process.live.vanish(name)
    await process.run_until_stable()
    assert name in await process.listed()
    assert not process.record("a").removed


async def test_release_of_one_hold_leaves_the_other() -> None:
    process = await running()
    both = await place(process, everything=True, reason="freeze")
    await place(process, everything=False)
    record = process.record("a")
    await process.store.save(record, record.with_hold(None))
    process.manifests = desired(manifest("a", allow_chat=True), manifest("b"))
    await process.reconcile()
    assert reason(process, "Held") == f"True Held: {both}"
    await process.store.put_hold_all(None)
    await process.run_until_stable()
    assert process.record("a").spec.allow_chat


@pytest.mark.parametrize("everything", [True, False])
async def test_a_stop_that_was_planned_before_the_hold_is_not_done(everything: bool) -> None:
    process = await running()
    process.manifests = desired(manifest("a", active=False), manifest("b"))
    name = process.name("a")
    plan = await process.planner.plan(await process.planner.observer.observe(None))
    await place(process, everything=everything)
    process.task_runner.start_changes(plan)
    await process.task_runner.wait_until_idle()
    assert name in await process.listed()
    assert process.record("a").spec.active


async def test_a_hold_that_comes_while_an_older_one_is_dropped_stays() -> None:
    process = await running()
    await place(process, everything=False)
    process.time.seconds += 3600
    plan = await process.planner.plan(await process.planner.observer.observe(None))
    operator = FakeStore(process.store.database)
    await operator.refresh()
    fresh = Hold("bob", "another show", process.time.wall() + HOUR)
    await operator.save(process.record("a"), process.record("a").with_hold(fresh))
    process.task_runner.start_changes(plan)
    await process.task_runner.wait_until_idle()
    assert process.record("a").hold == fresh


async def test_a_hold_that_ends_while_livekit_is_away_is_over_when_it_is_back() -> None:
    process = await running()
    await place(process, everything=False)
    name = process.name("a")
    process.manifests = desired(manifest("a", active=False), manifest("b"))
    process.live.fail["rooms"] = LiveKitUnavailableError("nobody answers")
    process.time.seconds += 3600
    with pytest.raises(LiveKitUnavailableError):
        await process.reconcile()
    process.live.fail.clear()
    assert name in await process.listed()
    await process.run_until_stable()
    assert name not in await process.listed()
    assert reason(process, "Held") is None


async def test_a_stopped_room_is_held_as_it_is() -> None:
    process = await running()
    process.manifests = desired(manifest("a", active=False), manifest("b"))
    await process.run_until_stable()
    placed = await place(process, everything=False)
    process.manifests = desired(manifest("a"), manifest("b"))
    await process.run_until_stable()
    assert process.record("a").live is None
    assert reason(process, "Ready") == f"True Held: update held {placed}"
    process.time.seconds += 3600
    await process.run_until_stable()
    assert process.name("a") in await process.listed()


async def test_a_room_that_is_removed_from_git_goes_when_its_hold_ends() -> None:
    process = await running()
    placed = await place(process, everything=False)
    process.manifests = desired(manifest("b"))
    await process.run_until_stable()
    assert reason(process, "Ready") == f"True Held: remove held {placed}"
    process.time.seconds += 3600
    await process.run_until_stable()
    assert process.record("a").removed
