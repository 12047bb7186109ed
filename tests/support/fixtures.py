"""The real parts, each started once for the whole run, and what tests do with them.

tests/conftest.py has pytest load this by its name: imported there, each test would seem to need a server.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controller.live.client import ApiReader, ApiWriter, LiveKitConnection
from tests.support.controller import Site
from tests.support.embedded import Server, secantus
from tests.support.livekit import LiveKitServer


@pytest.fixture(scope="session")
async def livekit(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveKitServer]:
    """A livekit-server that tests share; one that stops or freezes it starts its own."""
    async with LiveKitServer(tmp_path_factory.mktemp("livekit")) as server:
        yield server


@pytest.fixture(scope="session")
async def mongodb(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """A database server that tests share; one that stops or freezes it starts its own."""
    async with secantus(tmp_path_factory.mktemp("mongodb")) as server:
        yield server


@pytest.fixture
async def connection(livekit: LiveKitServer) -> AsyncIterator[LiveKitConnection]:
    async with LiveKitConnection(livekit.access) as opened:
        yield opened


@pytest.fixture
def reader(connection: LiveKitConnection) -> ApiReader:
    return ApiReader(connection)


@pytest.fixture
def writer(connection: LiveKitConnection) -> ApiWriter:
    return ApiWriter(connection)


@pytest.fixture
async def site(tmp_path: Path, livekit: LiveKitServer, mongodb: Server) -> AsyncIterator[Site]:
    """An instance and a database of its own on servers that all tests share."""
    async with Site(tmp_path, livekit, mongodb=mongodb.uri) as opened:
        yield opened
