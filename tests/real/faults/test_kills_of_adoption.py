"""`apply` is killed at every message while it takes over, replaces or stops a room of somebody else.

Whatever message it dies at, the next one converges: nobody is cut off but by the stop, no room is left over,
and the name stays with whoever chose it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.real.faults.scenario import KILLED, Line
from tests.support.participants import Canary, canary, token
from tests.support.sample import Sample

LINKS = ("livekit", "mongodb")
POINTS = ("before", "after")
THEIRS = '{"app": "theirs"}'


@asynccontextmanager
async def theirs(line: Line, name: str) -> AsyncIterator[Canary]:
    """Somebody in a new room of another application."""
    site = line.site
    await site.writer.create_room(name, THEIRS, 0)
    async with canary(site.livekit.ws_url, token(site.livekit, name, "ann")) as ann:
        yield ann


async def killed(line: Line, link: str, point: str, number: int) -> bool:
    """Whether an `apply` was killed at its so-many-th message; the next one ends."""
    code = await line.start("apply", link, point, number).end()
    if code != KILLED:
        assert code in (0, 3), line.site.tail()
        return False
    line.spare()
    assert await line.site.start("apply", "--yes").end() in (0, 3), line.site.tail()
    return True


async def assert_given_up(line: Line, key: str, name: str) -> None:
    """The room is over, nothing of it is kept, and another one of that name is left alone."""
    site = line.site
    record = await site.record(key)
    assert record.retired == ()
    assert name not in await site.listed()
    await site.writer.create_room(name, THEIRS, 0)
    await line.applied()
    assert (await site.listed())[name].metadata == THEIRS
    await site.writer.delete_room(name)


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("link", LINKS)
async def test_adoption_and_stop_may_be_killed_at_every_message(
    line: Line, link: str, point: str, sample: Sample
) -> None:
    for number in sample.every(5, start=1):
        key, name = f"room-{number}", f"theirs | {link} {point} {number}"
        line.site.write(key, adopt=name)
        async with theirs(line, name) as ann:
            adopting = await killed(line, link, point, number)
            record = await line.site.record(key)
            assert record.live is not None
            assert record.live.name == name, f"killed {point} {link} {number}"
            assert (await line.site.listed())[name].metadata != THEIRS
            assert ann.inside
            line.site.edit(key, active=False)
            stopping = await killed(line, link, point, number)
            assert await ann.left == "ROOM_DELETED"
        await assert_given_up(line, key, name)
        if not adopting and not stopping:
            break
    assert number > 3


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("link", LINKS)
async def test_replacement_may_be_killed_at_every_message(
    line: Line, link: str, point: str, sample: Sample
) -> None:
    for number in sample.every(7, start=1):
        key, name = f"room-{number}", f"theirs | {link} {point} {number}"
        line.site.write(key, adopt=name)
        async with theirs(line, name):
            assert await line.site.start("apply", "--yes").end() == 3, line.site.tail()
        await line.site.until_live(lambda live, name=name: live[name].num_participants == 0)  # type: ignore[misc]
        was_killed = await killed(line, link, point, number)
        await assert_given_up(line, key, name)
        assert (await line.site.record(key)).live is not None
        if not was_killed:
            break
    assert number > 3
