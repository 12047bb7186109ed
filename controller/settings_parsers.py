"""Parsers of settings: text -> value, or ValueError with the problem and a fix. Pure.

A message quotes the invalid text only if it cannot contain a secret: never a URL.
"""

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Final, TypeVar
from urllib.parse import SplitResult, urlsplit

MOST_SHOWN: Final = 80
_WHOLE: Final = re.compile(r"[0-9]{1,12}", re.ASCII)
_DECIMAL: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?", re.ASCII)
_INSTANCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_DATABASE: Final = re.compile(r"[A-Za-z0-9_-]{1,63}")
_HOST_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")
_HOST: Final = re.compile(r"[A-Za-z0-9._:%-]{1,253}")
_MONGODB: Final = re.compile(r"mongodb(\+srv)?://(?P<rest>.+)", re.DOTALL)
_UNESCAPED: Final = re.compile(r"@|%(?![0-9A-Fa-f]{2})")
_SERVERS_OWN: Final = ("admin", "local", "config")
N = TypeVar("N", int, float)
_MONGODB_FIX: Final = "use mongodb://HOST:PORT or mongodb+srv://HOST"


@dataclass(frozen=True, slots=True)
class Address:
    """host:port to listen on; port 0 is any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key of LiveKit's API and its secret."""

    name: str
    secret: str = field(repr=False)


def shown(text: str) -> str:
    """`text` in quotes, cut to 80 characters, control characters escaped."""
    return json.dumps(text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 1] + "…", ensure_ascii=False)


def check_edges(text: str) -> None:
    """A secret, a key or a URL with an invisible character at its start or end is an error."""
    for place, character in (("begin", text[:1]), ("end", text[-1:])):
        if character.isspace() or not character.isprintable():
            raise ValueError(f"must not {place} with {_invisible(character)}; remove it")


def _invisible(character: str) -> str:
    if character in "\r\n":
        return "a line break"
    if character.isspace():
        return "white space"
    name = "a byte order mark" if character == "\ufeff" else "an invisible character"
    return f"{name} (U+{ord(character):04X})"


def word(text: str) -> str:
    """One printable word. Errors do not show it: people paste secrets into the wrong variable."""
    if not text.isprintable() or len(text.split()) != 1:
        raise ValueError("must not contain spaces or control characters")
    return text


def http_url(text: str) -> str:
    """http(s) or ws(s), returned as http(s) without a trailing slash."""
    return _url(text, {"http": "http", "https": "https", "ws": "http", "wss": "https"})


def ws_url(text: str) -> str:
    """The same, returned as ws(s)."""
    return _url(text, {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"})


def web_url(text: str) -> str:
    """Only http(s), for browsers."""
    return _url(text, {"http": "http", "https": "https"})


def receiver_url(text: str) -> str:
    """http(s), unchanged: a final slash and a query are part of a receiver's address."""
    web_url(text.partition("?")[0])
    return word(text)


def signing_key(text: str) -> bytes:
    """The key in a secret of Standard Webhooks: `whsec_` and 24 to 64 bytes in base64."""
    prefix, _, encoded = text.partition("_")
    padded = encoded.rstrip("=") + "=" * (-len(encoded.rstrip("=")) % 4)
    try:
        key = base64.b64decode(padded, validate=True)
    except ValueError:
        key = b""
    if prefix != "whsec" or not 24 <= len(key) <= 64:  # noqa: PLR2004 - as Standard Webhooks has it
        raise ValueError(
            "invalid secret; use whsec_ and 24 to 64 bytes in base64, "
            'for example the output of: echo "whsec_$(openssl rand -base64 32)"'
        )
    return key


def _url(text: str, schemes: dict[str, str]) -> str:
    """`text` with its scheme mapped by `schemes`. A user name, query or fragment is an error, not quoted."""
    *_, best = schemes
    fix = f"use {_one_of(tuple(schemes))}, for example {best}://example.com"
    parts = _split(text)
    if parts is None or parts.scheme not in schemes or not _HOST.fullmatch(parts.hostname or ""):
        raise ValueError(f"invalid URL; {fix}")
    if "@" in parts.netloc or parts.query or parts.fragment or "?" in text or "#" in text:
        raise ValueError("must not contain a user name, query or fragment")
    return f"{schemes[parts.scheme]}://{parts.netloc}{parts.path.rstrip('/')}"


def _split(text: str) -> SplitResult | None:
    try:
        parts = urlsplit(word(text))
        _ = parts.port  # an invalid port raises ValueError
    except ValueError:
        return None
    return parts


def mongodb_text(text: str) -> str:
    """A MongoDB connection string, checked only as far as needed to show its hosts."""
    matched = _MONGODB.fullmatch(text)
    if matched is None or not text.isprintable() or " " in text:
        raise ValueError(f"invalid connection string; {_MONGODB_FIX}")
    authority = re.split(r"[/?]", matched["rest"], maxsplit=1)[0]
    user, _, hosts = authority.rpartition("@")
    if _UNESCAPED.search(user) or user.count(":") > 1 or ("@" in matched["rest"] and not user):
        raise ValueError(
            "user name or password contains an unescaped %, @, : or /; "
            "use percent-encoding (%25, %40, %3A, %2F)"
        )
    for host in hosts.split(","):
        _mongodb_host(host)
    return text


def _mongodb_host(text: str) -> None:
    if not _HOST.fullmatch(text.strip("[]")):
        raise ValueError(f"host is missing or invalid; {_MONGODB_FIX}")
    _, _, port = text.rpartition("]")[2].partition(":")
    if port and not (_WHOLE.fullmatch(port) and 0 < int(port) <= 65535):  # noqa: PLR2004 - ports
        raise ValueError("invalid port; use 1 to 65535")


def mongodb_address(uri: str) -> str:
    """host:port of a connection string that `mongodb_text` has checked: messages may show it.

    Several are separated by commas.
    """
    scheme, _, rest = uri.partition("://")
    hosts = re.split(r"[/?]", rest, maxsplit=1)[0].rpartition("@")[2].split(",")
    if scheme.endswith("+srv"):
        return ",".join(hosts)
    return ",".join(host if re.search(r":[0-9]+$", host) else f"{host}:27017" for host in hosts)


def database_name(text: str) -> str:
    if not _DATABASE.fullmatch(text):
        raise ValueError(f"invalid database name {shown(text)}; use 1 to 63 characters: A-Z a-z 0-9 _ -")
    if text in _SERVERS_OWN:
        raise ValueError(f"{shown(text)} is reserved by MongoDB; use another name, for example roomctl")
    return text


def instance_name(text: str) -> str:
    if not _INSTANCE.fullmatch(text):
        raise ValueError(
            f"invalid instance name {shown(text)}; "
            "use 1 to 63 characters (A-Z a-z 0-9 . _ -), beginning with a letter or digit"
        )
    return text


def listen_address(text: str) -> Address:
    """host:port, [ipv6]:port."""
    host, separator, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    bare = host[1:-1] if bracketed else host
    fits = _WHOLE.fullmatch(port) and int(port) <= 65535  # noqa: PLR2004 - ports
    if not separator or not _HOST.fullmatch(bare) or (":" in bare) != bracketed or not fits:
        raise ValueError(f"invalid listen address {shown(text)}; use HOST:PORT, for example 127.0.0.1:8080")
    return Address(bare, int(port))


def whole(least: int, most: int) -> Callable[[str], int]:
    """Reads an integer from `least` to `most`."""
    return _number(_WHOLE, int, least, most, f"an integer from {least} to {most}")


def seconds(least: float, most: float) -> Callable[[str], float]:
    """Reads seconds from `least` to `most`; decimals are allowed."""
    return _number(_DECIMAL, float, least, most, f"{least:g} to {most:g} seconds")


def _number(
    form: re.Pattern[str], kind: Callable[[str], N], least: float, most: float, rule: str
) -> Callable[[str], N]:
    def read(text: str) -> N:
        if not form.fullmatch(text) or not least <= kind(text) <= most:
            raise ValueError(f"invalid value {shown(text)}; must be {rule}")
        return kind(text)

    return read


def flag(text: str) -> bool:
    return choice("true", "false")(text) == "true"


def choice(*words: str) -> Callable[[str], str]:
    """Reads one of `words`."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"invalid value {shown(text)}; must be {_one_of(words)}")
        return text

    return read


def _one_of(words: tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"


def networks(text: str) -> tuple[str, ...]:
    """Addresses and networks, separated by commas or spaces, each as CIDR."""
    return tuple(_network(item) for item in _items(text))


def _network(text: str) -> str:
    try:
        return str(ip_network(text))
    except ValueError as error:
        if "host bits" in str(error):
            network = ip_network(text, strict=False)
            raise ValueError(f"{shown(text)} has host bits set; use {network}") from None
        raise ValueError(
            f"invalid address or network {shown(text)}; for example 10.0.0.0/8 or 192.0.2.7"
        ) from None


def host_names(text: str) -> tuple[str, ...]:
    """Names with commas or spaces between, in lower case."""
    return tuple(_host_name(item) for item in _items(text))


def _host_name(text: str) -> str:
    if not _HOST_NAME.fullmatch(text):
        raise ValueError(f"invalid host name {shown(text)}; use a name without scheme and port")
    return text.lower().removesuffix(".")


def origins(text: str) -> tuple[str, ...]:
    """Exact origins as browsers send them, or only `*`."""
    items = _items(text)
    if items == ("*",):
        return items
    return tuple(_origin(item) for item in items)


def exact_origins(text: str) -> tuple[str, ...]:
    """Exact origins as browsers send them."""
    if "*" in _items(text):
        raise ValueError("`*` is not possible; list each origin, for example https://app.example.com")
    return origins(text)


def _origin(text: str) -> str:
    if text == "*":
        raise ValueError("`*` cannot be combined with other origins")
    parts = _split(text)
    exact = parts is not None and text == f"{parts.scheme}://{parts.netloc}".lower()
    if not exact or parts is None or parts.scheme not in ("http", "https") or "@" in parts.netloc:
        raise ValueError(
            f"invalid origin {shown(text.rpartition('@')[2])}; "
            "use scheme and host, for example https://app.example.com"
        )
    return text


def _items(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").split())
