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
        by_id, by_key, by_live = dict(self.by_id), dict(self.by_key), dict(self.by_live)
        for room_id, record in stored.items():
            if (before := by_id.get(room_id)) is not None:
                _drop(by_key, before.key, before)
                _drop(by_live, before.live.name if before.live is not None else None, before)
            if record is None:
                by_id.pop(room_id, None)
                continue
            by_id[room_id] = by_key[record.key] = record
            if record.live is not None:
                by_live[record.live.name] = record
        unusable = {i: record for i, record in self.unusable.items() if i not in stored}
        self._set(by_id, by_key, by_live, unusable)

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
            by_key = {record.key: record for record in by_id.values()}
            by_live = {record.live.name: record for record in by_id.values() if record.live is not None}
            self._set(by_id, by_key, by_live, withheld)
        return changed

    def put_hold_all(self, hold: Hold | None) -> bool:
        """Take in the hold on all rooms; whether it differs."""
        before, self.hold_all = self.hold_all, hold
        return hold != before

    def _set(
        self,
        by_id: dict[str, RoomRecord],
        by_key: dict[str, RoomRecord],
        by_live: dict[str, RoomRecord],
        unusable: dict[str, UnusableRecord],
    ) -> None:
        self.by_id, self.by_key, self.by_live, self.unusable = by_id, by_key, by_live, unusable
        replaced, self.next_change = self.next_change, asyncio.Event()
        replaced.set()


def _drop(records: dict[str, RoomRecord], name: str | None, record: RoomRecord) -> None:
    """Remove the record, unless another one has the name now."""
    if name is not None and records.get(name) is record:
        del records[name]
