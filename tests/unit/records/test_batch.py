"""Group commit: who travels with whom, and what an answer proves."""

import asyncio
from typing import Any

import pytest

from controller.errors import StoreConflictError, StoreUnavailableError
from controller.records.batch import GroupCommit, Pending, next_batch, resolve_write, unconfirmed_writes
from controller.records.change import Change, Delete, Insert, Write, change
from tests.support.rooms import NOW, room


def save(number: int) -> Change:
    return change(room(number), room(number, live="live"))


def answer(**counts: Any) -> dict[str, Any]:
    return {"nInserted": 0, "nMatched": 0, "nRemoved": 0, "writeErrors": [], **counts}


async def pending(write: Write) -> Pending:
    return Pending(write, asyncio.get_running_loop().create_future())


async def test_a_rooms_second_write_waits_for_its_first() -> None:
    first, second, other = [await pending(write) for write in (save(1), save(1), save(2))]
    assert next_batch([first, second, other], 10) == ([first, other], [second])


async def test_a_batch_has_its_limit_and_keeps_the_order() -> None:
    waiting = [await pending(save(number)) for number in (1, 2, 1, 3)]
    assert next_batch(waiting, 2) == (waiting[:2], waiting[2:])


def test_full_counts_prove_everything() -> None:
    writes: list[Write] = [Insert(room(1)), save(2), Delete(room(3))]
    assert unconfirmed_writes(writes, answer(nInserted=1, nMatched=1, nRemoved=1)) == {}


def test_a_missing_match_leaves_all_saves_in_doubt_and_no_insert() -> None:
    writes: list[Write] = [Insert(room(1)), save(2), save(3)]
    assert unconfirmed_writes(writes, answer(nInserted=1, nMatched=1)) == {room(2).id: 0, room(3).id: 0}


def test_an_error_leaves_only_its_own_write_in_doubt() -> None:
    writes: list[Write] = [Insert(room(1)), Insert(room(2)), save(3)]
    errors = [{"index": 1, "code": 11000}]
    assert unconfirmed_writes(writes, answer(nInserted=1, nMatched=1, writeErrors=errors)) == {
        room(2).id: 11000
    }


def test_what_is_stored_settles_a_write() -> None:
    assert resolve_write(Insert(room()), 11000, room()) is None
    assert resolve_write(Delete(room()), 0, None) is None
    assert resolve_write(save(1), 0, room(1, live="live")) is None
    assert isinstance(resolve_write(save(1), 0, room(1, live="other")), StoreConflictError)
    assert isinstance(resolve_write(save(1), 0, None), StoreConflictError)
    assert isinstance(resolve_write(Insert(room()), 11000, None), StoreConflictError)
    assert isinstance(resolve_write(Insert(room()), 14031, None), StoreUnavailableError)


async def test_writes_gather_while_a_batch_is_under_way() -> None:
    batches: list[int] = []
    under_way, gate = asyncio.Event(), asyncio.Event()

    async def flush(batch: list[Pending]) -> None:
        batches.append(len(batch))
        under_way.set()
        await gate.wait()
        for one in batch:
            one.done.set_result(None)

    commits = GroupCommit(flush)
    first = asyncio.create_task(commits.write(save(0)))
    await under_way.wait()
    rest = [asyncio.create_task(commits.write(save(number))) for number in range(1, 50)]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(first, *rest)
    assert batches == [1, 49]


async def test_a_batch_that_blows_up_fails_its_own_writers_alone() -> None:
    async def flush(batch: list[Pending]) -> None:
        if batch[0].write.id == room(1).id:
            raise StoreUnavailableError("gone")
        for one in batch:
            one.done.set_result(room(2))

    commits = GroupCommit(flush)
    with pytest.raises(StoreUnavailableError):
        await commits.write(save(1))
    assert await commits.write(save(2)) == room(2)


async def test_a_caller_that_was_cancelled_stops_no_one() -> None:
    gate = asyncio.Event()

    async def flush(batch: list[Pending]) -> None:
        await gate.wait()
        for one in batch:
            if not one.done.done():
                one.done.set_result(one.write.result(None))

    commits = GroupCommit(flush)
    gone = asyncio.create_task(commits.write(save(1)))
    stays = asyncio.create_task(commits.write(Delete(room(2).with_tombstone(NOW))))
    await asyncio.sleep(0)
    gone.cancel()
    gate.set()
    assert await stays is None
    await commits.drain()
    assert gone.cancelled()
