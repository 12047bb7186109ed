"""What the join page leans on: livekit-client, put in place by npm and the page's own lock file."""

import json
import os
import shutil
from pathlib import Path
from typing import Any, Final

from console import progress, say
from environment import ROOT, locked
from processes import Failure, run_tidily

FOLDER: Final = ROOT / "controller" / "sidecar" / "pages"
SECONDS: Final = 300.0
COMMAND: Final = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")


async def livekit_client() -> None:
    """Fetch it where it is not there. All but the page works without it, so a failure is only said."""
    async with locked():
        if _wanted() == _in_place():
            return
        npm = shutil.which("npm")
        if npm is None:
            say(f"  the join page lacks livekit-client: install npm, then `{_by_hand()}`")
            return
        try:
            async with progress("fetching livekit-client for the join page"):
                await run_tidily(npm, *COMMAND[1:], within=SECONDS, env=os.environ, cwd=FOLDER)
        except Failure as failure:
            say(f"  the join page lacks livekit-client; `{_by_hand()}` gets it\n{failure}")


def _by_hand() -> str:
    return f"npm ci --ignore-scripts --prefix {FOLDER}"


def _wanted() -> Any:
    return json.loads((FOLDER / "package.json").read_text())["dependencies"]["livekit-client"]


def _in_place() -> Any:
    """The version that npm has put there, None where there is none."""
    installed: Path = FOLDER / "node_modules" / "livekit-client" / "package.json"
    return json.loads(installed.read_text())["version"] if installed.is_file() else None
