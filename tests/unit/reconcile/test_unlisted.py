"""Who is counted and not listed holds a removal up; mostly they have just left: it is soon looked again."""

from controller.access.policy import Role, permission_for
from controller.reconcile.reconciler import UNSURE_SECONDS
from controller.reconcile.trackers import SETTLE
from tests.support.inprocess import InProcess
from tests.support.worlds import desired, manifest


async def test_a_removal_waits_for_who_is_counted_and_goes_when_nobody_is() -> None:
    process = InProcess()
    process.manifests = desired(manifest("a"), manifest("b"))
    await process.settle()
    name = process.name("a")
    process.live.enter(name, "ann", permission_for(Role.GUEST, manifest("a").spec))
    process.live.forgotten.add("ann")
    process.manifests = desired(manifest("b"))
    await process.turn()
    process.time.seconds += SETTLE + 1
    await process.turn()
    assert process.record("a").removed_at is None
    assert process.planner.unsure
    assert UNSURE_SECONDS in process.triggers.delays
    process.live.go(name, "ann")
    await process.turn()
    assert process.record("a").removed_at is not None
    assert not process.planner.unsure
