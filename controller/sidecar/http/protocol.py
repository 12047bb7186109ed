"""The edge: connections in bounded number, requests read in bounded time, every failure in our form.

aiohttp's low-level server without its router: what is answered is decided by the exact text of the target,
so no way of writing a path (`//`, `..`, encoded slashes) can mean another.
"""

import asyncio
from collections.abc import Awaitable, Callable
from ipaddress import IPv6Address, ip_address
from typing import Any, Final

from aiohttp import web

from controller.sidecar.http.response import ApiError, Code, Response, error_response, retry_later

MAX_CONNECTIONS: Final = 1024
READ_SECONDS: Final = 10.0
WRITE_TIMEOUT_SECONDS: Final = 10.0
"""For how long a client may leave an answer untaken."""

IDLE_SECONDS: Final = 75.0
LINGER_SECONDS: Final = 2.0
"""For how long the rest of a refused body is read, so that its sender sees the answer."""

Handler = Callable[[web.BaseRequest], Awaitable[Response]]


class Connection(web.RequestHandler):
    """One connection. `reading_since` is when the request being read began, None between requests.

    `silent_since` is when it was opened, None once anything came: older aiohttp minds only later pauses.
    `half_closed`: the client sends no more, and may still wait for answers.
    """

    __slots__ = ("_wire", "address", "half_closed", "reading_since", "silent_since", "untaken_since")

    def __init__(self, manager: "Listener", *, loop: asyncio.AbstractEventLoop, **kwargs: Any) -> None:
        super().__init__(manager, loop=loop, **kwargs)
        self.address, self.half_closed = "", False
        self.reading_since: float | None = None
        self.silent_since: float | None = loop.time()
        self.untaken_since: float | None = None
        self._wire: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take it, or turn it away where there are too many."""
        super().connection_made(transport)
        self._wire = self.transport  # aiohttp forgets it before it is closed
        self.address = peer_address(transport.get_extra_info("peername"))
        manager = self._manager
        if isinstance(manager, Listener) and len(manager.open) >= MAX_CONNECTIONS:
            manager.turned_away()
            self._end(_BUSY)
        elif isinstance(manager, Listener):
            manager.open.add(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        if isinstance(self._manager, Listener):
            self._manager.open.discard(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if data and self.reading_since is None:
            self.reading_since, self.silent_since = self._loop.time(), None
        super().data_received(data)

    def eof_received(self) -> bool:  # type: ignore[override]  # aiohttp's hangs up on who still listens
        """Stay open, by True, until what was sent is answered."""
        self.half_closed = True
        return not self.idle

    @property
    def idle(self) -> bool:
        """Whether everything that came is answered."""
        return self._waiter is not None and not self._waiter.done()

    @property
    def ends(self) -> bool:
        """Whether the request being answered is the last."""
        return self.half_closed and not self._messages

    def has_read(self) -> None:
        """The request is here as a whole."""
        self.reading_since = None

    def check(self, now: float) -> None:
        """End it where its request does not arrive, or its answer is not taken, in time."""
        if self.reading_since is not None and now - self.reading_since > READ_SECONDS:
            self._end(_SLOW)
        elif self._is_over(now):
            self.force_close()
        if self._wire is None or not self._wire.get_write_buffer_size():
            self.untaken_since = None
        elif self.untaken_since is None:
            self.untaken_since = now
        elif now - self.untaken_since > WRITE_TIMEOUT_SECONDS:
            self._wire.abort()

    def _is_over(self, now: float) -> bool:
        """It never said anything, or said it was the last as its last answer was on its way."""
        silent = self.silent_since is not None and now - self.silent_since > IDLE_SECONDS
        return silent or (self.half_closed and self.idle)

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
        """What is no HTTP; nothing of it is shown or logged."""
        if status < 500:  # noqa: PLR2004 - the client's fault
            return error_response(ApiError(Code.BAD_REQUEST, "the request is no valid HTTP"), close=True)
        return error_response(ApiError(Code.INTERNAL, "something went wrong on our side"), close=True)


class Listener(web.Server):
    """The connections of one address; `turned_away` is called for each one too many."""

    def __init__(self, handler: Handler, turned_away: Callable[[], None]) -> None:
        super().__init__(
            handler,
            access_log=None,
            keepalive_timeout=IDLE_SECONDS,
            lingering_time=LINGER_SECONDS,
            auto_decompress=False,
        )
        self.turned_away = turned_away
        self.open: set[Connection] = set()

    def __call__(self) -> Connection:
        return Connection(self, loop=self._loop, **self._kwargs)

    async def watch(self) -> None:
        """Check every connection each second, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(1)
            now = loop.time()
            for connection in list(self.open):
                connection.check(now)


def peer_address(peer: Any) -> str:
    """The client's address of a transport's peername, '' where there is none."""
    return plain(str(peer[0])) if isinstance(peer, tuple) else ""


def plain(address: str) -> str:
    """One spelling for each address; IPv4 in IPv6 is IPv4. ValueError where it is none."""
    parsed = ip_address(address.partition("%")[0])
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return str(mapped or parsed)


_BUSY: Final = retry_later(Code.UNAVAILABLE, "too many connections; try again in a second", 1)
_SLOW: Final = ApiError(Code.BAD_REQUEST, f"the request did not arrive within {READ_SECONDS:.0f} seconds")
