"""The npm packages of the pages: livekit-client and Swagger UI, installed by the pages' own lock file."""

import json
import os
import shutil
from pathlib import Path
from typing import Any, Final

from console import print_info, progress
from environment import ROOT, locked
from processes import DemoError, run_tidily

FOLDER: Final = ROOT / "controller" / "sidecar" / "pages"
SECONDS: Final = 300.0
COMMAND: Final = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")


async def npm_packages() -> None:
    """Install missing packages. Everything else works without them, so a failure is only reported."""
    async with locked():
        wanted = json.loads((FOLDER / "package.json").read_text())["dependencies"]
        if wanted == {name: _installed(name) for name in wanted}:
            return
        by_hand = f"npm ci --ignore-scripts --prefix {FOLDER}"
        npm = shutil.which("npm")
        if npm is None:
            print_info(
                f"  the join page and the OpenAPI page do not work yet: install npm, then run `{by_hand}`"
            )
            return
        try:
            async with progress("installing livekit-client and Swagger UI for the pages"):
                await run_tidily(npm, *COMMAND[1:], within=SECONDS, env=os.environ, cwd=FOLDER)
        except DemoError as failure:
            print_info(f"  the join page and the OpenAPI page do not work yet: run `{by_hand}`\n{failure}")


def _installed(name: str) -> Any:
    """The version that npm has installed, None if there is none."""
    package: Path = FOLDER / "node_modules" / name / "package.json"
    return json.loads(package.read_text())["version"] if package.is_file() else None
