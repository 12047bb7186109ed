"""What is shown of a room beside what its record says: it is unusable, or LiveKit is away. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import chain
from typing import Final

from controller.records.record import Condition, RoomRecord, UnusableRecord

_SEEN_ON_LIVEKIT: Final = ("Ready", "Live", "Agents")


def unusable_condition(each: UnusableRecord) -> Condition:
    """The condition of an unusable record: derived when it is shown, never written."""
    status = "False" if each.is_damaged else "Unknown"
    return Condition("Ready", status, str(each.reason), each.advice, each.record.modified)


def count_conditions(
    records: Iterable[RoomRecord], unusable: Mapping[str, UnusableRecord], *, livekit_away: bool
) -> Counter[tuple[str, str]]:
    """The number of rooms by condition type and status; `unusable` ones must not be acted on."""
    usable = (record for record in records if not record.removed and record.id not in unusable)
    conditions = chain.from_iterable(record.status.conditions for record in usable)
    unusable_ones = map(unusable_condition, unusable.values())
    counts = Counter((each.type, each.status) for each in chain(conditions, unusable_ones))
    if not livekit_away:
        return counts
    aged: Counter[tuple[str, str]] = Counter()
    for (kind, status), count in counts.items():
        aged[kind, "Unknown" if kind in _SEEN_ON_LIVEKIT else status] += count
    return aged


def unseen(condition: Condition, message: str, since: datetime) -> Condition:
    """The condition while LiveKit is unavailable: Unknown if it depends on LiveKit."""
    if condition.type not in _SEEN_ON_LIVEKIT:
        return condition
    return Condition(condition.type, "Unknown", "LiveKitAway", message, since)
