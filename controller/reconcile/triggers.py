"""Wakes the loop after a file change, a webhook or a timer. A trigger carries no facts."""

import asyncio
import math
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import TypeAlias

_Slot: TypeAlias = tuple[int, Callable[[], None]]


class CheckQueue:
    """The names of live rooms that a pass must check."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._names: set[str] = set()

    def put(self, name: str) -> None:
        """The next pass checks it, and starts now."""
        self.keep(name)
        self._wake()

    def keep(self, *names: str) -> None:
        """The next pass checks them, whenever it starts."""
        self._names.update(names)

    def drain(self) -> AbstractSet[str]:
        """The rooms queued since the last call."""
        names, self._names = self._names, set()
        return names


class Triggers:
    """Wakes one waiting loop; a wake during a pass counts for the next.

    `permission_checks`: participants inside may have wrong permissions. `companion_checks`: participants, or
    what serves the room, may have changed. `occupancy_checks`: participants have joined or left.
    """

    def __init__(self) -> None:
        self._woken = asyncio.Event()
        self._files = True
        self.permission_checks, self.companion_checks = CheckQueue(self.wake), CheckQueue(self.wake)
        self.occupancy_checks = CheckQueue(self.wake)
        self._timers: dict[_Slot, asyncio.TimerHandle] = {}

    def wake(self) -> None:
        self._woken.set()

    def files_changed(self) -> None:
        """Have the next pass read rooms.d: it may have changed."""
        self._files = True
        self._woken.set()

    def later(self, delay: float) -> None:
        """Wake the loop in `delay` seconds."""
        self._at(delay, self.wake)

    def files_later(self, delay: float) -> None:
        """Wake it in `delay` seconds and read rooms.d: removals need a new snapshot."""
        self._at(delay, self.files_changed)

    def _at(self, delay: float, call: Callable[[], None]) -> None:
        """One timer per tenth of a second is enough, for any number of rooms."""
        loop = asyncio.get_running_loop()
        slot = math.ceil((loop.time() + max(0.0, delay)) * 10), call
        if slot not in self._timers:
            self._timers[slot] = loop.call_at(slot[0] / 10, self._ring, slot)

    def _ring(self, slot: _Slot) -> None:
        del self._timers[slot]
        slot[1]()

    async def wait(self, seconds: float) -> bool:
        """Wait until woken, at most `seconds`; whether it was woken."""
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return False
        finally:
            self._woken.clear()
        return True

    def drain_files_changed(self) -> bool:
        """Whether rooms.d was reported as changed since the last call."""
        changed, self._files = self._files, False
        return changed

    def files_stay_changed(self) -> None:
        """The pass for this change failed: the next one reads rooms.d, too."""
        self._files = True

    def close(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
