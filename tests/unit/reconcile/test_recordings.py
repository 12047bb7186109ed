"""A recording from the first person to the file, on fakes: what is begun, ended, healed and said."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import AsyncMock

import pytest

from controller.companions.occupancy import MAX_EMPTY_ROOM_CHECKS
from controller.companions.recording.companion import RecordingCompanion
from controller.companions.recording.config import RecordingConfig
from controller.errors import (
    LiveKitUnavailableError,
    NoEgressServiceError,
    NoEgressWorkerError,
    StoreUnavailableError,
)
from controller.live.egress import Egress, EgressStatus
from controller.live.room import Permission
from controller.recording_output import RecordingOutput
from controller.records.record import Condition
from controller.records.recordings import RecordingRow, RecordingState
from tests.support.fake_live import FakeLive
from tests.support.inprocess import InProcess
from tests.support.worlds import desired, manifest

TAPING = RecordingConfig(
    RecordingOutput.read("file:///recordings/{key}/{start}-{id}.mp4"), idle=timedelta(seconds=60)
)
SPEAKER = Permission(can_publish=True, sources=("CAMERA", "MICROPHONE"))
HIDDEN = Permission(hidden=True)


def harness(config: RecordingConfig = TAPING, **more: Any) -> InProcess:
    """A controller of one room that is to be recorded."""
    controller = InProcess(config=config, **more)
    controller.manifests = desired(manifest("stage", record=True))
    return controller


async def look(controller: InProcess, passes: int = 6) -> None:
    """Passes until what one of them set under way is seen by the next."""
    for _ in range(passes):
        await controller.reconcile(audit=True)


async def live(controller: InProcess) -> str:
    await controller.run_until_stable()
    return controller.name("stage")


def recording_of(controller: InProcess) -> RecordingCompanion:
    companion, *_ = controller.status_writer.companions
    assert isinstance(companion, RecordingCompanion)
    return companion


def running(controller: InProcess) -> list[Egress]:
    return [egress for egress in controller.live.egresses.values() if not egress.status.ended]


def recording_condition(controller: InProcess) -> Condition:
    condition = controller.record("stage").status.condition("Recording")
    assert condition is not None
    return condition


async def rows(controller: InProcess) -> list[RecordingRow]:
    return await controller.store.recordings.find()


async def recorded(controller: InProcess) -> Egress:
    """Somebody is inside, and the room is being recorded."""
    controller.live.enter(await live(controller), "ann", SPEAKER)
    await look(controller)
    (egress,) = running(controller)
    controller.live.becomes(egress.id, EgressStatus.ACTIVE)
    await look(controller)
    return controller.live.egresses[egress.id]


async def test_an_empty_room_is_not_recorded() -> None:
    controller = harness()
    await live(controller)
    await look(controller)
    assert not controller.live.egresses
    assert (recording_condition(controller).status, recording_condition(controller).reason) == (
        "False",
        "Idle",
    )


async def test_the_first_person_begins_one_recording() -> None:
    controller = harness()
    egress = await recorded(controller)
    assert controller.live.calls["start_recording"] == 1
    assert egress.file.startswith("/recordings/stage/")
    assert recording_condition(controller).status == "True"
    assert egress.file in recording_condition(controller).message
    assert [row.state for row in await rows(controller)] == ["recording"]


@pytest.mark.parametrize(
    ("identity", "permission", "kind"), [("hid", HIDDEN, "STANDARD"), ("bot", SPEAKER, "AGENT")]
)
async def test_who_does_not_count_begins_none(identity: str, permission: Permission, kind: str) -> None:
    controller = harness()
    controller.live.enter(await live(controller), identity, permission, kind=kind)
    await look(controller)
    assert not controller.live.egresses


async def test_it_ends_when_nobody_has_been_inside_for_the_idle_time() -> None:
    controller = harness()
    egress = await recorded(controller)
    controller.live.go(egress.room, "ann")
    await look(controller)
    controller.time.seconds += 59
    await look(controller)
    assert running(controller)
    controller.time.seconds += 2
    await look(controller)
    assert not running(controller)
    assert [row.state for row in await rows(controller)] == ["complete"]
    assert recording_condition(controller).reason == "Idle"


async def test_who_comes_back_in_time_is_in_the_same_recording() -> None:
    controller = harness()
    egress = await recorded(controller)
    controller.live.go(egress.room, "ann")
    await look(controller)
    controller.time.seconds += 50
    controller.live.enter(egress.room, "ann", SPEAKER)
    await look(controller)
    controller.time.seconds += 50
    await look(controller)
    assert [one.id for one in running(controller)] == [egress.id]


async def test_a_stopped_room_ends_its_recording_before_it_goes() -> None:
    controller = harness()
    egress = await recorded(controller)
    controller.manifests = desired(manifest("stage", record=True, active=False))
    await look(controller)
    assert controller.live.egresses[egress.id].status is EgressStatus.COMPLETE
    assert controller.record("stage").recording is None


async def test_one_that_ends_already_is_not_asked_again_when_its_room_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """LiveKit would take three seconds to say that it has ended, and the people be inside for so long."""
    controller = harness()
    egress = await recorded(controller)
    asked: list[str] = []

    async def ends_later(_: FakeLive, egress_id: str) -> None:
        asked.append(egress_id)
        controller.live.becomes(egress_id, EgressStatus.ENDING)

    monkeypatch.setattr(FakeLive, "stop_recording", ends_later)
    controller.manifests = desired(manifest("stage", record=False))
    await look(controller)
    controller.manifests = desired(manifest("stage", record=False, active=False))
    asyncio.get_running_loop().call_later(0.3, controller.live.becomes, egress.id, EgressStatus.COMPLETE)
    await look(controller)
    assert egress.room not in await controller.listed()
    assert asked == [egress.id]


async def test_a_stopped_room_goes_on_to_say_that_its_recording_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An output is refused at the very end: who looks in the morning finds it said."""
    controller = harness()
    await recorded(controller)

    async def fails(_: FakeLive, egress_id: str) -> None:
        controller.live.becomes(egress_id, EgressStatus.FAILED, error="could not write the output")

    monkeypatch.setattr(FakeLive, "stop_recording", fails)
    controller.manifests = desired(manifest("stage", record=True, active=False))
    await look(controller, 12)
    assert (recording_condition(controller).reason, recording_condition(controller).message) == (
        "Failed",
        "could not write the output",
    )


async def test_who_stands_by_counts_no_recording() -> None:
    """The sum over all replicas is what is recorded."""
    controller = harness()
    await recorded(controller)
    assert b"roomctl_recording 1.0" in controller.metrics.text()
    recording_of(controller).on_standby()
    assert b"roomctl_recording 0.0" in controller.metrics.text()


async def test_record_false_ends_it_at_once_and_leaves_the_room() -> None:
    controller = harness()
    egress = await recorded(controller)
    controller.manifests = desired(manifest("stage", record=False))
    await look(controller)
    assert not running(controller)
    assert egress.room in await controller.listed()
    assert controller.record("stage").status.condition("Recording") is None


async def test_another_layout_goes_on_in_a_second_file() -> None:
    controller = harness()
    first = await recorded(controller)
    controller.manifests = desired(manifest("stage", record=True, record_mode="ROOM_COMPOSITE_SPEAKER"))
    plan = await controller.reconcile()
    assert [change.reason for change in plan.changes] == ["the recording goes on in a second file"]
    await look(controller, 10)
    (second,) = running(controller)
    assert (second.layout, second.file == first.file) == ("speaker", False)


async def test_of_two_the_younger_is_stopped_and_listed() -> None:
    controller = harness()
    elder = await recorded(controller)
    young = Egress(
        "EG_young", elder.room, EgressStatus.ACTIVE, "/recordings/stage/20300101T000000Z-x.mp4", "grid",
        started=controller.time.wall() + timedelta(days=3650), updated=5,
    )  # fmt: skip
    controller.live.egresses[young.id] = young
    await look(controller)
    assert [one.id for one in running(controller)] == [elder.id]


async def test_a_foreign_recording_is_left_alone() -> None:
    controller = harness()
    elder = await recorded(controller)
    foreign = Egress("EG_theirs", elder.room, EgressStatus.ACTIVE, "/elsewhere/x.mp4", "grid")
    controller.live.egresses[foreign.id] = foreign
    await look(controller)
    assert len(running(controller)) == 2


async def test_no_worker_is_said_and_tried_again() -> None:
    controller = harness()
    name = await live(controller)
    controller.live.fail["start_recording"] = NoEgressWorkerError("no egress worker")
    controller.live.enter(name, "ann", SPEAKER)
    await look(controller)
    assert recording_condition(controller).reason == "NoWorker"
    controller.live.fail.clear()
    controller.time.seconds += 61
    await look(controller)
    assert len(running(controller)) == 1


async def test_a_start_of_unknown_outcome_is_not_repeated_for_a_minute() -> None:
    controller = harness()
    name = await live(controller)
    controller.live.fail["start_recording"] = LiveKitUnavailableError("no answer")
    controller.live.enter(name, "ann", SPEAKER)
    await look(controller)
    controller.live.fail.clear()
    controller.time.seconds += 55
    await look(controller)
    assert controller.live.calls["start_recording"] == 1
    controller.time.seconds += 10
    await look(controller)
    assert controller.live.calls["start_recording"] == 2


async def test_nor_where_the_clock_of_whoever_called_was_ahead() -> None:
    controller = harness()
    name = await live(controller)
    controller.live.fail["start_recording"] = LiveKitUnavailableError("no answer")
    controller.live.enter(name, "ann", SPEAKER)
    await look(controller)
    controller.live.fail.clear()
    controller.time.seconds -= 5
    await look(controller)
    assert controller.live.calls["start_recording"] == 1


async def test_a_start_whose_answer_was_lost_is_found_by_its_file() -> None:
    controller = harness()
    name = await live(controller)
    start = controller.live.start_recording

    async def lost(request: Any) -> Egress:
        await start(request)
        raise LiveKitUnavailableError("no answer")

    controller.live.start_recording = lost  # type: ignore[method-assign]
    controller.live.enter(name, "ann", SPEAKER)
    await look(controller)
    assert controller.live.calls["start_recording"] == 1
    (row,) = await rows(controller)
    assert row.egress_id == running(controller)[0].id


async def test_a_ghost_is_lost_and_a_new_one_begun() -> None:
    controller = harness()
    ghost = await recorded(controller)
    controller.live.fail[f"stop_recording {ghost.id}"] = LiveKitUnavailableError("no answer")
    controller.live.go(ghost.room, ghost.id)
    controller.time.seconds += 61
    await look(controller, 8)
    states = {row.egress_id: row.state for row in await rows(controller)}
    assert states.pop(ghost.id) == "lost"
    assert list(states.values()) == ["recording"]


async def test_what_was_lost_before_it_was_noted_is_lost_and_stands_in_no_ones_way() -> None:
    """Whoever began it died before it stood in the record, and LiveKit lists it for ever."""
    controller = harness()
    ghost = await recorded(controller)
    controller.live.ghosts.add(ghost.id)
    rooms, room = controller.store.database.rooms, controller.record("stage")
    assert room.recording is not None
    rooms[room.id] = room.with_recording(replace(room.recording, egress_id=None))
    (row,) = await rows(controller)
    await controller.store.recordings.put(replace(row, state=RecordingState.LOST))
    other = harness(live=controller.live, database=controller.store.database, time=controller.time)
    await look(other, 8)
    states = {row.egress_id: row.state for row in await rows(other)}
    assert states.pop(ghost.id) == "lost"
    assert list(states.values()) == ["recording"]


async def test_a_row_that_cannot_be_written_holds_no_room_back() -> None:
    controller = harness()
    egress = await recorded(controller)
    other = harness(live=controller.live, database=controller.store.database, time=controller.time)
    await other.reconcile()
    failing = AsyncMock(side_effect=StoreUnavailableError("no answer"))
    controller.store.database.recordings.clear()
    other.store.recordings.put = failing  # type: ignore[method-assign]
    other.manifests = desired(manifest("stage", record=True, active=False))
    recording_of(other)._ledger.open.clear()
    await look(other)
    assert failing.await_count
    assert egress.room not in await other.listed()


async def test_one_that_livekit_forgot_is_asked_to_end_while_its_worker_goes_on_unseen() -> None:
    """Redis came back empty: its entry is gone, and the recorder still inside."""
    controller = harness()
    forgotten = await recorded(controller)
    del controller.live.egresses[forgotten.id]
    await look(controller)
    assert controller.live.calls["stop_recording"] == 1
    await controller.triggers.wait(0.0)
    await look(controller, 1)
    assert not controller.triggers.woken, "the loop would turn for as long as the worker goes on"
    controller.live.go(forgotten.room, forgotten.id)
    await look(controller)
    states = {row.egress_id: row.state for row in await rows(controller)}
    assert states.pop(forgotten.id) == "lost"
    assert list(states.values()) == ["recording"]


async def test_of_many_quiet_rooms_some_are_looked_into_at_a_time() -> None:
    controller = InProcess(config=TAPING)
    controller.manifests = desired(
        *(manifest(f"r{n:03}", record=True) for n in range(MAX_EMPTY_ROOM_CHECKS + 50))
    )
    await controller.run_until_stable()
    controller.time.seconds += 100
    controller.calls()
    await look(controller, 1)
    assert controller.calls()["participants"] == MAX_EMPTY_ROOM_CHECKS


async def test_one_that_failed_is_listed_said_and_begun_anew() -> None:
    controller = harness()
    egress = await recorded(controller)
    controller.live.becomes(egress.id, EgressStatus.FAILED, error="could not write the output")
    await look(controller, 3)
    assert recording_condition(controller).reason == "Failed"
    controller.time.seconds += 61
    await look(controller)
    assert [row.state for row in await rows(controller)].count(RecordingState.FAILED) == 1
    assert len(running(controller)) == 1


async def test_another_controller_goes_on_with_it() -> None:
    controller = harness()
    egress = await recorded(controller)
    other = harness(live=controller.live, database=controller.store.database, time=controller.time)
    await look(other)
    assert [one.id for one in running(other)] == [egress.id]
    assert other.live.calls["start_recording"] == 1


async def test_whoever_is_back_settles_what_another_began_meanwhile() -> None:
    """Its lease ran out and was its own again between two of its passes: LiveKit was away for it alone."""
    controller = harness()
    first = await recorded(controller)
    other = harness(live=controller.live, database=controller.store.database, time=controller.time)
    controller.live.becomes(first.id, EgressStatus.FAILED, error="could not write the output")
    await look(other, 3)
    controller.time.seconds += 61
    await look(other)
    (second,) = running(other)
    await look(controller, 2)
    controller.live.becomes(second.id, EgressStatus.COMPLETE)
    await look(controller)
    assert [row.state for row in await rows(controller)].count(RecordingState.RECORDING) == 1
    assert {row.egress_id: row.state for row in await rows(controller)}[second.id] == "complete"


async def test_without_redis_the_condition_says_so() -> None:
    controller = harness()
    controller.live.fail["recordings"] = NoEgressServiceError("no Redis")
    await live(controller)
    await look(controller)
    assert recording_condition(controller).reason == "NoEgressService"


async def test_without_an_output_nothing_is_recorded_and_that_is_said() -> None:
    controller = harness(RecordingConfig())
    controller.live.enter(await live(controller), "ann", SPEAKER)
    await look(controller)
    assert not controller.live.egresses
    assert recording_condition(controller).reason == "NotConfigured"


async def test_a_lost_one_that_goes_on_is_ours_again_and_the_younger_ends() -> None:
    controller = harness()
    elder = await recorded(controller)
    controller.live.fail[f"stop_recording {elder.id}"] = LiveKitUnavailableError("no answer")
    controller.live.go(elder.room, elder.id)
    controller.time.seconds += 61
    await look(controller, 8)
    _, younger = running(controller)  # LiveKit lists the ghost for ever
    controller.live.becomes(younger.id, EgressStatus.ACTIVE)
    controller.live.fail.clear()
    controller.live.becomes(elder.id, EgressStatus.ACTIVE)
    for _ in range(3):  # it is asked whether anybody answers for its recorder
        controller.time.seconds += 31
        await look(controller)
    assert [one.id for one in running(controller)] == [elder.id]
    states = {row.egress_id: str(row.state) for row in await rows(controller)}
    assert states.pop(elder.id) == "recording"
    assert list(states.values()) == ["complete"]
