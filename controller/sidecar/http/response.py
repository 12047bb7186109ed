"""Responses: JSON on success, and for every failure a code and a sentence (docs/http-api.md#errors)."""

import json
from collections.abc import Mapping
from email.utils import formatdate
from enum import StrEnum
from functools import lru_cache
from http import HTTPStatus
from time import time
from typing import Final, Self

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

JSON: Final = "application/json"
_COPIED: Final = 64 * 1024
"""A longer body is not copied: many clients that do not read share it."""

_BODILESS: Final = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)


class Code(StrEnum):
    """Why a request was refused, with its HTTP status and its meaning in OpenAPI.

    Public: a new meaning needs a new code.
    """

    status: HTTPStatus
    meaning: str

    BAD_REQUEST = "BAD_REQUEST", 400, "the body is not a JSON object within the limits"
    INVALID_FIELD = "INVALID_FIELD", 400, "a field is missing, wrong or unknown; the sentence names it"
    PROOF_INVALID = "PROOF_INVALID", 401, "the invite is not valid for this room, or not any more"
    UNAUTHORIZED = "UNAUTHORIZED", 401, "no known access token, or no signature of a webhook"
    HIDDEN_NOT_ALLOWED = "HIDDEN_NOT_ALLOWED", 403, "hidden needs an egress_mode_token for this room"
    NOT_FOUND = "NOT_FOUND", 404, "there is no such call"
    ROOM_NOT_FOUND = "ROOM_NOT_FOUND", 404, "the caller has no such room; to participants, none is active"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED", 405, "the call takes another method"
    ROOM_NAME_STALE = "ROOM_NAME_STALE", 409, "LKRoomName is not the current name; find it again"
    ROOM_FULL = "ROOM_FULL", 409, "the room has max_participants participants"
    IDENTITY_IN_USE = (
        "IDENTITY_IN_USE",
        409,
        "the identity is connected, and not proven to be the caller's",
    )
    MANAGED_BY_MANIFEST = "MANAGED_BY_MANIFEST", 409, "the room has a manifest; the sentence names its file"
    PAYLOAD_TOO_LARGE = "PAYLOAD_TOO_LARGE", 413, "the body is too long"
    UNSUPPORTED_MEDIA_TYPE = (
        "UNSUPPORTED_MEDIA_TYPE",
        415,
        "by its headers the body is not plain JSON",
    )
    TOO_MANY_REQUESTS = "TOO_MANY_REQUESTS", 429, "too many requests"
    INTERNAL = "INTERNAL", 500, "something failed in the server"
    STARTING = "STARTING", 503, "the rooms are still being read"
    ROOM_NOT_READY = "ROOM_NOT_READY", 503, "the room is being made live"
    UNAVAILABLE = "UNAVAILABLE", 503, "something needed does not answer, or is not done yet"

    def __new__(cls, code: str, status: int, meaning: str) -> Self:
        member = str.__new__(cls, code)
        member._value_, member.status, member.meaning = code, HTTPStatus(status), meaning
        return member


class ApiError(Exception):
    """Ends a request with `code`; `error` is one sentence that may be shown to anybody.

    Always raised anew: an exception that is raised twice keeps the frames of both.
    """

    def __init__(self, code: Code, error: str, headers: Mapping[str, str] | None = None) -> None:
        self.code, self.error, self.headers = code, error, headers or {}
        super().__init__(code)


class Response(web.StreamResponse):
    """A whole response, written in one piece: in half the time of aiohttp's own Response.

    `more` is further header lines, each with its CRLF. `close` ends the connection after it. `cache` is for
    what is the same for everybody: an answer that carries a token or a room is never stored.
    """

    def __init__(
        self,
        body: bytes,
        status: HTTPStatus = HTTPStatus.OK,
        *,
        kind: str = JSON,
        more: str = "",
        close: bool = False,
        cache: str = "no-store",
    ) -> None:
        super().__init__(status=status)
        self.content, self.kind, self.more, self.ends, self.cache = body, kind, more, close, cache
        self._writer: AbstractStreamWriter | None = None

    @property
    def keep_alive(self) -> bool:
        """Whether the connection stays open; called by aiohttp."""
        return not self.ends

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Write it all: called by aiohttp, once."""
        transport, self._writer = request.transport, request.writer
        if transport is None or transport.is_closing():
            raise ConnectionResetError
        self.ends = self.ends or not request.keep_alive
        content = b"" if request.method == "HEAD" else self.content
        if len(content) > _COPIED:
            transport.writelines([self.head(), content])
        else:
            transport.write(self.head() + content)
        return self._writer

    async def write_eof(self, _data: bytes = b"") -> None:
        """Wait for a client that does not read: called by aiohttp, once."""
        if self._writer is not None:
            await self._writer.drain()

    def head(self) -> bytes:
        """Status line and headers."""
        opening = _opening(self.status, self.kind, self.cache, self.ends)
        length = "" if self.status in _BODILESS else f"Content-Length: {len(self.content)}\r\n"
        return f"{opening}Date: {_date(int(time()))}\r\n{self.more}{length}\r\n".encode("latin-1")


def error_response(refusal: ApiError, *, close: bool = False) -> Response:
    """The response that reports an error."""
    content = {"success": False, "code": refusal.code, "error": refusal.error}
    more = "".join(f"{name}: {value}\r\n" for name, value in refusal.headers.items())
    close = close or refusal.code is Code.PAYLOAD_TOO_LARGE
    return Response(json.dumps(content).encode(), refusal.code.status, more=more, close=close)


def retry_later(code: Code, error: str, after: int) -> ApiError:
    """An error with Retry-After, in seconds, which ends the sentence too."""
    seconds = "1 second" if after == 1 else f"{after} seconds"
    return ApiError(code, f"{error}; retry after {seconds}.", {"Retry-After": str(after)})


def starting_error() -> ApiError:
    """There is no state yet."""
    return retry_later(Code.STARTING, "The controller is starting", 1)


def stale_state_error() -> ApiError:
    """The cached state is too old."""
    return retry_later(Code.UNAVAILABLE, "The known state of the rooms is too old", 5)


def unknown_path_error() -> ApiError:
    """Nothing has this path."""
    return ApiError(Code.NOT_FOUND, "Unknown path; /openapi.json lists the calls of this server.")


def internal_error() -> ApiError:
    """Something failed that nobody expected."""
    return ApiError(Code.INTERNAL, "Internal error; retry, and if it fails again, tell the operator.")


@lru_cache(maxsize=64)
def _opening(status: int, kind: str, cache: str, ends: bool) -> str:
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        "Server: roomctl",
        f"Cache-Control: {cache}",
        "X-Content-Type-Options: nosniff",
        f"Connection: {'close' if ends else 'keep-alive'}",
    ]
    return "\r\n".join([*lines, *([f"Content-Type: {kind}"] if kind else []), ""])


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)
