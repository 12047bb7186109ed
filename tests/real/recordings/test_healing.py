"""Faults of egress workers are named, and mended without a person, while people stay inside."""

import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from controller.live.egress import Egress, Layout, RecordingRequest
from tests.real.recordings.harness import RecordingSite, recording_site
from tests.support.controller import Controller
from tests.support.egress import HEALTHY
from tests.support.embedded import Server
from tests.support.participants import Guest
from tests.support.wait import until

HIDDEN = ("AKIAVERYSECRET", "wJalrXUtnFEMIzzz", "eyJhbGciOiJIUzI1NiJ9.e30.x")
STRANGE = "upload failed: AccessDenied for {} with {} and {}".format(*HIDDEN)
"""As a storage may put it, credentials and all."""


@pytest.fixture(scope="module")
async def house(
    tmp_path_factory: pytest.TempPathFactory, mongodb: Server
) -> AsyncIterator[tuple[RecordingSite, Controller]]:
    """One site and its controller, which the tests of this file share; each has a room of its own."""
    async with (
        recording_site(tmp_path_factory.mktemp("recordings"), mongodb.uri) as site,
        site.run() as controller,
    ):
        yield site, controller


@pytest.fixture
async def site(house: tuple[RecordingSite, Controller]) -> RecordingSite:
    """The site with a worker in good health and without a job."""
    studio_, controller = house
    assert controller.running
    await studio_.stack.worker.set(**HEALTHY)

    async def idle() -> bool:
        return not await studio_.stack.worker.jobs()

    await until(idle, 60)
    return studio_


@asynccontextmanager
async def ann_inside(site: RecordingSite, key: str) -> AsyncIterator[Guest]:
    """Somebody in a new room that is to be recorded, who must still be inside at the end."""
    site.write(key, record=True)
    await site.converged(60)
    async with site.person(key) as ann:
        yield ann
        assert not ann.left.done()


async def until_running(site: RecordingSite, key: str, *wanted: str) -> list[Egress]:
    """The egresses of the room that have not ended, once their statuses are these, the eldest first."""
    name, egresses = await site.room_name(key), list[Egress]()

    async def so() -> bool:
        nonlocal egresses
        egresses = [one for one in await site.reader.recordings() if one.room == name]
        egresses.sort(key=lambda one: str(one.started))
        return [str(one.status) for one in egresses] == list(wanted)

    await until(so, 60)
    return egresses


@pytest.mark.parametrize("fault", ["die", "fail"])
async def test_a_job_that_fails_is_followed_by_another(site: RecordingSite, fault: str) -> None:
    """Its handler is killed, or its pipeline freezes."""
    key = f"job-{fault}"
    async with ann_inside(site, key):
        first = await site.recorded(key)
        await getattr(site.stack.worker, fault)(first.id)
        rows = await site.ended(key, "failed", "recording")
        assert rows[0].egress_id == first.id
        assert (await site.recorded(key)).id == rows[1].egress_id


async def test_a_start_that_fails_is_named_and_tried_again(site: RecordingSite) -> None:
    await site.stack.worker.set(fail_start="Start signal not received")
    async with ann_inside(site, "no-start"):
        why = await site.until_recording("no-start", "False", "Failed")
        assert "recording page did not load" in why
        await site.stack.worker.set(fail_start="")
        await site.recorded("no-start")
    assert "failed" in {row.state for row in await site.rows() if row.key == "no-start"}


async def test_one_that_is_stopped_before_it_starts_leaves_the_last_failure_named(
    site: RecordingSite,
) -> None:
    """It has no recorded time either."""
    async with ann_inside(site, "unbegun"):
        first = await site.recorded("unbegun")
        await site.stack.worker.set(late_active="60s", refuse_output="no space left on device")
        site.edit("unbegun", record_mode="ROOM_COMPOSITE_SPEAKER")
        (failed, _) = await site.ended("unbegun", "failed", "recording")
        assert (failed.egress_id, failed.error[:45]) == (
            first.id,
            "could not write the output: the disk or stora",
        )
        await until_running(site, "unbegun", "STARTING")
        listed = json.loads((await site.verb("recordings", "unbegun", "-o", "json")).out)
        assert [(one["state"], one["seconds"]) for one in listed] == [
            ("recording", 0),
            ("failed", round(failed.seconds, 3)),
        ]
    await site.ended("unbegun", "failed", "failed")
    await site.another_pass()
    assert await site.until_recording("unbegun", "False", "Failed") == failed.error


async def test_a_file_that_a_worker_completed_when_it_was_told_to_end_counts(site: RecordingSite) -> None:
    async with ann_inside(site, "told-to-end"):
        first = await site.recorded("told-to-end")
        site.stack.worker.signal(signal.SIGINT)
        await site.stack.worker.ended()
        (row, *_) = await site.ended("told-to-end", "complete")
        assert (row.egress_id, row.error) == (first.id, "")
        assert row.seconds > 0
        assert site.stack.worker.file(row.file).stat().st_size == row.size
        await site.stack.worker.start()
        await site.recorded("told-to-end", 120)


async def test_a_start_that_is_answered_late_makes_one_recording(site: RecordingSite) -> None:
    await site.stack.worker.set(slow_start="3s")
    async with ann_inside(site, "late"):
        (egress,) = await until_running(site, "late", "ACTIVE")
        (row,) = await site.ended("late", "recording")
        assert row.egress_id == egress.id
    await site.ended("late", "complete")


async def test_a_start_that_livekit_says_is_there_already_was_no_failure(
    site: RecordingSite, house: tuple[RecordingSite, Controller]
) -> None:
    """LiveKit calls a worker again whose answer does not come, and that one says so."""
    await site.stack.worker.set(lose_reply=True)
    async with ann_inside(site, "there"):
        (egress,) = await until_running(site, "there", "ACTIVE")
        await site.stack.worker.set(lose_reply=False)
        (row,) = await site.ended("there", "recording")
        assert row.egress_id == egress.id
        await site.until_recording("there", "True")
    await site.ended("there", "complete")
    assert not house[1].said("recording failed", key="there", reason="Failed")


async def test_a_start_that_is_never_answered_is_found_and_not_doubled(site: RecordingSite) -> None:
    await site.stack.worker.set(lose_reply=True)
    async with ann_inside(site, "unanswered"):
        (egress,) = await until_running(site, "unanswered", "ACTIVE")
        (row,) = await site.ended("unanswered", "recording", within=120)
        assert row.egress_id == egress.id
    await site.ended("unanswered", "complete")


async def test_a_refused_output_is_named_without_what_the_storage_said(
    site: RecordingSite, house: tuple[RecordingSite, Controller]
) -> None:
    async with ann_inside(site, "refused"):
        await site.recorded("refused")
        await site.stack.worker.set(refuse_output=STRANGE)
        site.edit("refused", record_mode="ROOM_COMPOSITE_SPEAKER")
        (row, _) = await site.ended("refused", "failed", "recording")
        assert "could not write the output" in row.error
        await site.recorded("refused")
        listed, got = await site.verb("recordings"), await site.verb("get", "refused", "-o", "json")
        shown = listed.out + got.out + house[1].log.read_text() + repr(await site.rows())
        assert "could not write the output" in listed.out
        assert not [word for word in HIDDEN if word in shown]


async def test_of_two_recordings_the_younger_ends_and_both_are_listed(site: RecordingSite) -> None:
    """It may be told to end before it has begun: then it failed."""
    async with ann_inside(site, "twice"):
        first = await site.recorded("twice")
        second = await start(site, first.room, "/recordings/twice/20260101T000000Z-abc.mp4")

        async def is_closed() -> bool:
            states = {row.egress_id: str(row.state) for row in await site.rows()}
            return states[first.id] == "recording" and states.get(second.id) in ("complete", "failed")

        await until(is_closed, 60)


async def test_a_recording_of_somebody_else_is_left_alone(site: RecordingSite) -> None:
    async with ann_inside(site, "shared"):
        ours = await site.recorded("shared")
        theirs = await start(site, ours.room, "/elsewhere/talk.mp4")
        await until_running(site, "shared", "ACTIVE", "ACTIVE")
        site.edit("shared", record=False)
        await site.ended("shared", "complete")
        (left,) = await until_running(site, "shared", "ACTIVE")
        assert left.id == theirs.id
        await site.writer.stop_recording(theirs.id)


async def start(site: RecordingSite, room: str, path: str) -> Egress:
    """A recording that somebody begins past the controller."""
    return await site.writer.start_recording(RecordingRequest(room, Layout.GRID, path))


async def test_a_slow_end_is_waited_for_before_the_next_begins(site: RecordingSite) -> None:
    await site.stack.worker.set(slow_stop="6s")  # after 10 s it would be waited for no more
    async with ann_inside(site, "slow-stop"):
        first = await site.recorded("slow-stop")
        site.edit("slow-stop", record_mode="ROOM_COMPOSITE_SPEAKER")
        await site.until_recording("slow-stop", "False", "Stopping")
        await site.ended("slow-stop", "complete", "recording")
        second = await site.recorded("slow-stop")
        ended = (await site.reader.recording(first.id)).ended
        assert second.started is not None
        assert ended is not None
        assert second.started >= ended


async def test_one_that_never_ends_holds_up_neither_the_next_nor_the_room(site: RecordingSite) -> None:
    site.write("deaf", record=True)
    await site.converged(60)
    async with site.person("deaf") as ann:
        first = await site.recorded("deaf")
        await site.stack.worker.set(ignore_stop=True)
        site.edit("deaf", record_mode="ROOM_COMPOSITE_SPEAKER")
        await until_running(site, "deaf", "ENDING", "ACTIVE")
        await site.until_recording("deaf", "True")
        assert not ann.left.done()
        site.edit("deaf", active=False)
        await site.until_live(lambda live: first.room not in live, 60)
    await site.stack.worker.fail()
    await site.ended("deaf", "failed", "failed")


async def test_a_room_that_found_all_workers_full_has_the_next_that_is_free(site: RecordingSite) -> None:
    await site.stack.worker.set(max_jobs=1)
    async with ann_inside(site, "first"):
        await site.recorded("first")
        async with ann_inside(site, "second"):
            assert "start one, or add capacity" in await site.until_recording("second", "False", "NoWorker")
            site.edit("first", record=False)
            await site.recorded("second", 120)


async def test_without_a_worker_it_says_so_until_one_comes(site: RecordingSite) -> None:
    site.stack.worker.kill()
    async with ann_inside(site, "early"):
        await site.until_recording("early", "False", "NoWorker")
        await site.stack.worker.start()
        await site.recorded("early", 120)
