"""Colours and columns, by rich."""

import sys
from collections.abc import Callable, Sequence
from typing import Final

from rich.console import Console
from rich.style import Style
from rich.table import Table
from rich.text import Text

from controller.cli.screen import colored, no_color, show

_UNBOUND: Final = 1_000_000
"""Columns where nothing is folded: a pipe's reader, or the terminal itself, sees to long lines."""


def painted(text: str, style: str) -> str:
    """`text` in a rich style where stdout shows colours, else as it is."""
    if not style or not colored(sys.stdout):
        return text
    return Style.parse(style).render(text)


def show_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], style: Callable[[str, str], str], *, fold: bool
) -> None:
    """Columns as wide as they need to be, and never cut.

    With `fold` a table that is wider than the terminal has its long cells folded; in a pipe none has.
    `style` gives the rich style of a cell from its column and its text.
    """
    terminal = sys.stdout.isatty()
    folded = fold and terminal
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for title in header:
        table.add_column(title, overflow="fold", no_wrap=not folded)
    for row in rows:
        table.add_row(*(Text(text, style(title, text)) for title, text in zip(header, row, strict=True)))
    console = Console(
        force_terminal=terminal,
        no_color=no_color(),
        color_system="standard" if colored(sys.stdout) else None,
        width=None if folded else _UNBOUND,
        legacy_windows=False,
    )
    with console.capture() as capture:
        console.print(table)
    show("\n".join(line.rstrip() for line in capture.get().splitlines()))
