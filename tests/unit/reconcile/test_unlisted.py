"""Who is counted and not listed holds a removal up; mostly they have just left: it is soon looked again."""

from controller.access.policy import Role, permission_for
from controller.reconcile.reconciler import RECHECK_OCCUPANCY_SECONDS
from controller.reconcile.trackers import PRUNE_GRACE_SECONDS
from tests.support.inprocess import InProcess
from tests.support.worlds import desired, manifest


async def test_a_removal_waits_for_who_is_counted_and_goes_when_nobody_is() -> None:
    process = InProcess()
    process.manifests = desired(manifest("a"), manifest("b"))
    await process.run_until_stable()
    name = process.name("a")
    process.live.enter(name, "ann", permission_for(Role.GUEST, manifest("a").spec))
    process.live.forgotten.add("ann")
    process.manifests = desired(manifest("b"))
    await process.reconcile()
    process.time.seconds += PRUNE_GRACE_SECONDS + 1
    await process.reconcile()
    assert process.record("a").removed_at is None
    assert process.planner.unsure
    assert RECHECK_OCCUPANCY_SECONDS in process.triggers.delays
    process.live.go(name, "ann")
    await process.reconcile()
    assert process.record("a").removed_at is not None
    assert not process.planner.unsure
