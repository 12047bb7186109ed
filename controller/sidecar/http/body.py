"""Request bodies, read within limits and parsed strictly: ambiguous JSON is refused."""

import json
import re
from typing import Any, Final, NoReturn

from aiohttp import hdrs, web

from controller.sidecar.http.protocol import mark_request_read
from controller.sidecar.http.response import ApiError, Code

MAX_BODY_BYTES: Final = 64 * 1024
MAX_WEBHOOK_BYTES: Final = 1024 * 1024
MAX_JSON_DEPTH: Final = 8
MAX_FILTER_JSON_DEPTH: Final = 10
"""The limit with a filter: three levels of $and or $or around an operator with a list."""

_INT64: Final = range(-(2**63), 2**63)
_INT64_LENGTH: Final = len(str(-(2**63)))
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
"""A string, even an unterminated one: otherwise each quote in it would be tried as a start."""

_JSON_TYPE: Final = re.compile(
    r'application/(?:[a-z0-9.+-]+\+)?json *(?:; *charset *= *"?utf-?8"? *)?;?', re.IGNORECASE
)


async def read(request: web.BaseRequest, limit: int) -> bytes:
    """Read the body. ApiError if it is longer than `limit` bytes, encoded, or not JSON by its type."""
    check(request, limit)
    body = await _within(request, limit)
    mark_request_read(request)
    return body


def check(request: web.BaseRequest, limit: int) -> None:
    """ApiError if the headers already show that the body is not accepted."""
    headers = request.headers
    kind = headers.get(hdrs.CONTENT_TYPE, "")
    plain = not kind or kind == "application/json" or not request.body_exists  # no body has no type
    if hdrs.CONTENT_ENCODING in headers or not (plain or _JSON_TYPE.fullmatch(kind.strip())):
        raise ApiError(Code.UNSUPPORTED_MEDIA_TYPE)
    if (request.content_length or 0) > limit:
        raise _too_large(limit)


async def _within(request: web.BaseRequest, limit: int) -> bytes:
    length = request.content_length
    if request.headers.get(hdrs.EXPECT, "").lower() == "100-continue" and request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    if length is not None:
        content = request.content
        return content.read_nowait() if content.is_eof() else await content.read()
    body = bytearray()
    while chunk := await request.content.readany():
        body += chunk
        if len(body) > limit:
            raise _too_large(limit)
    return bytes(body)


def _too_large(limit: int) -> ApiError:
    return ApiError(Code.PAYLOAD_TOO_LARGE, f"The request body is longer than {limit // 1024} KiB; send less")


def parse(body: bytes, deepest: int = MAX_JSON_DEPTH) -> dict[str, Any]:
    """The JSON object in `body`; an empty body is {}. ApiError (BAD_REQUEST) for everything else."""
    if not body:
        return {}
    try:
        text = body.decode()
        if _depth(text) > deepest:
            raise ApiError(Code.BAD_REQUEST, f"The request body is nested deeper than {deepest} levels")
        content = _DECODER.decode(text)
        if "\\u" in text:
            json.dumps(content, ensure_ascii=False).encode()  # refuses a lone surrogate
    except ValueError as error:
        raise ApiError(Code.BAD_REQUEST, f"The request body is not valid JSON: {_reason(error)}") from None
    if type(content) is not dict:
        raise ApiError(Code.BAD_REQUEST, "The request body must be a JSON object")
    return content


def _depth(text: str) -> int:
    """The nesting depth, counted before the text is parsed."""
    if text.count("{") + text.count("[") <= MAX_JSON_DEPTH:
        return 0
    depth = deepest = 0
    for character in _STRING.sub("", text):
        if character in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "}]":
            depth -= 1
    return deepest


def _reason(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"syntax error at line {error.lineno}, column {error.colno}"
    return "not UTF-8 text" if isinstance(error, UnicodeError) else str(error)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("duplicate key")
    return content


def _integer(digits: str) -> int:
    if len(digits) > _INT64_LENGTH or (number := int(digits)) not in _INT64:
        raise ValueError("number beyond 64 bits")
    return number


def _decimal(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise ValueError("number beyond 64 bits")
    return number


def _constant(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not numbers")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_decimal, parse_constant=_constant
)


def invalid(field: str, what: str) -> ApiError:
    """The error for one field; `what` continues the sentence that begins with its name."""
    return ApiError(Code.INVALID_FIELD, f"{field} {what}")
