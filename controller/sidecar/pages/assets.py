"""The files of a page, and the headers of a page.

The files are read once, at the start: only these are served, and no request reads from the disk.
"""

import asyncio
import gzip
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Final

from aiohttp import hdrs, web

from controller.sidecar.http.response import ApiError, Code, Response

FOLDER: Final = Path(__file__).parent
_NODE_MODULES: Final = FOLDER / "node_modules"
PACKAGES: Final = {
    "livekit-client": (_NODE_MODULES / "livekit-client" / "dist" / "livekit-client.umd.js",),
    "swagger-ui-dist": (
        _NODE_MODULES / "swagger-ui-dist" / "swagger-ui-bundle.js",
        _NODE_MODULES / "swagger-ui-dist" / "swagger-ui.css",
    ),
}
"""The npm packages and their files that are served. npm installs them; they are never committed."""

CONTENT_TYPES: Final = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
HTML: Final = "text/html; charset=utf-8"
NO_DEVICES: Final = "camera=(), microphone=(), display-capture=(), geolocation=()"
_IMMUTABLE: Final = "public, max-age=31536000, immutable"


def install_command(folder: Path | str) -> str:
    """The command that installs the npm packages; `folder` is the one of package.json."""
    return f"npm ci --ignore-scripts --prefix {folder}"


def missing_packages() -> list[str]:
    """The npm packages that are not installed."""
    return [name for name, files in PACKAGES.items() if not all(each.is_file() for each in files)]


INSTALL: Final = f"run `{install_command('controller/sidecar/pages')}`, then restart the controller"
"""It is public, so it has no path of this machine."""


@dataclass(slots=True)
class Asset:
    """A file as it is sent, plain or gzipped. `tag` changes with the content."""

    content_type: str
    content: bytes
    tag: str
    headers: str = ""
    _gzipped: bytes = field(default=b"", repr=False)

    @classmethod
    def read(cls, path: Path) -> "Asset":
        """OSError if the file cannot be read."""
        return cls.of(path.name, path.read_bytes())

    @classmethod
    def of(cls, name: str, content: bytes, headers: str = "") -> "Asset":
        """The content of the file `name`; `headers` are further header lines."""
        content_type = CONTENT_TYPES[Path(name).suffix]
        return cls(content_type, content, hashlib.sha256(content).hexdigest()[:16], headers)

    async def gzipped(self) -> bytes:
        """Compressed once, in a thread: the largest file would delay all other requests by 0.2 s."""
        if not self._gzipped:
            self._gzipped = await asyncio.to_thread(gzip.compress, self.content, mtime=0)
        return self._gzipped

    async def answer(self, request: web.BaseRequest) -> Response:
        """The content, or 304 if the client has it. With its tag in the URL it may be cached for ever."""
        accepts_gzip = "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, "")
        etag = f'"{self.tag}-gzip"' if accepts_gzip else f'"{self.tag}"'
        cache = _IMMUTABLE if request.raw_path.endswith(f"?v={self.tag}") else "no-cache"
        more = f"ETag: {etag}\r\nVary: Accept-Encoding\r\nCross-Origin-Resource-Policy: same-origin\r\n"
        more += self.headers
        if etag in request.headers.get(hdrs.IF_NONE_MATCH, ""):
            return Response(b"", HTTPStatus.NOT_MODIFIED, kind="", more=more, cache=cache)
        if not accepts_gzip:
            return Response(self.content, kind=self.content_type, more=more, cache=cache)
        more += "Content-Encoding: gzip\r\n"
        return Response(await self.gzipped(), kind=self.content_type, more=more, cache=cache)


class Assets:
    """The files of one page. `installed` are the files of npm packages, which may be missing."""

    def __init__(self, own: Iterable[Path], installed: Sequence[Path]) -> None:
        present = (*own, *(path for path in installed if path.is_file()))
        self._assets = {path.name: Asset.read(path) for path in present}
        self._installed = {path.name for path in installed}

    def url(self, name: str) -> str:
        """The file's name with its tag, with which a browser may cache it for ever."""
        asset = self._assets.get(name)
        return f"{name}?v={asset.tag}" if asset else name

    async def answer(self, request: web.BaseRequest) -> Response:
        """The file that the last segment of the path names. A missing npm package says how to install it."""
        name = last_segment(request)
        if name in self._assets:
            return await self._assets[name].answer(request)
        if name in self._installed:
            raise ApiError(Code.NOT_FOUND, f"The file {name} is not installed; {INSTALL}")
        raise ApiError(Code.NOT_FOUND)


def last_segment(request: web.BaseRequest) -> str:
    """The part of the path after the last slash, as it was sent."""
    return request.raw_path.partition("?")[0].rpartition("/")[2]


def page_headers(
    *,
    connect: Sequence[str] = (),
    images: Sequence[str] = (),
    devices: str = NO_DEVICES,
    ancestors: Sequence[str] = (),
) -> str:
    """Header lines that allow nothing inline, no origin but ours and `connect`, and no other `devices`.

    Only pages of `ancestors` may frame the page; an older browser, which knows no list of origins, is told
    nothing where there are some.
    """
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": " ".join(("'self'", *images)),
        "media-src": "'self' blob:",
        "connect-src": " ".join(("'self'", *connect)),
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": " ".join(ancestors) or "'none'",
    }
    headers: Mapping[str, str] = {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Referrer-Policy": "no-referrer",
        "Permissions-Policy": devices,
        "Cross-Origin-Opener-Policy": "same-origin",
        **({} if ancestors else {"X-Frame-Options": "DENY"}),
    }
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items())
