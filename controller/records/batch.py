"""Group commit: the writes of concurrent callers are sent together in one unordered bulk write.

While one batch is sent the next one is collected, so a thousand new rooms are a few round trips. If the
counts do not prove that all succeeded, the rooms concerned are read back, and what is stored decides
each write: this covers failed comparisons and lost replies alike.
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
"""Writes in one bulk at most: the first rooms go on to LiveKit while the database writes the others."""

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
    """A write that waits or is being sent, and the future that its caller awaits."""

    write: Write
    done: asyncio.Future[Stored]


def unconfirmed_writes(writes: Sequence[Write], details: Mapping[str, Any]) -> dict[str, int]:
    """The writes that the reply does not prove, by id, with the error code (0: none was given)."""
    codes = {writes[e["index"]].id: int(e.get("code", 0)) for e in details.get("writeErrors", ())}
    doubts = dict(codes)
    for counter in {write.counter for write in writes}:
        fine = [write.id for write in writes if write.counter == counter and write.id not in codes]
        if details[counter] != len(fine):
            doubts |= dict.fromkeys(fine, 0)
    return doubts


def resolve_write(write: Write, code: int, stored: Stored) -> StoreError | None:
    """Why `write` failed, by what was read back afterwards (None: nothing is stored); None: it succeeded."""
    if write.is_applied(stored):
        return None
    if code not in (0, DUPLICATE):
        return StoreUnavailableError(f"MongoDB did not take a write (error code {code})")
    return StoreConflictError(
        "conflict: the record was modified by another process, or its id or key is taken"
    )


class GroupCommit:
    """Collects writes and passes them to `flush` in batches, each room at most once in a batch."""

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
        """Wait until all collected writes are sent and their results known."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        await asyncio.sleep(0)  # writes requested in this turn of the loop join the batch
        while self._waiting:
            batch, self._waiting = next_batch(self._waiting, MAX_BATCH_WRITES)
            try:
                await self._flush(batch)
            except Exception as error:  # noqa: BLE001 -- the callers get it, and the next batch follows
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
