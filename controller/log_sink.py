"""Where log lines go: a thread writes them, so that a sink that blocks or fails delays nothing else.

A pipe that nobody reads, a full disk, a reader that has gone: lines are dropped then, and counted.
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
"""Seconds that the lines of the end are waited for, at the end."""


class LogSink(io.TextIOBase):
    """Text for a file descriptor, written by a thread of its own. Taking it never blocks, and never fails."""

    def __init__(self, fd: int, write: Callable[[int, bytes], int] = os.write) -> None:
        self._fd, self._write = fd, write
        self._waiting: deque[bytes] = deque()
        self._changed = threading.Condition()
        self._is_writing = False
        self.dropped = 0
        threading.Thread(target=self._write_forever, name="log", daemon=True).start()

    def write(self, text: str) -> int:
        """Have `text`, whole lines, written; it is dropped where too many wait already."""
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
    """The sink of this process; what waits in it at the end is written, as far as that takes no time."""
    sink = LogSink(2)
    atexit.register(sink.drain)
    return sink
