"""What every test may ask for: the real parts, each started once for the whole run."""

import resource
import signal
from collections.abc import AsyncIterator, Generator

import pytest
from hypothesis import HealthCheck, settings

from controller.live.client import Actor, Connection, Observer
from tests.support.livekit import LiveKitServer

settings.register_profile(
    "unhurried", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("unhurried")  # a machine may be slow, or busy

signal.signal(signal.SIGINT, signal.default_int_handler)
# a shell has what it starts in the background ignore Ctrl-C, and all that this starts: the tests press it

HANGS_AFTER = 900
"""Seconds: several times what the longest takes on a busy machine."""

OPEN_FILES = 8192
"""For what a worker holds until it ends (a file for each port it gave out), and for a thousand guests."""

_soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
if _soft != resource.RLIM_INFINITY and _soft < OPEN_FILES:
    _most = OPEN_FILES if _hard == resource.RLIM_INFINITY else min(OPEN_FILES, _hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (_most, _hard))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """A test that hangs fails, and the others run on."""

    def hung(*_: object) -> None:
        raise TimeoutError(f"{item.nodeid} hangs: it was ended after {HANGS_AFTER} seconds")

    before = signal.signal(signal.SIGALRM, hung)
    signal.alarm(HANGS_AFTER)
    try:
        return (yield)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session")
async def livekit(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveKitServer]:
    """A livekit-server that tests share; one that stops or freezes it starts its own."""
    async with LiveKitServer(tmp_path_factory.mktemp("livekit")) as server:
        yield server


@pytest.fixture
async def connection(livekit: LiveKitServer) -> AsyncIterator[Connection]:
    async with Connection(livekit.url, livekit.key, livekit.secret) as opened:
        yield opened


@pytest.fixture
def observer(connection: Connection) -> Observer:
    return Observer(connection)


@pytest.fixture
def actor(connection: Connection) -> Actor:
    return Actor(connection)
