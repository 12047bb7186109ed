"""The real parts that tests run against: which of them some tests need, and all that gets them.

`python -m tests.support.parts [ARGUMENT…]` gets what the tests among pytest's arguments need, side by side,
and prints where it is; without tests among them what all tests need. A test that was not foreseen here gets
its parts when it starts them.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Final

import grimp

PARTS: Final = {
    "livekit": "livekit_binary",
    "agents": "livekit_agents",
    "egress": "build",
    "chromium": "chromium",
    "redis": "redis_server",
    "faketime": "library",
    "ferret": "build",
    "livekit_client": "livekit_client",
    "axe": "axe_core",
    "yaml_language_server": "yaml_language_server",
}
"""The modules beside this one that start or bring a part, and what in them gets it."""

TESTS: Final = Path(__file__).parent.parent
UNIT: Final = TESTS / "unit"
"""What lies there starts no part, whatever it imports."""


def needed(arguments: Iterable[str]) -> list[str]:
    """The parts that the tests in these files and folders import, or that their conftests do."""
    paths = [Path(argument.partition("::")[0]).absolute() for argument in arguments]
    files = {file for path in [path for path in paths if path.exists()] or [TESTS] for file in _files(path)}
    graph = grimp.build_graph("tests", cache_dir=None)
    names = {".".join(file.relative_to(TESTS.parent).with_suffix("").parts) for file in files}
    imported = set[str]().union(*map(graph.find_upstream_modules, names & graph.modules))
    return [part for part in PARTS if f"tests.support.{part}" in imported]


def _files(path: Path) -> Iterator[Path]:
    """Tests at `path`, which is a file or a folder, and the conftests that they see."""
    for test in [path] if path.is_file() else path.rglob("test_*.py"):
        if not test.is_relative_to(UNIT):
            yield test
            yield from (folder / "conftest.py" for folder in test.parents if folder.is_relative_to(TESTS))


def get(part: str) -> Path:
    """Where it is, built or fetched first where it is missing. RuntimeError says what to install."""
    function: Callable[[], Path] = getattr(import_module(f"tests.support.{part}"), PARTS[part])
    return function()


def main(arguments: Sequence[str]) -> int:
    missing = 0
    parts = needed(arguments)
    with ThreadPoolExecutor(len(PARTS)) as builders:
        for part, building in [(part, builders.submit(get, part)) for part in parts]:
            try:
                print(f"==> {part}: {building.result()}", file=sys.stderr)  # noqa: T201
            except RuntimeError as error:
                missing = 1
                print(f"==> {part}: {error}", file=sys.stderr)  # noqa: T201
    return missing


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
