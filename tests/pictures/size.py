"""The plot of what a controller costs by its size, as SVG, from the table in the document."""

from html import escape
from typing import Final

from tests.support.documents import page, tables

WIDTH, ROW, TOP, LEFT, BAR = 960, 64, 56, 210, 300
_STYLE: Final = (
    "text{font:14px system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;fill:#1f2933}"
    ".head{font-weight:600}.value{fill:#52606d}.cpu{fill:#2f8132}.memory{fill:#486581}"
)


def size() -> str:
    rows = [*tables(page("size.md"), "On record")]
    idle = [int(row[4].split()[0]) for row in rows]
    memory = [int(row[6].split()[0]) for row in rows]
    height = TOP + ROW * len(rows)
    parts = [
        f'<text class="head" x="{LEFT}" y="32">Idle, CPU a second</text>',
        f'<text class="head" x="{LEFT + BAR + 80}" y="32">Memory</text>',
    ]
    for number, row in enumerate(rows):
        y = TOP + ROW * number
        parts += [
            f'<text x="20" y="{y + 16}">{escape(row[0])} on record,</text>',
            f'<text x="20" y="{y + 36}">{escape(row[1])} live</text>',
            _bar(LEFT, y, idle[number] / max(idle), "cpu", row[4]),
            _bar(LEFT + BAR + 80, y, memory[number] / max(memory), "memory", row[6]),
        ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="CPU and memory by the number of rooms"><style>{_STYLE}</style>'
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def _bar(x: int, y: int, share: float, kind: str, label: str) -> str:
    width = max(2, round(BAR * 0.75 * share))
    return (
        f'<rect class="{kind}" x="{x}" y="{y + 8}" width="{width}" height="24" rx="4"/>'
        f'<text class="value" x="{x + width + 8}" y="{y + 25}">{escape(label)}</text>'
    )
