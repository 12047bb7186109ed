"""Tokens of every older policy under every policy: who joins by one gets what the room gives now.

Two others are inside by tokens that are not ours: one may send everything, one nothing. Both call themselves
speakers, and lose what the media of the room forbids.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise, product
from pathlib import Path
from typing import Any, Final

from controller.live.room import SOURCES as LIVEKIT_SOURCES
from tests.real.policy.table import DATA, MEDIA, ROLES, SOURCES, Policy, proofs, rights
from tests.support.controller import Site
from tests.support.embedded import Server
from tests.support.livekit import LiveKitServer
from tests.support.participants import Canary, canary, token
from tests.support.sample import Sample
from tests.support.wait import PATIENCE, until

KEY: Final = "stage"
FOREIGN: Final = {"foreign": frozenset({*SOURCES, DATA}), "mute": frozenset[str]()}
"""What tokens that are not ours let their holders send."""

Tokens = Mapping[str, tuple[str, str]]
"""Identity -> its role, and the token that it was given."""


def walk(join: str) -> Iterator[Policy]:
    """Every policy once, each one change away from the one before."""
    flags = list(product((False, True), repeat=3))
    flags = [each for number in range(8) for each in flags if _gray(number) == each]
    for number, media in enumerate(MEDIA):
        yield from (Policy(media, *each, join=join) for each in (flags if number % 2 == 0 else flags[::-1]))


def _gray(number: int) -> tuple[bool, ...]:
    code = number ^ number >> 1
    return tuple(bool(code >> bit & 1) for bit in range(3))


def permission(may: frozenset[str]) -> dict[str, Any]:
    """Those rights as LiveKit tells somebody of them."""
    sources = [number for number, source in enumerate(SOURCES, 1) if source in may]
    grants: dict[str, Any] = {"can_publish_sources": sources} if sources else {}
    return grants | {"can_publish": bool(sources), "can_publish_data": DATA in may, "can_subscribe": True}


async def minted(site: Site, policies: list[Policy]) -> Tokens:
    """A token for each role and all that it may under any policy, each given out under such a policy."""
    tokens: dict[tuple[str, frozenset[str]], tuple[str, str]] = {}
    for policy in policies:
        site.edit(KEY, **policy.manifest)
        record = (await site.converged())[KEY]
        for role in ROLES:
            identity = f"{role}-{len(tokens)}"
            headers, fields = proofs(site, record, role, int(time.time()))
            if (role, rights(role, policy)) not in tokens:
                given = await site.token(record.id, identity, headers, **fields)
                tokens[role, rights(role, policy)] = identity, given
    return {identity: (role, given) for (role, _), (identity, given) in tokens.items()}


async def foreign(site: Site) -> Tokens:
    """Tokens that somebody else made with the same API key."""
    name = await site.room_name(KEY)
    made = {
        role: token(
            *(site.livekit, name, role),
            attributes={"role": "speaker"},
            can_publish=bool(may),
            can_publish_data=bool(may),
            can_publish_sources=[source.lower() for source in LIVEKIT_SOURCES] if may else [],
            can_update_own_metadata=True,
        )
        for role, may in FOREIGN.items()
    }
    return {role: (role, each) for role, each in made.items()}


def may_send(role: str, policy: Policy, joined: Policy) -> frozenset[str]:
    """What somebody may send now who joined under `joined`; a right that is not ours never comes back."""
    if role not in FOREIGN:
        return rights(role, policy)
    carried = (rights("speaker", Policy(each.media, chat=True, share=True)) for each in (policy, joined))
    return FOREIGN[role].intersection(*carried)


@asynccontextmanager
async def inside(site: Site, tokens: Tokens) -> AsyncIterator[dict[str, Canary]]:
    """All of them, in the room."""
    async with AsyncExitStack() as stack:
        opened = (
            stack.enter_async_context(canary(site.livekit.ws_url, given)) for _, given in tokens.values()
        )
        yield dict(zip(tokens, await asyncio.gather(*opened), strict=True))


async def all_have_what_is_theirs(
    people: dict[str, Canary], tokens: Tokens, policy: Policy, joined: Policy
) -> None:
    for identity, person in people.items():
        may = permission(may_send(tokens[identity][0], policy, joined))
        try:
            await asyncio.wait_for(person.until_permission(**may), PATIENCE)
        except TimeoutError:
            has = str(person.permission).replace("\n", " ")
            raise AssertionError(f"{policy}: {identity} was to have {may} and has {has}") from None
        assert person.inside


async def everybody_is_gone(site: Site) -> None:
    """Who comes back while the server still lets them go is lost."""

    async def empty() -> bool:
        return not await site.people(KEY)

    await until(empty)


async def test_no_older_token_gives_more_or_less_than_the_policy_of_now(
    tmp_path: Path, livekit: LiveKitServer, mongodb: Server, sample: Sample
) -> None:
    """Without a webhook: at the next resync. And those who are inside stay, at each change.

    Whether all need an invite is the same for the whole walk, since it decides nothing about rights.
    """
    good_for = "600"  # seconds: every token is used to the last
    policies = [policy for join in sample.of(("link", "invite"), 2) for policy in walk(join)]
    async with Site(tmp_path, livekit, mongodb=mongodb.uri, ROOMCTL_TOKEN_TTL_SECONDS=good_for) as site:
        site.write(KEY, max_participants=200)
        async with site.run():
            tokens = {**await minted(site, policies), **await foreign(site)}
            async with AsyncExitStack() as before:
                people: dict[str, Canary] = {}
                for joined, policy in pairwise((policies[0], *policies)):
                    site.edit(KEY, **policy.manifest)
                    await all_have_what_is_theirs(people, tokens, policy, joined)
                    await before.aclose()
                    await everybody_is_gone(site)
                    people = await before.enter_async_context(inside(site, tokens))
                    await all_have_what_is_theirs(people, tokens, policy, policy)
