"""What the loop remembers from pass to pass, as small machines over a monotonic clock in seconds. Pure.

None of it is stored: after a restart every count begins anew, which only ever makes us slower to act.
"""

from collections import deque
from collections.abc import Collection, Mapping
from typing import Final

PRUNE_GRACE_SECONDS: Final = 10.0
"""How long a manifest must be absent from every snapshot before its room goes."""
ORPHAN_CONFIRM_SECONDS: Final = 30.0
"""How far apart the two looks lie that must find an orphan empty."""
FLAP_THRESHOLD: Final = 5
FLAP_WINDOW_SECONDS: Final = 600.0
FLAP_HEAL_INTERVAL_SECONDS: Final = 60.0


class AbsenceTracker:
    """Since when each missing manifest has been missing from every snapshot that counts."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def observe(self, missing: Collection[str], *, counts: bool, now: float) -> None:
        """A snapshot; one that does not count makes the waiting begin anew."""
        self._since = {key: self._since.get(key, now) for key in missing} if counts else {}

    def missing_for_seconds(self, now: float) -> Mapping[str, float]:
        return {key: now - since for key, since in self._since.items()}

    def next_due(self, now: float) -> float | None:
        """When the next of them will have been missing for long enough; None where all have been."""
        return min(
            (
                since + PRUNE_GRACE_SECONDS
                for since in self._since.values()
                if since + PRUNE_GRACE_SECONDS > now
            ),
            default=None,
        )


class OrphanTracker:
    """Which orphans were seen empty, and when first."""

    def __init__(self) -> None:
        self._empty_since: dict[str, float] = {}
        self._checked: dict[str, float] = {}

    def due_for_check(self, orphans: Collection[str], now: float) -> list[str]:
        """Those not looked at within the gap; what is no orphan any more is forgotten."""
        self._empty_since = {n: t for n, t in self._empty_since.items() if n in orphans}
        self._checked = {n: t for n, t in self._checked.items() if n in orphans}
        return sorted(
            n
            for n in orphans
            if now - self._checked.get(n, -ORPHAN_CONFIRM_SECONDS) >= ORPHAN_CONFIRM_SECONDS
        )

    def observe(self, name: str, people: int, now: float) -> None:
        self._checked[name] = now
        if people:
            self._empty_since.pop(name, None)
        else:
            self._empty_since.setdefault(name, now)

    def ripe(self) -> frozenset[str]:
        """Those that two looks, far enough apart, found empty."""
        return frozenset(
            n for n, t in self._empty_since.items() if self._checked[n] - t >= ORPHAN_CONFIRM_SECONDS
        )


class FlapDetector:
    """Rooms that vanish again and again: stalled after five times in ten minutes, until one lives ten."""

    def __init__(self) -> None:
        self._vanished: dict[str, deque[float]] = {}
        self._stalled: set[str] = set()

    def vanished(self, key: str, now: float) -> bool:
        """Count it; whether the room is stalled from now on."""
        before = self.stalled(key, now)
        times = self._vanished.setdefault(key, deque(maxlen=FLAP_THRESHOLD))
        times.append(now)
        if len(times) == FLAP_THRESHOLD and now - times[0] <= FLAP_WINDOW_SECONDS:
            self._stalled.add(key)
        return key in self._stalled and not before

    def stalled(self, key: str, now: float) -> bool:
        if key in self._stalled and now - self._vanished[key][-1] >= FLAP_WINDOW_SECONDS:
            self._stalled.discard(key)
        return key in self._stalled

    def may_heal(self, key: str, now: float) -> bool:
        """A stalled room is healed at most once a minute."""
        return not self.stalled(key, now) or now - self._vanished[key][-1] >= FLAP_HEAL_INTERVAL_SECONDS
