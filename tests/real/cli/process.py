"""`roomctl` as a process: in a pipe, or on a terminal of its own."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.controller import Ended
from tests.support.forked import forked
from tests.support.wait import PATIENCE

PROGRAM = (sys.executable, "-m", "controller")
NOTHING = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
"""An environment without any setting."""


def roomctl(*words: str, cwd: Path, env: Mapping[str, str] | None = None) -> Ended:
    """Run it with its output in files, and no input."""
    with TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        process = forked(words, cwd=cwd, env={**NOTHING, **(env or {})}, out=out, err=err)
        process.join(PATIENCE)
        assert process.exitcode is not None, err.read_text()
        return Ended(process.exitcode, out.read_text(), err.read_text())


def on_terminal(*words: str, cwd: Path, env: Mapping[str, str] | None = None, answer: str = "") -> Ended:
    """Run it on a terminal of 80 columns; `answer` is typed. All it wrote is `out`."""
    terminal, its_end = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(
        (*PROGRAM, *words),
        cwd=cwd,
        env={**NOTHING, "TERM": "xterm-256color", **(env or {})},
        stdin=its_end,
        stdout=its_end,
        stderr=its_end,
    )
    os.close(its_end)
    os.write(terminal, answer.encode())
    written = b""
    with suppress(OSError):  # how a terminal says that nobody writes to it any more
        while piece := os.read(terminal, 65536):
            written += piece
    os.close(terminal)
    return Ended(process.wait(), written.decode().replace("\r\n", "\n"), "")
