"""One listener's answers: which targets it has, and what every answer of it carries."""

from collections.abc import Callable, Mapping
from http import HTTPStatus

import structlog
from aiohttp import hdrs, web

from controller.metrics import Metrics
from controller.sidecar.answer import Answer, Code, Refusal, refused
from controller.sidecar.cors import Cors
from controller.sidecar.limits import Buckets, Proxies
from controller.sidecar.protocol import Connection, Handler

Routes = Mapping[str, Mapping[str, Handler]]
"""Exact path -> method -> what answers."""

_NOT_FOUND = (Code.NOT_FOUND, "there is no such call here")
_UNREADABLE = Refusal(Code.BAD_REQUEST, "the body did not arrive as its headers say")
_INTERNAL = Refusal(Code.INTERNAL, "something went wrong on our side")

log = structlog.get_logger()


class Site:
    """Answers by exact path and method; every failure in our form."""

    def __init__(self, routes: Routes, metrics: Metrics) -> None:
        self._routes, self._metrics = routes, metrics

    async def __call__(self, request: web.BaseRequest) -> Answer:
        try:
            answer = await self._route(request)
        except Refusal as refusal:
            self._metrics.refusals.labels(refusal.code).inc()
            answer = refused(refusal)
        except web.RequestPayloadError:
            answer = refused(_UNREADABLE, close=True)
        except ConnectionError:
            raise
        except Exception as error:  # noqa: BLE001 - a guest gets an answer, whatever broke
            log.error("request failed", error=type(error).__name__, where=_where(error))  # noqa: TRY400
            answer = refused(_INTERNAL)
        if isinstance(request.protocol, Connection):
            request.protocol.has_read()
        return answer

    async def _route(self, request: web.BaseRequest) -> Answer:
        methods = self._routes.get(request.raw_path.partition("?")[0])
        if methods is None:
            raise Refusal(*_NOT_FOUND)
        handler = methods.get(request.method)
        if handler is None:
            raise not_allowed(methods)
        return await handler(request)


class PublicSite:
    """A site for guests: counted by address, and open to the pages of chosen origins."""

    def __init__(
        self, site: Site, cors: Cors, rates: Buckets, proxies: Proxies, clock: Callable[[], float]
    ) -> None:
        self._site, self._cors, self._rates, self._proxies, self._clock = site, cors, rates, proxies, clock

    async def __call__(self, request: web.BaseRequest) -> Answer:
        try:
            self._rates.take(self._client(request), self._clock())
        except Refusal as refusal:
            answer = refused(refusal)
        else:
            answer = await self._site(request)
        answer.more += self._cors.lines(request)
        return answer

    def _client(self, request: web.BaseRequest) -> str:
        connection = request.protocol
        peer = connection.address if isinstance(connection, Connection) else ""
        return self._proxies.client(peer, request.headers.getall(hdrs.X_FORWARDED_FOR, ()))


def not_allowed(methods: Mapping[str, Handler]) -> Refusal:
    """405, with the methods that are."""
    allowed = ", ".join(methods)
    return Refusal(Code.METHOD_NOT_ALLOWED, f"this call takes {allowed}", {hdrs.ALLOW: allowed})


def options(cors: Cors, allowed: str) -> Handler:
    """What answers an OPTIONS: a preflight of a page, or anybody's question."""

    async def answer(request: web.BaseRequest) -> Answer:
        return Answer(b"", HTTPStatus.NO_CONTENT, more=f"Allow: {allowed}\r\n{cors.preflight(request)}")

    return answer


def _where(error: Exception) -> str:
    """File and line, without the message: it may hold what a guest sent."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""
