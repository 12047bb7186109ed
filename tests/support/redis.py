"""A real Redis for tests: from the PATH or by apt-get, on a port and in a folder of its own."""

import asyncio
import contextlib
from pathlib import Path

from tests.support.child_process import Child
from tests.support.debian import program
from tests.support.ports import free_ports
from tests.support.wait import until


def redis_server() -> Path:
    """The program, installed where it is missing and may be. RuntimeError says what to install."""
    return program("redis-server", "redis-server")


class Redis(Child):
    """One server, always on the same port.

    It forgets nothing when it is killed, but with `keeps=False` everything.
    """

    def __init__(self, folder: Path, *, keeps: bool = True) -> None:
        super().__init__("redis", folder)
        self._keeps = keeps
        (self.port,) = free_ports(1)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        server = await asyncio.to_thread(redis_server)
        self.launch((str(server), *self._options()))
        if not await self.answers(self.port):
            raise RuntimeError(self.last_words())
        await until(self._ready)

    def _options(self) -> list[str]:
        keeps = ("--appendonly", "yes", "--appendfsync", "always") if self._keeps else ("--appendonly", "no")
        where = ("--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self._folder.absolute()))
        return [*where, *keeps, "--save", ""]

    async def _ready(self) -> bool:
        """False while it is reading its file."""
        with contextlib.suppress(OSError):
            return await self.ask("PING") == "+PONG"
        return False

    async def flush(self) -> None:
        """Let it forget everything at once."""
        assert await self.ask("FLUSHALL") == "+OK"

    async def ask(self, command: str) -> str:
        """The first line of its answer to an inline command."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(f"{command}\r\n".encode())
            return (await reader.readline()).decode().rstrip()
        finally:
            writer.close()
