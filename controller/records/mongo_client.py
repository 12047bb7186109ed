"""The only use of pymongo: one client, deadlines, and its errors translated once into StoreError's kinds.

Texts of pymongo are never passed on: they may contain the URI. The address is shown without credentials.
"""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pymongo
from bson.errors import BSONError
from pymongo import AsyncMongoClient, ReadPreference, WriteConcern
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    DuplicateKeyError,
    OperationFailure,
    PyMongoError,
)
from pymongo.read_concern import ReadConcern

from controller.errors import StoreConflictError, StoreRefusedError, StoreUnavailableError

Documents = AsyncCollection[dict[str, Any]]

MONGO_TIMEOUT_SECONDS: Final = 4.0
"""Seconds that one exchange with MongoDB may take, everything included."""

WRITE_CONCERN_SECONDS: Final = 3.0

_UNRESOLVED: Final = "the host name cannot be resolved; correct the host in MONGODB_URI, or check DNS"
_CAUSES: Final = (
    (
        ("No replica set members available", "belongs to a set named"),
        "the server does not belong to the replica set in MONGODB_URI; correct or remove replicaSet",
    ),
    (
        ("certificate verify failed", "doesn't match", "not valid for"),
        "the server's certificate is not trusted; check tlsCAFile and the host in MONGODB_URI",
    ),
    (
        ("SSL handshake failed", "No servers found yet", "No replica set members found yet"),
        "no TLS connection; if the server does not use TLS, remove tls=true from MONGODB_URI",
    ),
    (
        ("Name or service not known", "nodename nor servname", "getaddrinfo", "No address associated"),
        "unknown host; correct the host in MONGODB_URI",
    ),
    (
        (
            "DNS query name does not exist",
            "name resolution",
            "DNS",
            "resolution lifetime",
            "nameservers failed",
        ),
        _UNRESOLVED,
    ),
    (("refused", "Connect call failed"), "connection refused"),
    (("timed out",), "no answer in time"),
    (
        ("connection closed", "reset by peer", "Message length"),
        "the server closed the connection; if it requires TLS, add tls=true to MONGODB_URI",
    ),
)
"""Parts of pymongo's text about an unreachable server, and the text that we show instead."""

_DENIED: Final = frozenset({11, 13, 18, 8000})  # UserNotFound, Unauthorized, AuthenticationFailed, Atlas


class ServerRespondedError(StoreUnavailableError):
    """The server responded with an error that we do not know."""


def connect(uri: str, **options: Any) -> AsyncMongoClient[dict[str, Any]]:
    """A client for `uri`; it connects at first use. StoreRefusedError if the URI cannot be used."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pymongo's repeat the options' values
            return AsyncMongoClient(
                uri,
                appname="roomctl",
                tz_aware=True,
                retryWrites=False,  # after a lost reply we read; a standalone server has no retries
                serverMonitoringMode="poll",  # one connection fewer, and none half open when it closes
                serverSelectionTimeoutMS=2000,
                connectTimeoutMS=3000,
                socketTimeoutMS=5000,
                **options,
            )
    except OSError as error:
        why = os.strerror(error.errno or 0).lower()  # pymongo's text is less precise
        raise StoreRefusedError(f"MONGODB_URI: cannot read a file of its TLS options: {why}") from None
    except (PyMongoError, ValueError, TypeError) as error:
        lacking = isinstance(error, ConfigurationError) and "dnspython" in str(error)
        hint = " (mongodb+srv needs the package dnspython)" if lacking else ""
        problem = (
            f"MONGODB_URI: invalid connection string or option{hint}; use mongodb://HOST:PORT/?OPTION=VALUE"
        )
        raise StoreRefusedError(problem) from None


async def close(client: AsyncMongoClient[dict[str, Any]]) -> None:
    """Close it, with at most half a second for ending sessions on a server that may be gone."""
    with pymongo.timeout(0.5):
        await client.close()


def database(client: AsyncMongoClient[dict[str, Any]], name: str) -> AsyncDatabase[dict[str, Any]]:
    """The database, read from the primary at majority, written to a majority with journal."""
    try:
        return client.get_database(
            name,
            read_preference=ReadPreference.PRIMARY,
            read_concern=ReadConcern("majority"),
            write_concern=WriteConcern("majority", wtimeout=int(WRITE_CONCERN_SECONDS * 1000), j=True),
        )
    except PyMongoError:
        raise StoreRefusedError(f"MONGODB_DATABASE: {name[:64]!r} is not a valid database name") from None


def address(uri: str) -> str:
    """The hosts and ports in `uri`, without credentials and options."""
    rest = uri.partition("://")[2]
    return rest.partition("/")[0].partition("?")[0].rpartition("@")[2] or "MongoDB"


@contextmanager
def translate_errors(where: str, deadline: float = MONGO_TIMEOUT_SECONDS) -> Iterator[None]:
    """Calls to pymongo inside end within `deadline` seconds, and raise only StoreError's kinds."""
    try:
        with pymongo.timeout(deadline):
            yield
    except (PyMongoError, BSONError) as error:
        raise to_store_error(error, where) from None


def to_store_error(
    error: Exception, where: str
) -> StoreUnavailableError | StoreConflictError | StoreRefusedError:
    """Our error for `error`."""
    if isinstance(error, DuplicateKeyError):
        return StoreConflictError("conflict: the record was modified by another process")
    if isinstance(error, ConnectionFailure) or _is_dns_failure(error):  # NotPrimaryError is one
        return StoreUnavailableError(f"cannot connect to MongoDB at {where}{_cause(str(error))}")
    if isinstance(error, PyMongoError) and error.timeout:
        return StoreUnavailableError(f"MongoDB at {where} did not respond in time")
    refusal = _refusal(error)
    if refusal:
        return StoreRefusedError(f"MongoDB at {where} {refusal}")
    if isinstance(error, OperationFailure):
        return ServerRespondedError(f"MongoDB at {where} answered with error code {error.code}")
    return StoreUnavailableError(f"MongoDB at {where} failed: {type(error).__name__}")


def _is_dns_failure(error: Exception) -> bool:
    """Whether a mongodb+srv name cannot be resolved, which pymongo reports as a wrong option."""
    return isinstance(error, ConfigurationError) and _cause(str(error)).endswith(_UNRESOLVED)


def _cause(text: str) -> str:
    """The first cause that matches `text`; "" if none does."""
    return next((f": {cause}" for signs, cause in _CAUSES if any(sign in text for sign in signs)), "")


def _refusal(error: Exception) -> str:
    """Why a retry cannot help; '' if it may."""
    if isinstance(error, OperationFailure) and error.code in _DENIED:
        return "rejected the credentials: check user, password and role (readWrite) in MONGODB_URI"
    if isinstance(error, ConfigurationError):
        return "cannot be used with the options in MONGODB_URI"
    return "answered with invalid BSON" if isinstance(error, BSONError) else ""
