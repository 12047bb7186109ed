"""The controller for one run: its environment, start and end, and other verbs."""

import asyncio
import contextlib
import hashlib
import os
import secrets
import shlex
import subprocess
import urllib.request
from asyncio.subprocess import Process
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Final

from console import last_lines, print_info
from environment import ROOT, environment
from processes import HOST, DemoError, end, run, start, until

START_SECONDS: Final = 60.0
"""Seconds; a new controller that reaches both servers takes two or three."""

VERB_SECONDS: Final = 90.0
STOP_SECONDS: Final = 6.0

KEPT_BACK: Final = ("ROOMCTL_RECORDING_S3_ACCESS_KEY", "ROOMCTL_RECORDING_S3_SECRET")
"""Variables that no other verb needs, and no file should contain."""


@dataclass(frozen=True, slots=True)
class Site:
    """One run: its folder, its ports, and the environment of all that is started in it."""

    folder: Path
    ports: Mapping[str, int]
    env: Mapping[str, str]

    @property
    def guests(self) -> str:
        return f"http://{HOST}:{self.ports['guests']}"

    @property
    def operators(self) -> str:
        return f"http://{HOST}:{self.ports['operators']}"

    def script(self) -> str:
        """Lines for a shell: the environment of this run, and no other setting."""
        foreign = _foreign()
        prefixes = "|".join(foreign)
        ours = {
            name: value
            for name, value in self.env.items()
            if name not in KEPT_BACK and (name.startswith(foreign) or os.environ.get(name) != value)
        }
        return "\n".join(
            [
                f"for name in $(env | sed -nE 's/^(({prefixes})[A-Z_0-9]*)=.*/\\1/p'); do unset $name; done",
                *(f"export {name}={shlex.quote(value)}" for name, value in ours.items()),
                "",
            ]
        )

    def write_script(self) -> Path:
        """The file with these lines, which hold secrets: for nobody else to read, nor to replace."""
        file = self.folder / "env"
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as script:
            script.write(self.script())
        return file

    async def roomctl(self, *arguments: str) -> str:
        """Run another verb; returns its output."""
        return await run(program(), *arguments, within=VERB_SECONDS, env=self.env)


def program() -> Path:
    return environment() / "bin" / "roomctl"


def given_livekit() -> bool:
    """Whether our environment has a LiveKit to use; DemoError if only a part is set."""
    if not os.environ.get("LIVEKIT_URL"):
        return False
    secret = os.environ.get("LIVEKIT_API_SECRET") or os.environ.get("LIVEKIT_API_SECRET_FILE")
    if not (secret and os.environ.get("LIVEKIT_API_KEY")):
        raise DemoError(
            "LIVEKIT_URL is set, and LIVEKIT_API_KEY or LIVEKIT_API_SECRET is not; set all three, or none"
        )
    return True


def _foreign() -> tuple[str, ...]:
    """The prefixes of settings to drop: all except those of a given LiveKit."""
    return ("ROOMCTL_", "MONGODB_", *(() if os.environ.get("LIVEKIT_URL") else ("LIVEKIT_",)))


def settings(
    folder: Path, ports: Mapping[str, int], more: Mapping[str, str], *, given: bool
) -> dict[str, str]:
    """The environment of a run. It has only these settings and `more`, none of ours."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(_foreign())}
    if not given:
        env["LIVEKIT_URL"] = f"ws://{HOST}:{ports['LiveKit']}"
        env["LIVEKIT_API_KEY"], env["LIVEKIT_API_SECRET"] = "quickstart", secrets.token_hex(24)
        env |= _operator(folder)  # on a given LiveKit rooms made by API would stay after this run
    return env | {
        "PATH": f"{program().parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "ROOMCTL_ROOMS_DIR": str(ROOT / "rooms.d"),
        "ROOMCTL_DATA_DIR": str(folder / "data"),
        "ROOMCTL_INSTANCE": f"quickstart-{secrets.token_hex(4)}",
        "ROOMCTL_PUBLIC_LISTEN": f"{HOST}:{ports['guests']}",
        "ROOMCTL_PRIVATE_LISTEN": f"{HOST}:{ports['operators']}",
        "ROOMCTL_LOG_FORMAT": "console",
        **more,
    }


def _operator(folder: Path) -> dict[str, str]:
    """An access token of this run for the private API, and its file."""
    token, file = secrets.token_hex(16), folder / "tokens.yaml"
    proof = hashlib.sha256(token.encode()).hexdigest()
    file.write_text(f"- token_sha256: {proof}\n  user_id: quickstart\n  admin: true\n")
    return {"ROOMCTL_ACCESS_TOKENS_FILE": str(file), "ACCESS_TOKEN": token}


@dataclass(slots=True)
class Controller:
    """`roomctl run`, and its log: kept for an error, and shown while `shown` is true."""

    process: Process
    shown: bool = False
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=100))

    async def listen(self, log: asyncio.StreamReader) -> None:
        async for line in log:
            text = line.decode(errors="replace").rstrip()
            self.lines.append(text)
            if self.shown:
                print_info(text)


@contextlib.asynccontextmanager
async def controlling(site: Site) -> AsyncIterator[Controller]:
    """The controller, once it can answer guests, until the block ends."""
    pipe, out = subprocess.PIPE, subprocess.STDOUT
    process = await start(program(), "run", orphan_gets="TERM", env=site.env, stdout=pipe, stderr=out)
    controller = Controller(process)
    listening = asyncio.create_task(controller.listen(process.stdout or asyncio.StreamReader()))
    try:
        if not await until(lambda: _ready(site.ports["operators"]), process, START_SECONDS):
            raise DemoError(f"the controller cannot answer guests; it says:\n{last_lines(controller.lines)}")
        yield controller
    finally:
        controller.shown = False
        await end(process, STOP_SECONDS)
        await listening


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}/readyz", timeout=1) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except OSError:
        return False
