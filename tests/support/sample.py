"""Slow kinds of tests try a sample of their cases in each run, and all of them with `--thorough`.

Each run takes another sample and prints its seed; `--sample SEED` takes that one again.
"""

from collections.abc import Iterator, Sequence
from itertools import count
from random import Random
from typing import Final, TypeVar

T = TypeVar("T")

SEEDS: Final = 1_000_000
EXAMPLES: Final = 50
THOROUGH_EXAMPLES: Final = 500
"""How many examples Hypothesis makes for a test."""


class Sample:
    """The share of one test: `name` is the test's, so that tests do not all begin at the same case."""

    def __init__(self, seed: int, name: str, *, thorough: bool) -> None:
        self.seed, self.thorough = seed, thorough
        self._chance = Random(f"{seed} {name}")

    def every(self, nth: int, start: int = 0) -> Iterator[int]:
        """The numbers from `start` on, without an end; as a sample each `nth`, from one of the first on."""
        return count(start) if self.thorough else count(start + self._chance.randrange(nth), nth)

    def of(self, cases: Sequence[T], nth: int) -> Sequence[T]:
        """All of them; as a sample one of each `nth`."""
        return cases if self.thorough else cases[self._chance.randrange(nth) :: nth]
