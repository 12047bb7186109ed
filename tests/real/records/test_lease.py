"""The lease, on a real database, with each controller's clock in the test's hand."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from pymongo.errors import OperationFailure
from structlog.testing import capture_logs

from controller.errors import LeaseHeldError, LeaseLostError, StoreUnavailableError
from controller.records.data_dir import own_id
from controller.records.factory import open_lease
from controller.records.lease import Candidate, MongoLease
from controller.records.mongo_client import address
from controller.records.store import MongoStore
from tests.real.records.conftest import Database
from tests.support.proxy import Proxy, drop, mongodb, not_hello, reset
from tests.support.time import Time
from tests.support.wait import PATIENCE, until


class Controller:
    """One controller's lease, its clock, and what it was told."""

    def __init__(self, store: MongoStore, pid: int, folder: str | None, verb: str = "run") -> None:
        self.store, self.time = store, Time(now=pid * 1e6)  # no two clocks agree
        self.changes: list[bool] = []
        me = Candidate(folder or f"random-{pid}", "host", pid, verb, exclusive=folder is not None)
        clocks: dict[str, Any] = {"clock": self.time.clock, "sleep": self.time.sleep}
        self.lease = MongoLease(store.meta, store.where, me, on_change=self.changes.append, **clocks)

    async def number(self) -> int:
        document = await self.store.meta.find_one({"_id": "lease"})
        return 0 if document is None else int(document["number"])

    async def renews(self) -> None:
        """Let two seconds pass, and wait for the renewal."""
        before = await self.number()
        await self.rests()
        self.time.pass_by(2.0)
        await until(lambda: self._above(before))

    async def _above(self, number: int) -> bool:
        return await self.number() > number

    async def rests(self) -> None:
        """Until it waits for its next renewal."""
        assert self.lease._task is not None
        await self.time.asleep(self.lease._task)

    def dies(self) -> None:
        """As a killed process: it renews nothing, and gives nothing back."""
        assert self.lease._task is not None
        self.lease._task.cancel()


@asynccontextmanager
async def proxied(database: Database) -> AsyncIterator[tuple[Controller, Proxy]]:
    """A controller whose every message passes a proxy."""
    port = int(address(database.uri).rpartition(":")[2])
    async with Proxy(port, mongodb, counts=not_hello) as proxy:
        store = database.store(uri=f"mongodb://127.0.0.1:{proxy.port}/?directConnection=true")
        yield Controller(store, 1, None), proxy


NewController: TypeAlias = Callable[..., Controller]


@pytest.fixture
async def controllers(database: Database) -> AsyncIterator[NewController]:
    """Makes controllers on one database; what they hold is given back at the end."""
    made: list[Controller] = []

    def new(pid: int, folder: str | None = None, verb: str = "run") -> Controller:
        made.append(Controller(database.store(), pid, folder, verb))
        return made[-1]

    yield new
    for controller in made:
        await controller.lease.release()


async def acquiring(controller: Controller, wait: float | None) -> asyncio.Task[None]:
    """The acquisition under way, after its first look."""
    task = asyncio.create_task(controller.lease.acquire(wait))
    await controller.time.asleep(task)
    return task


async def wait_out(controller: Controller, task: asyncio.Task[None], seconds: float) -> None:
    """Let `seconds` pass for a waiting controller, half a second and one look at a time."""
    for _ in range(int(seconds * 2)):
        if task.done():
            return
        controller.time.pass_by(0.5)
        await controller.time.asleep(task)


async def test_the_first_takes_it_and_says_who_it_is(controllers: NewController) -> None:
    one = controllers(1)
    await one.lease.acquire(0)
    holder = await one.store.holder()
    assert one.lease.held
    assert str(holder) == "`roomctl run`, pid 1 on host"
    assert one.changes == [True]


async def test_apply_gives_up_at_once_where_the_holder_lives(controllers: NewController) -> None:
    one, two = controllers(1), controllers(2, verb="apply")
    await one.lease.acquire(0)
    task = await acquiring(two, 15)
    await one.renews()
    await wait_out(two, task, 2)
    with pytest.raises(LeaseHeldError, match="`roomctl run`, pid 1 on host"):
        await task


async def test_it_is_had_at_once_when_it_was_given_back(controllers: NewController) -> None:
    one, two = controllers(1), controllers(2)
    await one.lease.acquire(0)
    await one.lease.release()
    await two.lease.acquire(0)
    assert two.lease.held
    assert not one.lease.held
    assert one.changes == [True, False]


async def test_a_dead_holders_is_taken_when_its_number_has_stood_still(controllers: NewController) -> None:
    one, two = controllers(1), controllers(2)
    await one.lease.acquire(0)
    one.dies()
    task = await acquiring(two, 15)
    await wait_out(two, task, 11.5)
    assert not task.done()
    await wait_out(two, task, 3)
    await task
    assert two.lease.held


async def test_who_waits_too_short_is_told_who_holds_it(controllers: NewController) -> None:
    one, two = controllers(1), controllers(2)
    await one.lease.acquire(0)
    one.dies()
    task = await acquiring(two, 3)
    await wait_out(two, task, 4)
    with pytest.raises(LeaseHeldError, match="pid 1"):
        await task


async def test_a_standby_waits_for_ever_and_takes_over_in_the_end(controllers: NewController) -> None:
    one, two = controllers(1), controllers(2)
    await one.lease.acquire(0)
    with capture_logs() as logs:
        task = await acquiring(two, None)
        for _ in range(4):
            await one.renews()
            await wait_out(two, task, 6)
    assert not task.done()
    assert [(e["event"], e["holder"]) for e in logs] == [
        ("lease held by another controller", "`roomctl run`, pid 1 on host")
    ]
    await one.lease.release()
    await wait_out(two, task, 1)
    await task
    assert two.lease.held


async def test_a_lost_database_goes_on_with_the_one_who_held_it(controllers: NewController) -> None:
    """The standby sees it gone before the holder does, and must not act beside it."""
    one, two = controllers(1), controllers(2)
    await one.lease.acquire(0)
    task = await acquiring(two, None)
    await one.store.meta.delete_one({"_id": "lease"})
    await wait_out(two, task, 8)
    assert not task.done()
    await one.lease.release()
    await one.lease.acquire(0)
    await wait_out(two, task, 8)
    assert not task.done()
    assert one.lease.held
    await one.lease.release()
    await wait_out(two, task, 1)
    await task


async def test_a_lost_database_is_taken_over_where_its_holder_died(controllers: NewController) -> None:
    one, two = controllers(1), controllers(2)
    await one.lease.acquire(0)
    task = await acquiring(two, None)
    one.dies()
    await one.store.meta.delete_one({"_id": "lease"})
    await wait_out(two, task, 14)
    await task
    assert two.lease.held


async def test_a_restart_on_the_same_folder_takes_its_own_back_at_once(controllers: NewController) -> None:
    one, two = controllers(1, folder="folder"), controllers(2, folder="folder")
    await one.lease.acquire(0)
    one.dies()
    await two.lease.acquire(0)
    assert two.lease.held


async def test_a_paused_holder_stops_acting_before_another_takes_over(controllers: NewController) -> None:
    one, two = controllers(1), controllers(2)
    await one.lease.acquire(0)
    one.time.now += 7.9  # SIGSTOP: time passes, and nothing in it runs
    assert one.lease.held
    one.time.now += 0.2
    assert not one.lease.held
    with pytest.raises(LeaseLostError):
        one.lease.check()
    task = await acquiring(two, 15)
    await wait_out(two, task, 15)
    await task
    assert not one.lease.lost.is_set()
    one.time.pass_by(2)  # SIGCONT
    async with asyncio.timeout(PATIENCE):
        await one.lease.lost.wait()
    assert not one.lease.held
    assert one.changes == [True, False]
    assert two.lease.held


async def test_a_renewal_makes_it_good_for_longer(controllers: NewController) -> None:
    one = controllers(1)
    await one.lease.acquire(0)
    for _ in range(6):
        await one.renews()
        one.lease.check()


async def test_of_many_who_want_it_one_has_it(controllers: NewController) -> None:
    many = [controllers(pid) for pid in range(1, 7)]
    tasks = [await acquiring(one, 0) for one in many]
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(one.lease.held for one in many) == 1
    assert sum(isinstance(result, LeaseHeldError) for result in results) == 5


async def test_a_lost_answer_to_the_taking_is_settled(on_secantus: Database) -> None:
    async with proxied(on_secantus) as (one, proxy):
        proxy.after[proxy.count + 2] = reset
        task = await acquiring(one, None)
        await wait_out(one, task, 5)
        await task
        assert one.lease.held
        await one.lease.release()


async def test_a_holder_that_reaches_nobody_stops_and_goes_on_when_it_does(on_secantus: Database) -> None:
    async with proxied(on_secantus) as (one, proxy):
        await one.lease.acquire(0)
        await one.rests()
        proxy.reply = drop
        one.time.pass_by(9)
        assert not one.lease.held
        await until(lambda: _told_that_it_lapsed(one))
        proxy.reply = None
        await proxy.cut()
        await until(lambda: _told_again(one))
        assert one.lease.held
        assert one.changes == [True, False, True]
        assert not one.lease.lost.is_set()
        await one.lease.release()


async def _told_that_it_lapsed(controller: Controller) -> bool:
    return controller.changes == [True, False]


async def _told_again(controller: Controller) -> bool:
    controller.time.pass_by(0.5)
    return controller.changes[-1] and len(controller.changes) > 1


async def test_a_holder_that_slept_past_its_time_is_told_when_it_goes_on(controllers: NewController) -> None:
    one = controllers(1)
    await one.lease.acquire(0)
    one.time.pass_by(9)
    await until(lambda: _told_again(one))
    assert one.lease.held
    assert one.changes == [True, True]


class RefusedOnce:
    """A collection whose first read is refused, as where the user is made a minute later."""

    def __init__(self, meta: Any) -> None:
        self._meta, self._refused = meta, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._meta, name)

    async def find_one(self, query: dict[str, Any]) -> Any:
        if not self._refused:
            self._refused = True
            raise OperationFailure("Authentication failed.", 18)
        return await self._meta.find_one(query)


async def test_a_standby_outwaits_a_store_that_refuses_it(controllers: NewController) -> None:
    one = controllers(1)
    one.lease._meta = RefusedOnce(one.store.meta)  # type: ignore[assignment]
    task = asyncio.create_task(one.lease.acquire(None))
    await wait_out(one, task, 5)
    await task
    assert one.lease.held


async def test_apply_does_not_wait_for_a_store_that_is_away(on_secantus: Database) -> None:
    async with proxied(on_secantus) as (one, proxy):
        await proxy.refuse()
        with pytest.raises(StoreUnavailableError):
            await one.lease.acquire(15)
        await proxy.accept()


async def test_a_folder_in_use_by_another_process_lends_no_identity(tmp_path: Path) -> None:
    with own_id(tmp_path) as first, own_id(tmp_path) as second:
        assert first is not None
        assert second is None
    with own_id(tmp_path) as again:
        assert again == first


async def test_a_folder_that_cannot_be_written_lends_no_identity(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with own_id(tmp_path / "file" / "below") as identity:
        assert identity is None


async def test_leaving_the_context_gives_the_lease_back(on_secantus: Database, tmp_path: Path) -> None:
    store = on_secantus.store(data_dir=tmp_path)
    async with open_lease(store) as lease:
        await lease.acquire(0)
        holder = await store.holder()
        assert holder is not None
        assert not holder.released
    holder = await store.holder()
    assert holder is not None
    assert holder.released
