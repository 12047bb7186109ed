"""Participants who must leave are removed: by a kick, and from reserved seats."""

from datetime import timedelta

import pytest

from controller.access.policy import Role, permission_for
from controller.errors import LiveKitNotFoundError
from controller.live.webhook import WebhookEvent
from controller.manifests.snapshot import ManifestRoom
from controller.records.events import EventType
from tests.support.inprocess import InProcess
from tests.support.worlds import desired, manifest

ROOM = manifest("a", max_participants=3, reserved_seats=2)
HOUR = timedelta(hours=1)


async def running(room: ManifestRoom = ROOM) -> InProcess:
    process = InProcess()
    process.manifests = desired(room)
    await process.run_until_stable()
    process.calls()
    return process


def enter(process: InProcess, identity: str, **attributes: str) -> None:
    may = permission_for(Role.GUEST, ROOM.spec)
    process.live.enter(process.name("a"), identity, may, {"role": "guest", **attributes})


async def inside(process: InProcess) -> list[str]:
    return [one.identity for one in await process.live.participants(process.name("a"))]


async def kick(process: InProcess, identity: str) -> None:
    record, now = process.record("a"), process.time.wall()
    await process.store.save(record, record.with_kick(identity, now + HOUR, now))


def joined(process: InProcess, identity: str) -> WebhookEvent:
    return WebhookEvent("participant_joined", room=process.name("a"), identity=identity)


async def test_kicked_participant_is_removed_by_the_pass_after_the_kick() -> None:
    process = await running(manifest("a"))
    enter(process, "bad")
    enter(process, "good")
    await process.reconcile()
    await kick(process, "bad")
    await process.reconcile(read_files=False)
    assert await inside(process) == ["good"]
    events = await process.recorded()
    assert (events[-1].type, events[-1].reason) == (EventType.KICK, "1 participant removed: kicked")


async def test_kicked_participant_who_comes_back_is_removed_after_the_webhook() -> None:
    process = await running(manifest("a"))
    await kick(process, "bad")
    await process.reconcile(read_files=False)
    enter(process, "bad")
    process.reconciler.on_webhook(joined(process, "bad"))
    await process.reconcile(read_files=False)
    assert await inside(process) == []


async def test_kicked_participant_is_found_without_a_webhook_at_the_next_resync() -> None:
    process = await running(manifest("a"))
    await kick(process, "bad")
    await process.reconcile(read_files=False)
    enter(process, "bad")
    await process.reconcile(audit=True)
    assert await inside(process) == []


async def test_kick_is_forgotten_when_it_is_over_and_with_it_the_reader() -> None:
    process = await running(manifest("a"))
    await kick(process, "bad")
    assert process.record("a").reader == 2
    process.time.seconds += 3600
    await process.run_until_stable()
    assert process.record("a").kicked == ()
    assert process.record("a").reader == 1
    enter(process, "bad")
    await process.reconcile(audit=True)
    assert await inside(process) == ["bad"]


@pytest.mark.parametrize("audit", [True, False])
async def test_those_who_came_last_leave_reserved_seats(audit: bool) -> None:
    process = await running()
    enter(process, "first")
    enter(process, "last")
    enter(process, "speaker", seat="reserved")
    if not audit:
        process.reconciler.on_webhook(joined(process, "last"))
    await process.reconcile(read_files=False, audit=audit)
    assert await inside(process) == ["first", "speaker"]


async def test_a_room_with_free_seats_is_not_looked_into() -> None:
    process = await running()
    enter(process, "first")
    await process.reconcile(read_files=False)
    assert "participants" not in process.calls()


async def test_more_reserved_seats_are_a_change_that_disconnects() -> None:
    process = await running(manifest("a", max_participants=3))
    for identity in ("first", "second", "third"):
        enter(process, identity)
    await process.reconcile()
    process.manifests = desired(ROOM)
    plan = await process.reconcile()
    assert plan is not None
    assert plan.changes[0].disruption == "disconnects"
    await process.run_until_stable()
    assert await inside(process) == ["first"]


async def test_participant_who_left_meanwhile_is_no_fault() -> None:
    process = await running(manifest("a"))
    enter(process, "bad")
    process.live.fail["remove_participant"] = LiveKitNotFoundError("they have left")
    await kick(process, "bad")
    await process.reconcile(read_files=False)
    assert all(event.type != EventType.KICK for event in await process.recorded())
