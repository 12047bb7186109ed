"""Open hours in the running controller, by its clock."""

from datetime import UTC, datetime, timedelta

import pytest

from controller.access.policy import Role, permission_for
from tests.support.inprocess import InProcess
from tests.support.worlds import NOW, desired, manifest, spec

SPEAKER = permission_for(Role.SPEAKER, spec())
DAILY = {"opens": "2026-03-24T18:00", "closes": "2026-03-24T20:00", "repeats": "FREQ=DAILY"}


async def running(**hours: str) -> InProcess:
    process = InProcess()
    process.manifests = desired(manifest("a", **hours))
    await process.run_until_stable()
    return process


def go_to(process: InProcess, time: str, day: int = 24) -> None:
    moment = datetime.fromisoformat(f"2026-03-{day}T{time}").replace(tzinfo=UTC)
    process.time.seconds = (moment - NOW) / timedelta(seconds=1)


def ready(process: InProcess) -> str:
    condition = process.record("a").status.condition("Ready")
    assert condition is not None
    return f"{condition.status} {condition.reason}: {condition.message}"


async def test_a_day_of_a_room() -> None:
    process = await running(**DAILY)
    assert ready(process) == "True Closed: opens at 2026-03-24T18:00:00.000Z"
    assert await process.listed() == set()
    go_to(process, "17:59:00")
    await process.reconcile()
    assert ready(process) == "True AsSpecified: "
    first = process.name("a")
    assert await process.listed() == {first}
    go_to(process, "20:00:00")
    await process.reconcile()
    assert ready(process) == "True Closed: opens at 2026-03-25T18:00:00.000Z"
    assert await process.listed() == set()
    go_to(process, "18:00:00", day=25)
    await process.reconcile()
    assert await process.listed() == {process.name("a")} != {first}
    by = [(event.type, event.by) for event in await process.recorded()]
    assert by[1:] == [("start", "schedule"), ("stop", "schedule"), ("start", "schedule")]


async def test_people_stay_until_the_overrun_ends() -> None:
    process = await running(**DAILY)
    go_to(process, "19:00:00")
    await process.reconcile()
    name = process.name("a")
    process.live.enter(name, "ann", SPEAKER)
    go_to(process, "20:00:00")
    await process.reconcile()
    assert ready(process).startswith(
        "True Deferred: stop deferred until the room is empty or until 2026-03-24T20:15"
    )
    assert name in await process.listed()
    go_to(process, "20:14:59")
    await process.reconcile()
    assert name in await process.listed()
    go_to(process, "20:15:00")
    await process.reconcile()
    assert name not in await process.listed()
    assert ready(process) == "True Closed: opens at 2026-03-25T18:00:00.000Z"


async def test_a_wrong_clock_cuts_nobody_off() -> None:
    process = await running(**DAILY)
    go_to(process, "19:00:00")
    await process.reconcile()
    name = process.name("a")
    process.live.enter(name, "ann", SPEAKER)
    process.live.ahead_s = 61.0
    go_to(process, "21:00:00")
    await process.reconcile()
    assert name in await process.listed()
    process.live.ahead_s = 0.0
    await process.reconcile()
    await process.reconcile()
    assert name not in await process.listed()


@pytest.mark.parametrize("jump", ["2026-03-24T17:00:00", "2027-03-24T17:00:00"])
async def test_a_clock_that_jumps_is_followed(jump: str) -> None:
    process = await running(**DAILY)
    go_to(process, "19:00:00")
    await process.reconcile()
    process.time.seconds = (datetime.fromisoformat(jump).replace(tzinfo=UTC) - NOW) / timedelta(seconds=1)
    await process.reconcile()
    assert await process.listed() == set()
    assert ready(process) == f"True Closed: opens at {jump[:10]}T18:00:00.000Z"


async def test_an_unchanged_pass_after_the_opening_plans_nothing() -> None:
    process = await running(**DAILY)
    go_to(process, "18:30:00")
    await process.run_until_stable()
    one, two = await process.reconcile(), await process.reconcile()
    assert one is two
    assert one.changes_at == datetime(2026, 3, 24, 20, tzinfo=UTC)
