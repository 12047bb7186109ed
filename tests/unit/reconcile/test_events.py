"""Which events the reconciler records, of what it did and of what has to wait."""

from dataclasses import replace
from datetime import timedelta

import pytest

from controller.access.policy import Role, permission_for
from controller.errors import LiveKitRejectedError, LiveKitUnavailableError, StoreUnavailableError
from controller.manifests.snapshot import ManifestError, RoomsDirState
from controller.records.events import Event
from controller.records.record import Hold
from controller.room import FieldChange
from tests.support.fake_live import FakeLive
from tests.support.fake_store import FakeDatabase
from tests.support.inprocess import InProcess
from tests.support.worlds import by_api, desired, manifest, record


class Watched(InProcess):
    """A controller that knows who changed one manifest, and hands out each event once."""

    async def news(self) -> list[Event]:
        """The events since this was asked last."""
        events = await self.recorded()
        self.store.database.events.clear()
        return events

    def enter(self, key: str) -> None:
        room = self.record(key)
        self.live.enter(self.name(key), "ann", permission_for(Role.GUEST, room.spec), {"role": "guest"})


async def converged(*keys: str, database: FakeDatabase | None = None) -> Watched:
    """A controller whose rooms are live, with the events of that behind it."""
    process = Watched(database=database)
    process.manifests = desired(*(manifest(key) for key in keys))
    await process.run_until_stable()
    await process.news()
    return process


def words(events: list[Event]) -> list[str]:
    return [event.type for event in events]


async def test_a_new_room_is_created_and_started_for_its_manifest() -> None:
    process = Watched()
    process.manifests = desired(manifest("a"))
    await process.reconcile()
    create, start = await process.news()
    assert (create.type, start.type) == ("create", "start")
    assert {create.by, start.by} == {"manifest a.yaml"}
    assert {create.room_id, start.room_id} == {process.record("a").id}
    assert (start.key, start.reason) == ("a", "manifest added; room is active")
    assert (start.revision, start.disruption, start.participants) == ("a revision", "none", 0)
    assert start.at == process.time.wall()
    assert start.seconds is not None
    assert start.fields == ()


async def test_an_idle_pass_records_nothing() -> None:
    process = await converged("a")
    await process.reconcile(audit=True)
    await process.reconcile()
    assert await process.news() == []


async def test_an_update_has_the_fields_that_changed_and_the_people_inside() -> None:
    process = await converged("a")
    process.enter("a")
    process.manifests = desired(manifest("a", allow_chat=True, max_participants=30))
    await process.reconcile()
    defer, update = await process.news()
    assert update.type == "update"
    assert update.fields == (
        FieldChange("max_participants", 20, 30),
        FieldChange("allow_chat", False, True),
    )
    assert update.participants == 1
    assert (defer.type, defer.participants) == ("defer", 1)


async def test_a_stop_says_how_many_people_it_disconnected() -> None:
    process = await converged("a")
    process.enter("a")
    process.manifests = desired(manifest("a", active=False))
    await process.reconcile()
    update, stop = await process.news()
    assert words([update, stop]) == ["update", "stop"]
    assert (stop.disruption, stop.participants, stop.by) == ("disconnects", 1, "manifest a.yaml")
    assert stop.fields == ()


async def test_a_room_that_disappeared_is_healed_by_the_controller() -> None:
    process = await converged("a")
    process.live.vanish(process.name("a"))
    await process.reconcile()
    (heal,) = await process.news()
    assert (heal.type, heal.by, heal.reason) == ("heal", "controller", "LiveKit room disappeared")


async def test_a_lost_database_makes_rooms_adopted() -> None:
    before = await converged("a")
    process = Watched(before.live)
    process.manifests = before.manifests
    await process.reconcile()
    assert words(await process.news()) == ["create", "adopt"]


async def test_a_removal_is_the_manifests_and_has_no_people() -> None:
    process = await converged("a", "b")
    process.manifests = desired(manifest("b"))
    await process.reconcile()
    (remove,) = await process.news()
    assert (remove.type, remove.key, remove.participants, remove.by) == ("remove", "a", 0, "manifest a.yaml")


async def test_a_removal_that_waits_is_recorded_when_it_begins_to_wait() -> None:
    process = await converged("a", "b")
    process.enter("a")
    process.manifests = desired(manifest("b"))
    for _ in range(3):
        await process.reconcile()
    (defer,) = await process.news()
    assert (defer.type, defer.participants, defer.by) == ("defer", 1, "controller")
    assert defer.reason == "remove deferred until the room is empty, 1 participant inside"
    process.live.go(process.name("a"), "ann")
    await process.reconcile()
    assert words(await process.news()) == ["remove"]


async def test_what_a_hold_held_back_is_recorded_again_when_it_waits_for_people() -> None:
    process = await converged("a", "b")
    process.enter("a")
    process.manifests = desired(manifest("b"))
    await process.store.put_hold_all(Hold("ann", "the show is on", process.time.wall() + timedelta(hours=1)))
    await process.reconcile()
    assert [event.reason for event in await process.news()] == ["remove held"]
    await process.store.put_hold_all(None)
    for _ in range(2):
        await process.reconcile()
    (defer,) = await process.news()
    assert (defer.type, defer.reason) == (
        "defer",
        "remove deferred until the room is empty, 1 participant inside",
    )


async def test_a_wait_that_an_earlier_controller_recorded_is_not_recorded_again() -> None:
    before = await converged("a", "b")
    before.enter("a")
    before.manifests = desired(manifest("b"))
    await before.reconcile()
    await before.reconcile()
    assert words(await before.news()) == ["defer"]
    process = Watched(before.live, before.store.database)
    process.manifests = before.manifests
    await process.reconcile()
    assert await process.news() == []


async def test_a_guard_is_recorded_for_each_room_when_it_begins() -> None:
    process = await converged("a", "b")
    process.manifests = desired()
    for _ in range(3):
        await process.reconcile()
    events = await process.news()
    assert [(event.type, event.key) for event in events] == [("guard", None), ("guard", "a"), ("guard", "b")]
    assert {event.reason.partition(":")[0] for event in events} == {"RoomsDirEmpty"}
    process.manifests = desired(manifest("a"), manifest("b"))
    await process.reconcile()
    (end,) = await process.news()
    assert (end.type, end.key, end.reason) == ("guard", None, "RoomsDirEmpty: over")
    process.manifests = desired()
    await process.reconcile()
    assert words(await process.news()) == ["guard", "guard", "guard"]


@pytest.mark.parametrize("state", [RoomsDirState.MISSING, RoomsDirState.UNREADABLE])
async def test_missing_rooms_directory_is_recorded_when_it_begins_and_when_it_ends(
    state: RoomsDirState,
) -> None:
    """Also by a controller that begins while it lasts, and where it ends before the next one begins."""
    before = await converged("a", "b")
    before.manifests = desired(state=state)
    for _ in range(3):
        await before.reconcile()
    (begin,) = await before.news()
    assert (begin.type, begin.key, begin.by) == ("guard", None, "controller")
    assert begin.reason.startswith("RoomsDirMissing: the rooms directory is missing or unreadable; ")
    process = Watched(before.live, before.store.database)
    process.manifests = desired(state=state)
    await process.reconcile()
    assert await process.news() == []
    for _ in range(2):
        process.manifests = desired(manifest("a"), manifest("b"))
        await process.reconcile()
    (end,) = await process.news()
    assert (end.key, end.reason) == (None, "RoomsDirMissing: over")


async def test_a_guard_that_an_earlier_controller_recorded_is_not_recorded_again() -> None:
    before = await converged("a", "b")
    before.manifests = desired()
    for _ in range(2):
        await before.reconcile()
    assert words(await before.news()) == ["guard", "guard", "guard"]
    process = Watched(before.live, before.store.database)
    process.manifests = desired()
    await process.reconcile()
    assert await process.news() == []


async def test_a_guard_that_changes_its_reason_is_recorded_again() -> None:
    process = await converged("a", "b")
    process.manifests = desired()
    await process.reconcile()
    process.manifests = desired(manifest("b"), errors=(ManifestError("new.yaml", "wrong"),))
    await process.reconcile()
    events = [(event.type, event.key) for event in await process.news() if event.key is not None]
    assert events == [("guard", "a"), ("guard", "b"), ("guard", "a")]


async def test_the_ten_seconds_before_a_removal_are_no_guard() -> None:
    process = Watched(prune_grace_seconds=10.0)
    process.manifests = desired(manifest("a"), manifest("b"))
    await process.run_until_stable()
    await process.news()
    process.manifests = desired(manifest("b"))
    await process.reconcile()
    assert await process.news() == []


async def test_a_failure_is_recorded_once_while_it_is_the_same() -> None:
    process = Watched()
    process.manifests = desired(manifest("a"))
    process.live.fail["create_room"] = LiveKitRejectedError("LiveKit refused it")
    for _ in range(4):
        await process.reconcile()
        process.time.seconds += 60
    create, fail = await process.news()
    assert words([create, fail]) == ["create", "fail"]
    assert (fail.error, fail.reason) == (
        "LiveKit refused it",
        "create, start: manifest added; room is active",
    )
    process.live.fail["create_room"] = LiveKitRejectedError("LiveKit refused it differently")
    await process.reconcile()
    process.time.seconds += 60
    assert [event.error for event in await process.news()] == ["LiveKit refused it differently"]
    process.live.fail.clear()
    await process.reconcile()
    (start,) = await process.news()
    assert (start.type, start.by) == ("start", "manifest a.yaml")


async def test_a_failure_that_an_earlier_controller_recorded_is_not_recorded_again() -> None:
    live, database = FakeLive(), FakeDatabase()
    live.fail["create_room"] = LiveKitRejectedError("LiveKit refused it")
    for expected in (["create", "fail"], []):
        process = Watched(live, database)
        process.manifests = desired(manifest("a"))
        for _ in range(2):
            await process.reconcile()
        assert words(await process.news()) == expected


async def test_an_outage_of_livekit_is_no_failure_of_its_rooms() -> None:
    process = Watched()
    process.manifests = desired(manifest("a"))
    process.live.fail["create_room"] = LiveKitUnavailableError("away")
    await process.reconcile()
    assert words(await process.news()) == ["create"]


async def test_a_removal_that_livekit_refuses_is_recorded_all_the_same() -> None:
    process = await converged("a", "b")
    process.live.fail[f"delete_room {process.name('a')}"] = LiveKitRejectedError("LiveKit refused it")
    process.manifests = desired(manifest("b"))
    await process.reconcile()
    assert words(await process.news()) == ["remove", "fail"]


async def test_what_could_not_be_written_is_not_recorded_as_done() -> None:
    process = await converged("a")
    process.manifests = desired(manifest("a", allow_chat=True))
    plan = await process.planner.plan(await process.planner.observer.observe(None))
    process.store.fail = StoreUnavailableError("away")
    process.task_runner.start_changes(plan)
    await process.task_runner.wait_until_idle()
    process.store.fail = None
    assert await process.news() == []


@pytest.mark.parametrize("active", [True, False])
async def test_a_room_of_the_api_is_recorded_by_the_api(active: bool) -> None:
    process = Watched()
    room = by_api(record("x", active=active))
    process.store.database.rooms[room.id] = room
    await process.run_until_stable()
    changed = process.record(room.key)
    process.store.database.rooms[room.id] = replace(
        changed, spec=changed.spec.model_copy(update={"active": not active}), generation=2
    )
    await process.run_until_stable()
    assert await process.news() == []


async def test_a_room_of_the_api_is_healed_and_recreated_by_the_controller() -> None:
    process = Watched()
    room = by_api(record("x"))
    process.store.database.rooms[room.id] = room
    await process.run_until_stable()
    process.live.vanish(process.name(room.key))
    await process.run_until_stable()
    changed = process.record(room.key)
    process.store.database.rooms[room.id] = replace(
        changed, spec=changed.spec.model_copy(update={"max_participants": 99}), generation=2
    )
    await process.run_until_stable()
    events = await process.news()
    assert [(event.type, event.by) for event in events] == [
        ("heal", "controller"),
        ("recreate", "controller"),
    ]
