"""A LiveKit with Redis whose server was restarted: its rooms are listed, and nobody has them."""

import asyncio
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import aiohttp

from controller.errors import LiveKitError
from controller.live.client import ApiReader, ApiWriter, LiveKitConnection
from tests.support.egress import RecordingStack
from tests.support.participants import JoinRefusedError, canary, token
from tests.support.wait import until


async def test_a_room_that_no_server_has_any_more_can_be_deleted(tmp_path: Path) -> None:
    async with RecordingStack(tmp_path) as stack:
        livekit = stack.livekit
        async with LiveKitConnection(livekit.access) as connection:
            writer, reader = ApiWriter(connection), ApiReader(connection)
            await writer.create_room("left-behind", "", 10)
            async with canary(livekit.ws_url, token(livekit, "left-behind", "ann")):
                await livekit.restart()
            assert [room.name for room in await reader.rooms()] == ["left-behind"]

            async def deleted() -> bool:
                try:
                    await writer.delete_room("left-behind")
                except LiveKitError:
                    return False  # the new server does not take rooms yet
                return not await reader.rooms()

            await until(deleted, 60)


async def test_who_was_inside_is_listed_and_found_to_be_gone(tmp_path: Path) -> None:
    async with RecordingStack(tmp_path) as stack:
        livekit = stack.livekit
        news = list[str]()
        async with LiveKitConnection(livekit.access, on_presence_change=news.append) as connection:
            reader = ApiReader(connection)
            await ApiWriter(connection).create_room("left-behind", "", 10)
            async with canary(livekit.ws_url, token(livekit, "left-behind", "ann")):
                assert await reader.is_connected("left-behind", "ann")
                await livekit.restart()
            assert not await reader.is_connected("left-behind", "ann")
            async with AsyncExitStack() as stack_of_people:

                async def back() -> bool:
                    with suppress(JoinRefusedError, aiohttp.ClientError, TimeoutError):
                        async with asyncio.timeout(10):
                            pass_ = token(livekit, "left-behind", "bob")
                            await stack_of_people.enter_async_context(canary(livekit.ws_url, pass_))
                        return True
                    return False

                async def is_reported() -> bool:
                    people = await reader.participants("left-behind")
                    return {one.identity: one.gone for one in people} == {"ann": True, "bob": False}

                await until(back, 60)
                await until(is_reported, 90)
                assert news == ["left-behind"]
