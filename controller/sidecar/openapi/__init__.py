"""What each listener says of itself: an OpenAPI 3.1 document, and the same as a page (docs/http-api.md).

Made once, at the start, from the models that validate; no request can change a byte of it.
"""

import base64
import hashlib
import json
from typing import Final

from aiohttp import hdrs, web

from controller.sidecar.http.protocol import Handler
from controller.sidecar.http.response import Answer
from controller.sidecar.openapi.accept import prefers_html
from controller.sidecar.openapi.document import Document, private_document, public_document
from controller.sidecar.openapi.page import STYLE, page

__all__ = ["PATH", "described", "private_document", "public_document"]

PATH: Final = "/openapi.json"

_VARY: Final = f"{hdrs.VARY}: {hdrs.ACCEPT}\r\n"
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
_POLICY: Final = (
    f"Content-Security-Policy: default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
    "Referrer-Policy: no-referrer\r\n"
)


def described(document: Document) -> Handler:
    """What answers `GET /openapi.json`: JSON, or the page for whoever would rather read."""
    as_json = json.dumps(document, ensure_ascii=False).encode()
    as_page = page(document).encode()

    async def answer(request: web.BaseRequest) -> Answer:
        if prefers_html(request.headers.getall(hdrs.ACCEPT, ())):
            return Answer(as_page, kind="text/html; charset=utf-8", more=f"{_VARY}{_POLICY}")
        return Answer(as_json, more=_VARY)

    return answer
