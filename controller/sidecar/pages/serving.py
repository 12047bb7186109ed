"""The join page and the recorded page (docs/join-page.md), and the assets of both.

All of it is read once, at the start: what is served is an exact list, and no request reaches the disk.
"""

import gzip
import hashlib
import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from string import Template
from typing import Final
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from controller.records.record import RoomRecord
from controller.sidecar.context import Context
from controller.sidecar.http.protocol import Handler
from controller.sidecar.http.response import STATUS, Answer, Code, Refusal
from controller.sidecar.http.router import Routes

JOIN: Final = "/join/"
ASSETS: Final = "/join/assets/"
RECORDING: Final = "/recording/template"
RECORDING_ASSETS: Final = "/recording/assets/"
"""The same files: an egress worker needs to reach nothing but what begins with /recording/."""
FOLDER: Final = Path(__file__).parent
CLIENT: Final = FOLDER / "node_modules" / "livekit-client" / "dist" / "livekit-client.umd.js"
"""Where npm puts it; never committed."""

_KINDS: Final = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
_HTML: Final = "text/html; charset=utf-8"
_DEVICES: Final = "camera=(self), microphone=(self), display-capture=(self), geolocation=()"
_NO_DEVICES: Final = "camera=(), microphone=(), display-capture=(), geolocation=()"
_ANY_LIVEKIT: Final = ("ws:", "wss:", "http:", "https:")
"""An egress worker reaches LiveKit by an address of its own, which no setting of ours names."""
_SEGMENT: Final = re.compile(r"[A-Za-z0-9_-]+\Z")
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_RETRY: Final = "Retry-After: 2\r\n"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent, whole or gzipped. `tag` changes with the content."""

    kind: str
    content: bytes
    tag: str

    @classmethod
    def of(cls, path: Path) -> "Asset":
        """OSError where it cannot be read."""
        content = path.read_bytes()
        tag = hashlib.sha256(content).hexdigest()[:16]
        return cls(_KINDS[path.suffix], content, tag)

    def answer(self, request: web.BaseRequest) -> Answer:
        """What `request` wants of it: nothing, if it has it; for ever, if it names this very content."""
        packs = "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, "")
        etag = f'"{self.tag}-gzip"' if packs else f'"{self.tag}"'
        cache = _FOR_EVER if request.raw_path.endswith(f"?v={self.tag}") else "no-cache"
        more = f"ETag: {etag}\r\nVary: Accept-Encoding\r\nCross-Origin-Resource-Policy: same-origin\r\n"
        if etag in request.headers.get(hdrs.IF_NONE_MATCH, ""):
            return Answer(b"", HTTPStatus.NOT_MODIFIED, kind="", more=more, cache=cache)
        more += "Content-Encoding: gzip\r\n" if packs else ""
        return Answer(
            _packed(self.content) if packs else self.content, kind=self.kind, more=more, cache=cache
        )


class Pages:
    """The join page over what is known, the same for every room but for attributes of its body; and the
    recording's, which is told everything by LiveKit's egress worker.
    """

    def __init__(self, context: Context) -> None:
        self._known, self._clock = context.known, context.clock
        own = (path for path in FOLDER.iterdir() if path.suffix in _KINDS)
        files = [*own, *([CLIENT] if CLIENT.is_file() else [])]
        self._assets = {path.name: Asset.of(path) for path in files}
        self._page, self._recorded = _template("join.html"), _template("recording.html")
        self._headers = _lines(_headers(_sources(context.settings.livekit_public_url), _DEVICES))
        self._recorded_headers = _lines(_headers(_ANY_LIVEKIT, _NO_DEVICES))

    def routes(self, question: Handler) -> Routes:
        """For the public listener's table; `question` answers an OPTIONS."""
        return {
            JOIN: {"GET": self.page, "HEAD": self.page, "OPTIONS": question},
            ASSETS: {"GET": self.asset, "HEAD": self.asset, "OPTIONS": question},
            RECORDING: {"GET": self.recorded, "HEAD": self.recorded, "OPTIONS": question},
            RECORDING_ASSETS: {"GET": self.asset, "HEAD": self.asset, "OPTIONS": question},
        }

    async def page(self, request: web.BaseRequest) -> Answer:
        """The page of an active room; else the same page, which says why not: of all other ids alike."""
        room_id = _last(request)
        if not _SEGMENT.match(room_id):
            raise Refusal(Code.NOT_FOUND, "there is no such page here")
        record = self._known.room(room_id)
        why = self._why_not(record)
        told = _attributes(record if why is None else None, why)
        body = self._page.substitute(attributes=told, client=self._client())
        status = HTTPStatus.OK if why is None else STATUS[why]
        more = self._headers + (_RETRY if status is HTTPStatus.SERVICE_UNAVAILABLE else "")
        return Answer(body.encode(), status, kind=_HTML, more=more)

    async def recorded(self, _: web.BaseRequest) -> Answer:
        """The page that is recorded. Its query holds a token: the page's script reads it, and nobody here."""
        body = self._recorded.substitute(client=self._client())
        return Answer(body.encode(), kind=_HTML, more=self._recorded_headers)

    async def asset(self, request: web.BaseRequest) -> Answer:
        """One of the files that were there at the start."""
        asset = self._assets.get(_last(request))
        if asset is None:
            lacking = _last(request) == CLIENT.name
            raise Refusal(Code.NOT_FOUND, LACKING if lacking else "there is no such file here")
        return asset.answer(request)

    def _client(self) -> str:
        client = self._assets.get(CLIENT.name)
        return f"{CLIENT.name}?v={client.tag}" if client else CLIENT.name

    def _why_not(self, record: RoomRecord | None) -> Code | None:
        if not self._known.started:
            return Code.STARTING
        if not self._known.ready(self._clock()):
            return Code.UNAVAILABLE
        return Code.ROOM_NOT_FOUND if record is None else None


def how_to_get(folder: Path | str) -> str:
    """The command that puts livekit-client in place; `folder` is the one of the page."""
    return f"npm ci --ignore-scripts --prefix {folder}"


LACKING: Final = (
    "livekit-client is not in place; "
    f"`{how_to_get('controller/sidecar/pages')}` gets it, then restart the controller"
)
"""For everybody to see, so without the paths of this machine."""


@lru_cache(maxsize=64)
def _packed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def _last(request: web.BaseRequest) -> str:
    return request.raw_path.partition("?")[0].rpartition("/")[2]


def _attributes(record: RoomRecord | None, why: Code | None) -> str:
    """What the page's script needs to know, as attributes of its body."""
    if record is None:
        return f'data-code="{why}"'
    spec = record.spec
    told = {"name": spec.name, "media": spec.mediaType, "webinar": str(spec.allow_webinar_mode).lower()}
    return " ".join(f'data-{name}="{html.escape(value)}"' for name, value in told.items())


def _template(name: str) -> Template:
    return Template((FOLDER / name).read_text(encoding="utf-8"))


def _lines(headers: Mapping[str, str]) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items())


def _headers(livekit: Sequence[str], devices: str) -> Mapping[str, str]:
    """Nothing inline, nothing of third parties but `livekit`; of the devices only what the page needs."""
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "media-src": "'self' blob:",
        "connect-src": " ".join(("'self'", *livekit)),
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Referrer-Policy": "no-referrer",
        "Permissions-Policy": devices,
        "Cross-Origin-Opener-Policy": "same-origin",
    }


def _sources(public_url: str) -> tuple[str, ...]:
    """LiveKit as a policy names it, for its socket and its calls. A policy knows no IPv6 address."""
    parts = urlsplit(public_url)
    if not parts.netloc:
        return ()
    where = ":" if "[" in parts.netloc else f"://{parts.netloc}"
    return (f"{parts.scheme}{where}", f"{parts.scheme.replace('ws', 'http', 1)}{where}")
