"""Fifty rooms whose people come and go, while whatever takes part in recording them fails at random.

The three claims of invariants.py hold throughout. It prints what became of the recordings. Five minutes with
`--thorough`; what comes when is the sample's.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from controller.errors import LiveKitError, StoreError
from controller.records.recordings import RecordingRow
from tests.real.recordings.harness import RecordingSite, recording_site
from tests.real.recordings.invariants import Visitor, Watch, watching
from tests.support.controller import Controller
from tests.support.egress import Egress as Worker
from tests.support.embedded import Server
from tests.support.sample import Sample
from tests.support.wait import until

ROOMS: Final = 50
SECONDS: Final = 20.0
THOROUGH_SECONDS: Final = 300.0
CALM_EVERY: Final = 100.0
"""Seconds of faults after which it is looked whether each room is recorded that should be, and no other."""
HEALED: Final = 240.0
RESTARTS: Final = 3
"""Of LiveKit, at most: a room that vanishes five times in ten minutes is not healed at once any more."""


class Person:
    """Somebody who comes and goes in one room, unless all are told to stay as they are."""

    def __init__(
        self, site: RecordingSite, name: str, chance: random.Random, may_move: asyncio.Event
    ) -> None:
        self.name, self.inside = name, False
        self._site, self._chance, self._may_move = site, chance, may_move
        self._visit: Visitor | None = None

    async def come_and_go(self) -> None:
        await self._wait(0, 15)
        while True:
            self._visit, self.inside = Visitor(self._site.stack.livekit, lambda: self.name), True
            await self._wait(8, 30)
            await self.go()
            await self._wait(5, 20)

    async def go(self) -> None:
        visit, self._visit = self._visit, None
        if visit is not None:
            await visit.leave()
        self.inside = False

    async def _wait(self, least: float, most: float) -> None:
        await asyncio.sleep(self._chance.uniform(least, most))
        await self._may_move.wait()


@dataclass
class Faults:
    """What happens to the parts, and how often it did. After each all of them are at work again."""

    site: RecordingSite
    controller: Controller
    workers: list[Worker]
    chance: random.Random
    met: Counter[str] = field(default_factory=Counter)

    async def one(self) -> None:
        kinds = ["worker", "controller", "redis", "fail", "die", "drop"]
        if self.met["livekit"] < RESTARTS:
            kinds.append("livekit")
        kind = self.chance.choice(kinds)
        self.met[kind] += 1
        await getattr(self, f"_{kind}")()

    async def go_on(self, seconds: float) -> None:
        clock = asyncio.get_running_loop().time
        end = clock() + seconds
        while clock() < end:
            await asyncio.sleep(self.chance.uniform(2, 5))
            await self.one()

    async def _worker(self) -> None:
        await self.chance.choice(self.workers).restart()

    async def _controller(self) -> None:
        await self.controller.kill()
        self.controller = self.site.start("run")

    async def _livekit(self) -> None:
        await self.site.stack.livekit.restart()

    async def _redis(self) -> None:
        self.site.stack.redis.pause()
        await asyncio.sleep(self.chance.uniform(1, 4))
        self.site.stack.redis.resume()

    async def _fail(self) -> None:
        await self._to_a_job("fail")

    async def _die(self) -> None:
        await self._to_a_job("die")

    async def _drop(self) -> None:
        await self._to_a_job("drop")

    async def _to_a_job(self, what: str) -> None:
        jobs = [(worker, job["egress_id"]) for worker in self.workers for job in await worker.jobs()]
        if jobs:
            worker, egress = self.chance.choice(sorted(jobs, key=lambda one: one[1]))
            await getattr(worker, what)(egress)


@dataclass
class Soak:
    """All of it together."""

    site: RecordingSite
    watch: Watch
    faults: Faults
    people: list[Person]
    may_move: asyncio.Event

    async def for_(self, seconds: float) -> None:
        while seconds > 0:
            self.may_move.set()
            await self.faults.go_on(min(seconds, CALM_EVERY))
            self.may_move.clear()
            await self.recorded_as_it_should_be()
            seconds -= CALM_EVERY

    async def recorded_as_it_should_be(self) -> None:
        """Return when a worker records each room that somebody is in, once, and no other."""
        wanted: Counter[str] = Counter()
        running: Counter[str] = Counter()

        async def so() -> bool:
            nonlocal wanted, running
            assert not self.watch.twice
            wanted = Counter(person.name for person in self.people if person.inside)
            running = Counter((await self.watch.jobs()).values())
            return wanted == running

        try:
            await until(so, HEALED)
        except TimeoutError:
            raise AssertionError(f"not recorded: {wanted - running}; still: {running - wanted}") from None

    async def over(self) -> None:
        """Everybody goes; return when nothing runs, and every row says how it ended."""
        await asyncio.gather(*(person.go() for person in self.people))
        await self.recorded_as_it_should_be()

        open_rows: list[RecordingRow] = []

        async def so() -> bool:
            nonlocal open_rows
            with suppress(LiveKitError, StoreError):
                open_rows = [row for row in await self.site.rows() if row.state == "recording"]
                return not open_rows
            return False

        try:
            await until(so, HEALED)
        except TimeoutError:
            raise AssertionError(f"rows that never end: {open_rows}\n{self.site.tail()}") from None

    async def broken(self) -> list[str]:
        return await self.watch.broken({person.name for person in self.people}, await self.site.rows())

    async def summary(self) -> str:
        rows = await self.site.rows()
        states = dict(Counter(str(row.state) for row in rows))
        return (
            f"{len(rows)} recordings in {len(self.people)} rooms: {states}; faults: {dict(self.faults.met)}"
        )


@asynccontextmanager
async def soaking(folder: Path, mongodb: str, seed: int) -> AsyncIterator[Soak]:
    """Rooms, people, two workers and a controller; people may not move yet."""
    async with (
        recording_site(folder, mongodb, ROOMCTL_LOG_LEVEL="info") as site,
        site.stack.another() as second,
        watching(site.stack.livekit, site.stack.worker, second, every=0.3) as watch,
    ):
        for number in range(ROOMS):
            site.write(f"room-{number:02}", record=True)
        controller = site.start("run")
        await controller.ready()
        records = (await site.converged(120)).values()
        may_move = asyncio.Event()
        people = [
            Person(site, record.live.name, random.Random(f"{seed} {number}"), may_move)
            for number, record in enumerate(records)
            if record.live is not None
        ]
        faults = Faults(site, controller, [site.stack.worker, second], random.Random(seed))
        coming = [asyncio.create_task(person.come_and_go()) for person in people]
        try:
            yield Soak(site, watch, faults, people, may_move)
        finally:
            for one in coming:
                one.cancel()
            await asyncio.gather(*coming, return_exceptions=True)
            await faults.controller.kill()


async def test_each_room_is_recorded_once_and_each_recording_named(
    tmp_path: Path, mongodb: Server, sample: Sample, capsys: pytest.CaptureFixture[str]
) -> None:
    async with soaking(tmp_path, mongodb.uri, sample.seed) as soak:
        await soak.for_(THOROUGH_SECONDS if sample.thorough else SECONDS)
        await soak.over()
        with capsys.disabled():
            print(await soak.summary())  # noqa: T201
        assert await soak.broken() == []
        assert len(await soak.site.rows()) > ROOMS / 5
