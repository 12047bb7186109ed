"""`apply` is killed before and after every message to LiveKit and MongoDB; the next one puts all right.

Whatever message a round of the scenario dies at, the next start converges: no room doubled, none orphaned,
no id changed, nobody cut off, nothing left to plan.
"""

import pytest

from tests.real.faults.scenario import KILLED, Line
from tests.support.sample import Sample

LINKS = ("livekit", "mongodb")
POINTS = ("before", "after")


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("link", LINKS)
async def test_apply_may_be_killed_at_every_message(
    line: Line, link: str, point: str, sample: Sample
) -> None:
    line.flip(removals=True)
    await line.applied()
    for number in sample.every(3, start=1):
        line.flip(removals=True)
        async with line.canaries():
            code = await line.start("apply", link, point, number).end()
            if code != KILLED:
                assert code == 0, line.site.tail()
                break
            await line.applied()
        await line.assert_whole(f"killed {point} {link} {number}")
    assert number > 5
