"""Colours and columns. A table that fits is written without rich, which is slow to load and to lay out."""

import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeAlias

import typer
from rich.cells import cell_len

from controller.cli.console import colored, no_color, print_data, print_lines

_Styles: TypeAlias = Mapping[str, str]
_Style: TypeAlias = Callable[[str, str], str]


def styled(text: str, style: str) -> str:
    """`text` in a style ("bold", "red", "bold red") if stdout has colours, otherwise unchanged."""
    if not style or not colored(sys.stdout):
        return text
    color = style.removeprefix("bold").strip()
    return typer.style(text, fg=color or None, bold=style.startswith("bold") or None)


def print_table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    styles: Mapping[str, _Styles],
) -> None:
    """Columns as wide as needed, never cut.

    If a table is wider than the terminal, its long cells are folded; in a pipe they are not.
    `styles` gives the style of a cell by its column and its text.
    """

    def style(title: str, text: str) -> str:
        return styles.get(title, {}).get(text, "")

    widths = [max(map(cell_len, column)) for column in zip(header, *rows, strict=True)]
    total = sum(widths) + len(_GAP) * (len(widths) - 1)
    if sys.stdout.isatty() and total > shutil.get_terminal_size().columns:
        _show_folded(header, rows, style)
    else:
        _show_lines(header, rows, widths, style)


_GAP: Final = "  "


def _show_lines(
    header: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int], style: _Style
) -> None:
    def line(cells: Sequence[str], styles: Iterable[str]) -> str:
        padded = zip(cells, styles, widths, strict=True)
        texts = (styled(text, style) + " " * (width - cell_len(text)) for text, style, width in padded)
        return _GAP.join(texts).rstrip()

    print_data(line(header, ["bold"] * len(header)))
    print_lines(line(row, map(style, header, row)) for row in rows)


def _show_folded(header: Sequence[str], rows: Sequence[Sequence[str]], style: _Style) -> None:
    from rich.console import Console  # noqa: PLC0415 - a tenth of a second, for wide tables alone
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

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
