"""A recorder whom only Redis remembers: worker and LiveKit crashed together, and the entry says ACTIVE."""

from controller.errors import LiveKitUnavailableError
from controller.live.egress import EgressStatus
from tests.unit.reconcile.test_recordings import harness, look, recorded, rows, running
from tests.unit.reconcile.test_recordings_lingering import later


async def test_a_recorder_for_whom_nobody_answers_is_no_reason_to_believe_in_its_recording() -> None:
    controller = harness()
    first = await recorded(controller)
    controller.live.ghosts.add(first.id)
    controller.live.fail["stop_recording"] = LiveKitUnavailableError("nobody answers")
    await later(controller, 61.0)
    await look(controller)
    assert [str(row.state) for row in await rows(controller) if row.egress_id == first.id] == ["lost"]
    await look(controller)
    assert len(running(controller)) == 2, "the ghost stays listed, and another was begun"


async def test_a_recorder_that_answers_is_left_to_its_work() -> None:
    controller = harness()
    first = await recorded(controller)
    await later(controller, 61.0)
    await later(controller, 31.0)
    assert controller.live.calls["stop_recording"] == 0
    assert [one.id for one in running(controller)] == [first.id]


async def test_each_is_asked_for_twice_a_minute_at_most() -> None:
    controller = harness()
    first = await recorded(controller)
    controller.live.becomes(first.id, EgressStatus.ACTIVE)
    await later(controller, 61.0)
    before = controller.live.calls["is_connected"]
    await look(controller)
    await look(controller)
    assert controller.live.calls["is_connected"] == before
