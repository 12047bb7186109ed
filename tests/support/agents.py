"""A real worker of LiveKit agents beside a test: `async with AgentWorker(folder, livekit, "helper")`.

Each job is a process of its own, as in production.
"""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from tests.support.cache import python_with
from tests.support.child_process import Child
from tests.support.livekit import LiveKitServer
from tests.support.wait import until

_ROOT = Path(__file__).parents[2]


def livekit_agents() -> Path:
    """The interpreter that runs workers. Its half a gigabyte of packages is not in the tests' environment."""
    return python_with("livekit-agents==1.8.9")


@dataclass(frozen=True, slots=True)
class Job:
    """A job that has joined its room."""

    room: str
    pid: int
    metadata: str


class AgentWorker(Child):
    """The worker of one agent; '' is the unnamed one. It has registered with LiveKit when it is started."""

    def __init__(self, folder: Path, livekit: LiveKitServer, agent: str) -> None:
        super().__init__(f"agent-{agent or 'unnamed'}", folder)
        self.agent, self._livekit = agent, livekit
        self._read_from = 0

    async def start(self) -> None:
        self._read_from = len(self._text())
        environment = (
            f"LIVEKIT_URL={self._livekit.ws_url}",
            f"LIVEKIT_API_KEY={self._livekit.key}",
            f"LIVEKIT_API_SECRET={self._livekit.secret}",
            f"AGENT_NAME={self.agent}",
        )
        # by its path, livekit would be a sibling
        python = (str(livekit_agents()), "-m", "tests.support.agent_program")
        self.launch(("env", "-C", str(_ROOT), *environment, *python, "start", "--log-level", "info"))
        await until(self._has_registered)

    async def _has_registered(self) -> bool:
        assert self._started().poll() is None, self.last_words()
        return "registered worker" in self._text()[self._read_from :]

    @property
    def jobs(self) -> list[Job]:
        """All jobs that have joined so far, the latest last."""
        lines = (line.split(" ", 3) for line in self._text().splitlines() if line.startswith("JOB "))
        return [Job(room, int(pid), metadata) for _, room, pid, metadata in lines]

    def kill_job(self) -> None:
        """The process of the last job, as a crash would."""
        os.kill(self.jobs[-1].pid, signal.SIGKILL)

    def _text(self) -> str:
        return self.log.read_text() if self.log.exists() else ""
