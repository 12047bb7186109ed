"""What stays listed although it is over: people whom only Redis remembers, an egress that never ends."""

from dataclasses import replace

from controller.live.egress import EgressStatus
from controller.live.room import LiveRoom
from tests.support.fake_live import FakeLive
from tests.support.inprocess import InProcess
from tests.unit.reconcile.test_recordings import house, look, recorded, rows, running


class Uncounting(FakeLive):
    """Lists people whom it does not count, as LiveKit does after a crash of its server."""

    async def rooms(self) -> list[LiveRoom]:
        return [replace(room, num_participants=0) for room in await super().rooms()]


async def later(controller: InProcess, seconds: float) -> None:
    controller.time.seconds += seconds
    await look(controller)


async def test_people_whom_the_listing_does_not_count_in_time_are_nobody() -> None:
    controller = house(live=Uncounting())
    egress = await recorded(controller)
    await later(controller, 31.0)
    await later(controller, 61.0)
    assert controller.live.egresses[egress.id].status is EgressStatus.COMPLETE


async def test_people_whom_the_listing_does_not_count_yet_are_recorded() -> None:
    controller = house(live=Uncounting())
    egress = await recorded(controller)
    await later(controller, 15.0)
    assert controller.record("stage").recording is not None
    assert [one.status for one in running(controller)] == [EgressStatus.ACTIVE]
    assert running(controller)[0].id == egress.id


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
