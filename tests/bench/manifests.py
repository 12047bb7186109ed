"""Reading 10,000 manifests, YAML and JSON, and passing over them unchanged, against PyYAML's own loader.

By hand: python -m tests.bench.manifests [FILES]
"""

import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from controller.manifests.load import Cache, load

MANIFEST = """\
# Room {number}
name: Team room {number}
mediaType: MEDIA_TYPE_VIDEO_AUDIO
max_participants: 20
allow_webinar_mode: false
allow_chat: true
allow_share_screen: true
record: false
record_mode: ROOM_COMPOSITE_GRID
active: true
"""
ROUNDS = 5


def main(files: int) -> None:
    with rooms(files) as folder:
        plain = best(lambda: read_plain(folder))
        cold = best(lambda: load(folder))
        cache = Cache()
        first = load(folder, cache)
        warm = best(lambda: load(folder, cache))
        same = load(folder, cache) is first
        in_json = read_json(folder)
    machine = f"Python {platform.python_version()}, {os.cpu_count()} cores"
    say(f"{files:,} files, {machine}; CPU seconds, best of {ROUNDS} rounds")
    say(f"yaml.load(CSafeLoader) of each  {plain:7.3f}   1.00")
    say(f"load, nothing known             {cold:7.3f}   {cold / plain:.2f}   ({len(first.rooms):,} rooms)")
    say(f"load, the same files as JSON    {in_json:7.3f}   {in_json / plain:.2f}")
    say(f"load, nothing changed           {warm:7.3f}   {warm / plain:.2f}   (the same object: {same})")


@contextmanager
def rooms(files: int) -> Iterator[Path]:
    """A folder of manifests, a hundred in each of its folders."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(files):
            path = folder / f"team-{number // 100}" / f"room-{number}.yaml"
            path.parent.mkdir(exist_ok=True)
            path.write_text(MANIFEST.format(number=number))
        time.sleep(2.1)  # what was written just now is not trusted, and read again
        yield folder


def read_json(folder: Path) -> float:
    """Seconds for the same rooms, each written as JSON."""
    for path in [*folder.rglob("*.yaml")]:
        path.with_suffix(".json").write_text(json.dumps(yaml.safe_load(path.read_bytes()), indent=2))
        path.unlink()
    assert not load(folder).errors
    return best(lambda: load(folder))


def read_plain(folder: Path) -> list[object]:
    return [yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader) for path in folder.rglob("*.yaml")]


def best(work: Callable[[], object]) -> float:
    """The least CPU time of some rounds, in seconds."""

    def once() -> float:
        begun = time.process_time()
        work()
        return time.process_time() - begun

    return min(once() for _ in range(ROUNDS))


def say(line: str) -> None:
    print(line)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
