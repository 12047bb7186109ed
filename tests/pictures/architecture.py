"""The figure of the architecture, as SVG."""

from dataclasses import dataclass
from html import escape
from typing import Final

WIDTH, HEIGHT = 960, 584
_STYLE: Final = (
    "text{font:14px system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;fill:#1f2933}"
    ".title{font-weight:600}"
    ".code{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:#52606d}"
    ".note{font-size:12px;fill:#52606d}"
    ".outside{fill:#f0f4f8;stroke:#9fb3c8}.part{fill:#fff;stroke:#486581}.pure{fill:#e3f8e8;stroke:#2f8132}"
    ".frame{fill:none;stroke:#bcccdc;stroke-dasharray:5 4}"
    "path{fill:none;stroke:#486581;stroke-width:1.5}"
)


@dataclass(frozen=True, slots=True)
class Box:
    """A part: what it is called, where it is in the code, and what it does."""

    x: int
    y: int
    width: int
    title: str
    code: str = ""
    note: str = ""
    kind: str = "part"
    height: int = 64

    def draw(self) -> str:
        texts = [(self.title, "title"), (self.code, "code"), (self.note, "note")]
        lines = [(text, kind) for text, kind in texts if text]
        top = self.y + self.height / 2 - 9 * (len(lines) - 1) + 4
        middle = self.x + self.width / 2
        return (
            f'<rect class="{self.kind}" x="{self.x}" y="{self.y}" width="{self.width}" '
            f'height="{self.height}" rx="6"/>'
            + "".join(
                f'<text class="{kind}" x="{middle:g}" y="{top + 18 * number:g}" text-anchor="middle">'
                f"{escape(text)}</text>"
                for number, (text, kind) in enumerate(lines)
            )
        )


def _arrow(*points: tuple[int, int], both: bool = False) -> str:
    """A line through the points, with a head at its end, or at both ends."""
    path = "M" + "L".join(f"{x} {y}" for x, y in points)
    start = ' marker-start="url(#head)"' if both else ""
    return f'<path d="{path}"{start} marker-end="url(#head)"/>'


def _label(x: int, y: int, text: str, anchor: str = "middle") -> str:
    return f'<text class="note" x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'


_BOXES: Final = (
    Box(60, 20, 200, "rooms.d", note="manifests in Git", kind="outside", height=54),
    Box(380, 20, 200, "MongoDB", note="records, recordings, lease", kind="outside", height=54),
    Box(700, 20, 200, "LiveKit", note="rooms, participants, egress", kind="outside", height=54),
    Box(60, 120, 200, "Manifests", "manifests/", height=54),
    Box(380, 120, 200, "Records", "records/", height=54),
    Box(700, 120, 200, "LiveKit client", "live/", height=54),
    Box(50, 260, 150, "Observe", note="read all three"),
    Box(228, 260, 150, "Plan", "plan/ (pure)", kind="pure"),
    Box(406, 260, 150, "Apply", note="one task per room"),
    Box(584, 260, 150, "Companions", "companions/"),
    Box(762, 260, 150, "Status", note="conditions"),
    Box(60, 400, 180, "State cache", note="the last known state"),
    Box(380, 400, 200, "HTTP servers", "sidecar/"),
    Box(700, 400, 200, "Access", "access/ (pure)", kind="pure"),
    Box(290, 510, 170, "Participants", note="join page, tokens", kind="outside", height=54),
    Box(500, 510, 170, "Operators", note="API, metrics", kind="outside", height=54),
)

_ARROWS: Final = (
    _arrow((160, 74), (160, 120)),
    _arrow((480, 74), (480, 120), both=True),
    _arrow((800, 74), (800, 120), both=True),
    _arrow((160, 174), (160, 215)),
    _arrow((480, 174), (480, 215), both=True),
    _arrow((800, 174), (800, 215), both=True),
    *(_arrow((x, 292), (x + 28, 292)) for x in (200, 378, 556, 734)),
    _arrow((150, 345), (150, 400)),
    _arrow((240, 432), (380, 432)),
    _arrow((480, 400), (480, 345)),
    _arrow((800, 400), (800, 345)),
    _arrow((700, 432), (580, 432)),
    _arrow((430, 464), (395, 510), both=True),
    _arrow((530, 464), (565, 510), both=True),
)

_LABELS: Final = (
    _label(168, 198, "read", "start"),
    _label(488, 198, "read, compare and set", "start"),
    _label(808, 198, "read, write", "start"),
    _label(310, 424, "answers from memory"),
    _label(488, 378, "desired state of API rooms", "start"),
    _label(808, 378, "permissions", "start"),
    _label(640, 424, "roles, tokens"),
)

_HEAD: Final = (
    '<marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
    'orient="auto-start-reverse"><path d="M0 0L10 5L0 10z" style="fill:#486581;stroke:none"/>'
    "</marker>"
)

_PASS: Final = (
    '<rect class="frame" x="30" y="215" width="900" height="130" rx="8"/>'
    '<text class="title" x="50" y="242">One pass</text>'
    '<text class="code" x="128" y="242">reconcile/</text>'
)


def architecture() -> str:
    """The whole figure."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
            "<title>The parts of roomctl and how data moves between them</title>",
            f"<style>{_STYLE}</style>",
            _HEAD,
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
            _PASS,
            *_ARROWS,
            *_LABELS,
            *(box.draw() for box in _BOXES),
            "</svg>",
            "",
        ]
    )
