"""A worker, LiveKit and Redis that these tests share; one that breaks a part starts its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.real.egress.egress_requests import Asking
from tests.support.egress import HEALTHY, RecordingStack


@pytest.fixture(scope="session")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RecordingStack]:
    async with RecordingStack(tmp_path_factory.mktemp("recording"), s3=("the-key", "the-secret")) as stack:
        yield stack


@pytest.fixture
async def asking(shared: RecordingStack) -> AsyncIterator[Asking]:
    """On the shared stack; afterwards its worker is in good health and has no jobs."""
    async with Asking(shared) as opened:
        yield opened
    await shared.worker.set(**HEALTHY)
    await shared.worker.drop()


@pytest.fixture
async def own(tmp_path: Path) -> AsyncIterator[Asking]:
    async with RecordingStack(tmp_path) as stack, Asking(stack) as opened:
        yield opened
