"""Calls that are shared by all who ask at once."""

import asyncio

import pytest

from controller.errors import StoreUnavailableError
from controller.sidecar.rooms.desired_state import SingleFlight


class Source:
    """Something that is asked; each answer is how often it was, once `open` is set."""

    def __init__(self) -> None:
        self.calls, self.open, self.begun = 0, asyncio.Event(), asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self) -> int:
        self.calls += 1
        self.begun.set()
        number = self.calls
        await self.open.wait()
        if self.error is not None:
            raise self.error
        return number


async def test_all_who_ask_before_it_begins_share_one_call() -> None:
    source = Source()
    source.open.set()
    ask = SingleFlight(source)
    assert set(await asyncio.gather(ask(), ask(), ask())) == {1}
    assert await ask() == 2


async def test_who_asks_while_it_is_under_way_gets_the_next_one() -> None:
    source = Source()
    ask = SingleFlight(source)
    first = asyncio.create_task(ask())
    await source.begun.wait()
    later = [asyncio.create_task(ask()) for _ in range(3)]
    await asyncio.sleep(0)
    assert source.calls == 1, "there is one call at a time"
    source.open.set()
    assert await asyncio.gather(first, *later) == [1, 2, 2, 2]


async def test_an_error_is_everybodys_and_the_next_call_begins_anew() -> None:
    source = Source()
    source.open.set()
    source.error = StoreUnavailableError("MongoDB cannot be reached")
    ask = SingleFlight(source)
    assert [type(e) for e in await asyncio.gather(ask(), ask(), return_exceptions=True)] == [
        StoreUnavailableError
    ] * 2
    source.error = None
    assert await ask() == 2


async def test_who_goes_away_takes_nothing_from_the_others() -> None:
    source = Source()
    ask = SingleFlight(source)
    gone, stays = asyncio.create_task(ask()), asyncio.create_task(ask())
    await source.begun.wait()
    gone.cancel()
    source.open.set()
    assert await stays == 1
    assert gone.cancelled()


async def test_closing_ends_what_is_under_way() -> None:
    source = Source()
    ask = SingleFlight(source)
    asked = [asyncio.create_task(ask())]
    await source.begun.wait()
    asked.append(asyncio.create_task(ask()))
    await asyncio.sleep(0)
    await ask.close()
    for each in asked:
        with pytest.raises(asyncio.CancelledError):
            await each
