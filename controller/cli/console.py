"""What a verb gives: data to stdout, everything else to stderr, and an exit code.

Colour is for a terminal alone, and there is none with NO_COLOR.
"""

import asyncio
import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import IntEnum
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import typer
import yaml


class Exit(IntEnum):
    """The exit codes (docs/cli.md#exit-codes); a verb that was interrupted ends with the shell's own 130.

    1 beats 3 beats 2.
    """

    FINE = 0
    FAILED = 1
    CHANGES = 2
    LEFT = 3
    TIMED_OUT = 4
    USAGE = 64


def no_color() -> bool:
    """Whether NO_COLOR asks for none."""
    return bool(os.environ.get("NO_COLOR"))


def print_data(text: str) -> None:
    """A piece of data, with a newline."""
    typer.echo(text, color=colored(sys.stdout))


def to_yaml(document: Any) -> str:
    """Plain values as YAML, each text on one line, to be copied."""
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=math.inf)
    return str(text).rstrip("\n")


def print_lines(lines: Iterable[str]) -> None:
    """Many of them: a thousand go out in one write, for each wakes whoever reads."""
    rest = iter(lines)
    while batch := list(islice(rest, 1_000)):
        print_data("\n".join(batch))


def json_array(items: Sequence[Any]) -> Iterator[str]:
    """The lines of the array as json.dumps would write it, piece by piece: there may be very many items."""
    if not items:
        yield "[]"
        return
    yield "["
    for number, item in enumerate(items, 1):
        text = json.dumps(item, indent=2, ensure_ascii=False).replace("\n", "\n  ")
        yield f"  {text}," if number < len(items) else f"  {text}"
    yield "]"


def print_info(text: str) -> None:
    """Something for people, beside the data."""
    typer.echo(text, err=True, color=colored(sys.stderr))


def print_error(text: str) -> None:
    """One error per line, each with its mark."""
    mark = typer.style("error:", fg="red", bold=True) if colored(sys.stderr) else "error:"
    for line in text.splitlines():
        print_info(f"{mark} {line}")


def colored(stream: TextIO) -> bool:
    """Whether `stream` shows colours."""
    return stream.isatty() and not no_color()


def below(rooms_dir: Path) -> Callable[[str], str]:
    """Shows a file below `rooms_dir` relative to the current folder, as a person at the prompt would."""
    return lambda file: os.path.relpath(rooms_dir / file)


async def pause(seconds: float) -> None:
    """Sleep until the next look. CancelledError where Ctrl-C came before, and was swallowed on its way.

    Python 3.11's wait_for may do that (python/cpython#86296), in pymongo as well; the task remembers it.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
    await asyncio.sleep(seconds)
