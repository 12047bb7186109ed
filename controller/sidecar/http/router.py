"""Routing: from method and path to a handler, and what all answers of a listener have."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus

import structlog
from aiohttp import hdrs, web

from controller.metrics import Metrics
from controller.sidecar.http.call import Call, ListenerName
from controller.sidecar.http.cors import Cors
from controller.sidecar.http.limits import AddressLimit
from controller.sidecar.http.protocol import Connection, Handler
from controller.sidecar.http.response import (
    ApiError,
    Code,
    Response,
    error_response,
    internal_error,
    unknown_path_error,
)

Routes = Mapping[str, Mapping[str, Handler]]
"""Exact path, method, handler. A path that ends in `/` takes one more segment, which is not empty."""

_UNREADABLE = ApiError(Code.BAD_REQUEST, "The request body does not match its headers.")

log = structlog.get_logger()


class Router:
    """Selects the handler by exact path and method, and answers every error in the same form.

    `limit` may refuse any request before it is looked at; every answer has the header lines of `cors`.
    """

    def __init__(
        self, routes: Routes, metrics: Metrics, limit: AddressLimit | None = None, cors: Cors | None = None
    ) -> None:
        self._routes, self._metrics, self._limit, self._cors = routes, metrics, limit, cors

    async def __call__(self, request: web.BaseRequest) -> Response:
        answer = await self._answer(request)
        if self._cors is not None:
            answer.more += self._cors.lines(request)
        if not request.content.is_eof():
            answer.ends = True  # the rest of an unread body is no request
        connection = request.protocol
        if isinstance(connection, Connection):
            connection.mark_request_read()
        return answer

    async def _answer(self, request: web.BaseRequest) -> Response:
        try:
            if self._limit is not None:
                self._limit.admit(request)
            return await self._route(request)
        except ApiError as refusal:
            self._metrics.refusals.labels(refusal.code).inc()
            return error_response(refusal)
        except web.RequestPayloadError:
            return error_response(_UNREADABLE, close=True)
        except ConnectionError:
            raise
        except Exception as error:  # noqa: BLE001 - a guest gets an answer, whatever broke
            log.error("request failed", error_type=type(error).__name__, location=_where(error))  # noqa: TRY400
            return error_response(internal_error())

    async def _route(self, request: web.BaseRequest) -> Response:
        path = request.raw_path.partition("?")[0]
        methods = self._routes.get(path) if path[-1:] != "/" else None
        if methods is None and path[-1:] != "/":
            methods = self._routes.get(path[: path.rfind("/") + 1])
        if methods is None:
            raise unknown_path_error()
        handler = methods.get(request.method)
        if handler is None:
            raise not_allowed(methods)
        return await handler(request)


def not_allowed(methods: Mapping[str, Handler]) -> ApiError:
    """405, with the allowed methods."""
    allowed = ", ".join(methods)
    return ApiError(
        Code.METHOD_NOT_ALLOWED, f"Method not allowed; use one of {allowed}.", {hdrs.ALLOW: allowed}
    )


def routes(
    calls: Iterable[Call], listener: ListenerName, parts: Sequence[object], cors: Cors | None = None
) -> Routes:
    """The calls of the listener. `parts` are the objects that answer; with `cors` OPTIONS is answered too."""
    found: dict[str, dict[str, Handler]] = {}
    for call in calls:
        if listener in call.listeners:
            part = next(part for part in parts if call.is_answered_by(part))
            handler = call.bound_to(part)
            found.setdefault(call.route, {}).update(dict.fromkeys(call.methods, handler))
    if cors is not None:
        for methods in found.values():
            methods["OPTIONS"] = _options(cors, ", ".join((*methods, "OPTIONS")))
    return found


def _options(cors: Cors, allowed: str) -> Handler:
    """The handler of OPTIONS: of a preflight request, and of any other."""

    async def answer(request: web.BaseRequest) -> Response:
        return Response(b"", HTTPStatus.NO_CONTENT, more=f"Allow: {allowed}\r\n{cors.preflight(request)}")

    return answer


def _where(error: Exception) -> str:
    """File and line, without the message: it may contain what a participant sent."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""
