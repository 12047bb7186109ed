"""One controller with a room for each policy; LiveKit sends it no hints, and it looks only at files."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from controller.records.record import RoomRecord
from tests.real.policy.table import INVITED, POLICIES, Policy
from tests.support.controller import Site
from tests.support.embedded import Server
from tests.support.livekit import LiveKitServer


@dataclass(frozen=True, slots=True)
class Harness:
    """The rooms by their policy."""

    site: Site
    rooms: dict[Policy, RoomRecord]


@pytest.fixture(scope="module")
async def house(
    tmp_path_factory: pytest.TempPathFactory, livekit: LiveKitServer, mongodb: Server
) -> AsyncIterator[Harness]:
    folder = tmp_path_factory.mktemp("policies")
    async with Site(folder, livekit, mongodb=mongodb.uri, ROOMCTL_RESYNC_SECONDS="600") as site:
        for policy in (*POLICIES, *INVITED):
            site.write(str(policy), **policy.manifest)
        async with site.run():
            records = await site.converged()
            yield Harness(site, {policy: records[str(policy)] for policy in (*POLICIES, *INVITED)})
