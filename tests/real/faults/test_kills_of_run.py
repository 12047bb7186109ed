"""`run` is killed at every message to LiveKit and MongoDB; the next one puts all right.

Before LiveKit gets one, and after MongoDB has carried one out; the other two are in test_kills.
"""

import pytest

from tests.real.faults.scenario import KILLED, Line
from tests.support.controller import Controller
from tests.support.sample import Sample
from tests.support.wait import until


@pytest.mark.parametrize(("link", "point"), [("livekit", "before"), ("mongodb", "after")])
async def test_run_may_be_killed_at_every_message(line: Line, link: str, point: str, sample: Sample) -> None:
    """Without removals, which take ten seconds in `run`."""
    line.flip(removals=False)
    await line.applied()
    for number in sample.every(3, start=1):
        line.flip(removals=False)
        async with line.canaries():
            if not await _killed(line.start("run", link, point, number)):
                break
            line.spare()
            controller = line.site.start("run")
            await controller.ready()
            await line.site.converged()
            assert await controller.stop() == 0
        await line.assert_whole(f"killed {point} {link} {number}")
    assert number > 5


async def _killed(controller: Controller) -> bool:
    """Whether it is killed before all is as it should be; if not, it is stopped."""

    async def over() -> bool:
        return not controller.running or not await controller.site.difference()

    await until(over)
    return await controller.stop() == KILLED
