"""A stand-in for LiveKit's egress worker: it speaks the real protocol, joins rooms, writes small files, and
fails on demand. Built once into the cache.
"""

import asyncio
import json
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from tests.support.cache import go_build
from tests.support.child_process import Child
from tests.support.livekit import LiveKitServer, livekit_binary
from tests.support.ports import free_ports
from tests.support.redis import Redis

SOURCE = Path(__file__).parent / "egress"
HEALTHY = {
    "max_jobs": 0,
    "slow_start": "0s",
    "late_active": "0s",
    "fail_start": "",
    "fail_after": "0s",
    "slow_stop": "0s",
    "ignore_stop": False,
    "refuse_output": "",
    "lose_reply": False,
}
"""The switches of a worker that does as it is told."""


def build() -> Path:
    """The program, from the cache or built (a minute)."""
    return go_build(SOURCE, "egress")


class Egress(Child):
    """One worker. What it writes lies in `folder` (see egress/main.go).

    `switches` are as in egress/switches.go: max_jobs=1, slow_start="3s", late_active="3s", fail_start="why",
    fail_after="1s", slow_stop="3s", ignore_stop=True, refuse_output="why", lose_reply=True. Each start begins
    with those given here.
    """

    def __init__(
        self,
        folder: Path,
        *,
        redis: str,
        ws_url: str,
        key: str = LiveKitServer.key,
        secret: str = LiveKitServer.secret,
        s3: tuple[str, str] | None = None,
        switches: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__("egress", folder)
        self.folder = folder
        (self.port,) = free_ports(1)
        self._options = {"redis": redis, "ws-url": ws_url, "folder": str(folder)}
        self._options |= {"key": key, "secret": secret}
        if s3 is not None:
            self._options |= {"s3-key": s3[0], "s3-secret": s3[1]}
        self._switches = dict(switches or {})

    async def start(self) -> None:
        """Start, and return when it is registered. Redis must be there; LiveKit need not be yet."""
        program = await asyncio.to_thread(build)
        control = f"--control=127.0.0.1:{self.port}"
        options = [f"--{name}={value}" for name, value in self._options.items()]
        switches = [f"--set={name}={_text(value)}" for name, value in self._switches.items()]
        self.launch((str(program), control, *options, *switches))
        if not await self.answers(self.port):
            raise RuntimeError(self.last_words())

    async def set(self, **switches: object) -> None:
        """Throw switches while it runs; "0s", "" or False puts one back."""
        await self._get("set", {name: _text(value) for name, value in switches.items()})

    async def jobs(self) -> list[dict[str, str]]:
        """The running jobs: egress_id, room_name, status."""
        running: list[dict[str, str]] = json.loads(await self._get("jobs", {}))
        return running

    async def fail(self, job: str = "", text: str = "pipeline frozen") -> None:
        """Let a job fail (all of them where none is named)."""
        await self._get("do", {"what": "fail", "job": job, "text": text})

    async def die(self, job: str = "") -> None:
        """Kill a job's handler: the worker tells that it failed, its participant stays listed for 40 s."""
        await self._get("do", {"what": "die", "job": job})

    async def drop(self, job: str = "") -> None:
        """Let a job vanish: its participant leaves, and nobody tells LiveKit."""
        await self._get("do", {"what": "drop", "job": job})

    def note(self, egress_id: str) -> dict[str, Any]:
        """What it wrote down of a job: `page`, the URL its Chrome would open, and `info`, as first told."""
        noted: dict[str, Any] = json.loads((self.folder / "jobs" / f"{egress_id}.json").read_text())
        return noted

    def file(self, name: str) -> Path:
        """Where a file lies that the worker calls so (/recordings/…, or s3/BUCKET/KEY)."""
        return self.folder / name.lstrip("/")

    async def _get(self, path: str, query: dict[str, str]) -> str:
        url = f"http://127.0.0.1:{self.port}/{path}"
        async with aiohttp.ClientSession() as session, session.get(url, params=query) as answer:
            text = await answer.text()
            assert answer.status == 200, text
            return text


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class RecordingStack:
    """Redis, a LiveKit server on it and a worker: `async with RecordingStack(folder) as stack`."""

    redis: Redis
    livekit: LiveKitServer
    worker: Egress

    def __init__(
        self,
        folder: Path,
        *,
        webhook_url: str | None = None,
        config: dict[str, Any] | None = None,
        keeps: bool = True,
        s3: tuple[str, str] | None = None,
        **switches: object,
    ) -> None:
        self.folder = folder
        self.redis = Redis(folder / "redis", keeps=keeps)
        on_redis = {"redis": {"address": self.redis.address}} | (config or {})
        (self._port,) = free_ports(1)
        self.livekit = LiveKitServer(
            folder / "livekit", webhook_url=webhook_url, port=self._port, config=on_redis
        )
        self._workers = 0
        self.worker = self.another(s3=s3, **switches)
        self._running = AsyncExitStack()

    def another(self, *, s3: tuple[str, str] | None = None, **switches: object) -> Egress:
        """One more worker of this stack, not started yet: `async with stack.another() as second`."""
        self._workers += 1
        folder, url = self.folder / f"worker-{self._workers}", f"ws://127.0.0.1:{self._port}"
        return Egress(folder, redis=self.redis.address, ws_url=url, s3=s3, switches=switches)

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as running:
            for part in (self.redis, self.livekit, self.worker):
                running.callback(part.kill)
            await asyncio.gather(
                asyncio.to_thread(livekit_binary), asyncio.to_thread(build), self.redis.start()
            )
            await asyncio.gather(self.livekit.start(), self.worker.start())
            self._running = running.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._running.aclose()
