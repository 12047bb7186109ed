"""Routing: from method and path to a handler, and what all responses of a listener have."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Final, Protocol

from aiohttp import hdrs, web

from controller.logs import get_logger
from controller.metrics import Metrics
from controller.sidecar.http.call import Call, ListenerName
from controller.sidecar.http.protocol import Handler, mark_request_answered, mark_request_begun
from controller.sidecar.http.response import ApiError, Code, Response, error_response

Routes = Mapping[str, Mapping[str, Handler]]
"""Exact path, method, handler. A path that ends in `/` accepts one more segment, which is not empty."""

_UNREADABLE = ApiError(
    Code.BAD_REQUEST,
    "The request body does not match its headers; check Content-Length and Transfer-Encoding",
)

_VARY: Final = "Vary: Origin\r\n"
_PREFLIGHT: Final = (
    "Access-Control-Allow-Methods: POST\r\n"
    "Access-Control-Allow-Headers: Content-Type, Authorization, X-Previous-Token\r\n"
    "Access-Control-Max-Age: 600\r\n"
)
_SHOWN: Final = "Access-Control-Expose-Headers: Retry-After\r\n"

log = get_logger()


class Cors:
    """The origins of ROOMCTL_CORS_ORIGINS: exact ones, or only `*`. Never credentials."""

    def __init__(self, origins: Sequence[str]) -> None:
        self._any = tuple(origins) == ("*",)
        self._allowed = frozenset(origins)

    def lines(self, request: web.BaseRequest) -> str:
        """The header lines of any response to `request`."""
        allowed = self._allows(request)
        return f"{_VARY}Access-Control-Allow-Origin: {allowed}\r\n{_SHOWN}" if allowed else _VARY

    def preflight(self, request: web.BaseRequest) -> str:
        """More lines for the response to an OPTIONS."""
        return _PREFLIGHT if self._allows(request) else ""

    def _allows(self, request: web.BaseRequest) -> str:
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is None:
            return ""
        if self._any:
            return "*"
        return origin if origin in self._allowed else ""


class RequestCheck(Protocol):
    """What a listener asks of every request."""

    def admit(self, request: web.BaseRequest) -> None:
        """ApiError if it is refused."""


class Router:
    """Selects the handler by exact path and method, and answers every error in the same form.

    `check` may refuse any request before it is routed; every response has the header lines of `cors`.
    `not_found` may answer a request for which there is nothing, with a page for a person.
    """

    def __init__(
        self,
        routes: Routes,
        metrics: Metrics,
        check: RequestCheck | None = None,
        cors: Cors | None = None,
        not_found: Callable[[web.BaseRequest], Response | None] = lambda _: None,
    ) -> None:
        self._routes, self._metrics, self._check, self._cors = routes, metrics, check, cors
        self._not_found = not_found

    async def __call__(self, request: web.BaseRequest) -> Response:
        mark_request_begun(request)
        answer = await self._answer(request)
        if self._cors is not None:
            answer.more += self._cors.lines(request)
        if not request.content.is_eof():
            answer.ends = True  # the rest of an unread body is not a request
        mark_request_answered(request)
        return answer

    async def _answer(self, request: web.BaseRequest) -> Response:
        try:
            if self._check is not None:
                self._check.admit(request)
            return await self._route(request)
        except ApiError as refusal:
            self._metrics.refusals.labels(refusal.code).inc()
            page = self._not_found(request) if refusal.code is Code.NOT_FOUND else None
            return page or error_response(refusal)
        except web.RequestPayloadError:
            return error_response(_UNREADABLE, close=True)
        except ConnectionError:
            raise
        except Exception as error:  # noqa: BLE001 - a guest gets an answer, whatever broke
            log.error("request failed", error_type=type(error).__name__, location=_where(error))  # noqa: TRY400
            return error_response(ApiError(Code.INTERNAL))

    async def _route(self, request: web.BaseRequest) -> Response:
        path = request.raw_path.partition("?")[0]
        methods = self._routes.get(path) if path[-1:] != "/" else None
        if methods is None and path[-1:] != "/":
            methods = self._routes.get(path[: path.rfind("/") + 1])
        if methods is None:
            raise ApiError(Code.NOT_FOUND)
        handler = methods.get(request.method)
        if handler is None:
            allowed = ", ".join(methods)
            what = f"Method not allowed; use one of {allowed}"
            raise ApiError(Code.METHOD_NOT_ALLOWED, what, headers={hdrs.ALLOW: allowed})
        return await handler(request)


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
