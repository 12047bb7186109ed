"""Pass after pass: nothing that a server does ends it, and each thing is said once."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from controller.clock import Clock
from controller.errors import LiveKitUnavailableError, StoreUnavailableError
from controller.live.webhook import WebhookEvent
from controller.manifests.snapshot import Desired, ManifestError, RoomsDirState, SourcePosition
from controller.reconcile.loop import Loop
from tests.support.inprocess import InProcess
from tests.support.wait import until
from tests.support.worlds import desired, manifest

ONE = desired(manifest("a"))


class Turning:
    """A loop around one controller in memory; `restarts` counts what it did about a silent watch."""

    def __init__(self, *, resync: float = 3600.0, clock: Clock | None = None) -> None:
        self.process = InProcess()
        self.process.manifests = ONE
        self.restarts = 0
        process = self.process
        self.loop = Loop(
            process.reconciler,
            process.triggers,
            process.state,
            process.metrics,
            clock or process.time.clock(),
            resync,
            self._restart,
        )

    def _restart(self) -> None:
        self.restarts += 1

    async def reconcile(self, *, resync: bool = True) -> float:
        """One pass of the loop, and what it set under way."""
        self.process.time.seconds += 1e-6
        rest = await self.loop._run_pass(resync_due=resync)
        await self.process.task_runner.wait_until_idle()
        return rest


@asynccontextmanager
async def running(turning: Turning) -> AsyncIterator[InProcess]:
    stop = asyncio.Event()
    task = asyncio.create_task(turning.loop.run(stop))
    try:
        yield turning.process
    finally:
        stop.set()
        turning.process.triggers.wake()
        await task


def events(logs: Sequence[Mapping[str, object]], event: str) -> list[object]:
    return [entry.get("dependency", entry.get("file")) for entry in logs if entry["event"] == event]


async def test_a_server_that_is_away_is_said_once_and_once_when_it_is_back() -> None:
    turning = Turning()
    await turning.reconcile()
    turning.process.live.fail["rooms"] = LiveKitUnavailableError("LiveKit at ws://x is out of reach")
    with capture_logs() as logs:
        for _ in range(3):
            await turning.reconcile()
        turning.process.live.fail.clear()
        await turning.reconcile()
        await turning.reconcile()
    assert events(logs, "dependency unavailable") == ["livekit"]
    assert events(logs, "dependency recovered") == ["livekit"]


async def test_clock_that_is_off_is_said_once_while_it_is() -> None:
    turning = Turning()
    with capture_logs() as logs:
        for ahead in (-600.0, -600.5, 2.0, 11.0):
            turning.process.live.ahead_s = ahead
            await turning.reconcile()
    said = [entry["ahead_seconds"] for entry in logs if entry["event"] == "clock differs from LiveKit"]
    assert said == [-600, 11]


async def test_both_away_are_both_said_and_what_is_back_first_is_said_first() -> None:
    turning = Turning()
    process = turning.process
    process.live.fail["rooms"] = LiveKitUnavailableError("LiveKit is out of reach")
    process.store.fail = StoreUnavailableError("MongoDB is out of reach")
    with capture_logs() as logs:
        await turning.reconcile()
        assert sorted(map(str, events(logs, "dependency unavailable"))) == ["livekit", "mongodb"]
        assert not process.state.started
        process.store.fail = None
        process.live.fail["rooms"] = LiveKitUnavailableError("LiveKit is still out of reach")
        await turning.reconcile()
        assert (process.state.mongodb.up, process.state.livekit.up) == (True, False)
        assert events(logs, "dependency recovered") == ["mongodb"]
        process.live.fail.clear()
        await turning.reconcile()
    assert events(logs, "dependency recovered") == ["mongodb", "livekit"]
    assert process.name("a") in await process.listed()


async def test_records_are_taken_in_while_livekit_is_away() -> None:
    turning = Turning()
    await turning.reconcile()
    turning.process.live.fail["rooms"] = LiveKitUnavailableError("LiveKit is out of reach")
    room = turning.process.record("a")
    turning.process.store.database.rooms[room.id] = room.with_spec(
        manifest("a", active=False).spec, "a", "a.yaml", room.created
    )
    await turning.reconcile()
    assert turning.process.state.room(room.id) is None


async def test_a_failing_pass_is_tried_again_ever_more_slowly_up_to_ten_seconds() -> None:
    turning = Turning()
    turning.process.time.chance = 1.0
    turning.process.live.fail["rooms"] = LiveKitUnavailableError("LiveKit is out of reach")
    rests = [await turning.reconcile() for _ in range(6)]
    assert rests == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0]
    turning.process.live.fail.clear()
    assert await turning.reconcile() == 3600.0


async def test_a_fault_of_ours_in_a_pass_does_not_end_the_loop() -> None:
    turning = Turning()
    turning.process.live.fail["rooms"] = ZeroDivisionError()  # type: ignore[assignment]
    with capture_logs() as logs:
        await turning.reconcile()
    assert logs[-1]["event"] == "reconcile pass crashed"
    turning.process.live.fail.clear()
    await turning.reconcile()
    assert turning.process.name("a") in await turning.process.listed()


async def test_a_file_change_that_met_an_outage_is_read_when_it_is_over() -> None:
    turning = Turning()
    process = turning.process
    await turning.reconcile()
    process.manifests = desired(manifest("a"), manifest("b"))
    process.triggers.files_changed()
    process.live.fail["rooms"] = LiveKitUnavailableError("LiveKit is out of reach")
    await turning.reconcile(resync=False)
    process.live.fail.clear()
    await turning.reconcile(resync=False)
    assert "b" in process.store.by_key


async def test_a_watch_that_was_silent_is_started_again() -> None:
    turning = Turning()
    await turning.reconcile()
    turning.process.manifests = Desired(ONE.rooms, (), "another revision")
    await turning.reconcile()
    assert turning.restarts == 0, "it may be about to tell"
    await turning.reconcile()
    assert turning.restarts == 1
    await turning.reconcile()
    assert turning.restarts == 1


async def test_a_watch_that_tells_after_the_resync_is_not_silent() -> None:
    turning = Turning()
    await turning.reconcile()
    turning.process.manifests = Desired(ONE.rooms, (), "another revision")
    await turning.reconcile()
    turning.process.triggers.files_changed()
    await turning.reconcile(resync=False)
    await turning.reconcile()
    assert turning.restarts == 0


async def test_a_wrong_manifest_is_told_once_while_it_lasts() -> None:
    turning = Turning()
    wrong = ManifestError("b.yaml", "it is wrong", SourcePosition(2, 3), "b")
    turning.process.manifests = desired(manifest("a"), errors=(wrong,))
    with capture_logs() as logs:
        for _ in range(3):
            await turning.reconcile()
        assert events(logs, "manifest invalid") == ["b.yaml"]
        turning.process.manifests = ONE
        await turning.reconcile()
        turning.process.manifests = desired(manifest("a"), errors=(wrong,))
        await turning.reconcile()
    assert events(logs, "manifest invalid") == ["b.yaml", "b.yaml"]


async def test_a_file_that_is_not_read_is_told_once_while_it_lasts() -> None:
    turning = Turning()
    unread = ManifestError("b.YAML", "not read by the controller; rename it to b.yaml", exists=False)
    turning.process.manifests = replace(ONE, unread=(unread,))
    with capture_logs() as logs:
        for _ in range(3):
            await turning.reconcile()
        assert events(logs, "file not read") == ["b.YAML"]
        turning.process.manifests = ONE
        await turning.reconcile()
        turning.process.manifests = replace(ONE, unread=(unread,))
        await turning.reconcile()
    assert events(logs, "file not read") == ["b.YAML", "b.YAML"]


@pytest.mark.parametrize("state", [RoomsDirState.EMPTY, RoomsDirState.MISSING, RoomsDirState.UNREADABLE])
async def test_a_folder_that_says_nothing_is_told_once(state: RoomsDirState) -> None:
    turning = Turning()
    turning.process.manifests = Desired({}, (), "", state, "rooms.d is not as it was")
    with capture_logs() as logs:
        await turning.reconcile()
        await turning.reconcile()
    entries = [entry for entry in logs if "rooms_dir_state" in entry]
    assert [entry["rooms_dir_state"] for entry in entries] == [str(state)]


async def test_rooms_are_counted_by_condition() -> None:
    turning = Turning()
    turning.process.manifests = desired(manifest("a"), manifest("b", active=False))
    await turning.reconcile()
    await turning.reconcile()
    text = turning.process.metrics.text().decode()
    assert 'roomctl_rooms{status="True",type="Ready"} 2.0' in text
    assert 'roomctl_rooms{status="False",type="Live"} 1.0' in text


async def test_the_resync_comes_however_often_the_loop_is_woken() -> None:
    turning = Turning(resync=0.2, clock=Clock())
    async with running(turning) as process:

        async def read_often() -> bool:
            process.triggers.wake()
            return process.reads > 3

        await until(read_often)


async def test_a_hint_brings_a_deleted_room_back_long_before_the_resync() -> None:
    turning = Turning()
    async with running(turning) as process:

        async def live() -> bool:
            room = process.store.by_key.get("a")
            return room is not None and room.live is not None and room.live.name in await process.listed()

        await until(live)
        name, sid = process.name("a"), process.record("a").sid or ""
        process.live.vanish(name)
        process.time.seconds += 1.0
        process.reconciler.on_webhook(WebhookEvent("room_finished", room=name, sid=sid))
        await until(live)
        assert process.name("a") == name


async def test_it_stops_when_it_is_told_to() -> None:
    turning = Turning()
    async with running(turning) as process:

        async def turned() -> bool:
            return process.state.last_pass_at is not None

        await until(turned)


async def test_the_real_clock_gives_utc_in_whole_milliseconds_and_fresh_names() -> None:
    clock = Clock()
    assert clock.wall().tzinfo is UTC
    assert clock.wall().microsecond % 1000 == 0
    assert isinstance(clock.wall(), datetime)
    assert len({clock.new_name() for _ in range(100)}) == 100
    assert 0.0 <= clock.chance() < 1.0
