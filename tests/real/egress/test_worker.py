"""The stand-in, held to what was measured of LiveKit's own worker."""

import asyncio
import os
import signal
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from livekit import api

from tests.real.egress.egress_requests import ABORTED, ACTIVE, COMPLETE, ENDING, FAILED, STARTING, Asking
from tests.support.livekit import LiveKitServer
from tests.support.wait import until


async def test_a_started_job_is_starting_then_active(asking: Asking) -> None:
    begun = await asking.start(await asking.room())
    assert begun.status == STARTING
    await asking.becomes(begun.egress_id, ACTIVE)


async def test_the_recorder_is_in_the_room_hidden_and_under_the_jobs_id(asking: Asking) -> None:
    room = await asking.room()
    egress_id = await asking.recording(room)
    recorder = await asking.recorder(room)
    assert (recorder.identity, recorder.kind) == (egress_id, api.ParticipantInfo.Kind.EGRESS)
    assert (recorder.permission.hidden, recorder.permission.recorder) == (True, True)


async def test_the_recorder_is_really_connected(asking: Asking) -> None:
    room = await asking.room()
    await asking.recording(room)
    assert (await asking.recorder(room)).state == api.ParticipantInfo.State.ACTIVE


async def test_a_recorded_room_is_listed_as_recorded_until_it_ends(asking: Asking) -> None:
    room = await asking.room()
    egress_id = await asking.recording(room)
    await asking.until_listed_as_recorded(room, True)
    await asking.stop(egress_id)
    await asking.until_listed_as_recorded(room, False)


async def test_a_stopped_job_is_ending_then_complete_with_its_file(asking: Asking) -> None:
    room = await asking.room()
    egress_id = await asking.recording(room)
    assert (await asking.stop(egress_id)).status == ENDING
    (file,) = (await asking.becomes(egress_id, COMPLETE)).file_results
    written = asking.file(f"/recordings/{room}.mp4")
    assert file.filename == file.location == f"/recordings/{room}.mp4"
    assert file.size == written.stat().st_size > 0


async def test_times_are_nanoseconds(asking: Asking) -> None:
    egress_id = await asking.recording(await asking.room())
    await asking.stop(egress_id)
    egress = await asking.becomes(egress_id, COMPLETE)
    (file,) = egress.file_results
    assert file.duration == file.ended_at - file.started_at
    assert 10**18 < egress.started_at <= file.started_at < file.ended_at <= egress.ended_at


async def test_a_job_that_is_stopped_before_it_is_active_is_aborted(asking: Asking) -> None:
    await asking.stack.worker.set(late_active="1m")
    begun = await asking.start(await asking.room())
    await asking.stop(begun.egress_id)
    assert (await asking.becomes(begun.egress_id, ABORTED)).ended_at


async def test_a_job_ends_with_its_room(asking: Asking) -> None:
    room = await asking.room()
    egress_id = await asking.recording(room)
    await asking.api.room.delete_room(api.DeleteRoomRequest(room=room))
    assert (await asking.becomes(egress_id, COMPLETE)).details == "End reason: Source closed"


async def test_a_job_ends_when_its_recorder_is_removed(asking: Asking) -> None:
    room = await asking.room()
    egress_id = await asking.recording(room)
    recorder = api.RoomParticipantIdentity(room=room, identity=egress_id)
    await asking.api.room.remove_participant(recorder)
    await asking.becomes(egress_id, COMPLETE)


async def test_two_starts_make_two_recordings(asking: Asking) -> None:
    room = await asking.room()
    both = {await asking.recording(room), await asking.recording(room)}
    assert {one.egress_id for one in await asking.of_room(room) if one.status == ACTIVE} == both


async def test_the_page_is_told_the_layout_the_url_and_a_token(asking: Asking) -> None:
    egress_id = await asking.recording(
        await asking.room(), layout="speaker", custom_base_url="http://here/recording/template?a=b"
    )
    page = urlsplit(asking.stack.worker.note(egress_id)["page"])
    query = parse_qs(page.query)
    assert page.geturl().startswith("http://here/recording/template?")
    assert query["layout"] == ["speaker"]
    assert query["url"] == [asking.stack.livekit.ws_url]
    assert query.keys() == {"a", "layout", "url", "token"}


async def test_an_upload_lies_in_the_bucket(asking: Asking) -> None:
    room = await asking.room()
    s3 = api.S3Upload(access_key="the-key", secret="the-secret", bucket="b")
    egress_id = await asking.recording(
        room, file_outputs=[api.EncodedFileOutput(filepath=f"a/{room}.mp4", s3=s3)]
    )
    await asking.stop(egress_id)
    (file,) = (await asking.becomes(egress_id, COMPLETE)).file_results
    assert file.location == f"https://b.s3.amazonaws.com/a/{room}.mp4"
    assert asking.file(f"s3/b/a/{room}.mp4").exists()


async def test_wrong_credentials_are_told_in_the_error(asking: Asking) -> None:
    s3 = api.S3Upload(access_key="another-key", secret="another-secret", bucket="b")
    egress_id = await asking.recording(
        await asking.room(), file_outputs=[api.EncodedFileOutput(filepath="a.mp4", s3=s3)]
    )
    await asking.stop(egress_id)
    assert "another-secret" in (await asking.becomes(egress_id, FAILED)).error


async def test_the_stored_request_is_without_credentials(asking: Asking) -> None:
    s3 = api.S3Upload(access_key="the-key", secret="the-secret", bucket="b")
    egress_id = await asking.recording(
        await asking.room(), file_outputs=[api.EncodedFileOutput(filepath="a.mp4", s3=s3)]
    )
    (output,) = (await asking.info(egress_id)).room_composite.file_outputs
    assert (output.s3.access_key, output.s3.secret) == ("{access_key}", "{secret}")


async def test_a_failing_start_is_starting_then_failed(asking: Asking) -> None:
    await asking.stack.worker.set(fail_start="no way in")
    begun = await asking.start(await asking.room())
    assert begun.status == STARTING
    assert (await asking.becomes(begun.egress_id, FAILED)).error == "no way in"


async def test_a_job_can_fail_while_it_records(asking: Asking) -> None:
    egress_id = await asking.recording(await asking.room())
    await asking.stack.worker.fail(egress_id, "the disk is full")
    assert (await asking.becomes(egress_id, FAILED)).error == "the disk is full"


async def test_a_job_can_fail_after_a_time(asking: Asking) -> None:
    await asking.stack.worker.set(fail_after="100ms")
    begun = await asking.start(await asking.room())
    assert (await asking.becomes(begun.egress_id, FAILED)).file_results[0].ended_at


async def test_a_dead_handler_fails_and_leaves_its_participant(asking: Asking) -> None:
    room = await asking.room()
    egress_id = await asking.recording(room)
    await asking.stack.worker.die(egress_id)
    assert (await asking.becomes(egress_id, FAILED)).error_code == 500
    assert (await asking.recorder(room)).identity == egress_id


async def test_a_dropped_job_is_active_for_ever_without_a_recorder(asking: Asking) -> None:
    room = await asking.room()
    egress_id = await asking.recording(room)
    await asking.stack.worker.drop(egress_id)

    async def alone() -> bool:
        return not await asking.recorders(room)

    await until(alone)
    assert (await asking.info(egress_id)).status == ACTIVE


async def test_a_refused_output_fails_at_the_end(asking: Asking) -> None:
    egress_id = await asking.recording(await asking.room())
    await asking.stack.worker.set(refuse_output="read-only file system")
    await asking.stop(egress_id)
    assert "read-only file system" in (await asking.becomes(egress_id, FAILED)).error


async def test_an_ignored_stop_is_ending_for_ever(asking: Asking) -> None:
    room = await asking.room()
    await asking.stack.worker.set(ignore_stop=True)
    egress_id = await asking.recording(room)
    await asking.stop(egress_id)
    assert (await asking.stop(egress_id)).status == ENDING
    assert (await asking.recorder(room)).identity == egress_id
    await asking.stack.worker.drop(egress_id)


async def test_a_slow_stop_is_ending_meanwhile(asking: Asking) -> None:
    await asking.stack.worker.set(slow_stop="8s")
    egress_id = await asking.recording(await asking.room())
    await asking.stop(egress_id)
    await asking.becomes(egress_id, ENDING)
    await asking.becomes(egress_id, COMPLETE)


async def test_a_slow_start_records_before_it_answers(asking: Asking) -> None:
    room = await asking.room()
    await asking.stack.worker.set(slow_start="6s")
    answer = asyncio.create_task(asking.start(room))

    async def recording() -> bool:
        return any(one.status == ACTIVE for one in await asking.of_room(room))

    await until(recording)
    assert not answer.done()
    await answer


async def test_a_lost_reply_leaves_a_recording_and_says_that_it_exists(asking: Asking) -> None:
    """livekit-server asks again with the same id after 10 s; then the worker has it already."""
    room = await asking.room()
    await asking.stack.worker.set(lose_reply=True)
    answer = asyncio.create_task(asking.start(room))

    async def recording() -> bool:
        return any(one.status == ACTIVE for one in await asking.of_room(room))

    await until(recording)
    await asking.stack.worker.set(lose_reply=False)
    with pytest.raises(api.TwirpError) as refused:
        await answer
    assert refused.value.status == 409


async def test_a_full_worker_is_as_good_as_none(asking: Asking) -> None:
    """After 20 s of trying."""
    await asking.recording(await asking.room())
    await asking.stack.worker.set(max_jobs=1)
    with pytest.raises(api.TwirpError) as refused:
        await asking.start(await asking.room())
    assert (refused.value.status, refused.value.code) == (503, "unavailable")


async def test_a_killed_worker_leaves_its_jobs_active_though_their_room_goes(own: Asking) -> None:
    room = await own.room()
    egress_id = await own.recording(room)
    own.stack.worker.kill()
    await own.api.room.delete_room(api.DeleteRoomRequest(room=room))
    async with own.stack.another():
        await own.recording(await own.room())
        assert (await own.info(egress_id)).status == ACTIVE


async def test_a_worker_that_is_asked_to_go_finishes_its_jobs_and_takes_no_more(own: Asking) -> None:
    egress_id = await own.recording(await own.room())
    own.stack.worker.signal(signal.SIGTERM)
    await until(lambda: _said(own, "exit requested"))
    async with own.stack.another() as second:
        other = await own.recording(await own.room())
        assert [job["egress_id"] for job in await second.jobs()] == [other]
    await own.stop(egress_id)
    await own.becomes(egress_id, COMPLETE)
    await own.stack.worker.ended()


async def _said(own: Asking, text: str) -> bool:
    return text in own.stack.worker.log.read_text()


async def test_an_interrupted_worker_ends_its_jobs_and_goes(own: Asking) -> None:
    egress_id = await own.recording(await own.room())
    own.stack.worker.signal(signal.SIGINT)
    await own.stack.worker.ended()
    await own.becomes(egress_id, FAILED)
    info = await own.info(egress_id)
    assert (info.details, info.error) == ("End reason: Process killed", "server is shutting down")
    assert own.stack.worker.file(info.file_results[0].location).stat().st_size == info.file_results[0].size


async def test_jobs_are_listed_after_redis_was_killed(own: Asking) -> None:
    egress_id = await own.recording(await own.room())
    await own.stack.redis.restart()

    async def active() -> bool:
        try:
            return (await own.info(egress_id)).status == ACTIVE
        except api.TwirpError:
            return False

    await until(active)


async def test_jobs_are_forgotten_with_redis_data(own: Asking) -> None:
    room = await own.room()
    await own.recording(room)
    await own.stack.redis.flush()
    assert await own.of_room(room) == []


async def test_a_stack_leaves_no_process_behind(own: Asking) -> None:
    stack = own.stack
    pids = [stack.redis.pid, stack.livekit.pid, stack.worker.pid]
    await stack.__aexit__(None, None, None)
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_two_servers_share_a_redis(own: Asking, tmp_path: Path) -> None:
    """What one of them records, the other lists and stops."""
    on_redis = {"redis": {"address": own.stack.redis.address}}
    egress_id = await own.recording(await own.room())
    async with (
        LiveKitServer(tmp_path / "second", config=on_redis) as second,
        api.LiveKitAPI(second.url, second.key, second.secret) as other,
    ):
        stopped = await other.egress.stop_egress(api.StopEgressRequest(egress_id=egress_id))
    assert stopped.status == ENDING
