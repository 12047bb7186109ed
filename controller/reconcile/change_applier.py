"""Applies actions to a room: first its record, in one write, then LiveKit, then the record again.

A name is in the record before CreateRoom and retired before DeleteRoom (rule 2 of docs/records.md#rules).
So after a crash between any two lines here, the next plan repairs the room.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Final, TypeAlias, TypeVar, assert_never

from controller.access.occupancy import Removal, removals
from controller.access.people import is_person, people_in, people_to_wait_for
from controller.access.policy import Correction, permission_correction
from controller.clock import Clock
from controller.companions.companion import Companion
from controller.errors import LiveKitNotFoundError, StoreConflictError
from controller.live.ports import LiveKitReader, LiveKitWriter
from controller.live.room import Participant
from controller.plan.metadata import Owner, empty_timeout, room_metadata
from controller.plan.model import (
    Action,
    Adopt,
    CheckOccupancy,
    Close,
    Create,
    Deferrable,
    DeleteOrphan,
    DeleteRetiredRoom,
    DeleteTombstonedRoom,
    EnforcePermissions,
    Heal,
    Holdable,
    Housekeeping,
    PruneExpired,
    PruneRetiredNames,
    PurgeTombstone,
    PutToSleep,
    Recreate,
    Remove,
    Repair,
    RestoreRecord,
    RetireVanished,
    RoomChange,
    Start,
    Stop,
    Update,
)
from controller.plan.ownership import given_up_rooms
from controller.records.ports import RecordWriter
from controller.records.record import RoomRecord
from controller.state_cache import StateCache

MAX_CONCURRENT_PERMISSION_UPDATES: Final = 10
"""People of one room whose permissions are changed concurrently; calls for other rooms go in between."""

Recorded: TypeAlias = Create | Update | RestoreRecord | Stop | Close | PutToSleep | Remove
"""Actions that are not planned again once they are in the record."""


_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ApplyResult:
    """The current record (None if it was removed), and the actions that were done."""

    record: RoomRecord | None
    done: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class ChangeApplier:
    """Carries out changes and chores. Raises StoreError's and LiveKitError's kinds, and LeaseLostError."""

    store: RecordWriter
    writer: LiveKitWriter
    reader: LiveKitReader
    state: StateCache
    clock: Clock
    owner: Owner
    companions: tuple[Companion, ...]
    on_removed: Callable[[RoomRecord, Sequence[Removal]], None]

    async def apply_change(self, change: RoomChange, on_done: Callable[[Action], None]) -> ApplyResult:
        """One room's due actions, in order.

        `on_done` gets each action that is done, maybe twice; if LiveKit failed, also those that are in the
        record.
        """
        actions = await self._still_due(change)
        if not actions:
            return ApplyResult(change.record, ())
        record = await self._write_record(change, actions)
        if record.removed and not any(isinstance(action, Remove) for action in actions):
            return ApplyResult(None, ())  # removed by API meanwhile: the next plan deletes it
        try:
            for action in actions:
                record = await self._apply_to_livekit(action, change.record, record)
                on_done(action)
        finally:
            for action in actions:
                if isinstance(action, Recorded):
                    on_done(action)
        if any(isinstance(action, Update | Adopt | Repair) for action in actions):
            await self.enforce(record)  # metadata out of date: the policy changed, maybe by API
        return ApplyResult(None if record.removed else record, actions)

    async def _still_due(self, change: RoomChange) -> tuple[Action, ...]:
        """Without removals and recreates if participants have joined since planning: read again."""
        if not any(isinstance(action, Deferrable) for action in change.due):
            return change.due
        if change.live_name is None:
            return change.due
        room, inside = self.state.live.get(change.live_name), await self.reader.participants(change.live_name)
        waits = people_to_wait_for(room, inside, removal=change.removes) > 0
        return replace(change, deferred=True).due if waits else change.due

    async def _people(self, name: str) -> int:
        return people_in(self.state.live.get(name), await self.reader.participants(name))

    async def _write_record(self, change: RoomChange, actions: tuple[Action, ...]) -> RoomRecord:
        """The one write before any call to LiveKit."""
        now, before = self.clock.wall(), change.record
        if any(isinstance(action, Holdable) for action in actions) and self._is_held(before, now):
            raise StoreConflictError("held since it was planned")
        match actions[0]:
            case RestoreRecord(damaged, manifest):
                return await self.store.restore(damaged, damaged.restored(manifest, now))
        if before is None:
            return await self.store.insert(self._after(self._new(actions[0], now), actions[1:], now))
        return await self.store.save(before, self._after(before, actions, now))

    def _is_held(self, record: RoomRecord | None, now: datetime) -> bool:
        current = self.store.by_id.get(record.id) if record is not None else None
        return current is not None and current.hold_at(now, self.store.hold_all) is not None

    def _new(self, action: Action, now: datetime) -> RoomRecord:
        """The record of a new room; the plan for it begins with Create."""
        if not isinstance(action, Create):
            raise StoreConflictError("a room without a record can only be created; it is planned again")
        manifest, epoch = action.manifest, self.clock.new_epoch()
        return RoomRecord.new(
            action.id, manifest.key, manifest.file, manifest.spec, now=now, invite_epoch=epoch
        )

    def _after(self, record: RoomRecord, actions: tuple[Action, ...], now: datetime) -> RoomRecord:
        for action in actions:
            match action:
                case Create(manifest) | Update(manifest):
                    record = record.with_spec(manifest.spec, manifest.key, manifest.file, now)
                case Start() | Recreate():
                    record = record.with_live_name(self.clock.new_name(), now)
                case Adopt(name, sid):
                    adopted = record.with_adopted_room(name, sid, now)
                    record = adopted if sid else record.with_live_name(name, now)
                case Stop() | Close() | PutToSleep():
                    record = record.without_live_name(now)
                case Remove():
                    record = record.with_tombstone(now)
                case Heal() | Repair() | DeleteRetiredRoom() | RestoreRecord():
                    pass
                case _:
                    assert_never(action)
        return record

    async def _apply_to_livekit(
        self, action: Action, before: RoomRecord | None, record: RoomRecord
    ) -> RoomRecord:
        """LiveKit's part of one action; `before` is the record that was planned for."""
        match action:
            case Start() | Heal():
                return await self._ensure_room(record)
            case Recreate():
                record = await self._ensure_room(record)
                await self._delete_retired_rooms(before, record)
            case Stop() | Close() | PutToSleep() | Remove():
                await self._delete_retired_rooms(before, record)
            case Adopt(name):
                room = self.state.live.get(name)
                return record if room is None else record.with_sid(room.sid)
            case Repair(name):
                await self._sync_metadata(name, record)
            case DeleteRetiredRoom(name):
                await self._delete(name, record)
            case Create() | Update() | RestoreRecord():
                pass
            case _:
                assert_never(action)
        return record

    async def _ensure_room(self, record: RoomRecord) -> RoomRecord:
        """CreateRoom, and a check of its result: an existing room is returned unchanged."""
        if record.live is None:
            return record
        metadata, spec = self._metadata(record), record.spec
        room = await self.writer.create_room(
            record.live.name,
            metadata,
            spec.max_participants,
            empty_timeout(spec),
            calls_agents=bool(spec.agents),
        )
        self.state.record_created(room, self.clock.monotonic())
        if room.metadata != metadata:
            await self._sync_metadata(room.name, record)
        return record.with_sid(room.sid)

    async def _sync_metadata(self, name: str, record: RoomRecord) -> None:
        metadata = self._metadata(record)
        await self.writer.update_metadata(name, metadata)
        room = self.state.live.get(name)
        if room is not None:
            self.state.record_created(replace(room, metadata=metadata), self.clock.monotonic())

    async def _delete_retired_rooms(self, before: RoomRecord | None, record: RoomRecord) -> None:
        """DeleteRoom on the names that this change retired, and on the adopted room if it was given up."""
        already = {old.name for old in before.retired} if before is not None else set()
        for old in record.retired:
            if old.name not in already:
                await self._delete(old.name, record)
        if record.adopted is not None and record.adopted.name in given_up_rooms(record, self.state.live):
            await self._delete(record.adopted.name, record)

    async def _delete(self, name: str, record: RoomRecord | None = None) -> None:
        if record is not None:
            for companion in self.companions:
                await companion.before_deletion(record, name)
            if not await self._is_its_own(name, record):
                return
        await self.writer.delete_room(name)
        self.state.record_deleted(name, self.clock.monotonic())

    async def _is_its_own(self, name: str, record: RoomRecord) -> bool:
        """Whether the room to delete is the record's: others may use an adopted name again."""
        adopted = record.adopted
        if adopted is None or adopted.name != name:
            return True
        return any((room.name, room.sid) == (name, adopted.sid) for room in await self.reader.rooms())

    def _metadata(self, record: RoomRecord) -> str:
        store, now = self.store.identity.store, self.clock.wall()
        return room_metadata(record.spec, record.id, self.owner, store, now, adopted=record.is_adopted)

    async def enforce(self, record: RoomRecord) -> int:
        """Correct everybody's permissions to what role and policy give, and remove who must leave.

        Returns how many were changed or removed. The policy is read just before each change, so that an older
        check does not undo a newer one.
        """
        room = self.state.live_room(record) if record.should_be_live else None
        if room is None:
            return 0
        people = await self.reader.participants(room.name)
        leaving = self._removals(record, people)
        wrong = [someone for someone in people if self._correction(record, someone) is not None]
        removed = await _in_parts(partial(self._remove, room.name), leaving)
        if done := [removal for removal, is_done in zip(leaving, removed, strict=True) if is_done]:
            self.on_removed(record, done)
        corrected = await _in_parts(partial(self._correct_permission, record, room.name), wrong)
        return sum(removed) + sum(corrected)

    def _removals(self, record: RoomRecord, people: Collection[Participant]) -> list[Removal]:
        current = self.store.by_id.get(record.id, record)
        room = self.state.live_room(current)
        limit = room.max_participants if room is not None else 0
        return removals(people, current.spec, limit, current.kicked_at(self.clock.wall()))

    async def _remove(self, name: str, removal: Removal) -> int:
        try:
            await self.writer.remove_participant(name, removal.identity)
        except LiveKitNotFoundError:
            return 0  # they have left meanwhile
        return 1

    def _correction(self, record: RoomRecord, someone: Participant) -> Correction | None:
        return permission_correction(someone, self.store.by_id.get(record.id, record).spec)

    async def _correct_permission(self, record: RoomRecord, name: str, someone: Participant) -> int:
        correction = self._correction(record, someone)
        if correction is None:
            return 0
        permission, attributes = correction.permission, correction.attributes
        try:
            await self.writer.update_permission(name, someone.identity, permission, attributes)
        except LiveKitNotFoundError:
            return 0  # they have left meanwhile
        return 1

    async def maintain(self, chore: Housekeeping) -> int:
        """Do one chore; how many things it changed."""
        match chore:
            case EnforcePermissions(record):
                return await self.enforce(record)
            case CheckOccupancy(record):
                await self._check_occupancy(record)
                return 0
            case RetireVanished(record):
                return await self._retire_vanished(record)
            case DeleteTombstonedRoom(record, name):
                await self._delete(name, record)
            case DeleteOrphan(name):
                return await self._delete_orphan_if_empty(name)
            case PurgeTombstone(record):
                await self.store.forget(record)
            case PruneRetiredNames(record, names):
                await self._update(record, lambda current: current.without_retired(names))
            case PruneExpired(record):
                now = self.clock.wall()
                await self._update(record, lambda current: current.without_expired(now))
            case _:
                assert_never(chore)
        return 1

    async def _check_occupancy(self, record: RoomRecord) -> None:
        """Write whether people are inside. A room that is gone shows nobody: then the record keeps it."""
        if record.live is None:
            return
        name = record.live.name
        occupied = any(map(is_person, await self.reader.participants(name)))
        if occupied or await self.reader.is_listed(name):
            await self._update(record, lambda current: current.with_occupancy(name, occupied=occupied))

    async def _retire_vanished(self, record: RoomRecord) -> int:
        current = self.store.by_id.get(record.id)
        if current is None or current.live != record.live or self.state.live_room(current) is not None:
            return 0  # it was started meanwhile
        await self.store.save(current, current.without_live_name(self.clock.wall()))
        return 1

    async def finalize_api_removal(self, room_id: str) -> RoomRecord | None:
        """As stop; the record without its live room, None if it is no longer removed."""
        current = self.store.by_id.get(room_id)
        if current is None or not current.removed:
            return None
        gone = await self.store.save(current, current.without_live_name(self.clock.wall()))
        names = {*given_up_rooms(gone, self.state.live)}
        for name in sorted(names | ({current.live.name} if current.live is not None else set())):
            await self._delete(name, gone)
        return gone

    async def _delete_orphan_if_empty(self, name: str) -> int:
        people = await self._people(name)
        if people or any(r.live is not None and r.live.name == name for r in self.store.by_id.values()):
            return 0  # people have joined, or it was adopted meanwhile
        await self._delete(name)
        return 1

    async def _update(self, record: RoomRecord, change: Callable[[RoomRecord], RoomRecord]) -> None:
        current = self.store.by_id.get(record.id)
        if current is None:
            raise StoreConflictError(f"the record of {record.key} is gone")
        await self.store.save(current, change(current))


async def _in_parts(call: Callable[[_T], Awaitable[int]], of: Sequence[_T]) -> list[int]:
    """The results of the calls, in order; a few run concurrently."""
    results: list[int] = []
    for first in range(0, len(of), MAX_CONCURRENT_PERMISSION_UPDATES):
        part = of[first : first + MAX_CONCURRENT_PERMISSION_UPDATES]
        results += await asyncio.gather(*map(call, part))
    return results
