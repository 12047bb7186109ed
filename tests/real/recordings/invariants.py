"""What is claimed of recordings whatever crashes, watched while it does and asked at the end.

Never two at once in one room; none left running without a room or people; none lost without being named.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

import aiohttp

from controller.companions.recording.decision import STOP_GRACE_SECONDS
from controller.errors import LiveKitError
from controller.live.client import ApiReader, LiveKitConnection
from controller.live.egress import Egress
from controller.records.recordings import RecordingRow
from tests.support.egress import Egress as Worker
from tests.support.livekit import LiveKitServer
from tests.support.participants import JoinRefusedError, canary, token
from tests.support.wait import until

RUNNING: Final = frozenset({"EGRESS_STARTING", "EGRESS_ACTIVE"})
ENDING: Final = "EGRESS_ENDING"
LONG_ENOUGH: Final = timedelta(seconds=STOP_GRACE_SECONDS / 2)
"""After half of the time for which an end is waited for: we may have seen its beginning late."""
SAMPLE_EVERY: Final = 0.1


@dataclass
class Watch:
    """Looks, often, at what the workers do and at what LiveKit lists. The workers are the truth of what runs.

    `listed`: every egress id that LiveKit ever listed, with its room. `ending`: when each was first seen to
    end. `twice`: what broke the first claim.
    """

    workers: list[Worker]
    reader: ApiReader
    listed: dict[str, str] = field(default_factory=dict)
    ending: dict[str, datetime] = field(default_factory=dict)
    twice: list[str] = field(default_factory=list)
    every: float = SAMPLE_EVERY
    samples: int = 0

    async def jobs(self) -> dict[str, str]:
        """What runs now, room by egress id; a job that ends is not running."""
        running: dict[str, str] = {}
        for jobs in await self._each():
            running |= jobs
        return running

    async def _each(self) -> list[dict[str, str]]:
        """What each worker says that it runs, one asked after the other."""
        return [await self._of(worker) for worker in self.workers]

    async def _of(self, worker: Worker) -> dict[str, str]:
        with suppress(aiohttp.ClientError, OSError):  # a worker that was killed runs nothing
            jobs = await worker.jobs()
            for job in jobs:
                if job["status"] == ENDING:
                    self.ending.setdefault(job["egress_id"], datetime.now(UTC))
            return {job["egress_id"]: job["room_name"] for job in jobs if job["status"] in RUNNING}
        return {}

    async def look(self) -> None:
        self.twice += await self._at_once()
        with suppress(LiveKitError):
            self.listed |= {one.id: one.room for one in await self.reader.recordings()}
        self.samples += 1

    async def _at_once(self) -> list[str]:
        """The rooms with two jobs at one time.

        What one answer holds runs at one time. What two workers say may have followed each other: so they are
        asked again, and what runs in both rounds ran all the time between.
        """
        answers = await self._each()
        violations = [room for jobs in answers for room in _doubled(jobs)]
        first = {egress: room for jobs in answers for egress, room in jobs.items()}
        if _doubled(first):
            again = await self.jobs()
            violations += _doubled({egress: room for egress, room in first.items() if egress in again})
        return violations

    async def keep_looking(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(self.every)

    async def remembered(self, names: Iterable[str]) -> list[Egress]:
        """All that LiveKit remembers of these rooms, what has ended too."""
        egresses = [one for name in names for one in await self.reader.recordings_of(name)]
        self.listed |= {one.id: one.room for one in egresses}
        return egresses

    async def broken(self, names: Iterable[str], rows: Iterable[RecordingRow]) -> list[str]:
        """How the claims are broken for rooms in which nothing should run any more; [] where they hold."""
        rooms, by_id = set(names), {row.egress_id: row for row in rows}
        entries = await self.remembered(rooms)
        lost = {egress for egress, row in by_id.items() if row.state == "lost"}
        violations = [f"two at once in {room}, as the workers said" for room in self.twice if room in rooms]
        violations += [
            f"{egress} runs on in {room}" for egress, room in (await self.jobs()).items() if room in rooms
        ]
        known = (one for one in entries if one.id not in lost)  # of the others nobody knows an end
        violations += _overlaps(known, self.ending)
        for egress, room in self.listed.items():
            if room in rooms and (egress not in by_id or by_id[egress].state == "recording"):
                violations.append(f"{egress} was listed, and nobody says what became of it")
        return violations


def _doubled(jobs: Mapping[str, str]) -> list[str]:
    """The rooms that more than one of these jobs, by egress id, records."""
    return [room for room, count in Counter(jobs.values()).items() if count > 1]


def _overlaps(entries: Iterable[Egress], ending: Mapping[str, datetime]) -> list[str]:
    """Pairs in one room of which the later began before the earlier had ended, by LiveKit's own times.

    The end of one may take so long that it is waited for no more.
    """
    spans: dict[str, list[tuple[datetime, datetime, str]]] = {}
    for one in entries:
        if one.started is not None and one.ended is not None:
            end = min(one.ended, ending.get(one.id, one.ended) + LONG_ENOUGH)
            spans.setdefault(one.room, []).append((one.started, end, one.id))
    pairs = (pair for egresses in spans.values() for pair in pairwise(sorted(egresses)))
    return [f"{a[2]} and {b[2]} overlap: {a[1]} after {b[0]}" for a, b in pairs if b[0] < a[1]]


@asynccontextmanager
async def watching(
    livekit: LiveKitServer, *workers: Worker, every: float = SAMPLE_EVERY
) -> AsyncIterator[Watch]:
    """Someone who looks all the while."""
    async with LiveKitConnection(livekit.access) as connection:
        watch = Watch(list(workers), ApiReader(connection), every=every)
        looking = asyncio.create_task(watch.keep_looking())
        try:
            yield watch
        finally:
            assert not looking.done(), looking.exception()
            looking.cancel()
            await asyncio.wait([looking])


class Visitor:
    """Somebody who is inside, and comes back whenever they are thrown out; `room` names where, or ''."""

    def __init__(self, livekit: LiveKitServer, room: Callable[[], str], identity: str = "ann") -> None:
        self._livekit, self._room, self._identity = livekit, room, identity
        self._going = asyncio.Event()
        self.inside = False
        self._task = asyncio.create_task(self._stay())

    async def _stay(self) -> None:
        while not self._going.is_set():
            with suppress(JoinRefusedError, aiohttp.ClientError, OSError, TimeoutError):
                if self._room():
                    await self._visit(self._room())
            if not self._going.is_set():
                await asyncio.sleep(0.2)

    async def _visit(self, name: str) -> None:
        """Until thrown out, or sent away."""
        async with AsyncExitStack() as stack:
            pass_ = token(self._livekit, name, self._identity)
            async with asyncio.timeout(10):
                bird = await stack.enter_async_context(canary(self._livekit.ws_url, pass_))
            self.inside = True
            going = asyncio.create_task(self._going.wait())
            await asyncio.wait((bird.left, going), return_when=asyncio.FIRST_COMPLETED)
            self.inside = False
            going.cancel()

    async def come_in(self) -> None:
        """Return when they are inside."""

        async def inside() -> bool:
            return self.inside

        await until(inside, 60)

    async def leave(self) -> None:
        self._going.set()
        await self._task


@asynccontextmanager
async def visitor(livekit: LiveKitServer, room: Callable[[], str]) -> AsyncIterator[Visitor]:
    """Somebody inside until the block ends."""
    someone = Visitor(livekit, room)
    try:
        await someone.come_in()
        yield someone
    finally:
        await someone.leave()
