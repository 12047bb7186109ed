"""FerretDB for tests: a second implementation, standalone, without change streams or transactions."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.cache import go_build
from tests.support.embedded import Server
from tests.support.ports import free_ports

SOURCE = Path(__file__).parent / "ferret"


def build() -> Path:
    """The program, from the cache or built (half a minute)."""
    return go_build(SOURCE, "ferret")


@asynccontextmanager
async def ferret(folder: Path) -> AsyncIterator[Server]:
    """A running FerretDB on SQLite files in `folder`."""
    (port,) = free_ports(1)
    program = await asyncio.to_thread(build)
    server = Server([program, f"127.0.0.1:{port}", str(folder)], port)
    try:
        await server.start()
        yield server
    finally:
        await server.kill()
