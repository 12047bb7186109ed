"""What is known of egresses between passes, and forgotten with the process. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

STOP_RETRY_SECONDS: Final = 5.0
"""Seconds after which an egress that was asked to end, and has not, is asked again."""


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


@dataclass(slots=True)
class EgressTracker:
    """`stop_requested_at` by egress id is when it was asked to end."""

    heartbeats: HeartbeatTracker = field(default_factory=HeartbeatTracker)
    stop_requested_at: dict[str, float] = field(default_factory=dict)

    def is_stop_requested(self, egress_id: str, now: float) -> bool:
        return now - self.stop_requested_at.get(egress_id, -STOP_RETRY_SECONDS) < STOP_RETRY_SECONDS
