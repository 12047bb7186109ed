"""Both servers behind proxies, whose connections a test may cut, delay and mend."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.real.faults.scenario import Line, laid
from tests.support.embedded import Server
from tests.support.livekit import LiveKitServer


@pytest.fixture
async def line(tmp_path: Path, livekit: LiveKitServer, mongodb: Server) -> AsyncIterator[Line]:
    """The resync is rare: what is tested here does not need it."""
    async with laid(tmp_path, livekit, mongodb, ROOMCTL_RESYNC_SECONDS="5") as opened:
        yield opened
