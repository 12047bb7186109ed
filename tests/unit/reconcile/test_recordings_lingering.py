"""What stays listed although it is over: people whom only Redis remembers, an egress that never ends."""

from controller.errors import LiveKitUnavailableError
from controller.live.egress import EgressStatus
from tests.support.inprocess import InProcess
from tests.support.worlds import desired, manifest
from tests.unit.reconcile.test_recordings import (
    SPEAKER,
    harness,
    live,
    look,
    recorded,
    recording_condition,
    rows,
    running,
)


async def later(controller: InProcess, seconds: float) -> None:
    controller.time.seconds += seconds
    await look(controller)


async def test_people_for_whom_nobody_answers_are_nobody() -> None:
    controller = harness()
    egress = await recorded(controller)
    controller.live.ghosts.add("ann")
    await later(controller, 31.0)
    await later(controller, 61.0)
    assert controller.live.egresses[egress.id].status is EgressStatus.COMPLETE
    await later(controller, 31.0)
    assert not running(controller)


async def test_somebody_who_comes_in_beside_people_long_gone_is_recorded() -> None:
    controller = harness()
    first = await recorded(controller)
    controller.live.ghosts.add("ann")
    await later(controller, 31.0)
    await later(controller, 61.0)
    controller.live.enter(controller.name("stage"), "bob", SPEAKER)
    await look(controller)
    assert [one.id for one in running(controller)] != [first.id]
    assert len(running(controller)) == 1


async def test_one_who_is_there_is_enough() -> None:
    controller = harness()
    controller.live.enter(await live(controller), "bob", SPEAKER)
    egress = await recorded(controller)
    controller.live.ghosts.add("ann")
    await later(controller, 31.0)
    await later(controller, 61.0)
    assert [one.id for one in running(controller)] == [egress.id]


async def test_one_that_never_ends_is_waited_for_ten_seconds_and_stays_open() -> None:
    controller = harness()
    first = await recorded(controller)
    controller.live.becomes(first.id, EgressStatus.ENDING)
    await look(controller)
    assert [one.id for one in running(controller)] == [first.id]
    await later(controller, 11.0)
    second = next(one for one in running(controller) if one.id != first.id)
    assert {row.egress_id: str(row.state) for row in await rows(controller)} == {
        first.id: "recording",
        second.id: "recording",
    }


async def test_people_whom_a_redis_forgot_are_recorded_again() -> None:
    controller = harness()
    controller.live.enter(await live(controller), "ann", SPEAKER)
    controller.live.forgotten.add("ann")
    await look(controller)
    assert not running(controller), "the number lags: they may have left"
    await later(controller, 11.0)
    assert len(running(controller)) == 1


async def test_a_number_that_lags_keeps_no_recording_alive() -> None:
    controller = harness()
    egress = await recorded(controller)
    controller.live.forgotten.add("ann")
    controller.triggers.companion_checks.put(egress.room)
    await look(controller)
    recording = controller.record("stage").recording
    assert recording is not None
    assert recording.empty_since is not None
    controller.live.go(egress.room, "ann")
    await later(controller, 61.0)
    assert not running(controller)


async def test_what_is_recorded_in_a_room_that_is_gone_holds_up_nothing() -> None:
    """Its worker died before the room was stopped: the entry says ACTIVE for ever."""
    controller = harness()
    first = await recorded(controller)
    controller.live.fail["stop_recording"] = LiveKitUnavailableError("nobody answers")
    controller.manifests = desired(manifest("stage", record=True, active=False))
    await look(controller)
    controller.manifests = desired(manifest("stage", record=True))
    await look(controller)
    assert recording_condition(controller).status == "False"
    controller.live.enter(controller.name("stage"), "bob", SPEAKER)
    await look(controller)
    (second,) = [one for one in running(controller) if one.id != first.id]
    assert second.room == controller.name("stage")
