"""`apply` is killed at every message while it takes down a room that was removed by API, people inside."""

import pytest

from tests.real.faults.scenario import KILLED, Line
from tests.support.api import api_of
from tests.support.participants import canary, token
from tests.support.sample import Sample


@pytest.mark.parametrize(
    ("link", "point"), [("livekit", "before"), ("livekit", "after"), ("mongodb", "after")]
)
async def test_a_removal_by_api_survives_a_kill_at_every_message(
    line: Line, link: str, point: str, sample: Sample
) -> None:
    site = line.site
    line.flip(removals=False)
    await line.applied()
    async with api_of(site) as api:
        for number in sample.every(3, start=1):
            room = await api.create("Doomed")
            await line.applied()
            name = await api.until_live(room)
            async with line.canaries(), canary(site.livekit.ws_url, token(site.livekit, name, "ann")) as ann:
                await api.remove(room)
                code = await line.start("apply", link, point, number).end()
                line.spare()
                if code == KILLED:
                    await line.applied()
                assert [old.name for old in (await api.until_gone(room)).retired] == [name]
                assert await ann.left == "ROOM_DELETED"
            assert name not in await site.listed()
            await line.assert_whole(f"killed {point} {link} {number}")
            if code != KILLED:
                break
    assert number > 3, "it lists, deletes, and lists again"
