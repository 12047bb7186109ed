"""A process with an embedded server: says the server's address, and waits to be killed."""

import asyncio
import sys
from pathlib import Path

from controller.records import embedded


async def main() -> None:
    if sys.argv[2] == "elsewhere":  # where the system does not end a child with its parent
        embedded.SHIM = embedded.SHIM.replace('"linux"', '"none"')  # type: ignore[misc]
    async with embedded.embedded_server(Path(sys.argv[1]), "run") as uri:
        sys.stdout.write(f"{uri}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
