"""OpenAPI 3.1 at one path: the document, and for browsers a page by Swagger UI, which npm installs.

Both are made once, at the start, and do not depend on requests.
"""

import json
from collections.abc import Mapping
from html import escape
from string import Template
from typing import Any, Final

from aiohttp import hdrs, web

from controller.sidecar.http.accept import wants_page
from controller.sidecar.http.response import Response
from controller.sidecar.pages.assets import FOLDER, HTML, INSTALL, PACKAGES, Assets, page_headers

_VARY: Final = f"{hdrs.VARY}: {hdrs.ACCEPT}\r\n"
_HEADERS: Final = page_headers(images=("data:",))
"""Swagger UI's style sheet contains its icons as data URLs."""

_OWN: Final = {
    "script": FOLDER / "openapi" / "page.js",
    "style": FOLDER / "openapi" / "page.css",
    "icon": FOLDER / "icon.svg",
}


class OpenApiPage:
    """The document of one listener, its page, and the assets of the page."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        swagger_ui = PACKAGES["swagger-ui-dist"]
        self._assets = Assets(_OWN.values(), swagger_ui)
        files = _OWN | dict(zip(("swagger_script", "swagger_style"), swagger_ui, strict=True))
        urls = {name: self._assets.url(path.name) for name, path in files.items()}
        template = Template((FOLDER / "openapi" / "page.html").read_text(encoding="utf-8"))
        title = escape(document["info"]["title"])
        self._json = json.dumps(document, ensure_ascii=False).encode()
        self._html = template.substitute(urls, title=title, install=INSTALL).encode()

    async def answer(self, request: web.BaseRequest) -> Response:
        """The calls of this listener.

        OpenAPI 3.1; a page where the Accept header prefers text/html.
        """
        if wants_page(request):
            return Response(self._html, kind=HTML, more=f"{_VARY}{_HEADERS}")
        return Response(self._json, more=_VARY)

    async def asset(self, request: web.BaseRequest) -> Response:
        """A file of the page."""
        return await self._assets.answer(request)
