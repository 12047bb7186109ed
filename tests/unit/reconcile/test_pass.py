"""One pass after another on LiveKit, MongoDB and the lease in memory."""

import json

import pytest

from controller.errors import LiveKitNotFoundError
from controller.live.room import Permission
from controller.live.webhook import WebhookEvent
from controller.manifests.snapshot import Desired, ManifestError
from controller.plan.model import DeleteOrphan, EnforcePermissions
from controller.reconcile.reconciler import EMPTY_PLAN_TTL_SECONDS
from controller.reconcile.task_runner import HEAL_RECHECK_SECONDS, UPDATE_RECHECK_SECONDS
from controller.records.record import RoomRecord
from tests.support.fake_store import FakeStore
from tests.support.inprocess import InProcess
from tests.support.worlds import NOW, OWNER, desired, live_room, manifest

TWO = desired(manifest("a"), manifest("b"))


async def converged(manifests: Desired = TWO) -> InProcess:
    process = InProcess()
    process.manifests = manifests
    await process.run_until_stable()
    process.calls()
    return process


def conditions(room: RoomRecord) -> dict[str, str]:
    return {c.type: f"{c.status} {c.reason}" for c in room.status.conditions}


async def test_manifests_become_live_rooms_with_records_that_say_so() -> None:
    process = await converged()
    for key in ("a", "b"):
        room = process.record(key)
        live = process.live._rooms[process.name(key)]
        assert room.sid == live.sid == (room.live and room.live.sid)
        assert json.loads(live.metadata)["room_hash"] == OWNER.room_marks(room.id)[0]
        assert conditions(room)["Ready"] == "True AsSpecified"
        assert room.status.observed_generation == room.generation == 1


async def test_a_room_is_written_twice_before_and_after_it_is_made() -> None:
    process = InProcess()
    process.manifests = TWO
    await process.reconcile()
    assert process.store.writes == 4
    assert sorted(process.progress) == [(key, word, "done") for key in "ab" for word in ("create", "start")]


async def test_a_pass_over_unchanged_rooms_lists_once_and_writes_nothing() -> None:
    process = await converged()
    writes = process.store.writes
    for _ in range(3):
        process.time.seconds += 5
        await process.reconcile()
    assert process.calls() == {"rooms": 3}
    assert process.store.writes == writes


async def test_rooms_d_is_read_when_it_should_be() -> None:
    process = InProcess()
    await process.reconcile(read_files=False)
    assert process.reads == 1
    await process.reconcile(read_files=False)
    assert process.reads == 1
    await process.reconcile(read_files=True)
    assert process.reads == 2


async def test_an_edit_reaches_the_room_its_people_and_its_status() -> None:
    process = await converged(desired(manifest("a", allow_chat=True)))
    process.live.enter(
        process.name("a"), "ann", Permission(True, True, True, ("CAMERA",)), {"role": "speaker"}
    )
    process.manifests = desired(manifest("a", allow_chat=False))
    process.time.seconds += 60
    await process.reconcile()
    (ann,) = await process.live.participants(process.name("a"))
    assert not ann.permission.can_publish_data
    room = process.record("a")
    assert not json.loads(process.live._rooms[process.name("a")].metadata)["allow_chat"]
    assert (room.generation, room.status.observed_generation) == (2, 2)
    assert room.modified == process.time.wall() > NOW


async def test_soon_after_an_edit_a_pass_follows_and_then_joiners_wake_the_loop() -> None:
    process = await converged(desired(manifest("a", allow_chat=True)))
    process.manifests = desired(manifest("a"))
    joined = WebhookEvent("participant_joined", room=process.name("a"), identity="bob")
    process.reconciler.on_webhook(joined)
    assert not process.triggers.woken
    process.triggers.delays.clear()
    await process.reconcile()
    assert process.triggers.delays == [UPDATE_RECHECK_SECONDS]
    await process.reconcile()
    process.reconciler.on_webhook(joined)
    assert process.triggers.woken


async def test_somebody_with_an_older_token_is_put_right_by_the_next_pass() -> None:
    process = await converged(desired(manifest("a", allow_chat=True)))
    process.manifests = desired(manifest("a"))
    await process.reconcile()
    process.live.enter(process.name("a"), "late", Permission(True, True, True, ()), {"role": "speaker"})
    await process.reconcile()
    (late,) = await process.live.participants(process.name("a"))
    assert not late.permission.can_publish_data


async def test_one_who_leaves_while_looked_at_is_no_failure() -> None:
    process = await converged(desired(manifest("a", allow_chat=True)))
    process.live.enter(process.name("a"), "ann", Permission(True, True, True, ()), {"role": "speaker"})
    process.live.fail["update_permission"] = LiveKitNotFoundError("she has left")
    process.manifests = desired(manifest("a"))
    await process.reconcile()
    assert ("a", "update", "done") in process.progress
    assert conditions(process.record("a"))["Ready"] == "True AsSpecified"


async def test_a_vanished_room_comes_back_under_its_name_and_is_looked_at_again() -> None:
    process = await converged()
    before = process.record("a")
    process.live.vanish(process.name("a"))
    process.triggers.delays.clear()
    await process.reconcile()
    after = process.record("a")
    assert after.live is not None
    assert before.live is not None
    assert after.live.name == before.live.name
    assert after.sid != before.sid
    assert after.modified == before.modified
    assert process.triggers.delays == [HEAL_RECHECK_SECONDS]


async def test_a_room_deleted_right_after_it_was_made_wakes_the_loop() -> None:
    process = InProcess()
    process.manifests = desired(manifest("a"))
    await process.reconcile()
    assert not process.triggers.woken
    sid = process.record("a").sid or ""
    process.reconciler.on_webhook(WebhookEvent("room_finished", room=process.name("a"), sid=sid))
    assert process.triggers.woken


async def test_foreign_rooms_wake_nobody_and_stay() -> None:
    process = await converged()
    process.live.put(live_room(process.record("a"), "theirs", metadata="theirs"))
    await process.reconcile()
    process.reconciler.on_webhook(WebhookEvent("room_finished", room="theirs", sid="RM_theirs"))
    assert not process.triggers.woken
    assert "theirs" in await process.listed()


async def test_a_stop_retires_the_name_and_deletes_the_room() -> None:
    process = await converged()
    name = process.name("a")
    process.live.enter(name, "ann", Permission())
    process.manifests = desired(manifest("a", active=False), manifest("b"))
    await process.reconcile()
    room = process.record("a")
    assert (room.live, [old.name for old in room.retired]) == (None, [name])
    assert room.sid is not None
    assert name not in await process.listed()
    assert conditions(room) == {
        "Ready": "True AsSpecified",
        "Live": "False Inactive",
        "ManifestValid": "True Valid",
    }


async def test_a_start_after_a_stop_has_a_fresh_name() -> None:
    process = await converged()
    name = process.name("a")
    process.manifests = desired(manifest("a", active=False), manifest("b"))
    await process.reconcile()
    process.manifests = TWO
    await process.reconcile()
    assert process.name("a") != name
    assert len(await process.listed()) == 2


async def test_a_recreate_waits_for_the_last_to_leave() -> None:
    process = await converged()
    name = process.name("a")
    process.live.enter(name, "ann", Permission())
    process.manifests = desired(manifest("a", max_participants=3), manifest("b"))
    await process.reconcile()
    await process.reconcile()
    assert process.name("a") == name
    assert conditions(process.record("a"))["Ready"] == "True Deferred"
    assert conditions(process.record("a"))["Deferred"] == "True PeopleInside"
    process.reconciler.on_webhook(WebhookEvent("participant_left", room=name, identity="ann"))
    assert process.triggers.woken
    process.live.go(name, "ann")
    await process.reconcile()
    assert process.name("a") != name
    assert await process.listed() == {process.name("a"), process.name("b")}
    await process.reconcile()
    assert "Deferred" not in conditions(process.record("a"))


async def test_who_comes_in_between_the_plan_and_the_act_still_defers_it() -> None:
    process = await converged()
    name = process.name("a")
    process.manifests = desired(manifest("b"))
    observed = await process.planner.observer.observe(None)
    plan = await process.planner.plan(observed)
    process.live.enter(name, "ann", Permission())
    process.task_runner.start_changes(plan)
    await process.task_runner.wait_until_idle()
    assert name in await process.listed()
    assert not process.record("a").removed


async def test_a_removal_leaves_a_tombstone_for_an_hour() -> None:
    process = await converged()
    name = process.name("a")
    process.manifests = desired(manifest("b"))
    await process.reconcile()
    assert process.record("a").removed
    assert name not in await process.listed()
    process.live.put(live_room(process.record("a"), name))  # a kicked client made it again
    await process.reconcile()
    assert name not in await process.listed()
    process.time.seconds += 3599
    await process.reconcile()
    assert process.record("a").removed
    process.time.seconds += EMPTY_PLAN_TTL_SECONDS + 1
    await process.reconcile()
    assert [room.key for room in process.store.database.rooms.values()] == ["b"]


async def test_a_manifest_that_comes_back_has_its_id_and_another_name() -> None:
    process = await converged()
    before = process.record("a")
    process.manifests = desired(manifest("b"))
    await process.reconcile()
    process.manifests = TWO
    await process.reconcile()
    after = process.record("a")
    assert (after.id, after.created, after.removed) == (before.id, before.created, False)
    assert after.live is not None
    assert before.live is not None
    assert after.live.name != before.live.name


async def test_a_lost_database_adopts_the_live_rooms_and_cuts_nobody_off() -> None:
    process = await converged()
    rooms = {key: (process.record(key).id, process.name(key)) for key in "ab"}
    process.live.enter(process.name("a"), "ann", Permission())
    fresh = InProcess(process.live, store=FakeStore())
    fresh.manifests = TWO
    await fresh.run_until_stable()
    assert {key: (fresh.record(key).id, fresh.name(key)) for key in "ab"} == rooms
    assert len(await process.live.participants(rooms["a"][1])) == 1
    assert fresh.record("a").sid is not None
    assert fresh.live.calls["create_room"] == 0
    assert fresh.live.calls["delete_room"] == 0


async def test_the_people_of_an_adopted_room_get_the_rights_of_its_policy() -> None:
    process = await converged(desired(manifest("a", allow_chat=True)))
    process.live.enter(process.name("a"), "ann", Permission(True, True, True, ()), {"role": "speaker"})
    fresh = InProcess(process.live, store=FakeStore())
    fresh.manifests = desired(manifest("a"))
    await fresh.reconcile()
    (ann,) = await process.live.participants(fresh.name("a"))
    assert not ann.permission.can_publish_data


async def test_an_orphan_goes_after_two_looks_half_a_minute_apart() -> None:
    process = await converged()
    process.live.put(live_room(process.record("a"), "orphan"))
    process.live.enter("orphan", "ann", Permission())
    for _ in range(4):
        await process.reconcile()
        process.time.seconds += 30
    assert "orphan" in await process.listed()
    process.live.go("orphan", "ann")
    await process.reconcile()
    process.time.seconds += 29
    await process.reconcile()
    assert "orphan" in await process.listed()
    process.time.seconds += 1
    await process.reconcile()
    await process.reconcile()
    assert "orphan" not in await process.listed()


async def test_a_wrong_manifest_is_told_in_the_status_and_taken_back() -> None:
    process = await converged()
    error = ManifestError("a.yaml", "it is wrong", None, "a")
    process.manifests = desired(manifest("b"), errors=(error,))
    await process.reconcile()
    assert conditions(process.record("a"))["ManifestValid"] == "False Invalid"
    process.manifests = TWO
    await process.reconcile()
    assert conditions(process.record("a"))["ManifestValid"] == "True Valid"


async def test_a_sid_that_a_crash_kept_back_is_written_down() -> None:
    process = await converged()
    room = process.record("a")
    assert room.live is not None
    bare = room.with_live_name(room.live.name, NOW).without_retired(frozenset({room.live.name}))
    process.store.database.rooms[room.id] = bare
    await process.reconcile()
    assert process.record("a").sid == process.live._rooms[process.name("a")].sid
    assert process.acts() == 0


@pytest.mark.parametrize("removed", [True, False])
async def test_a_status_never_covers_a_newer_generation(removed: bool) -> None:
    process = await converged()
    old = process.record("a")
    newer = (
        old.with_tombstone(NOW)
        if removed
        else old.with_spec(manifest("a", name="N").spec, "a", "a.yaml", NOW)
    )
    await process.store.save(old, newer)
    plan = await process.planner.plan(await process.planner.observer.observe(None))
    await process.status_writer.write_status(old, plan, None)
    status = process.record("a").status
    assert status.observed_generation == 1


async def test_an_older_look_at_the_people_does_not_undo_a_newer_policy() -> None:
    process = await converged(desired(manifest("a", allow_chat=True)))
    old = process.record("a")
    process.live.enter(process.name("a"), "ann", Permission(True, True, True, ()), {"role": "speaker"})
    process.manifests = desired(manifest("a"))
    await process.reconcile()
    await process.applier.maintain(EnforcePermissions(old))
    (ann,) = await process.live.participants(process.name("a"))
    assert not ann.permission.can_publish_data


async def test_an_orphan_that_was_adopted_meanwhile_or_has_somebody_inside_stays() -> None:
    process = await converged()
    assert await process.applier.maintain(DeleteOrphan(process.name("a"))) == 0
    process.live.put(live_room(process.record("a"), "orphan"))
    process.live.enter("orphan", "ann", Permission())
    assert await process.applier.maintain(DeleteOrphan("orphan")) == 0
    process.live.go("orphan", "ann")
    assert await process.applier.maintain(DeleteOrphan("orphan")) == 1
    assert await process.listed() == {process.name("a"), process.name("b")}
