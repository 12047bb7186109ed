"""Sites for tests: each has an instance and a database of its own on servers that all of them share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.controller import Site
from tests.support.embedded import Server, secantus
from tests.support.livekit import LiveKitServer


@pytest.fixture(scope="session")
async def mongodb(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """A database server that tests share; one that stops or freezes it starts its own."""
    async with secantus(tmp_path_factory.mktemp("mongodb")) as server:
        yield server


@pytest.fixture
async def site(tmp_path: Path, livekit: LiveKitServer, mongodb: Server) -> AsyncIterator[Site]:
    async with Site(tmp_path, livekit, mongodb=mongodb.uri) as opened:
        yield opened
