"""A real livekit-server for tests: built once into the cache, started on ports of its own."""

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from controller.live.client import LiveKitAccess
from tests.support.cache import go_install
from tests.support.child_process import Child
from tests.support.ports import free_ports

VERSION = "1.13.3"
MODULE = f"github.com/livekit/livekit-server/cmd/server@v{VERSION}"
KEY = "devkey"
SECRET = "a-secret-of-the-tests-and-of-nobody-else"


@cache
def livekit_binary() -> Path:
    """livekit-server of the pinned version: from the PATH, from the cache, or built by Go (2 minutes)."""
    on_path = shutil.which("livekit-server")
    if on_path is not None and _version(on_path) == VERSION:
        return Path(on_path)
    return go_install(MODULE, "server")


def _version(binary: str) -> str:
    version = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False).stdout
    return version.split()[-1] if version.split() else ""


class LiveKitServer(Child):
    """One server, started and stopped at will, always on the same port: `async with LiveKitServer(folder)`.

    Its config and log lie in `folder`. Without `webhook_url` (read at each start; spaces separate several) it
    sends no webhooks. `config` is merged over the top level of what it is started with; `{"redis":
    {"address": ...}}` gives it a Redis, which must be there when it starts, and which several may share.
    Killed, its rooms are gone.
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
        super().__init__("livekit", folder)
        self.webhook_url = webhook_url
        self._config = config or {}
        self._given_port = port
        self._ports: list[int] = []

    @property
    def port(self) -> int:
        assert self._ports, "the server was never started"
        return self._ports[0]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def access(self) -> LiveKitAccess:
        return LiveKitAccess(self.url, self.key, self.secret)

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start, and return when it answers. Where another took its port meanwhile, it tries others."""
        for _ in range(3):
            ports = self._ports or self._pick()
            self._launch(ports)
            if await self.answers(ports[0]):
                self._ports = ports
                return
        raise RuntimeError(self.last_words())

    def _pick(self) -> list[int]:
        if self._given_port is None:
            return free_ports(3)
        return [self._given_port, *free_ports(2)]

    def _launch(self, ports: list[int]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        config = self._folder / "livekit.yaml"
        config.write_text(json.dumps(self._settings(*ports)))  # JSON is YAML
        self.launch((str(livekit_binary()), "--config", str(config)))

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
            settings["webhook"] = {"api_key": KEY, "urls": self.webhook_url.split()}
        return settings | self._config
