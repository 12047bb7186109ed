"""Passes over records that must not be acted on."""

from dataclasses import replace
from typing import Any

from controller.records.record import LiveName, RoomRecord, Status, UnusableReason, UnusableRecord
from tests.support.inprocess import WRITES, InProcess
from tests.support.worlds import desired, manifest

TWO = desired(manifest("a"), manifest("b"))


async def converged() -> InProcess:
    process = InProcess()
    process.manifests = TWO
    await process.run_until_stable()
    process.calls()
    return process


def make_unusable(process: InProcess, key: str, reason: UnusableReason, **fields: Any) -> RoomRecord:
    """Of the room's record only what `fields` leave can be read from now on; the record as it was."""
    database, record = process.store.database, process.record(key)
    del database.rooms[record.id]
    damage = {} if reason is UnusableReason.NEWER_RELEASE else {"spec.name": 7}
    database.unusable[record.id] = UnusableRecord(replace(record, **fields), reason, damage)
    return record


async def test_damaged_record_is_restored_and_its_room_stays_live() -> None:
    process = await converged()
    before = make_unusable(process, "a", UnusableReason.RECORD_DAMAGED)
    await process.run_until_stable()
    after = process.record("a")
    assert not process.calls().keys() & set(WRITES)
    assert (after.id, after.live, after.spec) == (before.id, before.live, before.spec)
    ready = after.status.condition("Ready")
    assert ready is not None
    assert (ready.status, after.status.observed_generation) == ("True", after.generation)


async def test_damaged_record_without_its_live_name_takes_its_live_room_back() -> None:
    process = await converged()
    before = make_unusable(process, "a", UnusableReason.RECORD_DAMAGED, live=None, sid=None, status=Status())
    await process.run_until_stable()
    after = process.record("a")
    assert not process.calls().keys() & set(WRITES), "nobody was disconnected"
    assert before.live is not None
    assert after.live == LiveName(before.live.name, before.sid)


async def test_record_of_a_newer_release_is_not_written_and_its_room_is_no_orphan() -> None:
    process = await converged()
    before = make_unusable(process, "a", UnusableReason.NEWER_RELEASE)
    process.manifests = desired(manifest("b"))
    for _ in range(3):
        process.time.seconds += 31.0
        await process.run_until_stable()
    assert not process.calls().keys() & set(WRITES)
    assert list(process.store.database.unusable) == [before.id]
    assert before.live is not None
    assert before.live.name in process.live._rooms
