"""Looks inside that no change asks for: after a webhook, and at a resync."""

import asyncio

import pytest

from controller.access.policy import MEDIA_ATTRIBUTE, WITHDRAWN, Role, permission_for
from controller.errors import LiveKitUnavailableError
from controller.live.room import Permission
from controller.live.webhook import WebhookEvent
from controller.reconcile.change_applier import MAX_CONCURRENT_PERMISSION_UPDATES
from controller.records.record import RoomRecord
from tests.support.inprocess import InProcess
from tests.support.worlds import desired, manifest

AUDIO = manifest("a", mediaType="MEDIA_TYPE_AUDIO_ONLY")


async def with_a_liar() -> InProcess:
    """An audio-only room with somebody in it whose microphone is a camera, and nothing else to do."""
    process = InProcess()
    process.manifests = desired(AUDIO)
    await process.run_until_stable()
    name = process.name("a")
    process.live.enter(name, "liar", permission_for(Role.SPEAKER, AUDIO.spec), {"role": "speaker"})
    process.live.publish(name, "liar", "VIDEO", "MICROPHONE")
    await process.reconcile()
    process.calls()
    return process


async def tracks(process: InProcess) -> int:
    return sum(len(p.tracks) for p in await process.live.participants(process.name("a")))


def published(process: InProcess) -> WebhookEvent:
    return WebhookEvent("track_published", room=process.name("a"), identity="liar")


async def test_a_webhook_has_the_next_pass_look_and_the_liar_stopped() -> None:
    process = await with_a_liar()
    process.reconciler.on_webhook(published(process))
    assert process.triggers.woken
    await process.reconcile(read_files=False)
    (liar,) = await process.live.participants(process.name("a"))
    assert not liar.tracks
    assert not liar.permission.can_publish
    assert liar.attributes == {"role": "speaker", MEDIA_ATTRIBUTE: WITHDRAWN}
    process.live.publish(process.name("a"), "liar", "VIDEO", "MICROPHONE")
    assert await tracks(process) == 0


async def test_one_look_is_made_for_any_number_of_webhooks_and_none_without() -> None:
    process = await with_a_liar()
    for _ in range(9):
        process.reconciler.on_webhook(published(process))
    await process.reconcile(read_files=False)
    await process.reconcile(read_files=False)
    assert process.calls() == {"rooms": 2, "participants": 1, "update_permission": 1}


async def test_a_look_that_failed_is_made_again() -> None:
    process = await with_a_liar()
    process.live.fail["participants"] = LiveKitUnavailableError("LiveKit is out of reach")
    process.reconciler.on_webhook(published(process))
    await process.reconcile(read_files=False)
    process.live.fail.clear()
    await process.reconcile(read_files=False)
    assert await tracks(process) == 1, "it waits for its turn"
    process.time.seconds += 1.0
    await process.reconcile(read_files=False)
    assert await tracks(process) == 0


async def test_a_look_under_way_when_the_webhook_comes_is_followed_by_another() -> None:
    process = await with_a_liar()
    process.reconciler.on_webhook(published(process))
    await process.reconciler.reconcile(read_files=False)
    process.reconciler.on_webhook(published(process))
    await process.reconciler.reconcile(read_files=False)
    process.triggers._woken.clear()
    await process.task_runner.wait_until_idle()
    assert process.triggers.woken
    assert process.triggers.permission_checks.drain() == {process.name("a")}


async def test_a_room_made_while_a_pass_plans_is_looked_into_by_that_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The pass has read the records before; the webhook would be forgotten with it."""
    process = InProcess()
    process.manifests = desired(AUDIO)
    go_on, insert = asyncio.Event(), process.store.insert

    async def slowly(record: RoomRecord) -> RoomRecord:
        await go_on.wait()
        return await insert(record)

    async def meanwhile() -> None:
        go_on.set()
        await process.task_runner.wait_until_idle()
        process.live.enter(process.name("a"), "liar", may, {"role": "speaker"})
        process.live.publish(process.name("a"), "liar", "VIDEO", "MICROPHONE")
        process.reconciler.on_webhook(published(process))

    may = permission_for(Role.SPEAKER, AUDIO.spec)
    monkeypatch.setattr(process.store, "insert", slowly)
    await process.reconciler.reconcile(read_files=True)
    monkeypatch.setattr(process.store, "removal_approval", meanwhile)
    process.planner.on_standby()  # so that the next plan is followed by a question to the database
    await process.reconcile(read_files=False)
    assert await tracks(process) == 0


async def test_an_audit_looks_into_rooms_with_people_alone() -> None:
    process = await with_a_liar()
    process.manifests = desired(AUDIO, manifest("empty"))
    await process.reconcile()
    await process.reconcile()
    assert await tracks(process) == 1
    process.calls()
    await process.reconcile(audit=True)
    assert process.calls() == {"rooms": 1, "participants": 1, "update_permission": 1}
    assert await tracks(process) == 0


async def test_a_permission_changed_by_hand_is_put_back_at_an_audit() -> None:
    process = InProcess()
    process.manifests = desired(manifest("a"))
    await process.run_until_stable()
    right = permission_for(Role.SPEAKER, manifest("a").spec)
    process.live.enter(process.name("a"), "ann", right, {"role": "speaker"})
    await process.live.update_permission(process.name("a"), "ann", Permission(can_publish_data=True))
    await process.reconcile()
    await process.reconcile(audit=True)
    (ann,) = await process.live.participants(process.name("a"))
    assert ann.permission == right


async def test_a_controller_that_stands_by_heeds_no_webhook() -> None:
    process = await with_a_liar()
    process.lease.held = False
    process.reconciler.on_webhook(published(process))
    assert not process.triggers.woken


async def test_a_change_by_api_reaches_who_is_inside_in_the_pass_that_reads_it() -> None:
    """The record alone changed: no manifest tells of it, and no resync is due."""
    process = await with_a_liar()
    room = process.record("a")
    chatty = manifest("a", mediaType="MEDIA_TYPE_AUDIO_ONLY", allow_chat=True)
    process.store.database.rooms[room.id] = room.with_spec(chatty.spec, "a", "a.yaml", process.time.wall())
    process.manifests = desired(chatty)
    await process.reconcile(read_files=True)
    (liar,) = await process.live.participants(process.name("a"))
    assert (liar.permission.can_publish, liar.permission.can_publish_data) == (False, True)


async def test_a_crowd_is_put_right_to_the_last() -> None:
    process = await with_a_liar()
    for number in range(3 * MAX_CONCURRENT_PERMISSION_UPDATES + 1):
        process.live.enter(process.name("a"), f"guest-{number}", Permission(), {"role": "guest"})
    await process.reconcile(audit=True)
    people = await process.live.participants(process.name("a"))
    assert {p.identity for p in people if not p.permission.can_publish} == {"liar"}


async def test_rooms_with_people_in_them_go_first() -> None:
    """A thousand rooms may change at once, and those inside wait for theirs alone."""
    process = InProcess()
    process.manifests = desired(*(manifest(key) for key in "abc"))
    await process.run_until_stable()
    process.live.enter(
        process.name("c"), "ann", permission_for(Role.SPEAKER, AUDIO.spec), {"role": "speaker"}
    )
    process.manifests = desired(*(manifest(key, allow_chat=True) for key in "abc"))
    await process.reconciler.reconcile(read_files=True)
    assert list(process.task_runner.busy) == [process.record(key).id for key in "cab"]
    await process.task_runner.wait_until_idle()


async def test_who_joins_while_the_policy_changes_is_looked_at() -> None:
    process = await with_a_liar()
    process.manifests = desired(manifest("a", mediaType="MEDIA_TYPE_AUDIO_ONLY", allow_chat=True))
    await process.reconciler.reconcile(read_files=True)
    process.triggers._woken.clear()
    process.reconciler.on_webhook(WebhookEvent("participant_joined", room=process.name("a"), identity="late"))
    assert process.triggers.woken
    await process.task_runner.wait_until_idle()
