"""LiveKit's webhooks reach the replica that stands by, and nobody else: the other acts all the same."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from livekit.rtc import TrackKind, TrackSource

from tests.real.recordings.harness import RecordingSite, recording_site
from tests.support.controller import Site
from tests.support.embedded import Server
from tests.support.wait import until

GC_THRESHOLDS = "3600"
"""Seconds between resyncs: nothing here is found out by one."""


@asynccontextmanager
async def pair(folder: Path, mongodb: str) -> AsyncIterator[tuple[RecordingSite, Site]]:
    """The one that will hold the lease, and the one that LiveKit tells."""
    async with (
        recording_site(folder, mongodb, ROOMCTL_RESYNC_SECONDS=GC_THRESHOLDS) as holder,
        holder.twin("standby") as standby,
    ):
        holder.private, standby.private = standby.private, holder.private
        yield holder, standby


async def stands_by(site: Site) -> bool:
    return (await site.get("/readyz")).body["leader"] is False


async def test_the_first_person_begins_a_recording_and_the_last_ends_it(
    tmp_path: Path, mongodb: Server
) -> None:
    async with pair(tmp_path, mongodb.uri) as (holder, standby):
        holder.write("stage", record=True)
        async with holder.run():
            await holder.converged()
            async with standby.run():
                assert await stands_by(standby)
                async with holder.person("stage"):
                    egress = await holder.recorded("stage")
                    assert egress.file.startswith("/recordings/stage/")
                await holder.ended("stage", "complete")
                assert await stands_by(standby)


async def test_a_room_made_while_it_stands_by_is_recorded_too(tmp_path: Path, mongodb: Server) -> None:
    async with pair(tmp_path, mongodb.uri) as (holder, standby):
        holder.write("first")
        async with holder.run():
            await holder.converged()
            async with standby.run():
                assert await stands_by(standby)
                holder.write("late", record=True)
                room_id = (await holder.converged())["late"].id

                async def heard_of() -> bool:
                    return (await standby.find(room_id)).status == 200

                await until(heard_of)
                async with holder.person("late"):
                    await holder.recorded("late")


async def test_a_video_called_a_microphone_is_stopped(tmp_path: Path, mongodb: Server) -> None:
    async with pair(tmp_path, mongodb.uri) as (holder, standby):
        holder.write("talk", mediaType="MEDIA_TYPE_AUDIO_ONLY")
        async with holder.run():
            await holder.converged()
            async with (
                standby.run(),
                holder.person("talk", "bob") as bob,
                holder.person("talk", "liar") as liar,
            ):
                assert await stands_by(standby)
                await liar.show_camera(called=TrackSource.SOURCE_MICROPHONE)
                assert (await bob.see()).kind == TrackKind.KIND_VIDEO
                assert (await bob.see_end()).kind == TrackKind.KIND_VIDEO
                await liar.until(can_publish=False)
