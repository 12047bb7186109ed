"""The records as this process knows them. Each state is an immutable mapping."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from controller.records.record import Hold, RoomRecord, UnusableRecord


@dataclass(slots=True)
class RecordCache:
    """All mappings are replaced as a whole: an iteration keeps the state of one moment.

    `unusable` are the records that this release must not act on, by id. The last good version of a damaged
    one, if any, stays in `by_id`: guests are answered from it. `by_live` has the current LiveKit names.
    `hold_all` is the hold on all rooms.
    """

    by_id: Mapping[str, RoomRecord] = field(default_factory=dict)
    by_key: Mapping[str, RoomRecord] = field(default_factory=dict)
    by_live: Mapping[str, RoomRecord] = field(default_factory=dict)
    unusable: Mapping[str, UnusableRecord] = field(default_factory=dict)
    hold_all: Hold | None = None
    next_change: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when this state is replaced; the next state has a new event."""

    def put(self, stored: Mapping[str, RoomRecord | None]) -> None:
        """Update what is now stored under these ids; None: deleted."""
        by_id = {**self.by_id, **{i: r for i, r in stored.items() if r is not None}}
        for room_id in [i for i, record in stored.items() if record is None]:
            by_id.pop(room_id, None)
        self._set(by_id, {i: record for i, record in self.unusable.items() if i not in stored})

    def replace(self, records: Iterable[RoomRecord], unusable: Iterable[UnusableRecord] = ()) -> bool:
        """Take in a full read; whether anything differs. An equal record stays the same object."""
        known = self.by_id
        withheld = {each.record.id: each for each in unusable}
        last_good = (known[i] for i, each in withheld.items() if each.is_damaged and i in known)
        by_id = {record.id: record for record in (*last_good, *records)}
        changed = len(by_id) != len(known) or withheld != self.unusable
        for room_id, record in by_id.items():
            before = known.get(room_id)
            if before is record:
                continue
            if before == record:
                by_id[room_id] = before
            else:
                changed = True
        if changed:
            self._set(by_id, withheld)
        return changed

    def put_hold_all(self, hold: Hold | None) -> bool:
        """Take in the hold on all rooms; whether it differs."""
        before, self.hold_all = self.hold_all, hold
        return hold != before

    def _set(self, by_id: dict[str, RoomRecord], unusable: dict[str, UnusableRecord]) -> None:
        self.by_id, self.unusable = by_id, unusable
        self.by_key = {record.key: record for record in by_id.values()}
        self.by_live = {record.live.name: record for record in by_id.values() if record.live is not None}
        replaced, self.next_change = self.next_change, asyncio.Event()
        replaced.set()
