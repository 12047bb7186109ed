"""`roomctl` as a fork of a process that has imported it already: a start costs little."""

import multiprocessing
import os
import resource
import sys
import threading
from collections.abc import Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final, NoReturn

from controller.cli import main
from controller.cli.verbs import VERBS

WARM: Final = (
    *(f"controller.cli.{verb}" for verb in VERBS),
    *("controller.log_format", "controller.live.lookup", "controller.records.factory", "uvloop", "yaml"),
)


def forked(
    words: Sequence[str], *, cwd: Path, env: Mapping[str, str], out: Path, err: Path, open_files: int = 0
) -> BaseProcess:
    """`roomctl WORDS`, started; with 0 `open_files` it may open as many as this process."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(WARM))
    arguments = (list(words), str(cwd), dict(env), (str(out), str(err)), open_files)
    process = context.Process(target=_become_roomctl, args=arguments, daemon=True)
    process.start()
    return process


def _become_roomctl(
    words: list[str], cwd: str, env: dict[str, str], outputs: tuple[str, str], open_files: int
) -> None:
    """It ends with the process that started it. A library to preload needs a program that begins anew."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if open_files:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (open_files, hard))
    for number, output in enumerate(outputs, 1):
        os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    if "LD_PRELOAD" in env:
        _begin_anew((sys.executable, "-m", "controller", *words))
    sys.argv = ["roomctl", *words]
    main()


def _begin_anew(command: tuple[str, ...]) -> NoReturn:
    os.execvp("setpriv", ("setpriv", "--pdeathsig", "KILL", *command))  # noqa: S606


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
