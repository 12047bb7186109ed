"""Rate limits: token buckets, and the address that a request is counted under."""

import math
from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

from aiohttp import hdrs, web

from controller.sidecar.http.protocol import Connection, counted, plain
from controller.sidecar.http.response import ApiError, Code

BURST_SECONDS: Final = 10.0
MOST_KEYS: Final = 50_000


class RateLimiter:
    """One bucket per key: `rate` per second, with a burst of ten seconds' worth; a rate of 0 is no limit.

    A bucket is stored as the time at which it is full again, so that idle keys can be dropped.
    """

    def __init__(self, rate: float) -> None:
        self._interval = 1 / rate if rate else 0.0
        self._full_at: dict[str, float] = {}

    def take(self, key: str, now: float) -> None:
        """Take one. ApiError (TOO_MANY_REQUESTS, with Retry-After) if the bucket is empty."""
        if not self._interval:
            return
        full_at = max(self._full_at.get(key, now), now) + self._interval
        wait = full_at - now - BURST_SECONDS
        if wait > 1e-9:  # noqa: PLR2004 - a float's worth of nothing
            raise ApiError(Code.TOO_MANY_REQUESTS, retry_after=math.ceil(wait))
        self._full_at[key] = full_at
        if len(self._full_at) > MOST_KEYS:
            self._forget(now)

    def _forget(self, now: float) -> None:
        """Drop the full buckets; if there are too many addresses, drop the fullest half."""
        used = sorted(((at, key) for key, at in self._full_at.items() if at > now), reverse=True)
        self._full_at = {key: at for at, key in used[: MOST_KEYS // 2]}


class AddressLimit:
    """Counts each request under its client's address. `proxies`: those whose X-Forwarded-For is used.

    `on_untrusted` is called with every other address that sends this header: clients behind a proxy that is
    not one of `proxies` are all counted as that one address.
    """

    def __init__(
        self,
        rate: int,
        proxies: Iterable[str],
        clock: Callable[[], float],
        on_untrusted: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._rate_limiter, self._clock, self._on_untrusted = RateLimiter(rate), clock, on_untrusted
        self._proxies: Sequence[IPv4Network | IPv6Network] = [ip_network(n, strict=False) for n in proxies]

    def admit(self, request: web.BaseRequest) -> None:
        """ApiError (TOO_MANY_REQUESTS) if the client sends too many requests."""
        peer, forwarded = _hops(request)
        if forwarded and not self._is_proxy(peer):
            self._on_untrusted(peer)
        self._rate_limiter.take(self.client(peer, forwarded), self._clock())

    def client_of(self, request: web.BaseRequest) -> str:
        """The address under which a request is counted."""
        return self.client(*_hops(request))

    def client(self, peer: str, forwarded: Sequence[str]) -> str:
        """The address to count: the nearest that is not a trusted proxy. IPv6 is counted by its /64."""
        hops = [peer, *reversed([hop.strip() for line in forwarded for hop in line.split(",")])]
        client = peer
        for hop in hops if self._proxies else ():
            try:
                client = plain(_without_port(hop))
            except ValueError:
                break
            if not self._is_proxy(client):
                break
        return counted(client)

    def _is_proxy(self, address: str) -> bool:
        return bool(self._proxies) and any(ip_address(address) in network for network in self._proxies)


def _hops(request: web.BaseRequest) -> tuple[str, Sequence[str]]:
    """The sender's address, and the clients in its X-Forwarded-For."""
    connection = request.protocol
    peer = connection.address if isinstance(connection, Connection) else ""
    return peer, request.headers.getall(hdrs.X_FORWARDED_FOR, ())


def _without_port(hop: str) -> str:
    """Some proxies add the port of their client: 192.0.2.1:4711, [2001:db8::1]:4711."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop
