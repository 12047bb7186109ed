"""Time and randomness as arguments: what a pass needs of them, and nothing else asks the machine."""

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
"""Between our clock and LiveKit's: what a token's times bear with room to spare, and at all."""


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
