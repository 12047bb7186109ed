"""The sidecar: two listeners on the cached state. Bound before any read, closed within two seconds."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from controller.errors import RoomctlError
from controller.settings_parsers import Address
from controller.sidecar.access_tokens import AccessTokens
from controller.sidecar.calls import CALLS
from controller.sidecar.context import Context
from controller.sidecar.http.call import WEBHOOK
from controller.sidecar.http.hosts import host_check
from controller.sidecar.http.limits import AddressLimit
from controller.sidecar.http.protocol import MAX_CONNECTIONS, Handler, Listener
from controller.sidecar.http.router import Cors, Router, routes
from controller.sidecar.joining.join_handlers import JoinHandlers
from controller.sidecar.openapi import document
from controller.sidecar.operations import Operations
from controller.sidecar.pages.openapi_page import OpenApiPage
from controller.sidecar.pages.serving import Pages
from controller.sidecar.rooms.room_handlers import RoomHandlers

_BACKLOG = 1024
_GRACE = 0.8
"""aiohttp waits up to twice this time for running requests, in seconds."""


class Sidecar:
    """The listeners: public calls on both, calls for rooms and operation on the private one.

    `public` and `private` are the bound addresses. Each accepts `max_connections`.
    """

    def __init__(self, context: Context, max_connections: int = MAX_CONNECTIONS) -> None:
        self._max_connections = max_connections
        settings = context.settings
        self.public, self.private = settings.public_listen, settings.private_listen
        self._metrics = context.metrics
        self.access_tokens = AccessTokens(settings.access_tokens_file, context.clock)
        self._rooms = RoomHandlers(context, self.access_tokens)
        cors = Cors(settings.cors_origins)
        rate, proxies = settings.address_requests_per_second, settings.trusted_proxies
        limit = AddressLimit(rate, proxies, context.clock, context.note_untrusted_proxy)
        self._join_handlers = JoinHandlers(context, self.access_tokens, limit.client_of)
        pages = Pages(context)
        parts = (self._rooms, self._join_handlers, pages, Operations(context))
        public = routes(CALLS, "public", (*parts, OpenApiPage(document("public", CALLS))), cors)
        private = routes(CALLS, "private", (*parts, OpenApiPage(document("private", CALLS))))
        self._public_router = Router(public, context.metrics, limit, cors, pages.not_found)
        signed = [call.path for call in CALLS if WEBHOOK in call.proofs]
        hosts = host_check(settings.private_listen, settings.private_hosts, signed)
        self._private_router = Router(private, context.metrics, hosts)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Sidecar"]:
        """Serve until the block ends. RoomctlError if an address cannot be bound."""
        bound: list[_Bound] = []
        try:
            bound.append(await self._bind("public", self.public, self._public_router))
            bound.append(await self._bind("private", self.private, self._private_router))
            self.public, self.private = (each.address for each in bound)
            yield self
        finally:
            await asyncio.gather(*(each.close() for each in bound))
            await self._join_handlers.close()
            await self._rooms.close()

    async def _bind(self, name: str, address: Address, router: Handler) -> "_Bound":
        on_closed = self._metrics.connections_closed.labels(name).inc
        on_refused = self._metrics.connections_refused.labels(name).inc
        listener = Listener(router, on_closed, on_refused, self._max_connections)
        server = await _listening(listener, name, address)
        return _Bound(listener, server, asyncio.create_task(listener.watch()))


@dataclass(frozen=True, slots=True)
class _Bound:
    """A running listener."""

    listener: Listener
    server: asyncio.Server
    watch: asyncio.Task[None]

    @property
    def address(self) -> Address:
        return Address(*self.server.sockets[0].getsockname()[:2])

    async def close(self) -> None:
        """Accept no more, let running requests end, and close idle connections."""
        self.server.close()
        self.listener.pre_shutdown()
        await self.listener.shutdown(_GRACE)
        self.watch.cancel()
        await asyncio.gather(self.watch, return_exceptions=True)


async def _listening(listener: Listener, name: str, address: Address) -> asyncio.Server:
    try:
        return await asyncio.get_running_loop().create_server(
            listener, address.host, address.port, backlog=_BACKLOG
        )
    except OSError as error:
        setting = f"ROOMCTL_{name.upper()}_LISTEN"
        raise RoomctlError(
            f"cannot listen on {address} ({setting}): {_why(error)}; "
            f"stop the other process, or set {setting} to another address"
        ) from None


def _why(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno and error.errno > 0 else "no such address"
