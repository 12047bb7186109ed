"""What stays listed although it is over: people whom only Redis remembers, an egress that never ends."""

from controller.live.egress import EgressStatus
from tests.support.inprocess import InProcess
from tests.unit.reconcile.test_recordings import SPEAKER, house, live, look, recorded, rows, running


async def later(controller: InProcess, seconds: float) -> None:
    controller.time.seconds += seconds
    await look(controller)


async def test_people_for_whom_nobody_answers_are_nobody() -> None:
    controller = house()
    egress = await recorded(controller)
    controller.live.ghosts.add("ann")
    await later(controller, 31.0)
    await later(controller, 61.0)
    assert controller.live.egresses[egress.id].status is EgressStatus.COMPLETE
    await later(controller, 31.0)
    assert not running(controller)


async def test_somebody_who_comes_in_beside_people_long_gone_is_recorded() -> None:
    controller = house()
    first = await recorded(controller)
    controller.live.ghosts.add("ann")
    await later(controller, 31.0)
    await later(controller, 61.0)
    controller.live.enter(controller.name("stage"), "bob", SPEAKER)
    await look(controller)
    assert [one.id for one in running(controller)] != [first.id]
    assert len(running(controller)) == 1


async def test_one_who_is_there_is_enough() -> None:
    controller = house()
    controller.live.enter(await live(controller), "bob", SPEAKER)
    egress = await recorded(controller)
    controller.live.ghosts.add("ann")
    await later(controller, 31.0)
    await later(controller, 61.0)
    assert [one.id for one in running(controller)] == [egress.id]


async def test_one_that_never_ends_is_waited_for_ten_seconds_and_stays_open() -> None:
    controller = house()
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
