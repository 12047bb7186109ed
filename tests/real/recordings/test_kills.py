"""`kill -9` of the controller at each step of a recording; of the worker, LiveKit and Redis with one at each.

Then everything runs again, and the claims hold: never two at once, none left running, none lost unnamed, and
the room is recorded again while somebody is inside.
"""

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import bson

from controller.errors import LiveKitError, StoreError
from tests.real.recordings.harness import OUTPUT, RecordingSite
from tests.real.recordings.invariants import Visitor, Watch, visitor, watching
from tests.support.controller import Controller
from tests.support.egress import RecordingStack
from tests.support.embedded import Server
from tests.support.proxy import Fate, Fault, Message, Proxy, http, kill, mongodb, not_hello
from tests.support.sample import Sample
from tests.support.wait import until

KILLED: Final = -9
HEALED: Final = 300.0
"""Seconds until all is well at the latest: a ghost and a Start of unknown outcome take a minute each."""
AT_ONCE: Final = 5
STEPS: Final = ("asked", "starting", "active", "ending")

Where = Callable[[Message], bool]


def call(name: str) -> Where:
    """A call to LiveKit."""
    return lambda message: message.label == name


def written(holds: Callable[[Mapping[str, Any] | None], bool]) -> Where:
    """A write of a record's entry for its recording: of all of it, or of parts by their paths."""

    def is_one(change: Mapping[str, Any]) -> bool:
        if "recording" in change:
            return holds(change["recording"])
        parts = {
            name.partition(".")[2]: part for name, part in change.items() if name.startswith("recording.")
        }
        return bool(parts) and holds(parts)

    return lambda message: any(is_one(update["u"].get("$set", {})) for update in _updates(message, "rooms"))


def row(state: str) -> Where:
    """A write to the collection `recordings`."""
    return lambda message: any(u["u"]["state"] == state for u in _updates(message, "recordings"))


def _updates(message: Message, collection: str) -> list[Mapping[str, Any]]:
    """The updates in a command on that collection: in its body, or in a section after it (OP_MSG)."""
    if message.label != "update":
        return []
    content, at = message.content, 20
    sections: dict[str, list[Mapping[str, Any]]] = {}
    while at < len(content):
        kind, (size,) = content[at], struct.unpack_from("<i", content, at + 1)
        section = content[at + 1 : at + 1 + size]
        if kind == 0:
            body = bson.decode(section)
            sections.setdefault("updates", []).extend(body.get("updates", []))
        else:
            name, _, documents = section[4:].partition(b"\0")
            sections.setdefault(name.decode(), []).extend(bson.decode_all(documents))
        at += 1 + size
    return sections["updates"] if body["update"] == collection else []


ATTEMPT: Final = written(lambda entry: bool(entry and "attempt_at" in entry and not entry["egress_id"]))
NOTED: Final = written(lambda entry: bool(entry and entry.get("egress_id") and not entry.get("empty_since")))
EMPTY: Final = written(lambda entry: bool(entry and entry.get("empty_since")))
CLEARED: Final = written(lambda entry: entry is None)
START: Final = call("StartRoomCompositeEgress")
STOP: Final = call("StopEgress")


@dataclass(frozen=True, slots=True)
class Kill:
    """The controller is killed before (or after) the message that `where` knows, on that link.

    `during`: it has been passed on, and the worker is at it.
    """

    name: str
    link: str
    point: str
    where: Where

    def fault(self, site: "Stage", pid: int) -> Fault:
        async def met(message: Message) -> Fate:
            if not self.where(message):
                return Fate.PASS
            if self.point == "before":
                return await kill(pid)(message)
            if self.point == "during":
                site.killing = asyncio.create_task(site.kill_at_work(kill(pid), message))
            else:
                site.proxies[self.link].after[message.number] = kill(pid)
            return Fate.PASS

        return met


BEGIN: Final = (
    Kill("before the attempt is written", "mongodb", "before", ATTEMPT),
    Kill("after the attempt is written", "mongodb", "after", ATTEMPT),
    Kill("before Start is sent", "livekit", "before", START),
    Kill("while the worker begins", "livekit", "during", START),
    Kill("when Start is answered", "livekit", "after", START),
    Kill("before the row is written", "mongodb", "before", row("recording")),
    Kill("after the row is written", "mongodb", "after", row("recording")),
    Kill("before its id is in the record", "mongodb", "before", NOTED),
    Kill("after its id is in the record", "mongodb", "after", NOTED),
)
END: Final = (
    Kill("after it is written that nobody is inside", "mongodb", "after", EMPTY),
    Kill("before Stop is sent", "livekit", "before", STOP),
    Kill("when Stop is answered", "livekit", "after", STOP),
    Kill("before its end is written", "mongodb", "before", row("complete")),
    Kill("after its end is written", "mongodb", "after", row("complete")),
    Kill("before the record forgets it", "mongodb", "before", CLEARED),
)
SWITCHED_OFF: Final = (
    Kill("when Stop is answered as the room goes", "livekit", "after", STOP),
    Kill("before the room is deleted", "livekit", "before", call("DeleteRoom")),
)


class Stage(RecordingSite):
    """A site of one recorded room, whose controllers die when they are told to."""

    watch: Watch
    proxies: Mapping[str, Proxy]
    room: str = ""
    killing: asyncio.Task[None] | None = None

    async def opened(self) -> Controller:
        """The room is live, and a controller at work."""
        self.write("stage", record=True)
        controller = await self.at_work()
        await self.converged(60)
        self.room = await self.room_name("stage")
        return controller

    async def at_work(self) -> Controller:
        controller = self.start("run")
        await controller.ready()
        return controller

    def deadly(self, death: Kill, controller: Controller) -> None:
        self.proxies[death.link].request = death.fault(self, controller.pid)

    async def kill_at_work(self, deadly: Fault, message: Message) -> None:
        """Return when a worker has the room's job and the controller is dead."""

        async def taken() -> bool:
            return self.room in (await self.watch.jobs()).values()

        await until(taken, 60)
        await deadly(message)

    async def succeeded(self, controller: Controller) -> Controller:
        """Another is at work, when this one has been killed."""
        assert await controller.end(90) == KILLED, self.tail()
        for proxy in self.proxies.values():
            proxy.request = None
            proxy.after.clear()
        return await self.at_work()

    async def quiet(self) -> None:
        """Return when nothing runs, and every row says how it ended."""

        async def so() -> bool:
            with suppress(LiveKitError, StoreError):
                rows, rooms = await self.rows(), await self.names()
                running = rooms & set((await self.watch.jobs()).values())
                return not running and all(row.state != "recording" for row in rows)
            return False

        await until(so, HEALED)

    async def names(self) -> set[str]:
        """All that its room was ever called."""
        record = await self.record("stage")
        return {self.room} | {old.name for old in record.retired}

    async def assert_claims(self, where: str) -> None:
        await self.quiet()
        assert await self.watch.broken(await self.names(), await self.rows()) == [], where


S = TypeVar("S", bound=Stage)


class Four(Stage):
    """A site with a room at each step of a recording."""

    rooms: Mapping[str, str]

    async def all_live(self) -> None:
        for key in STEPS:
            self.write(key, record=True)
        await self.converged(60)
        self.rooms = {key: await self.room_name(key) for key in STEPS}

    def visitor(self, key: str) -> AbstractAsyncContextManager[Visitor]:
        return visitor(self.stack.livekit, lambda: self.rooms[key])

    async def job(self, key: str, status: str) -> None:
        """Return when the worker says that of the room's job."""

        async def so() -> bool:
            jobs = await self.stack.worker.jobs()
            return any((job["room_name"], job["status"]) == (self.rooms[key], status) for job in jobs)

        await until(so, 60)

    async def take_positions(self, inside: AsyncExitStack) -> None:
        """One is ending, one active, one starting; and one was asked for, and nobody has answered."""
        worker = self.stack.worker
        await inside.enter_async_context(self.visitor("active"))
        async with self.visitor("ending"):
            for key in ("ending", "active"):
                await self.job(key, "EGRESS_ACTIVE")
            await worker.set(slow_stop="8s", late_active="20s")
            await inside.enter_async_context(self.visitor("starting"))
            await self.job("starting", "EGRESS_STARTING")
            await worker.set(slow_start="20s")
            await inside.enter_async_context(self.visitor("asked"))
            await self.job("asked", "EGRESS_STARTING")
        await self.job("ending", "EGRESS_ENDING")

    async def all_recorded(self) -> None:
        """Return when a worker runs one job for each room."""

        async def so() -> bool:
            jobs = [job for job in await self.stack.worker.jobs() if job["status"] == "EGRESS_ACTIVE"]
            return sorted(job["room_name"] for job in jobs) == sorted(self.rooms.values())

        await until(so, HEALED)

    async def names(self) -> set[str]:
        return set(self.rooms.values())


@asynccontextmanager
async def stack_of(folder: Path, **switches: Any) -> AsyncIterator[tuple[RecordingStack, Watch]]:
    async with (
        RecordingStack(folder / "stack", **switches) as stack,
        watching(stack.livekit, stack.worker) as watch,
    ):
        yield stack, watch


@asynccontextmanager
async def site_on(
    stack: RecordingStack, watch: Watch, folder: Path, database: Server, kind: type[S]
) -> AsyncIterator[S]:
    """A site with proxies of its own before what others share."""
    async with (
        Proxy(stack.livekit.port, http) as to_livekit,
        Proxy(database.port, mongodb, counts=not_hello) as to_mongodb,
    ):
        settings = {
            "MONGODB_URI": f"mongodb://127.0.0.1:{to_mongodb.port}/?directConnection=true",
            "ROOMCTL_RECORDING_OUTPUT": OUTPUT,
            "ROOMCTL_RECORDING_IDLE_SECONDS": "1",
        }
        async with kind(folder, stack.livekit, mongodb=database.uri, url=to_livekit.url, **settings) as site:
            site.stack, site.watch = stack, watch
            site.proxies = {"livekit": to_livekit, "mongodb": to_mongodb}
            yield site


Survives = Callable[[Stage, Kill], Awaitable[None]]


async def _all_survived(
    folder: Path, database: Server, kills: Sequence[Kill], survives: Survives, **switches: Any
) -> None:
    """Each on a site of its own, side by side: most of it is waiting."""
    slots = asyncio.Semaphore(AT_ONCE)
    async with stack_of(folder, **switches) as (stack, watch):

        async def one(number: int, death: Kill) -> None:
            async with slots, site_on(stack, watch, folder / str(number), database, Stage) as site:
                await survives(site, death)
                await site.assert_claims(death.name)

        async with asyncio.TaskGroup() as group:
            for number, death in enumerate(kills):
                group.create_task(one(number, death))
        assert watch.samples > 10


async def _begun(site: Stage, death: Kill) -> None:
    controller = await site.opened()
    site.deadly(death, controller)
    async with visitor(site.stack.livekit, lambda: site.room):
        last = await site.succeeded(controller)
        await site.until_recording("stage", "True", within=HEALED)
    await site.quiet()
    assert await last.stop() == 0


async def _ended(site: Stage, death: Kill) -> None:
    controller = await site.opened()
    async with visitor(site.stack.livekit, lambda: site.room):
        await site.until_recording("stage", "True")
        site.deadly(death, controller)
    last = await site.succeeded(controller)
    await site.quiet()
    async with visitor(site.stack.livekit, lambda: site.room):
        await site.until_recording("stage", "True", within=HEALED)
    await site.quiet()
    assert await last.stop() == 0


async def _switched_off(site: Stage, death: Kill) -> None:
    controller = await site.opened()
    async with visitor(site.stack.livekit, lambda: site.room):
        await site.until_recording("stage", "True")
        site.deadly(death, controller)
        site.edit("stage", active=False)
        last = await site.succeeded(controller)
        await site.quiet()
        await site.converged(60)
        assert await last.stop() == 0


async def test_the_controller_is_killed_at_each_step_of_a_begin(
    tmp_path: Path, mongodb: Server, sample: Sample
) -> None:
    await _all_survived(tmp_path, mongodb, sample.of(BEGIN, 3), _begun, slow_start="1s")


async def test_the_controller_is_killed_at_each_step_of_an_end(
    tmp_path: Path, mongodb: Server, sample: Sample
) -> None:
    await _all_survived(tmp_path, mongodb, sample.of(END, 3), _ended)


async def test_the_controller_is_killed_while_a_recorded_room_is_stopped(
    tmp_path: Path, mongodb: Server
) -> None:
    await _all_survived(tmp_path, mongodb, SWITCHED_OFF, _switched_off)


async def test_a_server_is_killed_with_a_recording_at_each_step(tmp_path: Path, mongodb: Server) -> None:
    """Each on a stack of its own, side by side; and two at once, as by a machine's crash."""
    async with asyncio.TaskGroup() as group:
        for parts in ("worker", "livekit", "redis", "livekit worker"):
            group.create_task(_killed(parts, tmp_path / parts, mongodb))


async def _killed(parts: str, folder: Path, database: Server) -> None:
    async with (
        stack_of(folder) as (stack, watch),
        site_on(stack, watch, folder / "site", database, Four) as site,
        AsyncExitStack() as inside,
    ):
        controller = site.start("run")
        await controller.ready()
        await site.all_live()
        await site.take_positions(inside)
        for part in parts.split():
            getattr(stack, part).kill()
        for part in parts.split():
            await getattr(stack, part).start()
        await stack.worker.set(slow_start="0s", late_active="0s", slow_stop="0s")
        await inside.enter_async_context(site.visitor("ending"))
        await site.all_recorded()
        await inside.aclose()
        await site.assert_claims(parts)
        assert {row.key for row in await site.rows()} == set(STEPS)
        assert await controller.stop() == 0
