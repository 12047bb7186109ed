"""Connections: limited in number, with timeouts for requests and answers.

This is aiohttp's low-level server, without its router: the exact text of the target selects the handler, so
no spelling of a path (`//`, `..`, encoded slashes) means another path.
"""

import asyncio
from collections.abc import Awaitable, Callable
from ipaddress import IPv6Address, ip_address
from typing import Any, Final

from aiohttp import web

from controller.sidecar.http.response import ApiError, Code, Response, error_response

MAX_CONNECTIONS: Final = 1024
READ_SECONDS: Final = 10.0
WRITE_TIMEOUT_SECONDS: Final = 10.0
"""How long a client may not read its answer."""

IDLE_SECONDS: Final = 75.0
LINGER_SECONDS: Final = 2.0
"""How long the rest of a refused body is read, so that its sender gets the answer."""

Handler = Callable[[web.BaseRequest], Awaitable[Response]]


class Connection(web.RequestHandler):
    """One connection. `reading_since` is when the request being read began, None between requests.

    `untaken_since` is when the client was first seen not to read its answer, None while it does.
    """

    __slots__ = ("_listener", "_now", "_wire", "address", "reading_since", "untaken_since")

    def __init__(self, listener: "Listener") -> None:
        loop = asyncio.get_running_loop()
        super().__init__(
            listener,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]  # aiohttp's own way to have none
            keepalive_timeout=IDLE_SECONDS,
            lingering_time=LINGER_SECONDS,
            auto_decompress=False,
        )
        self._listener, self._now, self.address = listener, loop.time, ""
        self.reading_since: float | None = None
        self.untaken_since: float | None = None
        self._wire: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accept the connection, or refuse it where there are too many."""
        super().connection_made(transport)
        self._wire = self.transport  # aiohttp drops its reference before the connection is closed
        self.address = peer_address(transport.get_extra_info("peername"))
        if len(self._listener.open) >= self._listener.max_connections:
            self._listener.on_refused()
            self._end(_BUSY)
        else:
            self._listener.open.add(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._listener.open.discard(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if data and self.reading_since is None:
            self.reading_since = self._now()
        super().data_received(data)

    def check(self, now: float) -> None:
        """Close it where its request does not arrive, or its answer is not read, in time."""
        if self.reading_since is not None and now - self.reading_since > READ_SECONDS:
            self._end(_SLOW)
        if self._wire is None or not self._wire.get_write_buffer_size():
            self.untaken_since = None
        elif self.untaken_since is None:
            self.untaken_since = now
        elif now - self.untaken_since > WRITE_TIMEOUT_SECONDS:
            self._wire.abort()

    def _end(self, refusal: ApiError) -> None:
        if self.transport is not None:
            answer = error_response(refusal, close=True)
            self.transport.write(answer.head() + answer.content)
        self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,  # noqa: ARG002 - the parent's signature
        status: int = 500,
        exc: BaseException | None = None,  # noqa: ARG002
        message: str | None = None,  # noqa: ARG002
    ) -> web.StreamResponse:
        """Answer what is not HTTP; nothing of it is shown or logged."""
        if status < 500:  # noqa: PLR2004 - the client's fault
            return error_response(ApiError(Code.BAD_REQUEST, _NOT_HTTP), close=True)
        return error_response(ApiError(Code.INTERNAL), close=True)


class Listener(web.Server):
    """The connections of one address; `on_refused` is called for each one beyond `max_connections`."""

    def __init__(
        self, handler: Handler, on_refused: Callable[[], None], max_connections: int = MAX_CONNECTIONS
    ) -> None:
        super().__init__(handler)
        self.on_refused, self.max_connections = on_refused, max_connections
        self.open: set[Connection] = set()

    def __call__(self) -> Connection:
        return Connection(self)

    async def watch(self) -> None:
        """Check every connection each second, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(1)
            now = loop.time()
            for connection in list(self.open):
                connection.check(now)


def mark_request_read(request: web.BaseRequest) -> None:
    """The request has arrived completely: no timeout ends it any more."""
    if isinstance(request.protocol, Connection):
        request.protocol.reading_since = None


def peer_address(peer: Any) -> str:
    """The client's address of a transport's peername, '' where there is none."""
    return plain(str(peer[0])) if isinstance(peer, tuple) else ""


def plain(address: str) -> str:
    """One spelling for each address; IPv4 in IPv6 is IPv4. ValueError where it is none."""
    parsed = ip_address(address.partition("%")[0])
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return str(mapped or parsed)


_NOT_HTTP: Final = "The request is not valid HTTP; check the client"
_BUSY: Final = ApiError(Code.UNAVAILABLE, "Too many connections", retry_after=1)
_SLOW: Final = ApiError(
    Code.BAD_REQUEST, f"The request did not arrive within {READ_SECONDS:.0f} seconds; send it again"
)
