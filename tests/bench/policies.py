"""What policy files cost: `validate` of 10,000 manifests, and passes over them, with and without 200 of them.

The goal is at most a fifth more for `validate`. By hand: python -m tests.bench.policies [FILES [POLICIES]]
"""

import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from controller.manifests.load import Cache, load, load_paths
from tests.bench.manifests import MANIFEST, say

TOP = """\
presets:
  big: {preset: guest-webinar, max_participants: 500}
defaults: {user_id: rooms}
limits:
  max_participants: 500
  user_id: [rooms, "rooms-*"]
  mediaType: [MEDIA_TYPE_VIDEO_AUDIO, MEDIA_TYPE_AUDIO_ONLY]
  join: [link]
"""
BELOW = """\
presets:
  mine: {preset: big, allow_chat: false}
defaults: {record: false}
limits:
  max_participants: 100
  record: [false]
"""
ROUNDS = 7


def main(files: int, policies: int) -> None:
    with rooms(files, policies) as plain, rooms(files, policies) as folder:
        write_policies(folder, policies)
        validate = best(lambda: load_paths([], plain), lambda: load_paths([], folder))
        caches = Cache(), Cache()
        rooms_found = [len(load(at, cache).rooms) for at, cache in zip((plain, folder), caches, strict=True)]
        unchanged = best(lambda: load(plain, caches[0]), lambda: load(folder, caches[1]))
        team, top = (changed(folder, name, caches[1]) for name in ("team-0", ""))
    machine = f"Python {platform.python_version()}, {os.cpu_count()} cores"
    say(f"{files:,} files below {policies} policy files, {machine}; CPU seconds, best of {ROUNDS} rounds")
    say(f"rooms found: {rooms_found[0]:,} without, {rooms_found[1]:,} with policy files")
    for name, (before, after) in (("validate", validate), ("a pass, nothing changed", unchanged)):
        say(f"{name:24} without {before:7.3f}   with {after:7.3f}   {after / before:.2f}")
    say(f"a pass, a team's policy file changed  {team:7.3f}   the top one  {top:7.3f}")


@contextmanager
def rooms(files: int, folders: int) -> Iterator[Path]:
    """A folder of manifests, as many in each of its folders."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(files):
            path = folder / f"team-{number % (folders - 1)}" / f"room-{number}.yaml"
            path.parent.mkdir(exist_ok=True)
            path.write_text(MANIFEST.format(number=number))
        rest()
        yield folder


def write_policies(folder: Path, policies: int) -> None:
    (folder / "_policy.yaml").write_text(TOP)
    for number in range(policies - 1):
        (folder / f"team-{number}" / "_policy.yaml").write_text(BELOW)
    rest()


def rest() -> None:
    time.sleep(2.1)  # what was written just now is not trusted, and read again


def changed(folder: Path, below: str, cache: Cache) -> float:
    """Seconds of the pass that finds the changed policy file of a folder."""
    policy = folder / below / "_policy.yaml"
    policy.write_text(f"# changed\n{policy.read_text()}")
    return seconds(lambda: load(folder, cache))


def best(*work: Callable[[], object]) -> list[float]:
    """The least CPU time of some rounds of each, in seconds. The rounds alternate."""
    rounds = [[seconds(each) for each in work] for _ in range(ROUNDS)]
    return [min(times) for times in zip(*rounds, strict=True)]


def seconds(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


if __name__ == "__main__":
    given = [int(each) for each in sys.argv[1:]]
    main(*[*given, *(10_000, 200)[len(given) :]])
