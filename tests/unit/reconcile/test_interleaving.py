"""Passes overlap with the work of earlier ones, and with the world's changes, in every order."""

import asyncio
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from controller.live.room import Permission
from controller.manifests.snapshot import Desired, ManifestRoom
from controller.plan.metadata import owner_mark
from controller.records.record import Origin, Status
from tests.support.fake_live import FakeLive
from tests.support.fake_store import FakeDatabase, FakeStore
from tests.support.inprocess import InProcess
from tests.support.slow import Slow
from tests.support.worlds import by_api, desired, manifest, record, spec

KEYS = ("a", "b", "c", "d")
FIELDS: list[dict[str, Any]] = [
    {},
    {"allow_chat": True},
    {"max_participants": 3},
    {"active": False},
    {"live": "on-demand"},
]


def drawn(chance: Random) -> Desired:
    rooms: list[ManifestRoom] = [manifest("stays")]
    rooms += [manifest(key, **chance.choice(FIELDS)) for key in KEYS if chance.random() < 0.8]
    return desired(*rooms)


async def befall(process: InProcess, live: FakeLive, chance: Random) -> None:
    process.manifests = drawn(chance)
    names = sorted(room.name for room in await FakeLive.rooms(live))
    if names and chance.random() < 0.5:
        gone = chance.choice(names)
        if not await live.participants(gone):
            live.vanish(gone)
    for room_id in sorted(process.store.by_id):
        if chance.random() < 0.3:
            process.reconciler.want(room_id)


async def call_the_api(process: InProcess, chance: Random) -> None:
    """Another process creates, changes or removes a room; we learn of it at our next read."""
    other = FakeStore(process.store.database)
    await other.refresh()
    rooms = sorted(r.key for r in other.by_id.values() if r.origin is Origin.API and not r.removed)
    if len(rooms) < 3:
        await other.insert(replace(by_api(record(f"number {len(other.by_id)}")), status=Status()))
    elif chance.random() < 0.5:
        room = other.by_key[chance.choice(rooms)]
        await other.save(room, room.with_api_removal(process.time.wall()))
    else:
        room = other.by_key[chance.choice(rooms)]
        wanted = spec(**chance.choice(FIELDS))
        await other.save(room, room.with_spec(wanted, room.key, None, process.time.wall()))


@pytest.mark.parametrize("seed", range(40))
async def test_whatever_overlaps_the_end_is_as_wanted(seed: int) -> None:
    chance = Random(seed)
    live, database = FakeLive(), FakeDatabase()
    process = InProcess(Slow(live, chance), store=Slow(FakeStore(database), chance))  # type: ignore[arg-type]
    process.manifests = desired(manifest("stays"))
    await process.reconcile()
    stays = process.name("stays")
    live.enter(stays, "ann", Permission())
    ids: dict[str, str] = {}
    for _ in range(12):
        await befall(process, live, chance)
        await call_the_api(process, chance)
        process.time.seconds += chance.choice((0.01, 1.0, 20.0))
        await process.reconciler.reconcile(read_files=True)
        for room in database.rooms.values():
            assert ids.setdefault(room.key, room.id) == room.id
        await asyncio.sleep(0)
    await process.task_runner.wait_until_idle()
    await process.run_until_stable()
    rooms = database.rooms.values()
    wanted = {key for key, room in process.manifests.rooms.items() if room.spec.active}
    wanted |= {room.key for room in rooms if room.origin is Origin.API and room.should_be_live}
    asleep = {room.key for room in rooms if room.spec.is_on_demand and room.live is None}
    assert {room.key for room in rooms if room.live} == wanted - asleep
    listed = await FakeLive.rooms(live)
    assert {room.name for room in listed} == {room.live.name for room in rooms if room.live}
    assert len({mark.room for room in listed if (mark := owner_mark(room.metadata))}) == len(listed)
    assert process.name("stays") == stays
    assert len(await live.participants(stays)) == 1
    assert all(
        room.status.observed_generation == room.generation
        for room in rooms
        if room.origin is Origin.API or not room.removed
    )
