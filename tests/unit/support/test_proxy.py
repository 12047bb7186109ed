"""The proxy does to messages what it is told, and to nothing else."""

import asyncio
import struct
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from tests.support.proxy import Proxy, delay, drop, hold, http, kill, mongodb, not_hello, raw, reset
from tests.support.wait import PATIENCE, until


@asynccontextmanager
async def website() -> AsyncIterator[tuple[int, list[str]]]:
    """Its port, and the paths it was asked for; /big answers in chunks, /ws says everything twice."""
    asked: list[str] = []

    async def page(request: web.BaseRequest) -> web.StreamResponse:
        asked.append(request.path)
        if request.path == "/ws":
            return await twice(request)
        if request.path == "/big":
            answer = web.StreamResponse()
            answer.enable_chunked_encoding()
            await answer.prepare(request)
            for _ in range(3):
                await answer.write(b"x" * 1000)
            return answer
        return web.Response(body=await request.read())

    async def twice(request: web.BaseRequest) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for frame in socket:
            await socket.send_str(frame.data * 2)
        return socket

    runner = web.ServerRunner(web.Server(page))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1], asked
    finally:
        await runner.cleanup()


@asynccontextmanager
async def visit() -> AsyncIterator[tuple[Proxy, list[str], aiohttp.ClientSession]]:
    async with (
        website() as (port, asked),
        Proxy(port, http) as proxy,
        aiohttp.ClientSession(proxy.url) as session,
        asyncio.timeout(PATIENCE),
    ):
        yield proxy, asked, session


async def post(session: aiohttp.ClientSession, path: str, body: bytes = b"body") -> bytes:
    async with session.post(path, data=body) as answer:
        return await answer.read()


async def test_requests_are_counted_by_name_over_all_connections() -> None:
    async with visit() as (proxy, _, session):
        assert await post(session, "/twirp/One?a=b") == b"body"
        await asyncio.gather(post(session, "/x"), post(session, "/x"))
        assert proxy.seen == ["One", "x", "x"]


async def test_chunked_bodies_pass_in_both_directions() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    async with visit() as (_, _, session):
        assert await post(session, "/big") == b"x" * 3000
        async with session.post("/echo", data=pieces()) as answer:
            assert await answer.read() == b"onetwo"


async def test_a_websocket_passes_raw_and_counts_once() -> None:
    async with visit() as (proxy, _, session), session.ws_connect("/ws") as socket:
        for said in ("a", "b"):
            await socket.send_str(said)
            assert await socket.receive_str() == said * 2
        assert proxy.seen == ["ws"]


async def test_a_reset_before_the_nth_keeps_it_from_the_server() -> None:
    async with visit() as (proxy, asked, session):
        proxy.before[2] = reset
        await post(session, "/first")
        with pytest.raises(aiohttp.ClientError):
            await post(session, "/second")
        await post(session, "/third")
        assert asked == ["/first", "/third"]


async def test_a_reset_after_the_nth_loses_the_reply_alone() -> None:
    async with visit() as (proxy, asked, session):
        proxy.after[2] = reset
        await post(session, "/first")
        with pytest.raises(aiohttp.ClientError):
            await post(session, "/second")
        await post(session, "/third")
        assert asked == ["/first", "/second", "/third"]


@pytest.mark.parametrize(("side", "reached"), [("request", []), ("reply", ["/"])])
async def test_a_black_hole_and_a_link_of_one_way(side: str, reached: list[str]) -> None:
    async with visit() as (proxy, asked, session):
        setattr(proxy, side, drop)
        waiting = asyncio.create_task(post(session, "/"))
        await proxy.until(1)
        await until(lambda: _are(asked, reached))
        await asyncio.wait([waiting], timeout=0.1)
        assert not waiting.done()
        assert asked == reached
        waiting.cancel()


async def _are(asked: list[str], reached: list[str]) -> bool:
    return asked == reached


async def test_what_is_held_arrives_when_it_is_released() -> None:
    async with visit() as (proxy, asked, session):
        released = asyncio.Event()
        proxy.request = hold(released)
        waiting = asyncio.create_task(post(session, "/"))
        await proxy.until(1)
        assert asked == []
        released.set()
        assert await waiting == b"body"


async def test_a_delay_and_a_byte_at_a_time_lose_nothing() -> None:
    async with visit() as (proxy, _, session):
        proxy.request = proxy.reply = delay(0.001)
        proxy.drip = 0
        assert await post(session, "/", b"slow") == b"slow"


async def test_refusing_breaks_off_and_ends_on_the_same_port() -> None:
    async with visit() as (proxy, _, session):
        await post(session, "/")
        await proxy.refuse()
        with pytest.raises(aiohttp.ClientError):
            await post(session, "/")
        await proxy.accept()
        assert await post(session, "/") == b"body"


async def test_a_target_that_is_down_breaks_off() -> None:
    async with visit() as (proxy, _, session):
        proxy.target = 1
        with pytest.raises(aiohttp.ClientError):
            await post(session, "/")


@pytest.mark.parametrize(("when", "reached"), [("before", []), ("after", ["/"])])
async def test_a_process_is_killed_before_or_after_a_message(when: str, reached: list[str]) -> None:
    async with visit() as (proxy, asked, session):
        victim = await asyncio.create_subprocess_exec(sys.executable, "-c", "input()", stdin=-1)
        getattr(proxy, when)[1] = kill(victim.pid)
        with pytest.raises(aiohttp.ClientError):
            await post(session, "/")
        assert await victim.wait() == -9
        assert asked == reached


def op_msg(command: str) -> bytes:
    """An OP_MSG of one document: {command: 1}."""
    element = b"\x10" + command.encode() + b"\0" + struct.pack("<i", 1)
    document = struct.pack("<i", len(element) + 5) + element + b"\0"
    body = struct.pack("<I", 0) + b"\0" + document
    return struct.pack("<iiii", len(body) + 16, 1, 0, 2013) + body


async def test_mongodb_messages_are_framed_and_named_however_they_arrive() -> None:
    reader = asyncio.StreamReader()
    legacy = struct.pack("<iiii", 20, 1, 0, 2004) + b"\0\0\0\0"
    reader.feed_data(op_msg("insert") + legacy + op_msg("find"))
    reader.feed_eof()
    messages = mongodb(reader)
    assert [(await anext(messages)).label for _ in range(3)] == ["insert", "", "find"]
    with pytest.raises(asyncio.IncompleteReadError):
        await anext(messages)


async def test_a_drivers_chatter_is_passed_on_uncounted() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for piece in raw(reader):
            writer.write(piece.content)
        writer.close()

    async with (
        await asyncio.start_server(echo, "127.0.0.1", 0) as server,
        Proxy(server.sockets[0].getsockname()[1], mongodb, counts=not_hello) as proxy,
        asyncio.timeout(PATIENCE),
    ):
        proxy.after[2] = reset
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        for command in ("hello", "insert", "ping"):
            writer.write(op_msg(command))
            assert await reader.readexactly(len(op_msg(command))) == op_msg(command)
        assert proxy.seen == ["insert"]
        writer.write(op_msg("update"))
        with pytest.raises(ConnectionResetError):
            await reader.read()
        assert proxy.seen == ["insert", "update"]
        writer.close()
