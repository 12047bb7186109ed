"""Rate limits: token buckets, and the address that a request is counted under."""

import math
from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from aiohttp import hdrs, web

from controller.sidecar.http.protocol import Connection, plain
from controller.sidecar.http.response import ApiError, Code

BURST_SECONDS: Final = 10.0
MOST_KEYS: Final = 50_000


class RateLimiter:
    """One bucket for each key: `rate` a second, with ten seconds' worth of burst; a rate of 0 is no limit.

    Kept as the one moment at which a bucket is full again, so that an idle key costs nothing for long.
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
        """Drop the full buckets; under a flood of addresses the fullest half goes."""
        used = sorted(((at, key) for key, at in self._full_at.items() if at > now), reverse=True)
        self._full_at = {key: at for at, key in used[: MOST_KEYS // 2]}


class AddressLimit:
    """Counts each request under its client's address. `proxies`: those whose X-Forwarded-For is used."""

    def __init__(self, rate: int, proxies: Iterable[str], clock: Callable[[], float]) -> None:
        self._rate_limiter, self._clock = RateLimiter(rate), clock
        self._proxies: Sequence[IPv4Network | IPv6Network] = [ip_network(n, strict=False) for n in proxies]

    def admit(self, request: web.BaseRequest) -> None:
        """ApiError (TOO_MANY_REQUESTS) if the client sends too many requests."""
        self._rate_limiter.take(self.client_of(request), self._clock())

    def client_of(self, request: web.BaseRequest) -> str:
        """The address that a request is counted under."""
        connection = request.protocol
        peer = connection.address if isinstance(connection, Connection) else ""
        return self.client(peer, request.headers.getall(hdrs.X_FORWARDED_FOR, ()))

    def client(self, peer: str, forwarded: Sequence[str]) -> str:
        """The address to count: the nearest that is not a trusted proxy. IPv6 is counted by its /64."""
        hops = [peer, *reversed([hop.strip() for line in forwarded for hop in line.split(",")])]
        client = peer
        for hop in hops if self._proxies else ():
            try:
                client = plain(_without_port(hop))
            except ValueError:
                break
            address = ip_address(client)
            if not any(address in network for network in self._proxies):
                break
        return _counted(client)


def _without_port(hop: str) -> str:
    """Some proxies write the port of their client, too: 192.0.2.1:4711, [2001:db8::1]:4711."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def _counted(address: str) -> str:
    if ":" not in address:
        return address
    return str(IPv6Network((int(IPv6Address(address)) >> 64 << 64, 64)))
