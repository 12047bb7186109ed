"""Who is there: no look waits for it, one answer speaks for a room, one silence alone for nobody."""

import asyncio
from collections import Counter

from controller.errors import LiveAway
from controller.live.presence import BELIEVED_SECONDS, DOUBT_SECONDS, Presence
from controller.live.room import Participant

ANN, BOB, EVE = (
    Participant(name, f"PA_{name}", joined_at=at) for at, name in enumerate(("ann", "bob", "eve"), 1)
)


class House:
    """A room as a server has it (`there`), beside what a list says; its clock moves where it is slept."""

    def __init__(self, *there: Participant) -> None:
        self.there = {one.identity for one in there}
        self.asked: Counter[str] = Counter()
        self.away: LiveAway | None = None
        self.slept: list[float] = []
        self.news: list[str] = []
        self.now = 1000.0
        self.presence = Presence(self._ask, lambda: self.now, self._sleep, self.news.append)

    async def gone(self, *listed: Participant) -> set[str]:
        """Who is known to be gone, once all that a look asked for was answered."""
        self.presence.marked("room", listed)
        await asyncio.gather(*self.presence._calls.values())
        return self.gone_by_now(*listed)

    def gone_by_now(self, *listed: Participant) -> set[str]:
        return {one.identity for one in self.presence.marked("room", listed) if one.gone}

    async def _ask(self, _room: str, identity: str) -> bool:
        self.asked[identity] += 1
        if self.away is not None:
            raise self.away
        return identity in self.there

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


async def test_one_answer_speaks_for_all_and_holds_for_half_a_minute() -> None:
    house = House(ANN, BOB, EVE)
    assert await house.gone(BOB, ANN, EVE) == set()
    assert await house.gone(BOB, ANN, EVE) == set()
    assert house.asked == {"ann": 1}
    house.now += BELIEVED_SECONDS
    assert await house.gone(BOB, ANN, EVE) == set()
    assert house.asked == {"ann": 2}


async def test_who_came_before_a_crash_is_gone_and_who_came_after_is_not() -> None:
    house = House(EVE)
    assert await house.gone(EVE, BOB, ANN) == {"ann", "bob"}
    assert house.slept == [DOUBT_SECONDS]
    assert house.news == ["room"]


async def test_a_look_waits_for_no_answer() -> None:
    house = House()
    assert house.gone_by_now(ANN) == set()
    assert await house.gone(ANN) == {"ann"}


async def test_a_server_that_stalls_for_one_question_has_lost_nobody() -> None:
    house = House()

    async def meanwhile(_: float) -> None:
        house.there.add("ann")

    house.presence.sleep = meanwhile
    assert await house.gone(ANN) == set()
    assert not house.news


async def test_who_was_taken_for_gone_and_answers_is_there_again() -> None:
    house = House()
    assert await house.gone(ANN, BOB) == {"ann", "bob"}
    house.there |= {"ann", "bob"}
    house.now += BELIEVED_SECONDS
    assert await house.gone(ANN, BOB) == set()
    assert house.news == ["room", "room"]


async def test_of_many_who_are_gone_one_is_asked_for_again() -> None:
    house = House(EVE)
    await house.gone(ANN, BOB, EVE)
    house.asked.clear()
    house.now += BELIEVED_SECONDS
    assert await house.gone(ANN, BOB, EVE) == {"ann", "bob"}
    assert house.asked == {"bob": 1, "eve": 1}


async def test_nobody_is_gone_because_livekit_is_out_of_reach() -> None:
    house = House()
    house.away = LiveAway("out of reach")
    assert await house.gone(ANN, BOB) == set()
    assert not house.slept


async def test_after_an_outage_nobody_is_believed_any_longer() -> None:
    house = House(ANN)
    assert await house.gone(ANN) == set()
    house.there.clear()
    house.presence.doubt()
    assert await house.gone(ANN) == {"ann"}


async def test_where_the_one_who_answered_has_left_another_is_asked_for() -> None:
    house = House(ANN, BOB)
    await house.gone(ANN, BOB)
    await house.gone(BOB)
    assert house.asked == {"ann": 1, "bob": 1}


async def test_an_identity_that_comes_back_is_another_session() -> None:
    house = House()
    await house.gone(ANN)
    house.there.add("ann")
    back = Participant("ann", "PA_ann_again", joined_at=9)
    assert await house.gone(back) == set()


async def test_what_is_under_way_ends_with_it() -> None:
    house = House()

    async def for_ever(_: float) -> None:
        await asyncio.Event().wait()

    house.presence.sleep = for_ever
    house.presence.marked("room", [ANN])
    await asyncio.sleep(0)
    await house.presence.close()
    assert not house.presence._calls


async def test_nobody_is_asked_for_where_nobody_wants_to_know() -> None:
    house = House()
    house.presence.news = None
    assert await house.gone(ANN) == set()
    assert not house.asked
