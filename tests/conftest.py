"""How every test runs."""

import random
import resource
import signal
from collections import Counter
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.sample import EXAMPLES, SEEDS, THOROUGH_EXAMPLES, Sample

pytest_plugins = ["tests.support.fixtures"]

signal.signal(signal.SIGINT, signal.default_int_handler)
# a shell has what it starts in the background ignore Ctrl-C, and all that this starts: the tests press it

UNIT = Path(__file__).parent / "unit"
HANGS_AFTER = 900
"""Seconds: several times what the longest takes on a busy machine."""

OPEN_FILES = 8192
"""For what a worker holds until it ends (a file for each port it gave out), and for a thousand guests."""

_soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
if _soft != resource.RLIM_INFINITY and _soft < OPEN_FILES:
    _most = OPEN_FILES if _hard == resource.RLIM_INFINITY else min(OPEN_FILES, _hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (_most, _hard))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--thorough", action="store_true", help="all cases of the slow kinds, not a sample")
    parser.addoption("--sample", type=int, metavar="SEED", help="the sample of the run with this seed")


def pytest_configure(config: pytest.Config) -> None:
    if config.option.sample is None:
        config.option.sample = random.randrange(SEEDS)  # xdist passes it on to its workers
    settings.register_profile(
        "sample",
        max_examples=THOROUGH_EXAMPLES if config.option.thorough else EXAMPLES,
        deadline=None,  # a machine may be slow, or busy
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile("sample")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of several workers none begins late with what takes long: unit tests are last, and the fewer tests on
    real parts a file has, the longer they take.
    """
    if hasattr(config, "workerinput"):
        tests = Counter(item.path for item in items)
        items.sort(key=lambda item: (item.path.is_relative_to(UNIT), tests[item.path]))


def pytest_report_header(config: pytest.Config) -> str:
    return f"sample: {'all cases' if config.option.thorough else f'--sample {config.option.sample}'}"


@pytest.fixture
def sample(request: pytest.FixtureRequest) -> Sample:
    """What this test tries of its cases."""
    option = request.config.option
    return Sample(option.sample, f"{request.path.name} {request.node.name}", thorough=option.thorough)


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
