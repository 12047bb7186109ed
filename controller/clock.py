"""Time and randomness as arguments: only this module reads them from the machine."""

import random
import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from controller.room import truncate_to_millis

CLOCK_WARNING_SECONDS: Final = 10.0
CLOCK_LIMIT_SECONDS: Final = 60.0
"""Difference between our clock and LiveKit's: safe for tokens, and the maximum with which they work."""


@dataclass(frozen=True, slots=True)
class Clock:
    """`wall` is UTC with whole milliseconds, `monotonic` seconds; `chance` lies in [0, 1).

    `new_epoch` is the invite epoch of a new room: a random number that fits in 48 bits.
    """

    wall: Callable[[], datetime] = lambda: truncate_to_millis(datetime.now(UTC))
    monotonic: Callable[[], float] = time.monotonic
    new_name: Callable[[], str] = lambda: str(uuid.uuid4())
    chance: Callable[[], float] = random.random
    new_epoch: Callable[[], int] = lambda: secrets.randbits(48)
