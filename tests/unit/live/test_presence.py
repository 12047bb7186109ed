"""Who is there: no look waits for it, one answer speaks for a room, one silence alone for nobody."""

import asyncio
from collections import Counter

from controller.errors import LiveKitUnavailableError
from controller.live.presence import PRESENCE_TTL_SECONDS, PROBE_CONFIRM_SECONDS, Presence
from controller.live.room import Participant

ANN, BOB, EVE = (
    Participant(name, f"PA_{name}", joined_at=at) for at, name in enumerate(("ann", "bob", "eve"), 1)
)


class Harness:
    """A room as a server has it (`there`), beside what a list says; its clock moves where it is slept."""

    def __init__(self, *there: Participant) -> None:
        self.there = {one.identity for one in there}
        self.asked: Counter[str] = Counter()
        self.away: LiveKitUnavailableError | None = None
        self.slept: list[float] = []
        self.on_change: list[str] = []
        self.now = 1000.0
        self.presence = Presence(self._ask, lambda: self.now, self._sleep, self.on_change.append)

    async def gone(self, *listed: Participant) -> set[str]:
        """Who is known to be gone, once all that a look asked for was answered."""
        self.presence.mark_gone("room", listed)
        await asyncio.gather(*self.presence._calls.values())
        return self.gone_by_now(*listed)

    def gone_by_now(self, *listed: Participant) -> set[str]:
        return {one.identity for one in self.presence.mark_gone("room", listed) if one.gone}

    async def _ask(self, _room: str, identity: str) -> bool:
        self.asked[identity] += 1
        if self.away is not None:
            raise self.away
        return identity in self.there

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


async def test_one_answer_speaks_for_all_and_holds_for_half_a_minute() -> None:
    harness = Harness(ANN, BOB, EVE)
    assert await harness.gone(BOB, ANN, EVE) == set()
    assert await harness.gone(BOB, ANN, EVE) == set()
    assert harness.asked == {"ann": 1}
    harness.now += PRESENCE_TTL_SECONDS
    assert await harness.gone(BOB, ANN, EVE) == set()
    assert harness.asked == {"ann": 2}


async def test_who_came_before_a_crash_is_gone_and_who_came_after_is_not() -> None:
    harness = Harness(EVE)
    assert await harness.gone(EVE, BOB, ANN) == {"ann", "bob"}
    assert harness.slept == [PROBE_CONFIRM_SECONDS]
    assert harness.on_change == ["room"]


async def test_a_look_waits_for_no_answer() -> None:
    harness = Harness()
    assert harness.gone_by_now(ANN) == set()
    assert await harness.gone(ANN) == {"ann"}


async def test_a_server_that_stalls_for_one_question_has_lost_nobody() -> None:
    harness = Harness()

    async def meanwhile(_: float) -> None:
        harness.there.add("ann")

    harness.presence.sleep = meanwhile
    assert await harness.gone(ANN) == set()
    assert not harness.on_change


async def test_who_was_taken_for_gone_and_answers_is_there_again() -> None:
    harness = Harness()
    assert await harness.gone(ANN, BOB) == {"ann", "bob"}
    harness.there |= {"ann", "bob"}
    harness.now += PRESENCE_TTL_SECONDS
    assert await harness.gone(ANN, BOB) == set()
    assert harness.on_change == ["room", "room"]


async def test_of_many_who_are_gone_one_is_asked_for_again() -> None:
    harness = Harness(EVE)
    await harness.gone(ANN, BOB, EVE)
    harness.asked.clear()
    harness.now += PRESENCE_TTL_SECONDS
    assert await harness.gone(ANN, BOB, EVE) == {"ann", "bob"}
    assert harness.asked == {"bob": 1, "eve": 1}


async def test_nobody_is_gone_because_livekit_is_out_of_reach() -> None:
    harness = Harness()
    harness.away = LiveKitUnavailableError("out of reach")
    assert await harness.gone(ANN, BOB) == set()
    assert not harness.slept


async def test_after_an_outage_nobody_is_believed_any_longer() -> None:
    harness = Harness(ANN)
    assert await harness.gone(ANN) == set()
    harness.there.clear()
    harness.presence.invalidate()
    assert await harness.gone(ANN) == {"ann"}


async def test_where_the_one_who_answered_has_left_another_is_asked_for() -> None:
    harness = Harness(ANN, BOB)
    await harness.gone(ANN, BOB)
    await harness.gone(BOB)
    assert harness.asked == {"ann": 1, "bob": 1}


async def test_an_identity_that_comes_back_is_another_session() -> None:
    harness = Harness()
    await harness.gone(ANN)
    harness.there.add("ann")
    back = Participant("ann", "PA_ann_again", joined_at=9)
    assert await harness.gone(back) == set()


async def test_what_is_under_way_ends_with_it() -> None:
    harness = Harness()

    async def for_ever(_: float) -> None:
        await asyncio.Event().wait()

    harness.presence.sleep = for_ever
    harness.presence.mark_gone("room", [ANN])
    await asyncio.sleep(0)
    await harness.presence.close()
    assert not harness.presence._calls


async def test_nobody_is_asked_for_where_nobody_wants_to_know() -> None:
    harness = Harness()
    harness.presence.on_change = None
    assert await harness.gone(ANN) == set()
    assert not harness.asked
