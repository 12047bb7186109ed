"""`roomctl plan` in a terminal, as SVG: a plan of the planner's, in the colours of the verb."""

from io import StringIO
from typing import Final

from rich.console import Console
from rich.text import Text

from controller.cli.plan import LINE_STYLES
from controller.plan.model import Plan
from controller.plan.render import as_text
from tests.support.worlds import desired, live_room, manifest, planned, record

_WIDTH: Final = 104
_FORMAT: Final = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img">
    <title>The output of roomctl plan</title>
    <style>
    .{unique_id}-matrix {{
        font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
        font-size: {char_height}px;
        line-height: {line_height}px;
    }}
    .{unique_id}-title {{ font: bold 18px system-ui, Helvetica, Arial, sans-serif; }}
    {styles}
    </style>
    <defs>
    <clipPath id="{unique_id}-clip-terminal">
      <rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
    </clipPath>
    {lines}
    </defs>
    {chrome}
    <g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
    {backgrounds}
    <g class="{unique_id}-matrix">
    {matrix}
    </g>
    </g>
</svg>
"""
"""rich's own, without its fonts from the network."""


def plan() -> Plan:
    """A new room, a stricter one of which a part waits for its people, a stopped one, and a removed one."""
    standup, demo = record("standup", live="standup", allow_chat=True), record("demo", live="demo")
    retro = record("retro", live="retro")
    return planned(
        desired(
            manifest("events/keynote", name="Keynote", allow_webinar_mode=True, max_participants=200),
            manifest("standup", allow_chat=False, max_participants=30),
            manifest("demo", active=False),
        ),
        (standup, demo, retro),
        (live_room(standup), live_room(demo), live_room(retro)),
        {"standup": 4, "demo": 1, "retro": 2},
        missing_for_seconds={"retro": 60.0},
    )


def terminal() -> str:
    """The whole picture."""
    console = Console(record=True, file=StringIO(), width=_WIDTH)
    console.print(Text("$ roomctl plan", "bold"))
    for line in as_text(plan()).splitlines():
        console.print(Text(line, LINE_STYLES.get(line[:1], "")))
    return console.export_svg(title="roomctl plan", code_format=_FORMAT, unique_id="plan")
