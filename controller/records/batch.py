"""Group commit: the writes of concurrent callers travel together in one unordered bulk write.

While one batch is under way the next one gathers, so a thousand new rooms are a few round trips.
Where the counts do not tell that all went well, the rooms concerned are read back, and each write is
settled by what is stored: that covers lost comparisons and lost replies alike.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from pymongo import DeleteOne, InsertOne, UpdateOne

from controller.errors import StoreConflictError, StoreError, StoreUnavailableError
from controller.records.change import Change, Delete, Insert, Rewrite, Stored, Write
from controller.records.codec import Document, encode

MAX_BATCH_WRITES: Final = 250
"""Writes in one bulk at most: what was first in line goes on to LiveKit while the database is at the rest."""

DUPLICATE: Final = 11000
"""MongoDB's code for a key or an id that is taken."""

Request: TypeAlias = "InsertOne[Document] | UpdateOne | DeleteOne"


def to_request(write: Write) -> Request:
    """`write` as a part of a bulk write."""
    match write:
        case Insert():
            return InsertOne(encode(write.after))
        case Change() | Rewrite():
            return UpdateOne(write.query(), write.update())
        case Delete():
            return DeleteOne(write.query())


@dataclass(slots=True, eq=False)
class Pending:
    """A write on its way, and who waits for it."""

    write: Write
    done: asyncio.Future[Stored]


def unconfirmed_writes(writes: Sequence[Write], details: Mapping[str, Any]) -> dict[str, int]:
    """The writes that the bulk's answer does not prove, by id, with the error code (0: none was given)."""
    codes = {writes[e["index"]].id: int(e.get("code", 0)) for e in details.get("writeErrors", ())}
    doubts = dict(codes)
    for counter in {write.counter for write in writes}:
        fine = [write.id for write in writes if write.counter == counter and write.id not in codes]
        if details[counter] != len(fine):
            doubts |= dict.fromkeys(fine, 0)
    return doubts


def resolve_write(write: Write, code: int, stored: Stored) -> StoreError | None:
    """Why `write` failed, by what was read back afterwards (None: nothing stands); None where it did not."""
    if write.is_applied(stored):
        return None
    if code not in (0, DUPLICATE):
        return StoreUnavailableError(f"MongoDB did not take a write (error code {code})")
    return StoreConflictError(
        "conflict: the record was modified by another process, or its id or key is taken"
    )


class GroupCommit:
    """Gathers writes and hands them to `flush` batch by batch, each room at most once in a batch."""

    def __init__(self, flush: Callable[[list[Pending]], Awaitable[None]]) -> None:
        self._flush = flush
        self._waiting: list[Pending] = []
        self._task: asyncio.Task[None] | None = None

    async def write(self, write: Write) -> Stored:
        """What is stored after `write`; it goes through even if the caller is cancelled meanwhile."""
        pending = Pending(write, asyncio.get_running_loop().create_future())
        self._waiting.append(pending)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        return await pending.done

    async def drain(self) -> None:
        """Wait until all that was gathered is sent and settled."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        await asyncio.sleep(0)  # whoever is about to write in this turn of the loop comes along
        while self._waiting:
            batch, self._waiting = next_batch(self._waiting, MAX_BATCH_WRITES)
            try:
                await self._flush(batch)
            except Exception as error:  # noqa: BLE001 -- whoever waits gets it, and the next batch goes on
                fail(batch, error)


def next_batch(waiting: list[Pending], limit: int) -> tuple[list[Pending], list[Pending]]:
    """The next batch and the rest, in order: a room's second write waits for its first."""
    batch: dict[str, Pending] = {}
    rest: list[Pending] = []
    for pending in waiting:
        if len(batch) < limit and pending.write.id not in batch:
            batch[pending.write.id] = pending
        else:
            rest.append(pending)
    return list(batch.values()), rest


def fail(batch: Iterable[Pending], error: Exception) -> None:
    for pending in batch:
        if not pending.done.done():
            pending.done.set_exception(error)
