"""A process with an embedded server: says the server's address, and waits to be killed."""

import asyncio
import sys
from pathlib import Path

from controller.records.embedded import embedded_server


async def main() -> None:
    async with embedded_server(Path(sys.argv[1]), "run") as uri:
        sys.stdout.write(f"{uri}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
