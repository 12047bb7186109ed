"""When a verb's write counts everywhere: every replica has read it (docs/availability.md#how-fast)."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from controller.cli.console import Exit, pause, print_error
from controller.records.ports import RoomStore
from controller.records.replicas import Replica

WAIT_SECONDS: Final = 10.0
FRESH: Final = timedelta(seconds=10)
"""A replica that has written nothing for longer does not count: it has ended, or reads nothing anyway."""
POLL_INTERVAL_SECONDS: Final = 0.25


async def report_in_force(store: RoomStore) -> Exit:
    """Wait until the writes of this store are in force; an error names the replicas that lag behind."""
    await store.refresh()
    written, late = store.changes_read, await _late(store, store.changes_read)
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            while late:
                await pause(POLL_INTERVAL_SECONDS)
                late = await _late(store, written)
    except TimeoutError:
        names = ", ".join(map(str, late))
        print_error(f"written, but not in force yet: no answer from {names}; to check it: roomctl status")
        return Exit.FAILED
    return Exit.FINE


async def _late(store: RoomStore, written: int) -> Sequence[Replica]:
    replicas = await store.replicas.all()
    return unread(replicas, written, datetime.now(UTC))


def unread(replicas: Sequence[Replica], written: int, now: datetime) -> list[Replica]:
    """The running replicas that have not read the change with this number."""
    running = (replica for replica in replicas if now - replica.written <= FRESH)
    return [replica for replica in running if replica.changes_read is None or replica.changes_read < written]
