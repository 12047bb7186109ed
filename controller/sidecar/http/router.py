"""One listener's answers: which targets it has, and what every answer of it carries."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus

import structlog
from aiohttp import hdrs, web

from controller.metrics import Metrics
from controller.sidecar.http.call import Call, Listener
from controller.sidecar.http.cors import Cors
from controller.sidecar.http.protocol import Connection, Handler
from controller.sidecar.http.response import ApiError, Code, Response, error_response

Routes = Mapping[str, Mapping[str, Handler]]
"""Exact path -> method -> what answers. A path that ends in `/` takes one more segment, not empty."""

_NOT_FOUND = (Code.NOT_FOUND, "there is no such call here")
_UNREADABLE = ApiError(Code.BAD_REQUEST, "the body did not arrive as its headers say")
_INTERNAL = ApiError(Code.INTERNAL, "something went wrong on our side")

log = structlog.get_logger()


def _nobody_refused(_: web.BaseRequest) -> None:
    pass


def _no_lines(_: web.BaseRequest) -> str:
    return ""


class Router:
    """Answers by exact path and method; every failure in our form.

    `admit` may refuse any request before it is looked at; `lines` are header lines that every answer carries.
    """

    def __init__(
        self,
        routes: Routes,
        metrics: Metrics,
        admit: Callable[[web.BaseRequest], None] = _nobody_refused,
        lines: Callable[[web.BaseRequest], str] = _no_lines,
    ) -> None:
        self._routes, self._metrics, self._admit, self._lines = routes, metrics, admit, lines

    async def __call__(self, request: web.BaseRequest) -> Response:
        answer = await self._answer(request)
        answer.more += self._lines(request)
        if not request.content.is_eof():
            answer.ends = True  # the rest of an unread body is no request
        connection = request.protocol
        if isinstance(connection, Connection):
            connection.mark_request_read()
        return answer

    async def _answer(self, request: web.BaseRequest) -> Response:
        try:
            self._admit(request)
            return await self._route(request)
        except ApiError as refusal:
            self._metrics.refusals.labels(refusal.code).inc()
            return error_response(refusal)
        except web.RequestPayloadError:
            return error_response(_UNREADABLE, close=True)
        except ConnectionError:
            raise
        except Exception as error:  # noqa: BLE001 - a guest gets an answer, whatever broke
            log.error("request failed", error=type(error).__name__, where=_where(error))  # noqa: TRY400
            return error_response(_INTERNAL)

    async def _route(self, request: web.BaseRequest) -> Response:
        path = request.raw_path.partition("?")[0]
        methods = self._routes.get(path) if path[-1:] != "/" else None
        if methods is None and path[-1:] != "/":
            methods = self._routes.get(path[: path.rfind("/") + 1])
        if methods is None:
            raise ApiError(*_NOT_FOUND)
        handler = methods.get(request.method)
        if handler is None:
            raise not_allowed(methods)
        return await handler(request)


def not_allowed(methods: Mapping[str, Handler]) -> ApiError:
    """405, with the methods that are."""
    allowed = ", ".join(methods)
    return ApiError(Code.METHOD_NOT_ALLOWED, f"this call takes {allowed}", {hdrs.ALLOW: allowed})


def routes(
    calls: Iterable[Call], listener: Listener, parts: Sequence[object], cors: Cors | None = None
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
    """What answers an OPTIONS: a preflight of a page, or anybody's question."""

    async def answer(request: web.BaseRequest) -> Response:
        return Response(b"", HTTPStatus.NO_CONTENT, more=f"Allow: {allowed}\r\n{cors.preflight(request)}")

    return answer


def _where(error: Exception) -> str:
    """File and line, without the message: it may hold what a guest sent."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""
