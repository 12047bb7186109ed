"""A LiveKit with Redis whose server was restarted: its rooms are listed, and nobody has them."""

import asyncio
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import aiohttp

from controller.errors import LiveError
from controller.live.client import Actor, Connection, Observer
from tests.support.egress import RecordingStack
from tests.support.participants import JoinRefused, canary, token
from tests.support.wait import until


async def test_a_room_that_no_server_has_any_more_can_be_deleted(tmp_path: Path) -> None:
    async with RecordingStack(tmp_path) as stack:
        livekit = stack.livekit
        async with Connection(livekit.url, livekit.key, livekit.secret) as connection:
            actor, observer = Actor(connection), Observer(connection)
            await actor.create_room("left-behind", "", 10)
            async with canary(livekit.ws_url, token(livekit, "left-behind", "ann")):
                await livekit.restart()
            assert [room.name for room in await observer.rooms()] == ["left-behind"]

            async def deleted() -> bool:
                try:
                    await actor.delete_room("left-behind")
                except LiveError:
                    return False  # the new server does not take rooms yet
                return not await observer.rooms()

            await until(deleted, 60)


async def test_who_was_inside_is_listed_and_found_to_be_gone(tmp_path: Path) -> None:
    async with RecordingStack(tmp_path) as stack:
        livekit = stack.livekit
        async with Connection(livekit.url, livekit.key, livekit.secret) as connection:
            observer, news = Observer(connection), list[str]()
            connection.presence.news = news.append
            await Actor(connection).create_room("left-behind", "", 10)
            async with canary(livekit.ws_url, token(livekit, "left-behind", "ann")):
                assert await observer.stands("left-behind", "ann")
                await livekit.restart()
            assert not await observer.stands("left-behind", "ann")
            async with AsyncExitStack() as stack_of_people:

                async def back() -> bool:
                    with suppress(JoinRefused, aiohttp.ClientError, TimeoutError):
                        async with asyncio.timeout(10):
                            pass_ = token(livekit, "left-behind", "bob")
                            await stack_of_people.enter_async_context(canary(livekit.ws_url, pass_))
                        return True
                    return False

                async def told() -> bool:
                    people = await observer.participants("left-behind")
                    return {one.identity: one.gone for one in people} == {"ann": True, "bob": False}

                await until(back, 60)
                await until(told, 90)
                assert news == ["left-behind"]
