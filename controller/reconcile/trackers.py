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


class Backoff:
    """When a key that failed may be tried again: doubling, capped, with jitter, forgotten on success."""

    def __init__(self, first: float = 0.5, cap: float = 10.0) -> None:
        self._first, self._cap = first, cap
        self._failed: dict[str, tuple[int, float]] = {}

    def failed(self, key: str, now: float, chance: float) -> float:
        """Count a failure; the delay until the next try, between half and all of the doubled one."""
        count = self._failed.get(key, (0, 0.0))[0] + 1
        delay = min(self._cap, self._first * 2.0 ** min(count - 1, 16)) * (0.5 + chance / 2)
        self._failed[key] = (count, now + delay)
        return delay

    def succeeded(self, key: str) -> None:
        self._failed.pop(key, None)

    def clear(self) -> None:
        """What was away is back: everybody may try at once."""
        self._failed.clear()

    def is_backing_off(self, key: str, now: float) -> bool:
        return key in self._failed and now < self._failed[key][1]

    def count(self, key: str) -> int:
        return self._failed[key][0] if key in self._failed else 0


class HeartbeatTracker:
    """For how long each egress has said nothing new, by our clock: the worker's own may be wrong."""

    def __init__(self) -> None:
        self._since: dict[str, tuple[object, float]] = {}

    def observe(self, reports: Mapping[str, object], now: float) -> None:
        """What each of the listed ones says now, by id; of others nothing is remembered."""
        before = self._since
        self._since = {
            key: before[key] if key in before and before[key][0] == word else (word, now)
            for key, word in reports.items()
        }

    def heard_from(self, key: str, now: float) -> None:
        """It answered us."""
        if key in self._since:
            self._since[key] = self._since[key][0], now

    def silent_seconds(self, key: str, now: float) -> float:
        return now - self._since[key][1] if key in self._since else 0.0
