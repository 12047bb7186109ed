"""What wakes the loop: a file change, a webhook, a timer. A trigger only wakes; it carries no facts."""

import asyncio
import math
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import TypeAlias

_Slot: TypeAlias = tuple[int, Callable[[], None]]


class Triggers:
    """Wakes one waiting loop; wakes that come while a pass is under way count for the next.

    `permission_checks` and `companion_checks` are the live rooms that a pass is to look at, by name. What is
    added there without a wake is looked at by a later one.
    """

    def __init__(self) -> None:
        self._woken = asyncio.Event()
        self._files = True
        self.permission_checks: set[str] = set()
        self.companion_checks: set[str] = set()
        self._timers: dict[_Slot, asyncio.TimerHandle] = {}

    def wake(self) -> None:
        self._woken.set()

    def files_changed(self) -> None:
        """Something below rooms.d may have changed: the next pass reads it again."""
        self._files = True
        self._woken.set()

    def queue_permission_check(self, name: str) -> None:
        """The participants of the live room `name` may have wrong permissions: the next pass checks."""
        self.permission_checks.add(name)
        self._woken.set()

    def drain_permission_checks(self) -> AbstractSet[str]:
        """The live rooms marked since the last time this was asked."""
        queued, self.permission_checks = self.permission_checks, set()
        return queued

    def queue_companion_check(self, name: str) -> None:
        """Somebody came to or left the live room `name`, or what serves it changed: the next pass looks."""
        self.companion_checks.add(name)
        self._woken.set()

    def drain_companion_checks(self) -> AbstractSet[str]:
        """The live rooms that companions are to look at, since the last time this was asked."""
        queued, self.companion_checks = self.companion_checks, set()
        return queued

    def later(self, delay: float) -> None:
        """Wake the loop in `delay` seconds."""
        self._at(delay, self.wake)

    def files_later(self, delay: float) -> None:
        """Wake it in `delay` seconds, and have rooms.d read again: nothing is removed on an old snapshot."""
        self._at(delay, self.files_changed)

    def _at(self, delay: float, call: Callable[[], None]) -> None:
        """One timer for each tenth of a second is enough, however many rooms ask for it."""
        loop = asyncio.get_running_loop()
        slot = math.ceil((loop.time() + max(0.0, delay)) * 10), call
        if slot not in self._timers:
            self._timers[slot] = loop.call_at(slot[0] / 10, self._ring, slot)

    def _ring(self, slot: _Slot) -> None:
        del self._timers[slot]
        slot[1]()

    async def wait(self, seconds: float) -> bool:
        """Until woken, or for `seconds`; whether something woke it."""
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return False
        finally:
            self._woken.clear()
        return True

    def drain_files_changed(self) -> bool:
        """Whether rooms.d was said to have changed since the last time this was asked."""
        changed, self._files = self._files, False
        return changed

    def files_stay_changed(self) -> None:
        """The pass that took the change came to nothing: the next one reads rooms.d as well."""
        self._files = True

    def close(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
