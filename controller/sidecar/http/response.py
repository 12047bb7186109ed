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
"""A longer body is not copied, since many slow clients may share it."""

_BODILESS: Final = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)


class Code(StrEnum):
    """Why a request was refused, with its HTTP status.

    `meaning` is its sentence in OpenAPI, and the default of `error`: plain text, which Markdown does not
    change. `retry_after` is the default time until a retry, in seconds; 0 is never. Public: a new meaning
    needs a new code.
    """

    status: HTTPStatus
    meaning: str
    retry_after: int

    BAD_REQUEST = "BAD_REQUEST", 400, "The body is not a JSON object within the limits"
    INVALID_FIELD = "INVALID_FIELD", 400, "A field is missing, wrong or unknown; the error names it"
    PROOF_INVALID = (
        "PROOF_INVALID",
        401,
        "The invite in Authorization is invalid, expired, revoked or for another room; get a new one",
    )
    INVITE_REQUIRED = (
        "INVITE_REQUIRED",
        401,
        "The room can be joined only with an invite; ask the organizer for a link with one",
    )
    UNAUTHORIZED = "UNAUTHORIZED", 401, "The access token is unknown, or the webhook's signature is invalid"
    HIDDEN_NOT_ALLOWED = (
        "HIDDEN_NOT_ALLOWED",
        403,
        "Hidden participants need a valid egress_mode_token for this room; create one with roomctl invite",
    )
    BEYOND_LIMIT = "BEYOND_LIMIT", 403, "A field is beyond a limit of this server; the error names both"
    KICKED = "KICKED", 403, "The participant was removed from the room, and cannot join it for now"
    NOT_FOUND = "NOT_FOUND", 404, "Unknown path; /openapi.json lists the calls of this server"
    ROOM_NOT_FOUND = (
        "ROOM_NOT_FOUND",
        404,
        "The caller has no room with this ID; participants see active ones",
    )
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED", 405, "The call needs another method; see Allow"
    ROOM_NAME_STALE = (
        "ROOM_NAME_STALE",
        409,
        "LKRoomName is out of date; call findLKRoomNameById again, and retry with the new name",
    )
    ROOM_FULL = "ROOM_FULL", 409, "The room has reached max_participants; retry when a participant has left"
    IDENTITY_IN_USE = (
        "IDENTITY_IN_USE",
        409,
        "The identity is connected; use another one, or send its last token in X-Previous-Token",
        20,  # how long LiveKit lists a participant whose connection was lost
    )
    MANAGED_BY_MANIFEST = "MANAGED_BY_MANIFEST", 409, "The room has a manifest; the error names its file"
    ROOM_HELD = "ROOM_HELD", 409, "An operator holds the room; the error says until when and why"
    ROOM_CLOSED = (
        "ROOM_CLOSED",
        409,
        "The room is closed; opens says when it opens, and is null if never",
    )
    PAYLOAD_TOO_LARGE = "PAYLOAD_TOO_LARGE", 413, "The body is too long; send less"
    UNSUPPORTED_MEDIA_TYPE = (
        "UNSUPPORTED_MEDIA_TYPE",
        415,
        "The body must be application/json in UTF-8, without Content-Encoding",
    )
    TOO_MANY_REQUESTS = "TOO_MANY_REQUESTS", 429, "Too many requests", 1
    INTERNAL = "INTERNAL", 500, "An internal error occurred; retry, and if it occurs again, tell the operator"
    STARTING = "STARTING", 503, "The controller is starting", 1
    ROOM_NOT_READY = "ROOM_NOT_READY", 503, "The room is starting", 1
    UNAVAILABLE = "UNAVAILABLE", 503, "Something needed does not answer, or is not done yet", 5

    def __new__(cls, code: str, status: int, meaning: str, retry_after: int = 0) -> Self:
        member = str.__new__(cls, code)
        member._value_, member.status = code, HTTPStatus(status)
        member.meaning, member.retry_after = meaning, retry_after
        return member


class ApiError(Exception):
    """Ends a request with `code`; `error` is one sentence without secrets.

    `what` is that sentence without its end: the `retry_after` in seconds, which is also in Retry-After, and
    the period. `more` are further fields of the body. Always a new instance: an exception that is raised
    twice keeps the frames of both.
    """

    def __init__(
        self,
        code: Code,
        what: str = "",
        *,
        retry_after: int = 0,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, str | None] | None = None,
    ) -> None:
        error, retry = what or code.meaning, retry_after or code.retry_after
        if retry:
            error += f"; retry after {retry} second{'s' * (retry > 1)}"
        self.code, self.error = code, error if error.endswith("?") else f"{error}."
        self.more = more or {}
        self.headers = {**(headers or {}), **({"Retry-After": str(retry)} if retry else {})}
        super().__init__(code)


class Response(web.StreamResponse):
    """A whole response, written at once: twice as fast as aiohttp's Response.

    `more` is further header lines, each with its CRLF. `close` ends the connection after it. `cache` is only
    for content that is the same for all clients: a response with a token or a room is never cached.
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
    content = {"success": False, "code": refusal.code, "error": refusal.error, **refusal.more}
    more = "".join(f"{name}: {value}\r\n" for name, value in refusal.headers.items())
    close = close or refusal.code is Code.PAYLOAD_TOO_LARGE
    return Response(json.dumps(content).encode(), refusal.code.status, more=more, close=close)


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
