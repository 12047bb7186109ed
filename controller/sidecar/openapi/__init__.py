"""The OpenAPI 3.1 document of each listener, and the page that shows it (docs/http-api.md).

The document is made once, at the start, from the models that validate; no request can change a byte of it.
"""

import json
from typing import Final

from aiohttp import hdrs, web

from controller.sidecar.http.response import Response
from controller.sidecar.http.router import Routes
from controller.sidecar.openapi.accept import prefers_html
from controller.sidecar.openapi.document import Document, private_document, public_document
from controller.sidecar.openapi.page import HEADERS, OpenApiPage
from controller.sidecar.pages.assets import HTML

__all__ = ["OpenApiPage", "openapi_routes", "private_document", "public_document"]

PATH: Final = "/openapi.json"
ASSETS: Final = "/openapi/assets/"

_VARY: Final = f"{hdrs.VARY}: {hdrs.ACCEPT}\r\n"


def openapi_routes(document: Document, page: OpenApiPage) -> Routes:
    """`/openapi.json`, as JSON or as a page for a client that prefers HTML, and the assets of the page."""
    as_json = json.dumps(document, ensure_ascii=False).encode()
    as_page = page.html(document["info"]["title"]).encode()

    async def answer(request: web.BaseRequest) -> Response:
        if prefers_html(request.headers.getall(hdrs.ACCEPT, ())):
            return Response(as_page, kind=HTML, more=f"{_VARY}{HEADERS}")
        return Response(as_json, more=_VARY)

    return {
        PATH: {"GET": answer, "HEAD": answer},
        ASSETS: {"GET": page.assets.answer, "HEAD": page.assets.answer},
    }
