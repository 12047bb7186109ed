"""The join page and the recorded page (docs/join-page.md), and the assets of both.

All files are read once, at the start: an exact list is served, and no request reads from the disk.
"""

import html
import re
from datetime import UTC, datetime
from http import HTTPStatus
from string import Template
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from aiohttp import hdrs, web

from controller.records.record import RoomRecord
from controller.room import RoomSpec
from controller.sidecar.closed import closed_error
from controller.sidecar.context import Context
from controller.sidecar.http.accept import wants_page
from controller.sidecar.http.response import ApiError, Code, Response
from controller.sidecar.pages.assets import (
    CONTENT_TYPES,
    FOLDER,
    HTML,
    PACKAGES,
    Assets,
    last_segment,
    page_headers,
)
from controller.sidecar.pages.brand import BrandFiles

_DEVICES: Final = "camera=(self), microphone=(self), display-capture=(self), geolocation=()"
_ANY_LIVEKIT: Final = ("ws:", "wss:", "http:", "https:")
"""An egress worker reaches LiveKit at an address that our settings do not have."""
_SEGMENT: Final = re.compile(r"[A-Za-z0-9_-]+\Z")
_JOIN: Final = "/join/"
_MENDABLE: Final = re.compile(r"([0-9A-Fa-f]{24})[^0-9A-Za-z]*")
"""A room's id, and behind it nothing that could belong to one."""
_IN_QUERY: Final = "%/?:@!$&'()*+,;=-._~"
_MAX_DEPTH: Final = 16
"""A deeper path gets the page without its style."""


class Pages:
    """The join page, the same for every room except attributes of its body, and the recorded page, which
    gets everything from LiveKit's egress worker.
    """

    def __init__(self, context: Context) -> None:
        self._state, self._state_error, self._wall = context.state, context.state_error, context.wall
        self._brand = BrandFiles(context.settings.brand_dir, context.clock)
        own = (path for path in FOLDER.iterdir() if path.suffix in CONTENT_TYPES)
        (client,) = PACKAGES["livekit-client"]
        self._assets = Assets(own, [client])
        self._client = self._assets.url(client.name)
        self._page, self._recorded = _template("join.html"), _template("recording.html")
        self._no_page = _template("not-found.html")
        livekit, origins = _sources(context.settings.livekit_public_url), context.settings.embed_origins
        self._headers = page_headers(connect=livekit, devices=_DEVICES, ancestors=origins)
        self._embed_origins = " ".join(origins)
        self._recorded_headers = page_headers(connect=_ANY_LIVEKIT)
        self._plain_headers = page_headers()

    async def page(self, request: web.BaseRequest) -> Response:
        """The page for joining a room.

        For people; an invite, if they have one, is in the fragment. If the room cannot be joined, the page
        says why: it says the same for every id without an active room.
        """
        room_id = last_segment(request)
        if wants_page(request) and (location := mended_location(request.raw_path)):
            return _redirect(location)
        if not _SEGMENT.match(room_id):
            raise ApiError(Code.NOT_FOUND)
        record = self._state.room(room_id)
        why = self._why_not(record)
        page_data = _attributes(record, why, int(self._wall()))
        brand = self._brand.current()
        body = self._page.substitute(
            attributes=page_data,
            embed=self._embed_origins,
            leave_url=html.escape(brand.leave_url),
            style=brand.style_link,
            brand=brand.sign,
            client=self._client,
        )
        status = HTTPStatus.OK if why is None else why.code.status
        retry = _retry_after(why) if why is not None else ""
        more = self._headers + (f"Retry-After: {retry}\r\n" if retry else "")
        return Response(body.encode(), status, kind=HTML, more=more)

    async def recorded(self, _: web.BaseRequest) -> Response:
        """The page that is recorded.

        For LiveKit's egress worker, as custom_base_url: the participants, and the chat beside them. It logs
        START_RECORDING and END_RECORDING to its console. Only its script reads the token in the query.
        """
        body = self._recorded.substitute(client=self._client)
        return Response(body.encode(), kind=HTML, more=self._recorded_headers)

    async def asset(self, request: web.BaseRequest) -> Response:
        """A file of either page."""
        of_brand = self._brand.current().assets.get(last_segment(request))
        return await (of_brand or self._assets).answer(request)

    def not_found(self, request: web.BaseRequest) -> Response | None:
        """For a person: the page that the path means, or one that says that there is none."""
        if request.method not in (hdrs.METH_GET, hdrs.METH_HEAD) or not wants_page(request):
            return None
        if location := mended_location(request.raw_path):
            return _redirect(location)
        depth = min(request.raw_path.partition("?")[0].count("/") - 1, _MAX_DEPTH)
        body = self._no_page.substitute(assets=f"{'../' * depth}join/assets/")
        return Response(body.encode(), HTTPStatus.NOT_FOUND, kind=HTML, more=self._plain_headers)

    def _why_not(self, record: RoomRecord | None) -> ApiError | None:
        if error := self._state_error():
            return error
        if record is None:
            return ApiError(Code.ROOM_NOT_FOUND)
        return closed_error(self._state, record, datetime.fromtimestamp(self._wall(), UTC))


def mended_location(target: str) -> str | None:
    """The join page that a damaged link means, relative to `target`; None where it is whole, or unclear.

    Capital letters, and what mail programs and people add to the end of a link: a slash, a period, a bracket.
    """
    path, mark, query = target.partition("?")
    tail = path.removeprefix(_JOIN)
    found = _MENDABLE.fullmatch(unquote(tail))
    if tail == path or found is None or tail == found[1].lower():
        return None
    up = "../" * tail.count("/") or "./"
    return f"{up}{found[1].lower()}{mark}{quote(query, safe=_IN_QUERY, errors='replace')}"


def _redirect(location: str) -> Response:
    return Response(b"", HTTPStatus.PERMANENT_REDIRECT, kind="", more=f"Location: {location}\r\n")


def _attributes(record: RoomRecord | None, why: ApiError | None, now: int) -> str:
    """What the page's script needs to know, as attributes of its body. Of a closed room it is all."""
    page_data = _error_data(why) if why is not None else {}
    if record is not None and (why is None or why.code is Code.ROOM_CLOSED):
        page_data |= _room_data(record.spec, now)
    return " ".join(f'data-{name}="{html.escape(value)}"' for name, value in page_data.items())


def _error_data(why: ApiError) -> dict[str, str]:
    opens = _retry_after(why) if why.code is Code.ROOM_CLOSED else ""
    return {"code": why.code} | ({"opens-in": opens} if opens else {})


def _retry_after(why: ApiError) -> str:
    """In seconds; '' if a retry does not help, as in a room that does not open again."""
    return "" if why.more.get("opens", "") is None else why.headers.get("Retry-After", "")


def _room_data(spec: RoomSpec, now: int) -> dict[str, str]:
    return {
        "name": spec.name,
        "media": spec.mediaType,
        "webinar": str(spec.allow_webinar_mode).lower(),
        "record": str(spec.record).lower(),
        "now": str(now),
    }


def _template(name: str) -> Template:
    return Template((FOLDER / name).read_text(encoding="utf-8"))


def _sources(public_url: str) -> tuple[str, ...]:
    """LiveKit's sources in a policy, for its socket and its calls. A policy cannot have an IPv6 address."""
    parts = urlsplit(public_url)
    if not parts.netloc:
        return ()
    where = ":" if "[" in parts.netloc else f"://{parts.netloc}"
    return (f"{parts.scheme}{where}", f"{parts.scheme.replace('ws', 'http', 1)}{where}")
