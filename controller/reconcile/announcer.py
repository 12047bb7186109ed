"""Shares this replica's state with the others, and gives the lease up if only another reaches LiveKit."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from controller.clock import Clock
from controller.errors import StoreError
from controller.logs import get_logger
from controller.manifests.snapshot import Desired
from controller.reconcile.peers import RENEW_SECONDS, Peers
from controller.records.ports import Lease, RecordReader, Replicas
from controller.records.replicas import Replica
from controller.state_cache import StateCache

GIVE_WAY_TIMEOUT_SECONDS: Final = 35.0
"""Seconds for running calls to end before the lease is released: the deadline of each is shorter."""
WITHDRAW_TIMEOUT_SECONDS: Final = 1.0

log = get_logger()


@dataclass(slots=True)
class Announcer:
    """Announces one replica. `me` holds what does not change; its `number` counts the documents."""

    me: Replica
    replicas: Replicas
    peers: Peers
    lease: Lease
    state: StateCache
    clock: Clock
    records: RecordReader
    desired: Callable[[], Desired | None]
    wait_until_idle: Callable[[], Awaitable[None]]

    async def run_forever(self) -> None:
        """Renew the document every 2 s, at once for a new revision. Outages of the database are no error."""
        with suppress(StoreError):
            await self.replicas.forget_old(self.clock.wall())
        while True:
            with suppress(StoreError):
                await self.announce()
                await self._give_way_if_needed()
            with suppress(TimeoutError):
                async with asyncio.timeout(RENEW_SECONDS):
                    await self.peers.revision_changed.wait()

    async def announce(self) -> None:
        """Write this replica's document, and read those of the others."""
        self.peers.revision_changed.clear()
        self.me = self._document(self.clock.monotonic())
        await self.replicas.put(self.me)
        others = [each for each in await self.replicas.all() if each.id != self.me.id]
        self.peers.observe(others, self.clock.monotonic(), self.clock.wall())

    async def withdraw(self) -> None:
        """Delete the document, since this replica ends; waits at most a second."""
        with suppress(StoreError, TimeoutError):
            async with asyncio.timeout(WITHDRAW_TIMEOUT_SECONDS):
                await self.replicas.remove(self.me.id)

    def _document(self, now: float) -> Replica:
        desired, state = self.desired(), self.state
        known = (
            {}
            if desired is None
            else {
                "revision": desired.revision,
                "rooms_dir": str(desired.state),
                "rooms_dir_problem": desired.problem,
                "commit": desired.history.head,
            }
        )
        return self.me.model_copy(
            update={
                **known,
                "number": self.me.number + 1,
                "written": self.clock.wall(),
                "changes_read": self.records.changes_read,
                "manifests_withheld": state.manifests_withheld,
                "livekit_age_s": _age(state.livekit.seen, now),
                "livekit_error": state.livekit.error,
                "webhook_age_s": _age(state.webhook_at, now),
                "clock_ahead_s": state.clock_ahead_s,
                "untrusted_proxy": state.untrusted_proxy,
                "untrusted_proxy_age_s": _age(state.untrusted_proxy_at, now),
            }
        )

    async def _give_way_if_needed(self) -> None:
        if not self._should_give_way():
            return
        log.warning("lease given up", reason="LiveKit is unreachable from here, another replica reaches it")
        with suppress(TimeoutError):
            async with asyncio.timeout(GIVE_WAY_TIMEOUT_SECONDS):
                await self.wait_until_idle()
        if self._should_give_way():
            await self.lease.give_up()

    def _should_give_way(self) -> bool:
        seen, now = self.state.livekit.seen, self.clock.monotonic()
        return self.lease.held and self.peers.should_give_way(seen, now)


def _age(seen: float | None, now: float) -> float | None:
    return None if seen is None else now - seen
