"""SecantusDB for tests: started on its own port and folder, killed and started again at will."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pymongo
from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from tests.support.ports import free_ports
from tests.support.wait import PATIENCE

PROGRAM = Path(sys.executable).parent / "secantusd-py"


class Server:
    """A database server as a child process. `uri` stays the same over restarts."""

    def __init__(self, command: Sequence[str | Path], port: int) -> None:
        self.command, self.port = command, port
        self.process: asyncio.subprocess.Process | None = None

    @property
    def uri(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}/?directConnection=true"

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            *self.command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        async with asyncio.timeout(PATIENCE):
            await answers(self.uri)

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    async def kill(self) -> None:
        """As a power cut would."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()


async def listens(uri: str) -> None:
    port = int(uri.rpartition(":")[2].partition("/")[0])
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
            continue
        writer.close()
        await writer.wait_closed()
        return


async def answers(uri: str) -> None:
    """Return when the server there answers a ping.

    It is asked only once it listens: pymongo leaves a socket open whose connecting it cancels.
    """
    await listens(uri)
    client: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(uri, serverMonitoringMode="poll")
    try:
        while True:
            with contextlib.suppress(PyMongoError), pymongo.timeout(1):
                await client.admin.command("ping")
                return
            await asyncio.sleep(0.05)
    finally:
        await client.close()


@asynccontextmanager
async def secantus(folder: Path, *options: str) -> AsyncIterator[Server]:
    """A running SecantusDB on `folder`, with the options that the controller gives it too."""
    (port,) = free_ports(1)
    command = (PROGRAM, "--host", "127.0.0.1", "--port", str(port), "--storage-path", folder)
    server = Server([*command, "--sync-on-commit", *options], port)
    try:
        await server.start()
        yield server
    finally:
        await server.kill()
