"""Writes log lines in a thread, so that an output that blocks or fails delays nothing else.

If a pipe is not read, a disk is full or a reader has ended, lines are dropped and counted.
"""

import atexit
import functools
import io
import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

MAX_WAITING_LINES: Final = 10_000
FLUSH_SECONDS: Final = 0.5
"""Seconds to wait for the last lines when the process ends."""


class LogSink(io.TextIOBase):
    """Text for a file descriptor, written by a thread. `write` never blocks and never fails."""

    def __init__(self, fd: int, write: Callable[[int, bytes], int] = os.write) -> None:
        self._fd, self._write = fd, write
        self._waiting: deque[bytes] = deque()
        self._changed = threading.Condition()
        self._is_writing = False
        self.dropped = 0
        threading.Thread(target=self._write_forever, name="log", daemon=True).start()

    def write(self, text: str) -> int:
        """Queue `text`, whole lines, for writing; it is dropped if too many wait."""
        with self._changed:
            if len(self._waiting) >= MAX_WAITING_LINES:
                self.dropped += 1
            else:
                self._waiting.append(text.encode("utf-8", "backslashreplace"))
                self._changed.notify_all()
        return len(text)

    def isatty(self) -> bool:
        return os.isatty(self._fd)

    def drain(self, within: float = FLUSH_SECONDS) -> None:
        """Wait until all lines are written, `within` seconds at most."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting and not self._is_writing, within)

    def _write_forever(self) -> None:
        while True:
            with self._changed:
                self._is_writing = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting)
                line, self._is_writing = self._waiting.popleft(), True
            self._try_write(line)

    def _try_write(self, line: bytes) -> None:
        try:
            while line:
                line = line[self._write(self._fd, line) :]
        except OSError:
            with self._changed:
                self.dropped += 1


@functools.cache
def stderr_sink() -> LogSink:
    """The sink of this process; waiting lines are written at exit, if that is quick."""
    sink = LogSink(2)
    atexit.register(sink.drain)
    return sink
