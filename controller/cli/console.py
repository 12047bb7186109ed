"""A verb's output: data to stdout, everything else to stderr, and an exit code.

Colours only on a terminal, and not with NO_COLOR.
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


class Exit(IntEnum):
    """The exit codes (docs/cli.md#exit-codes); an interrupted verb exits with the shell's 130.

    1 takes precedence over 3, and 3 over 2.
    """

    FINE = 0
    FAILED = 1
    CHANGES = 2
    LEFT = 3
    TIMED_OUT = 4
    USAGE = 64


def no_color() -> bool:
    """Whether NO_COLOR is set."""
    return bool(os.environ.get("NO_COLOR"))


def print_data(text: str) -> None:
    """A piece of data, with a newline."""
    typer.echo(text, color=colored(sys.stdout))


def to_yaml(document: Any) -> str:
    """Plain values as YAML, each text on one line, so that it can be copied."""
    import yaml  # noqa: PLC0415 - for this format alone

    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=math.inf)
    return str(text).rstrip("\n")


def print_lines(lines: Iterable[str]) -> None:
    """Many lines: a thousand per write, since each write wakes the reader."""
    rest = iter(lines)
    while batch := list(islice(rest, 1_000)):
        print_data("\n".join(batch))


def json_array(items: Sequence[Any]) -> Iterator[str]:
    """The lines of the array as json.dumps would write it, one by one: there may be very many items."""
    if not items:
        yield "[]"
        return
    yield "["
    for number, item in enumerate(items, 1):
        text = json.dumps(item, indent=2, ensure_ascii=False).replace("\n", "\n  ")
        yield f"  {text}," if number < len(items) else f"  {text}"
    yield "]"


def print_info(text: str) -> None:
    """Text for people, apart from the data."""
    typer.echo(text, err=True, color=colored(sys.stderr))


def print_error(text: str) -> None:
    """One error per line, each with a prefix."""
    mark = typer.style("error:", fg="red", bold=True) if colored(sys.stderr) else "error:"
    for line in text.splitlines():
        print_info(f"{mark} {line}")


def colored(stream: TextIO) -> bool:
    """Whether to use colours on `stream`."""
    return stream.isatty() and not no_color()


def below(rooms_dir: Path) -> Callable[[str], str]:
    """Shows a file below `rooms_dir` relative to the current folder."""
    return lambda file: os.path.relpath(rooms_dir / file)


async def pause(seconds: float) -> None:
    """Sleep until the next read. CancelledError if an earlier Ctrl-C got lost.

    Python 3.11's wait_for may lose it (python/cpython#86296), also in pymongo; the task still knows of it.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
    await asyncio.sleep(seconds)
