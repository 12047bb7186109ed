"""The sidecar: two listeners over what is known. Bound before anything is known, gone within two seconds."""

import asyncio
import errno
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from controller.errors import RoomctlError
from controller.known import Known
from controller.live.ports import LiveObserver
from controller.live.webhook import Hint
from controller.metrics import Metrics
from controller.settings import Address, Settings
from controller.sidecar.cors import Cors
from controller.sidecar.helpers import Helpers
from controller.sidecar.limits import Buckets, Proxies
from controller.sidecar.ops import Ops
from controller.sidecar.protocol import Handler, Listener
from controller.sidecar.site import PublicSite, Routes, Site, options

FIND = "/api/conferences-public/findLKRoomNameById"
CREATE_TOKEN = "/api/conferences-public/createToken"  # noqa: S105 - a path

_BACKLOG = 1024
_GRACE = 0.8
"""aiohttp waits it up to twice for the requests under way, in seconds."""


class Sidecar:
    """The helpers on both listeners, the operators' calls on the private one.

    `on_hint` is told of each webhook that is really LiveKit's. `clock` is monotonic, the one that Known's
    times are of; `wall` is the time of day. `public` and `private` are the addresses once they are bound.
    """

    def __init__(
        self,
        settings: Settings,
        known: Known,
        observer: LiveObserver,
        metrics: Metrics,
        on_hint: Callable[[Hint], None],
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.public, self.private = settings.public_listen, settings.private_listen
        self._metrics = metrics
        self._helpers = Helpers(settings, known, observer, metrics, clock=clock, wall=wall)
        ops = Ops(settings, known, metrics, on_hint, clock=clock, wall=wall)
        self._public_site = PublicSite(
            Site(_public_routes(self._helpers, cors := Cors(settings.cors_origins)), metrics),
            cors,
            Buckets(settings.address_requests_per_second),
            Proxies(settings.trusted_proxies),
            clock,
        )
        self._private_site = Site(_private_routes(self._helpers, ops), metrics)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Sidecar"]:
        """Serve until the block is left. RoomctlError where an address cannot be bound."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._helpers.lookout.close)
            self.public = await stack.enter_async_context(
                self._bound("public", self.public, self._public_site)
            )
            self.private = await stack.enter_async_context(
                self._bound("private", self.private, self._private_site)
            )
            yield self

    @asynccontextmanager
    async def _bound(self, name: str, address: Address, site: Handler) -> AsyncIterator[Address]:
        listener = Listener(site, self._metrics.connections_refused.labels(name).inc)
        server = await _bind(listener, name, address)
        watch = asyncio.create_task(listener.watch())
        try:
            host, port = server.sockets[0].getsockname()[:2]
            yield Address(host, port)
        finally:
            watch.cancel()
            server.close()
            listener.pre_shutdown()
            await listener.shutdown(_GRACE)
            with suppress(asyncio.CancelledError):
                await watch


async def _bind(listener: Listener, name: str, address: Address) -> asyncio.Server:
    try:
        return await asyncio.get_running_loop().create_server(
            listener, address.host, address.port, backlog=_BACKLOG
        )
    except OSError as error:
        shown = f"[{address.host}]" if ":" in address.host else address.host
        setting = f"ROOMCTL_{name.upper()}_LISTEN"
        raise RoomctlError(
            f"cannot listen on {shown}:{address.port} ({setting}): {_why(error)}; "
            f"free it, or set {setting} to another address"
        ) from None


def _why(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "another program listens there"
    return os.strerror(error.errno).lower() if error.errno and error.errno > 0 else "no such address"


def _public_routes(helpers: Helpers, cors: Cors) -> Routes:
    preflight = options(cors, "POST, OPTIONS")
    return {
        FIND: {"POST": helpers.find, "OPTIONS": preflight},
        CREATE_TOKEN: {"POST": helpers.create_token, "OPTIONS": preflight},
    }


def _private_routes(helpers: Helpers, ops: Ops) -> Routes:
    return {
        FIND: {"POST": helpers.find},
        CREATE_TOKEN: {"POST": helpers.create_token},
        "/livekit/webhook": {"POST": ops.webhook},
        "/healthz": {"GET": ops.health, "HEAD": ops.health},
        "/readyz": {"GET": ops.readiness, "HEAD": ops.readiness},
        "/metrics": {"GET": ops.metrics, "HEAD": ops.metrics},
    }
