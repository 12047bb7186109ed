"""Data to stdout, everything else to stderr; colour on a terminal alone, and none with NO_COLOR."""

import os
import sys
from collections.abc import Iterable
from itertools import islice
from typing import TextIO

import typer


def no_color() -> bool:
    """Whether NO_COLOR asks for none."""
    return bool(os.environ.get("NO_COLOR"))


def print_data(text: str) -> None:
    """A piece of data, with a newline."""
    typer.echo(text, color=colored(sys.stdout))


def print_lines(lines: Iterable[str]) -> None:
    """Many of them: a thousand go out in one write, for each wakes whoever reads."""
    rest = iter(lines)
    while batch := list(islice(rest, 1_000)):
        print_data("\n".join(batch))


def print_info(text: str) -> None:
    """Something for people, beside the data."""
    typer.echo(text, err=True, color=colored(sys.stderr))


def print_error(text: str) -> None:
    """One error per line, each with its mark."""
    mark = typer.style("error:", fg="red", bold=True) if colored(sys.stderr) else "error:"
    for line in text.splitlines():
        print_info(f"{mark} {line}")


def pluralize(number: int, thing: str, things: str = "") -> str:
    """`1 room`, `2 rooms`."""
    return f"{number} {thing if number == 1 else things or thing + 's'}"


def colored(stream: TextIO) -> bool:
    """Whether `stream` shows colours."""
    return stream.isatty() and not no_color()
