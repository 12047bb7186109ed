"""A program that a test runs beside itself: started, frozen, killed and started again, always on its port."""

import asyncio
import os
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.wait import until

START_SECONDS = 60.0


class Child(ABC):
    """One process, and its output in `log`: `async with Child(…)`.

    It does not outlive the thread that started it, so start it from one that stays.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    async def start(self) -> None:
        """Start it, and return when it answers."""

    async def restart(self) -> None:
        """A crash and a new start on the same port."""
        self.kill()
        await self.start()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        return self._started().pid

    @property
    def log(self) -> Path:
        return self._folder / f"{self.name}.log"

    def launch(self, command: Sequence[str]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        if setpriv := shutil.which("setpriv"):
            command = (setpriv, "--pdeathsig", "KILL", *command)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    async def answers(self, port: int) -> bool:
        """True as soon as its port does; False when it ended instead."""
        deadline = time.monotonic() + START_SECONDS
        while self._started().poll() is None:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                if time.monotonic() > deadline:
                    self.kill()
                    raise RuntimeError(f"{self.name} was silent for {START_SECONDS} s") from None
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return True
        return False

    def pause(self) -> None:
        """Freeze it, and return when it stands: the kernel accepts connections, and nothing answers."""
        self.signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once, as a crash would. Killing what has ended is fine."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """End it as an operator would: what waits for something (for people to leave, say) waits 2 s."""
        if self._process is None:
            return
        self.signal(signal.SIGTERM)
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self.kill()

    def signal(self, what: signal.Signals) -> None:
        self._started().send_signal(what)

    async def ended(self) -> None:
        """Return when it has ended by itself."""

        async def gone() -> bool:
            return self._started().poll() is not None

        await until(gone)

    def last_words(self) -> str:
        return f"{self.name} ended at its start:\n{self.log.read_text()[-2000:]}"

    def _started(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, f"{self.name} was never started"
        return self._process
