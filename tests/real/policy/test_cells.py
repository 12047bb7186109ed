"""Every cell of the table of rights, joined for real and tried from the other side of the wire."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from controller.live.room import Permission
from tests.real.policy.conftest import Harness
from tests.real.policy.participants import END, Actress, Witness
from tests.real.policy.table import DATA, INVITED, POLICIES, ROLES, Policy, proofs, rights
from tests.support.participants import guest, token
from tests.support.sample import Sample
from tests.support.wait import PATIENCE

EVERYTHING = ("CAMERA", "MICROPHONE", "SCREEN_SHARE", "SCREEN_SHARE_AUDIO")
WITNESS = "witness"
IN_TIME = 2 * PATIENCE


@asynccontextmanager
async def cast(house: Harness, policy: Policy) -> AsyncIterator[tuple[Witness, list[Actress]]]:
    """Somebody in each role, and a witness who may do everything."""
    site, record = house.site, house.rooms[policy]
    assert record.live is not None
    tokens = {WITNESS: token(site.livekit, record.live.name, WITNESS)}
    for role in ROLES:
        headers, fields = proofs(site, record, role, int(time.time()))
        tokens[role] = await site.token(record.id, role, headers, **fields)
    async with AsyncExitStack() as stack:
        inside = {
            identity: await stack.enter_async_context(guest(site.livekit.ws_url, each))
            for identity, each in tokens.items()
        }
        yield Witness(inside[WITNESS]), [Actress(role, inside[role]) for role in ROLES]


@pytest.mark.parametrize("policy", POLICIES, ids=str)
async def test_each_role_can_do_exactly_what_the_table_says(house: Harness, policy: Policy) -> None:
    await _each_can_do_what_the_table_says(house, policy)


async def test_rights_are_the_same_where_all_need_an_invite(house: Harness, sample: Sample) -> None:
    for policy in sample.of(INVITED, 12):
        for hidden in (False, True):
            refused = await house.site.ask_token(house.rooms[policy].id, "stranger", hidden=hidden)
            assert (refused.status, refused.body["code"]) == (401, "INVITE_REQUIRED")
        await _each_can_do_what_the_table_says(house, policy)


async def _each_can_do_what_the_table_says(house: Harness, policy: Policy) -> None:
    may = {role: rights(role, policy) for role in ROLES}
    async with asyncio.timeout(IN_TIME), cast(house, policy) as (witness, actresses):
        await _all_see_and_hear(witness, actresses)
        for each in actresses:
            await each.try_all()
        visible = {each.called(what) for each in actresses for what in may[each.role]}
        await witness.until(visible)
        await _let_all_do_everything(house, policy)
        await asyncio.gather(*(each.end() for each in actresses))
        await witness.until({each.called(END) for each in actresses if each.role != "hidden"})
        for each in actresses:
            await each.has_sent(may[each.role] - {DATA})
            assert each.accepted == may[each.role] - {DATA}
        assert witness.seen - {each.called(END) for each in actresses} == visible
        assert witness.renamed == set()
        await asyncio.gather(*(each.give_up() for each in actresses))


async def _all_see_and_hear(witness: Witness, actresses: list[Actress]) -> None:
    """Whoever they are, they are shown what others send."""
    audience = [Witness(each.person) for each in actresses]
    await witness.person.open_microphone()
    await witness.person.say(b"welcome")
    for each in audience:
        await each.until({"microphone", "welcome"})


async def _let_all_do_everything(house: Harness, policy: Policy) -> None:
    """Past the controller, which does not look meanwhile."""
    live = house.rooms[policy].live
    assert live is not None
    for role in ROLES:
        everything = Permission(True, True, True, EVERYTHING, hidden=role == "hidden")
        await house.site.writer.update_permission(live.name, role, everything)
