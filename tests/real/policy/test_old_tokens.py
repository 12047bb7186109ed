"""Tokens of every older policy under every policy: who joins by one gets what the room gives now."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import product
from pathlib import Path
from typing import Any, Final

from tests.real.policy.table import DATA, MEDIA, ROLES, SOURCES, Policy, proofs, rights
from tests.support.controller import Site
from tests.support.embedded import Server
from tests.support.livekit import LiveKitServer
from tests.support.participants import Canary, canary
from tests.support.wait import PATIENCE, until

KEY: Final = "stage"

Tokens = Mapping[str, tuple[str, str]]
"""Identity -> its role, and the token that it was given."""


def walk() -> Iterator[Policy]:
    """Every policy once, each one change away from the one before."""
    flags = list(product((False, True), repeat=3))
    flags = [each for number in range(8) for each in flags if _gray(number) == each]
    for number, media in enumerate(MEDIA):
        yield from (Policy(media, *each) for each in (flags if number % 2 == 0 else flags[::-1]))


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
                token = await site.token(record.id, identity, headers, **fields)
                tokens[role, rights(role, policy)] = identity, token
    return {identity: (role, token) for (role, _), (identity, token) in tokens.items()}


@asynccontextmanager
async def inside(site: Site, tokens: Tokens) -> AsyncIterator[dict[str, Canary]]:
    """All of them, in the room."""
    async with AsyncExitStack() as stack:
        opened = (
            stack.enter_async_context(canary(site.livekit.ws_url, token)) for _, token in tokens.values()
        )
        yield dict(zip(tokens, await asyncio.gather(*opened), strict=True))


async def all_have_what_is_theirs(people: dict[str, Canary], tokens: Tokens, policy: Policy) -> None:
    for identity, person in people.items():
        may = permission(rights(tokens[identity][0], policy))
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
    tmp_path: Path, livekit: LiveKitServer, mongodb: Server
) -> None:
    """Without a webhook: at the next resync. And those who are inside stay, at each change."""
    policies, good_for = list(walk()), "600"  # seconds: every token is used to the last
    async with Site(tmp_path, livekit, mongodb=mongodb.uri, ROOMCTL_TOKEN_TTL_SECONDS=good_for) as site:
        site.write(KEY, max_participants=200)
        async with site.run():
            tokens = await minted(site, policies)
            async with AsyncExitStack() as before:
                people: dict[str, Canary] = {}
                for policy in policies:
                    site.edit(KEY, **policy.manifest)
                    await all_have_what_is_theirs(people, tokens, policy)
                    await before.aclose()
                    await everybody_is_gone(site)
                    people = await before.enter_async_context(inside(site, tokens))
                    await all_have_what_is_theirs(people, tokens, policy)
