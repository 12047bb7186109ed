"""CORS: which pages of other origins may use the public listener."""

from collections.abc import Sequence
from typing import Final

from aiohttp import hdrs, web

VARY: Final = "Vary: Origin\r\n"
_PREFLIGHT: Final = (
    "Access-Control-Allow-Methods: POST\r\n"
    "Access-Control-Allow-Headers: Content-Type, Authorization, X-Previous-Token\r\n"
    "Access-Control-Max-Age: 600\r\n"
)
_SHOWN: Final = "Access-Control-Expose-Headers: Retry-After\r\n"


class Cors:
    """The origins of ROOMCTL_CORS_ORIGINS: exact ones, or `*` alone. Never credentials."""

    def __init__(self, origins: Sequence[str]) -> None:
        self._any = tuple(origins) == ("*",)
        self._allowed = frozenset(origins)

    def lines(self, request: web.BaseRequest) -> str:
        """The header lines of an answer to `request`, whatever its status."""
        allowed = self._allows(request)
        return f"{VARY}Access-Control-Allow-Origin: {allowed}\r\n{_SHOWN}" if allowed else VARY

    def preflight(self, request: web.BaseRequest) -> str:
        """The further lines of the answer to an OPTIONS."""
        return _PREFLIGHT if self._allows(request) else ""

    def _allows(self, request: web.BaseRequest) -> str:
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is None:
            return ""
        if self._any:
            return "*"
        return origin if origin in self._allowed else ""
