"""A real livekit-server for tests: built once into the cache, started on ports of its own.

`python -m tests.support.livekit` builds it, and prints where it is.
"""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import time
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.cache import go_install
from tests.support.ports import free_ports

VERSION = "1.13.3"
MODULE = f"github.com/livekit/livekit-server/cmd/server@v{VERSION}"
KEY = "devkey"
SECRET = "a-secret-of-the-tests-and-of-nobody-else"
START_SECONDS = 20.0


@cache
def livekit_binary() -> Path:
    """livekit-server of the pinned version: from the PATH, from the cache, or built by Go (2 minutes)."""
    on_path = shutil.which("livekit-server")
    if on_path is not None and _version(on_path) == VERSION:
        return Path(on_path)
    return go_install(MODULE, "server")


def _version(binary: str) -> str:
    told = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False).stdout
    return told.split()[-1] if told.split() else ""


class LiveKitServer:
    """One server, started and stopped at will, always on the same port: `async with LiveKitServer(folder)`.

    Its config and log lie in `folder`. Without `webhook_url` (read at each start) it sends no webhooks;
    `config` is merged over the top level of what it is started with. A server does not outlive the
    thread that started it, so start it from one that stays.
    """

    key = KEY
    secret = SECRET

    def __init__(
        self,
        folder: Path,
        *,
        webhook_url: str | None = None,
        port: int | None = None,
        config: dict[str, Any] | None = None,
    ) -> None:
        self._folder = folder
        self.webhook_url = webhook_url
        self._config = config or {}
        self._given_port = port
        self._process: subprocess.Popen[bytes] | None = None
        self._ports: list[int] = []

    @property
    def port(self) -> int:
        assert self._ports, "the server was never started"
        return self._ports[0]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server was never started"
        return self._process.pid

    @property
    def log(self) -> Path:
        return self._folder / "livekit.log"

    async def start(self) -> None:
        """Start, and return when it answers. Where another took its port meanwhile, it tries others."""
        for _ in range(3):
            ports = self._ports or self._pick()
            self._launch(ports)
            if await self._ready(ports[0]):
                self._ports = ports
                return
        raise RuntimeError(f"livekit-server ended at its start:\n{self.log.read_text()[-2000:]}")

    def _pick(self) -> list[int]:
        if self._given_port is None:
            return free_ports(3)
        return [self._given_port, *free_ports(2)]

    def _launch(self, ports: list[int]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        config = self._folder / "livekit.yaml"
        config.write_text(json.dumps(self._settings(*ports)))  # JSON is YAML
        command = [str(livekit_binary()), "--config", str(config)]
        if setpriv := shutil.which("setpriv"):
            command = [setpriv, "--pdeathsig", "KILL", *command]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def _settings(self, port: int, tcp: int, udp: int) -> dict[str, Any]:
        settings: dict[str, Any] = {
            "port": port,
            "bind_addresses": ["127.0.0.1"],
            "rtc": {
                "tcp_port": tcp,
                "udp_port": udp,
                "use_external_ip": False,
                "node_ip": "127.0.0.1",
                "enable_loopback_candidate": True,
                "interfaces": {"includes": ["lo"]},
            },
            "room": {"auto_create": False},
            "keys": {KEY: SECRET},
            "logging": {"level": "warn"},
        }
        if self.webhook_url is not None:
            settings["webhook"] = {"api_key": KEY, "urls": [self.webhook_url]}
        return settings | self._config

    async def _ready(self, port: int) -> bool:
        """True as soon as its port answers; False when it ended instead."""
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        while self._process.poll() is None:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                if time.monotonic() > deadline:
                    self.kill()
                    raise RuntimeError(f"livekit-server was silent for {START_SECONDS} s") from None
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return True
        return False

    def pause(self) -> None:
        """Freeze it, and return when it stands: the kernel accepts connections, and nothing answers."""
        self._signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once, as a crash would; its rooms are gone. Killing what has ended is fine."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """End it as an operator would: with people inside it would wait for them, so not for long."""
        if self._process is None:
            return
        self._signal(signal.SIGTERM)
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self.kill()

    async def restart(self) -> None:
        """A crash and a new start on the same port: an empty server."""
        self.kill()
        await self.start()

    def _signal(self, what: signal.Signals) -> None:
        assert self._process is not None, "the server was never started"
        self._process.send_signal(what)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


if __name__ == "__main__":
    print(livekit_binary())  # noqa: T201
