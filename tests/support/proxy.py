"""A TCP proxy that makes faults: it stands before LiveKit (HTTP) or MongoDB.

    async with Proxy(server.port, http) as proxy:
        proxy.request = delay(0.05)          # every request, from now on; None: all pass
        proxy.reply = drop                   # one way: requests arrive, nothing comes back
        proxy.before[3] = kill(pid)          # ahead of the third request: the server never sees it
        proxy.after[3] = reset               # the third was carried out, and its reply is lost
        await proxy.refuse()                 # nobody listens; `accept` ends it

Messages are counted as they arrive from clients, over all connections; `counts` says which do. Replies
belong to the last request of their connection: both protocols ask and answer in turn.
"""

import asyncio
import os
import signal
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from types import TracebackType
from typing import Self, TypeAlias


@dataclass(frozen=True, slots=True)
class Message:
    """One message; `label` is its command (`CreateRoom`, `find`), `number` its place among those counted."""

    label: str
    content: bytes
    number: int = 0


class Fate(Enum):
    """What becomes of a message when its fault has been at work."""

    PASS = auto()
    DROP = auto()
    RESET = auto()


Fault: TypeAlias = Callable[[Message], Awaitable[Fate]]
Wire: TypeAlias = Callable[[asyncio.StreamReader], AsyncIterator[Message]]


async def drop(_: Message) -> Fate:
    """Swallow it. As `proxy.request` it is a black hole, as `proxy.reply` a link that works one way."""
    return Fate.DROP


async def reset(_: Message) -> Fate:
    """Break off the connection (RST) in its place."""
    return Fate.RESET


def delay(seconds: float) -> Fault:
    async def late(_: Message) -> Fate:
        await asyncio.sleep(seconds)
        return Fate.PASS

    return late


def hold(released: asyncio.Event) -> Fault:
    """Keep it until `released` is set."""

    async def held(_: Message) -> Fate:
        await released.wait()
        return Fate.PASS

    return held


def kill(pid: int) -> Fault:
    """SIGKILL the process; the message is lost with it."""

    async def killed(_: Message) -> Fate:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return Fate.RESET

    return killed


async def raw(reader: asyncio.StreamReader) -> AsyncIterator[Message]:
    """Whatever arrives, piece by piece."""
    while piece := await reader.read(65536):
        yield Message("", piece)


async def mongodb(reader: asyncio.StreamReader) -> AsyncIterator[Message]:
    """The wire protocol: a length first; the label is the first key of an OP_MSG, "" for anything else."""
    while True:
        head = await reader.readexactly(16)
        body = await reader.readexactly(int.from_bytes(head[:4], "little") - 16)
        is_command = head[12:16] == struct.pack("<i", 2013) and body[4:5] == b"\0"
        yield Message(body[10 : body.index(b"\0", 10)].decode() if is_command else "", head + body)


async def http(reader: asyncio.StreamReader) -> AsyncIterator[Message]:
    """HTTP/1.1, requests and replies alike; the label is the path's last part, or a reply's status.

    After an upgrade (a WebSocket) what follows is raw.
    """
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
        body = await _http_body(reader, headers)
        target = lines[0].split(" ")[1].partition("?")[0]
        yield Message(target.rpartition("/")[2] or "/", head + body)
        if "upgrade" in headers:
            async for piece in raw(reader):
                yield piece


async def _http_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "") != "chunked":
        return await reader.readexactly(int(headers.get("content-length", 0)))
    body = b""
    while True:
        size = await reader.readuntil(b"\r\n")
        body += size + await reader.readexactly(int(size.partition(b";")[0], 16) + 2)
        if int(size.partition(b";")[0], 16) == 0:
            return body


def _all(label: str) -> bool:
    return label != ""


def not_hello(label: str) -> bool:
    """MongoDB's commands without the driver's own chatter, which comes at times of its own choice."""
    return label.lower() not in ("", "hello", "ismaster", "ping", "endsessions")


class Proxy:
    """Listens on a loopback port of its own (`port`) and passes on to `target` on loopback."""

    def __init__(self, target: int, wire: Wire = raw, *, counts: Callable[[str], bool] = _all) -> None:
        self.target = target
        self.port = 0
        self.request: Fault | None = None
        self.reply: Fault | None = None
        self.before: dict[int, Fault] = {}
        self.after: dict[int, Fault] = {}
        self.drip: float | None = None
        """Seconds between two bytes, both ways; None: messages go out whole."""
        self.seen: list[str] = []
        """The labels of the requests that counted, in order of arrival."""
        self._wire = wire
        self._counts = counts
        self._server: asyncio.Server | None = None
        self._links: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._news = asyncio.Event()

    @property
    def count(self) -> int:
        return len(self.seen)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def accept(self) -> None:
        """Listen; after `refuse` on the same port again."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=2**26)
        self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Break off all connections, and refuse new ones."""
        assert self._server is not None, "the proxy does not listen"
        self._server.close()
        await self.cut()

    async def cut(self) -> None:
        """Break off all connections; new ones are welcome."""
        links = dict(self._links)
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)
        for writer in links.values():  # a link that never began has closed nothing
            _break_off(writer)

    async def until(self, count: int) -> None:
        """Return when `count` requests have arrived."""
        while self.count < count:
            self._news.clear()
            await self._news.wait()

    async def __aenter__(self) -> Self:
        await self.accept()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.refuse()

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = asyncio.create_task(self._link(reader, writer))
        self._links[link] = writer
        link.add_done_callback(self._links.pop)

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client's connection, with one of its own to the target; when one side ends, both do."""
        end: Callable[[asyncio.StreamWriter], None] = _break_off
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.target, limit=2**26)
            try:
                if await self._pump(reader, writer, there, back):
                    end = asyncio.StreamWriter.close
            finally:
                end(back)
        except OSError:
            end = _break_off
        finally:
            end(writer)

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        there: asyncio.StreamReader,
        back: asyncio.StreamWriter,
    ) -> bool:
        """Pass messages on, both ways, until one side ends; False where it broke."""
        asked = [0]
        pumps = [
            asyncio.create_task(self._requests(reader, back, asked)),
            asyncio.create_task(self._replies(there, writer, asked)),
        ]
        try:
            done, _ = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            return all(pump.exception() is None for pump in done)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _requests(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: list[int]
    ) -> None:
        with suppress(asyncio.IncompleteReadError):
            async for message in self._wire(reader):
                asked[0] = number = self._number(message)
                fault = self.before.get(number) or self.request
                await self._pass_on(Message(message.label, message.content, number), writer, fault)

    async def _replies(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: list[int]
    ) -> None:
        with suppress(asyncio.IncompleteReadError):
            async for message in self._wire(reader):
                fault = self.after.get(asked[0]) or self.reply
                await self._pass_on(Message(message.label, message.content, asked[0]), writer, fault)

    def _number(self, message: Message) -> int:
        if not self._counts(message.label):
            return 0
        self.seen.append(message.label)
        self._news.set()
        return len(self.seen)

    async def _pass_on(self, message: Message, writer: asyncio.StreamWriter, fault: Fault | None) -> None:
        fate = Fate.PASS if fault is None else await fault(message)
        if fate is Fate.RESET:
            raise ConnectionResetError
        if fate is Fate.DROP:
            return
        if self.drip is None:
            writer.write(message.content)
        else:
            for byte in message.content:
                writer.write(bytes((byte,)))
                await asyncio.sleep(self.drip)
        await writer.drain()


def _break_off(writer: asyncio.StreamWriter) -> None:
    """Close with RST: linger of zero seconds."""
    sock = writer.get_extra_info("socket")
    if sock is not None:
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
