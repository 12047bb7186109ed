"""Slow kinds of tests try a sample of their cases in each run, and all of them with `--thorough`.

Each run takes another sample and prints its seed; `--sample SEED` takes that one again.
"""

from collections.abc import Iterator
from itertools import count
from random import Random
from typing import Final

SEEDS: Final = 1_000_000
EXAMPLES: Final = 50
THOROUGH_EXAMPLES: Final = 500
"""How many examples Hypothesis makes for a test."""


class Sample:
    """The share of one test: `name` is the test's, so that tests do not all begin at the same case."""

    def __init__(self, seed: int, name: str, *, thorough: bool) -> None:
        self._random = Random(f"{seed} {name}")
        self._thorough = thorough

    def every(self, nth: int) -> Iterator[int]:
        """0, 1, 2, … without an end; as a sample only each `nth`, from one of the first on."""
        return count() if self._thorough else count(self._random.randrange(nth), nth)
