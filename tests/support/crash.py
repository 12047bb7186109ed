"""A process that dies at its n-th call to LiveKit or MongoDB, before the call or after it."""

from collections.abc import Callable, Collection
from typing import Any, Final

from tests.support.fake_live import FakeLive
from tests.support.fake_store import FakeStore

READS_AND_WRITES: Final = frozenset(
    {
        "rooms",
        "participants",
        "create_room",
        "delete_room",
        "update_metadata",
        "update_permission",
        "remove_participant",
        "refresh",
        "insert",
        "save",
        "forget",
        "removal_approval",
        "consume_removal_approval",
    }
)


class Died(BaseException):
    """The process is dead: none of its tasks goes on."""


class Fuse:
    """Burns down with each call; once it is burnt every further call dies as well."""

    def __init__(self, calls: int, *, after: bool) -> None:
        self.left, self.after, self.burnt = calls, after, False
        self.last = ""

    async def through(self, name: str, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self.burnt:
            raise Died
        self.left -= 1
        self.burnt = self.left < 0
        if self.burnt:
            self.last = name
            if self.after:
                await call(*args, **kwargs)
            raise Died
        return await call(*args, **kwargs)


class _Fused:
    """Passes every call of a fake through the fuse."""

    def __init__(self, real: FakeLive | FakeStore, fuse: Fuse, calls: Collection[str]) -> None:
        self._real, self._fuse, self._calls = real, fuse, calls

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._real, name)
        if name not in self._calls:
            return attribute

        async def call(*args: Any, **kwargs: Any) -> Any:
            return await self._fuse.through(name, attribute, *args, **kwargs)

        return call


def fused(real: Any, fuse: Any, calls: Collection[str] = READS_AND_WRITES) -> Any:
    """`real`, dying where `fuse` says: each of `calls` goes through it."""
    return _Fused(real, fuse, calls)
