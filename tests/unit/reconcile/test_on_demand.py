"""Rooms that are live on demand in the running controller."""

import asyncio

import pytest

from controller.access.policy import Role, permission_for
from controller.errors import LiveKitRejectedError
from controller.live.webhook import WebhookEvent
from controller.reconcile import webhooks
from controller.reconcile.trackers import DEMAND_SECONDS
from controller.reconcile.webhooks import POLLS_PER_DEMAND, WebhookForwarder
from controller.records.record import RoomRecord
from tests.support.inprocess import InProcess
from tests.support.wait import PATIENCE
from tests.support.worlds import INSTANCE, desired, manifest, spec

SPEAKER = permission_for(Role.SPEAKER, spec())


async def sleeping(*keys: str, database: InProcess | None = None) -> InProcess:
    process = InProcess() if database is None else InProcess(database.live, database.store.database)
    process.manifests = desired(*(manifest(key, live="on-demand") for key in keys or ("a",)))
    await process.run_until_stable()
    return process


async def woken() -> InProcess:
    process = await sleeping()
    await wake(process)
    return process


async def wake(process: InProcess, key: str = "a") -> str:
    process.reconciler.want(process.record(key).id)
    await process.reconcile()
    return process.name(key)


def conditions(room: RoomRecord) -> dict[str, str]:
    return {each.type: f"{each.status} {each.reason}" for each in room.status.conditions}


async def enter(process: InProcess, identity: str = "ann") -> None:
    """Somebody joins, and LiveKit says so."""
    name = process.name("a")
    process.live.enter(name, identity, SPEAKER)
    await say(process, "participant_joined", name)


async def say(process: InProcess, event: str, name: str) -> None:
    process.reconciler.on_webhook(WebhookEvent(event, room=name))
    await process.reconcile(read_files=False)


async def test_a_sleeping_room_is_ready_and_not_live() -> None:
    process = await sleeping()
    assert conditions(process.record("a")) == {
        "Ready": "True OnDemand",
        "Live": "False OnDemand",
        "ManifestValid": "True Valid",
    }
    assert process.record("a").live is None
    assert process.live.calls["create_room"] == 0


async def test_a_room_is_live_while_it_is_wanted_and_sleeps_again_under_another_name() -> None:
    process = await woken()
    first = process.name("a")
    assert conditions(process.record("a"))["Ready"] == "True AsSpecified"
    assert conditions(process.record("a"))["Live"] == "True Listed"
    process.live.vanish(first)
    await process.reconcile()
    assert process.record("a").live is None
    assert process.triggers.woken
    await process.reconcile()
    assert conditions(process.record("a"))["Ready"] == "True OnDemand"
    assert conditions(process.record("a"))["Live"] == "False OnDemand"
    assert await process.listed() == set()
    second = await wake(process)
    assert second != first
    assert await process.listed() == {second}
    events = [(event.type, event.by, event.reason) for event in await process.recorded()]
    assert events == [
        ("create", "manifest a.yaml", "manifest added"),
        ("start", "controller", "somebody asks for the room"),
        ("stop", "controller", "LiveKit closed the empty room"),
        ("start", "controller", "somebody asks for the room"),
    ]


async def test_many_demands_make_one_room() -> None:
    process = await sleeping("a", "b")
    for _ in range(500):
        process.reconciler.want(process.record("a").id)
    await process.reconcile()
    for _ in range(500):
        process.reconciler.want(process.record("a").id)
    await process.reconcile()
    assert process.live.calls["create_room"] == 1
    assert await process.listed() == {process.name("a")}


async def test_a_demand_is_forgotten_when_the_room_is_live_or_nobody_waits_any_more() -> None:
    process = await woken()
    process.live.vanish(process.name("a"))
    await process.reconcile()
    await process.reconcile()
    assert await process.listed() == set()
    process.reconciler.want(process.record("a").id)
    process.time.seconds += DEMAND_SECONDS + 1
    await process.reconcile()
    assert await process.listed() == set()


async def test_a_room_that_vanishes_with_people_inside_is_healed() -> None:
    process = await woken()
    await enter(process)
    assert process.record("a").occupied
    name = process.name("a")
    process.live.vanish(name)
    await say(process, "participant_left", name)
    assert process.name("a") == name
    assert await process.listed() == {name}


async def test_a_room_that_vanishes_after_the_last_one_left_is_not_healed() -> None:
    process = await woken()
    await enter(process)
    name = process.name("a")
    process.live.go(name, "ann")
    await say(process, "participant_left", name)
    assert not process.record("a").occupied
    process.live.vanish(name)
    await process.reconcile()
    await process.reconcile()
    assert process.record("a").live is None
    assert await process.listed() == set()


async def test_without_webhooks_a_resync_finds_who_is_inside() -> None:
    process = await woken()
    process.live.enter(process.name("a"), "ann", SPEAKER)
    await process.reconcile(audit=True)
    assert process.record("a").occupied
    process.live.go(process.name("a"), "ann")
    await process.reconcile()
    assert not process.record("a").occupied


async def test_who_was_inside_is_known_after_a_restart_of_everything() -> None:
    process = await woken()
    await enter(process)
    name = process.name("a")
    process.live.vanish(name)
    again = InProcess(process.live, process.store.database)
    again.manifests = process.manifests
    await again.reconcile()
    assert await again.listed() == {name}


async def test_a_room_that_livekit_refuses_is_not_ready_until_nobody_asks() -> None:
    process = await sleeping()
    process.live.fail["create_room"] = LiveKitRejectedError("LiveKit refused it")
    process.reconciler.want(process.record("a").id)
    await process.reconcile()
    await process.reconcile()
    assert conditions(process.record("a"))["Ready"] == "False Failed"
    process.time.seconds += DEMAND_SECONDS + 1
    for _ in range(3):
        await process.reconcile()
    assert conditions(process.record("a"))["Ready"] == "True OnDemand"
    assert process.record("a").live is None
    del process.live.fail["create_room"]
    await wake(process)
    assert len(await process.listed()) == 1


async def test_a_life_that_was_interrupted_is_ended_or_goes_on() -> None:
    """The process died after it had written the name."""
    process = await sleeping()
    room = process.record("a")
    await process.store.save(room, room.with_live_name("half", process.time.wall()))
    assert await wake(process) == "half"
    assert await process.listed() == {"half"}
    assert [event.by for event in await process.recorded() if event.type == "start"] == ["controller"]


async def test_a_room_that_becomes_on_demand_ends_when_it_is_empty() -> None:
    process = InProcess()
    process.manifests = desired(manifest("a"))
    await process.run_until_stable()
    name = process.name("a")
    process.live.enter(name, "ann", SPEAKER)
    process.manifests = desired(manifest("a", live="on-demand"))
    await process.reconcile()
    assert conditions(process.record("a"))["Deferred"] == "True PeopleInside"
    assert await process.listed() == {name}
    process.live.go(name, "ann")
    await process.run_until_stable()
    assert await process.listed() == set()
    assert conditions(process.record("a"))["Ready"] == "True OnDemand"


async def test_an_idle_controller_plans_the_same_while_rooms_sleep() -> None:
    process = await sleeping("a", "b")
    assert await process.reconcile() is await process.reconcile()


class Pair:
    """A holder of the lease, and a replica on standby, each with what it forwards."""

    def __init__(self, holder: InProcess, standby: InProcess) -> None:
        self.holder, self.standby = holder, standby
        self.standby.lease.held = False
        self.there, self.here = forwarder(holder), forwarder(standby)


def forwarder(process: InProcess) -> WebhookForwarder:
    act, want = process.reconciler.on_webhook, process.reconciler.want
    relay = process.store.relay
    return WebhookForwarder(act, want, process.lease, process.state, relay, instance=INSTANCE)


@pytest.fixture(name="pair")
async def _pair() -> Pair:
    holder = await sleeping()
    return Pair(holder, InProcess(holder.live, holder.store.database))


async def test_a_demand_at_a_replica_on_standby_reaches_the_holder(pair: Pair) -> None:
    await pair.holder.store.has_remote_changes()
    pair.here.want(pair.holder.record("a").id)
    flushing = asyncio.create_task(pair.standby.store.relay.flush_forever())
    await asyncio.sleep(0)
    flushing.cancel()
    await pair.holder.store.has_remote_changes()
    pair.there.forward_received()
    await pair.holder.reconcile()
    assert pair.holder.live.calls["create_room"] == 1
    await pair.standby.reconciler.reconcile(read_files=True)
    record = pair.standby.store.by_id[pair.holder.record("a").id]
    assert pair.standby.state.live_room(record) is not None


async def test_a_replica_reads_soon_what_others_wrote_while_somebody_waits(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "FOLLOW_SECONDS", 3600.0)
    monkeypatch.setattr(webhooks, "POLL_SECONDS", 0.0)
    waiting = asyncio.create_task(pair.here.wait_for_next_poll())
    await asyncio.sleep(0)
    assert not waiting.done()
    pair.here.want("an id")
    async with asyncio.timeout(PATIENCE):
        await waiting
        for _ in range(POLLS_PER_DEMAND - 1):
            await pair.here.wait_for_next_poll()
    idle = asyncio.create_task(pair.here.wait_for_next_poll())
    await asyncio.sleep(0.01)
    assert not idle.done()
    idle.cancel()
