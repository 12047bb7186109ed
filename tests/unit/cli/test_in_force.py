"""A verb's write is in force when every running replica has read it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from controller.cli.console import Exit
from controller.cli.in_force import FRESH, report_in_force, unread
from controller.records.replicas import Replica
from tests.support.fake_store import FakeDatabase, FakeStore
from tests.support.rooms import room

NOW = datetime(2026, 3, 24, 16, tzinfo=UTC)


def replica(name: str, read: int | None, written: datetime = NOW) -> Replica:
    return Replica(id=name, host=name, pid=1, started=NOW, written=written, changes_read=read)


def test_replica_that_has_read_less_is_late() -> None:
    behind, equal, ahead, old = (replica(name, n) for name, n in zip("abcd", (4, 5, 6, None), strict=True))
    assert unread([behind, equal, ahead, old], 5, NOW) == [behind, old]


def test_replica_that_no_longer_writes_does_not_count() -> None:
    ended = replica("a", 4, NOW - FRESH - timedelta(seconds=1))
    assert unread([ended, replica("b", 4, NOW - FRESH)], 5, NOW) == [replica("b", 4, NOW - FRESH)]


async def test_without_replicas_a_write_is_in_force_at_once() -> None:
    store = FakeStore(FakeDatabase())
    await store.refresh()
    await store.insert(room())
    assert await report_in_force(store) is Exit.FINE


async def test_a_write_is_in_force_when_the_last_replica_has_read_it() -> None:
    database = FakeDatabase()
    mine, theirs = FakeStore(database), FakeStore(database)
    for store in (mine, theirs):
        await store.refresh()
    behind = replica("b", theirs.changes_read, datetime.now(UTC))
    await mine.replicas.put(behind)
    written = await mine.insert(room())
    await mine.save(written, replace(written, file="moved.yaml"))

    async def read() -> None:
        await theirs.refresh()
        await theirs.replicas.put(behind.model_copy(update={"changes_read": theirs.changes_read}))

    assert unread(await mine.replicas.all(), mine.changes_read, behind.written) == [behind]
    await read()
    assert await report_in_force(mine) is Exit.FINE
