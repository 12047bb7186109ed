"""A writer that writes only while the lease is held (rule 4 of docs/records.md#rules)."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar, cast

from controller.records.ports import Lease

_Writer = TypeVar("_Writer")


def fenced(writer: _Writer, lease: Lease, limit: asyncio.Semaphore) -> _Writer:
    """The same writer; each of its calls raises LeaseLostError if the lease is not held.

    Calls queue in `limit`, and the lease is checked when their turn has come: while LiveKit hangs a thousand
    may wait for minutes, and another controller may be active by then.
    """
    return cast("_Writer", _Fence(writer, lease, limit))


@dataclass(frozen=True, slots=True)
class _Fence:
    """Wraps any writer, so that every call is checked."""

    writer: object
    lease: Lease
    limit: asyncio.Semaphore

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        return partial(self._call, getattr(self.writer, name))

    async def _call(self, call: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
        async with self.limit:
            self.lease.check()
            return await call(*args, **kwargs)
