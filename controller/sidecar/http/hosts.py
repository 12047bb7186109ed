"""The Host header of the private listener, against DNS rebinding.

The name of any site can resolve to 127.0.0.1. Pages of this site then call a listener there as their own
origin, with that name as the Host.
"""

from collections.abc import Iterable
from ipaddress import ip_address

from aiohttp import hdrs, web

from controller.settings_parsers import Address
from controller.sidecar.http.response import ApiError, Code


class HostCheck:
    """Refuses other hosts than IP addresses, localhost and `names`; no host at all is fine, as in HTTP/1.0.

    `exempt` are paths that are not checked.
    """

    def __init__(self, names: Iterable[str], exempt: Iterable[str]) -> None:
        self._names, self._exempt = frozenset({"localhost", *names}), frozenset(exempt)

    def admit(self, request: web.BaseRequest) -> None:
        """ApiError (NOT_FOUND) for another host."""
        hosts = map(_without_port, request.headers.getall(hdrs.HOST, ()))
        named = all(_is_address(host) or host in self._names for host in hosts)
        if not named and request.raw_path.partition("?")[0] not in self._exempt:
            raise ApiError(Code.NOT_FOUND)


def host_check(listen: Address, names: Iterable[str], exempt: Iterable[str]) -> HostCheck | None:
    """The check of a listener: None if it is not on the loopback and no `names` are given."""
    return HostCheck(names, exempt) if names or _is_loopback(listen.host) else None


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ip_address(host).is_loopback)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _without_port(host: str) -> str:
    """The host in lower case, without port, brackets and the dot at the end of a full name."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower().removesuffix(".")
