"""In `run`, gone means absent from every snapshot for ten seconds; leave is good once."""

from datetime import timedelta

import pytest

from controller.live.room import Permission
from controller.manifests.snapshot import ManifestError, RoomsDirState
from controller.plan.model import BlockReason
from controller.records.ports import RemovalApproval
from tests.support.inprocess import InProcess
from tests.support.worlds import NOW, desired, manifest

BOTH, ONE = desired(manifest("a"), manifest("b")), desired(manifest("b"))
KEYS = [f"r{number:02}" for number in range(12)]
TWELVE, FIVE_LEFT = (desired(*(manifest(key) for key in keys)) for keys in (KEYS, KEYS[7:]))
LEAVE = RemovalApproval(frozenset(KEYS[:7]), NOW + timedelta(hours=9))


async def running(manifests: object = BOTH) -> InProcess:
    process = InProcess(prune_grace_seconds=10.0)
    process.manifests = manifests  # type: ignore[assignment]
    await process.run_until_stable()
    process.triggers.delays.clear()
    return process


async def test_a_room_goes_ten_seconds_after_it_was_first_missed() -> None:
    process = await running()
    process.manifests = ONE
    await process.reconcile()
    assert process.triggers.delays == pytest.approx([10.0])
    process.time.seconds += 9.9
    await process.reconcile()
    assert not process.record("a").removed
    process.time.seconds += 0.1
    await process.reconcile()
    assert process.record("a").removed


async def test_one_snapshot_with_it_or_without_meaning_begins_anew() -> None:
    wrong = desired(manifest("b"), errors=(ManifestError("new.yaml", "it is wrong"),))
    missing = desired(state=RoomsDirState.MISSING)
    for between in (BOTH, wrong, desired(), missing):
        process = await running()
        for manifests in (ONE, between, ONE):
            process.manifests = manifests
            await process.reconcile()
            process.time.seconds += 9
        await process.reconcile()
        assert not process.record("a").removed
        process.time.seconds += 1
        await process.reconcile()
        assert process.record("a").removed


async def test_a_controller_that_stood_by_begins_anew() -> None:
    process = await running()
    process.manifests = ONE
    await process.reconcile()
    process.time.seconds += 20
    process.lease.held = False
    await process.reconciler.reconcile(read_files=True)
    process.lease.held = True
    await process.reconcile()
    assert not process.record("a").removed


async def test_leave_is_used_once() -> None:
    process = await running(TWELVE)
    process.manifests = FIVE_LEFT
    plan = await process.reconcile()
    assert {change.blocked_by for change in plan.changes} == {BlockReason.TOO_MANY}
    await process.store.grant_removal_approval(LEAVE)
    await process.reconcile()
    assert sum(room.removed for room in process.store.database.rooms.values()) == 7
    await process.reconcile()
    assert await process.store.removal_approval() is None


async def test_leave_that_was_used_before_a_crash_is_not_good_again() -> None:
    process = await running(TWELVE)
    await process.store.grant_removal_approval(LEAVE)
    fresh = InProcess(process.live, store=process.store, time=process.time, prune_grace_seconds=10.0)
    fresh.manifests = TWELVE
    await fresh.reconcile()
    assert await process.store.removal_approval() is None


async def test_leave_that_ran_out_is_none() -> None:
    process = await running(TWELVE)
    process.manifests = FIVE_LEFT
    await process.store.grant_removal_approval(RemovalApproval(LEAVE.keys, NOW))
    process.time.seconds += 1
    await process.reconcile()
    assert not any(room.removed for room in process.store.database.rooms.values())


async def test_an_empty_folder_is_pruned_by_leave_alone() -> None:
    process = await running()
    process.manifests = desired()
    process.time.seconds += 60
    await process.reconcile()
    assert not process.record("a").removed
    await process.store.grant_removal_approval(
        RemovalApproval(frozenset({"a", "b"}), NOW + timedelta(hours=1))
    )
    await process.reconcile()
    assert process.record("a").removed
    assert process.record("b").removed


async def test_a_plan_spends_no_leave() -> None:
    process = await running(TWELVE)
    process.manifests = desired(*(manifest(key) for key in KEYS[:2]))
    await process.store.grant_removal_approval(RemovalApproval(frozenset({"no such room"}), LEAVE.expires))
    await process.planner.plan(await process.planner.observer.observe(None), everyone=True)
    assert await process.store.removal_approval() is not None


async def test_a_room_that_waits_for_people_does_not_make_the_loop_spin() -> None:
    process = await running(desired(manifest("a"), manifest("b"), manifest("c")))
    process.live.enter(process.name("a"), "ann", Permission())
    process.manifests = desired(manifest("b"), manifest("c"))
    await process.reconcile()
    process.time.seconds += 60
    process.manifests = desired(manifest("c"))
    process.triggers.delays.clear()
    await process.reconcile()
    assert process.triggers.delays == pytest.approx([10.0])
