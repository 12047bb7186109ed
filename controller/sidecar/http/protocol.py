"""Connections: limited in number, with timeouts for requests and responses.

This is aiohttp's low-level server, without its router: the exact text of the target selects the handler, so
no spelling of a path (`//`, `..`, encoded slashes) means another path.
"""

import asyncio
from collections.abc import Awaitable, Callable
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Any, Final

from aiohttp import web

from controller.sidecar.http.open_connections import OpenConnections
from controller.sidecar.http.response import ApiError, Code, Response, error_response

MAX_CONNECTIONS: Final = 1024
READ_SECONDS: Final = 10.0
"""How long a request may take to arrive, and a new connection to send anything."""

WRITE_TIMEOUT_SECONDS: Final = 10.0
"""How long a client may leave its response unread."""

IDLE_SECONDS: Final = 75.0
LINGER_SECONDS: Final = 2.0
"""How long the rest of a refused body is read, so that its sender gets the response."""

Handler = Callable[[web.BaseRequest], Awaitable[Response]]


class Connection(web.RequestHandler):
    """One connection. `reading_since` is when the request being read began, None between requests.

    `untaken_since` is since when the client does not read its response, None while it does.
    `silent_since` is when it was opened, None once it has sent something. It is counted under its `network`.
    """

    __slots__ = (
        "_now",
        "_wire",
        "address",
        "listener",
        "network",
        "reading_since",
        "silent_since",
        "untaken_since",
    )

    def __init__(self, listener: "Listener") -> None:
        loop = asyncio.get_running_loop()
        super().__init__(
            listener,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]  # aiohttp's way to disable it
            keepalive_timeout=IDLE_SECONDS,
            lingering_time=LINGER_SECONDS,
            auto_decompress=False,
        )
        self.listener, self._now, self.address, self.network = listener, loop.time, "", ""
        self.reading_since: float | None = None
        self.silent_since: float | None = self._now()
        self.untaken_since: float | None = None
        self._wire: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accept the connection, or refuse it if there are too many."""
        super().connection_made(transport)
        self._wire = self.transport  # aiohttp drops its reference before the connection is closed
        self.address = peer_address(transport.get_extra_info("peername"))
        self.network = counted(self.address)
        if not self.listener.accepts(self):
            self._end(_BUSY)

    def connection_lost(self, exc: BaseException | None) -> None:
        self.listener.open.discard(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if data and self.reading_since is None:
            self.reading_since = self._now()
        if data:
            self.silent_since = None
            self.listener.open.mark_busy(self)
        super().data_received(data)

    @property
    def unsent(self) -> bool:
        """Whether the client has not read all of its responses."""
        return self._wire is not None and self._wire.get_write_buffer_size() > 0

    def abort(self) -> None:
        """Close it at once; an unread response is lost."""
        if self._wire is not None:
            self._wire.abort()

    def check(self, now: float) -> None:
        """Close it if its request does not arrive, or its response is not read, in time."""
        if self.silent_since is not None and now - self.silent_since > READ_SECONDS:
            self.force_close()  # without a response, which a client could take for that of a later request
        if self.reading_since is not None and now - self.reading_since > READ_SECONDS:
            self._end(_SLOW)
        if not self.unsent:
            self.untaken_since = None
        elif self.untaken_since is None:
            self.untaken_since = now
        elif now - self.untaken_since > WRITE_TIMEOUT_SECONDS:
            self.abort()

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
        """Answer a request that is not HTTP; nothing of it is shown or logged."""
        if status < 500:  # noqa: PLR2004 - the client's fault
            return error_response(ApiError(Code.BAD_REQUEST, _NOT_HTTP), close=True)
        return error_response(ApiError(Code.INTERNAL), close=True)


class Listener(web.Server):
    """The connections of one address, at most `max_connections`.

    When it is full, `on_closed` is called for each connection that is closed for a newcomer, and `on_refused`
    for each newcomer that is refused.
    """

    def __init__(
        self,
        handler: Handler,
        on_closed: Callable[[], None],
        on_refused: Callable[[], None],
        max_connections: int = MAX_CONNECTIONS,
    ) -> None:
        super().__init__(handler)
        self._on_closed, self._on_refused, self._max_connections = on_closed, on_refused, max_connections
        self.open: OpenConnections[Connection] = OpenConnections()

    def __call__(self) -> Connection:
        return Connection(self)

    def accepts(self, newcomer: Connection) -> bool:
        """Whether it is accepted, if need be in place of another connection."""
        if len(self.open) >= self._max_connections:
            closed = self.open.to_close_for(newcomer.network)
            if closed is None:
                self._on_refused()
                return False
            self.open.discard(closed)
            closed.abort()
            self._on_closed()
        self.open.add(newcomer)
        return True

    async def watch(self) -> None:
        """Check every connection each second, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(1)
            now = loop.time()
            for connection in self.open:
                connection.check(now)


def mark_request_begun(request: web.BaseRequest) -> None:
    """The request is being answered; it may have arrived together with the one before."""
    if isinstance(request.protocol, Connection):
        request.protocol.listener.open.mark_busy(request.protocol)


def mark_request_read(request: web.BaseRequest) -> None:
    """The request has arrived completely: no timeout ends it any more."""
    if isinstance(request.protocol, Connection):
        request.protocol.reading_since = None


def mark_request_answered(request: web.BaseRequest) -> None:
    """The response will be written next; then the connection waits for another request."""
    mark_request_read(request)
    if isinstance(request.protocol, Connection):
        request.protocol.listener.open.mark_idle(request.protocol)


def peer_address(peer: Any) -> str:
    """The client's address in a transport's peername, '' if there is none."""
    return plain(str(peer[0])) if isinstance(peer, tuple) else ""


def plain(address: str) -> str:
    """One spelling for each address; IPv4 in IPv6 is IPv4. ValueError if it is not one."""
    parsed = ip_address(address.partition("%")[0])
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return str(mapped or parsed)


def counted(address: str) -> str:
    """The network under which a client is counted: an IPv4 address, or the /64 of an IPv6 address."""
    if ":" not in address:
        return address
    return str(IPv6Network((int(IPv6Address(address)) >> 64 << 64, 64)))


_NOT_HTTP: Final = "The request is not valid HTTP; check the client"
_BUSY: Final = ApiError(Code.UNAVAILABLE, "Too many connections", retry_after=1)
_SLOW: Final = ApiError(
    Code.BAD_REQUEST, f"The request did not arrive within {READ_SECONDS:.0f} seconds; send it again"
)
