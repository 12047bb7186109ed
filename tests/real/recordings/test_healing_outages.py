"""Whatever is away is named; once it is back each room is recorded as before, by itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import aiohttp

from controller.access.people import is_person
from controller.errors import LiveKitError, StoreError
from controller.live.room import LiveRoom
from tests.real.recordings.harness import OUTPUT, RecordingSite, recording_site
from tests.support.controller import Site
from tests.support.embedded import Server
from tests.support.livekit import LiveKitServer
from tests.support.participants import JoinRefusedError, canary, guest, token
from tests.support.wait import until

LONG = 180.0


@asynccontextmanager
async def back(site: RecordingSite, key: str) -> AsyncIterator[None]:
    """Somebody who tries until they are inside: for some seconds nobody is let in."""
    pass_ = await site.pass_key(key, "bob")
    async with AsyncExitStack() as stack:

        async def inside() -> bool:
            with suppress(JoinRefusedError, aiohttp.ClientError, TimeoutError):
                async with asyncio.timeout(10):
                    await stack.enter_async_context(canary(site.livekit.ws_url, pass_))
                return True
            return False

        await until(inside, LONG)
        yield


async def until_counted(site: RecordingSite, key: str) -> None:
    """Return when the listing counts somebody in the room, and that there is a recorder."""
    name = await site.room_name(key)

    def counted(live: dict[str, LiveRoom]) -> bool:
        return name in live and live[name].num_participants > 0 and live[name].active_recording

    await site.until_live(counted)


async def until_over(site: RecordingSite) -> None:
    """Return when nothing is recorded any more, and nothing is said to be."""

    async def over() -> bool:
        with suppress(LiveKitError, StoreError):
            running = await site.egresses(ended=False)
            return not running and all(row.state != "recording" for row in await site.rows())
        return False

    await until(over, LONG)


async def test_without_redis_the_room_is_live_and_it_says_what_is_missing(
    tmp_path: Path, mongodb: Server, livekit: LiveKitServer
) -> None:
    async with Site(tmp_path, livekit, mongodb=mongodb.uri, ROOMCTL_RECORDING_OUTPUT=OUTPUT) as site:
        site.write("stage", record=True)
        async with site.run():
            await site.converged()
            async with guest(livekit.ws_url, token(livekit, await site.room_name("stage"), "ann")) as ann:
                await site.until_condition("stage", "Recording", "False", 60, reason="NoEgressService")
                await site.another_pass()
                said = (await site.record("stage")).status.condition("Recording")
                assert said is not None
                assert "add Redis and an egress worker" in said.message
                assert not ann.left.done()


async def test_a_redis_that_crashed_ends_no_recording(tmp_path: Path, mongodb: Server) -> None:
    async with recording_site(tmp_path, mongodb.uri) as site:
        site.write("stage", record=True)
        async with site.run():
            await site.converged()
            async with site.person("stage") as ann:
                first = await site.recorded("stage")
                site.stack.redis.kill()
                await site.until_recording("stage", "False", "NoEgressService")
                await site.stack.redis.start()
                await site.until_recording("stage", "True", within=LONG)
                assert [one.id for one in await site.egresses()] == [first.id]
                assert not ann.left.done()
            await site.ended("stage", "complete", within=LONG)


async def test_a_frozen_redis_is_named_and_what_it_held_up_is_begun(tmp_path: Path, mongodb: Server) -> None:
    async with recording_site(tmp_path, mongodb.uri) as site:
        site.write("stage", record=True)
        site.write("other", record=True)
        async with site.run():
            await site.converged()
            async with site.person("stage") as ann:
                await site.recorded("stage")
                site.stack.redis.pause()
                await site.until_recording("stage", "False", "NoEgressService")
                site.stack.redis.resume()
                async with back(site, "other"):
                    await site.recorded("other", LONG)
                    await site.until_recording("stage", "True", within=LONG)
                assert not ann.left.done()
            await site.ended("stage", "complete", within=LONG)


async def test_what_a_redis_forgot_is_named_and_ends(tmp_path: Path, mongodb: Server) -> None:
    """What the worker still records is listed nowhere, and is asked to end all the same."""
    async with recording_site(tmp_path, mongodb.uri) as site:
        site.write("stage", record=True)
        async with site.run():
            await site.converged()
            async with site.person("stage"):
                first = await site.recorded("stage")
                await site.stack.redis.flush()

                async def over() -> bool:
                    states = {row.egress_id: row.state for row in await site.rows()}
                    running = {job["egress_id"] for job in await site.stack.worker.jobs()}
                    return states[first.id] != "recording" and first.id not in running

                await until(over, LONG)


async def test_after_a_restart_of_livekit_who_comes_back_is_recorded(tmp_path: Path, mongodb: Server) -> None:
    async with recording_site(tmp_path, mongodb.uri) as site:
        site.write("stage", record=True)
        async with site.run():
            await site.converged()
            async with site.person("stage"):
                await site.recorded("stage")
                await site.stack.livekit.restart()
            async with back(site, "stage"):
                await site.until_recording("stage", "True", within=LONG)
                await until_counted(site, "stage")
            await until_over(site)


async def test_who_was_inside_when_livekit_crashed_keeps_no_recording_alive(
    tmp_path: Path, mongodb: Server
) -> None:
    """Redis lists them for ever."""
    async with recording_site(tmp_path, mongodb.uri) as site:
        site.write("stage", record=True)
        async with site.run():
            await site.converged()
            async with canary(site.livekit.ws_url, await site.pass_key("stage")) as ann:
                await site.recorded("stage")
                await until_counted(site, "stage")
                site.stack.livekit.kill()
                await ann.left
            await site.stack.livekit.start()

            await until_over(site)
            assert [one.identity for one in await site.people("stage") if is_person(one)] == ["canary"]
            await site.until_recording("stage", "False", "Idle", within=LONG)
