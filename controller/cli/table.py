"""Colours and columns, by rich."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from rich.cells import cell_len
from rich.console import Console
from rich.style import Style
from rich.table import Table
from rich.text import Text

from controller.cli.console import colored, no_color, print_data, print_lines

_Styles: TypeAlias = Mapping[str, str]
_Style: TypeAlias = Callable[[str, str], str]


def styled(text: str, style: str) -> str:
    """`text` in a rich style if stdout has colours, otherwise unchanged."""
    if not style or not colored(sys.stdout):
        return text
    return Style.parse(style).render(text)


def print_table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    styles: Mapping[str, _Styles],
) -> None:
    """Columns as wide as needed, never cut.

    If a table is wider than the terminal, its long cells are folded; in a pipe they are not.
    `styles` gives the rich style of a cell by its column and its text.
    """

    def style(title: str, text: str) -> str:
        return styles.get(title, {}).get(text, "")

    if sys.stdout.isatty():
        _show_folded(header, rows, style)
    else:
        _show_lines(header, rows, style)


def _show_lines(header: Sequence[str], rows: Sequence[Sequence[str]], style: _Style) -> None:
    """Without rich, which takes 0.4 ms per row: in a pipe there may be tens of thousands."""
    widths = [max(map(cell_len, column)) for column in zip(header, *rows, strict=True)]

    def line(cells: Sequence[str], styles: Iterable[str]) -> str:
        padded = zip(cells, styles, widths, strict=True)
        texts = (styled(text, style) + " " * (width - cell_len(text)) for text, style, width in padded)
        return "  ".join(texts).rstrip()

    print_data(line(header, ["bold"] * len(header)))
    print_lines(line(row, map(style, header, row)) for row in rows)


def _show_folded(header: Sequence[str], rows: Sequence[Sequence[str]], style: _Style) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for title in header:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*(Text(text, style(title, text)) for title, text in zip(header, row, strict=True)))
    console = Console(
        force_terminal=True,
        no_color=no_color(),
        color_system="standard" if colored(sys.stdout) else None,
        legacy_windows=False,
    )
    with console.capture() as capture:
        console.print(table)
    print_data("\n".join(line.rstrip() for line in capture.get().splitlines()))
