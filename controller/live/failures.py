"""Translates errors of LiveKit's client. Their texts are never passed on: one may contain a token."""

from http import HTTPStatus
from typing import Final

import aiohttp
from google.protobuf.message import DecodeError
from livekit.api import ServerError, ServerErrorCode

from controller.errors import (
    LiveKitAuthError,
    LiveKitError,
    LiveKitNodeUnavailableError,
    LiveKitNotFoundError,
    LiveKitRejectedError,
    LiveKitUnavailableError,
    NoEgressServiceError,
    NoEgressWorkerError,
)

FOREIGN: Final = (ServerError, aiohttp.ClientError, OSError, DecodeError)
"""What LiveKit's client raises. TimeoutError is an OSError."""

_DENIED: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_UNKNOWN_CALL: Final = (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED)
_NO_EGRESS: Final = "egress not connected"
"""LiveKit's text if it runs without Redis; the status is 500, as for other errors."""
START_RECORDING: Final = "StartRoomCompositeEgress"
_REFUSED_START: Final = ": check ROOMCTL_RECORDING_OUTPUT, and see the egress worker log"
_PASSING: Final = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)


def to_livekit_error(error: Exception, address: str, call: str) -> LiveKitError:
    """Our error for one of FOREIGN, raised by `call` (LiveKit's name of it) at host:port."""
    if isinstance(error, ServerError):
        return _refused(error, address, call)
    if isinstance(error, DecodeError):
        return _no_livekit(address, call)
    return LiveKitUnavailableError(f"LiveKit at {address} {_outage(error)} ({call})")


def _refused(error: ServerError, address: str, call: str) -> LiveKitError:
    """Check the HTTP status first: the answer to a wrong key is plain text, without a code."""
    status = error.status
    if status in _DENIED:
        return LiveKitAuthError(
            f"authentication with LiveKit at {address} failed ({call}, {status}): "
            "check LIVEKIT_API_KEY, LIVEKIT_API_SECRET and the clocks of both hosts"
        )
    if status == HTTPStatus.NOT_FOUND and error.code == ServerErrorCode.NOT_FOUND:
        return LiveKitNotFoundError(f"not found in LiveKit at {address} ({call})")
    if (lacking := _lacking(error, address, call)) is not None:
        return lacking
    if status in _UNKNOWN_CALL:
        return _no_livekit(address, call)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _PASSING:
        return LiveKitUnavailableError(f"LiveKit at {address} is temporarily unavailable ({call}, {status})")
    fix = _REFUSED_START if call == START_RECORDING else ""
    return LiveKitRejectedError(f"LiveKit at {address} rejected the call ({call}, {status}){fix}")


def _lacking(error: ServerError, address: str, call: str) -> LiveKitError | None:
    """The error for a part that LiveKit lacks (Redis, an egress worker, a node); None for other errors."""
    if _NO_EGRESS in error.message:
        return NoEgressServiceError(
            f"LiveKit at {address} runs without Redis, so it has no egress service ({call}): "
            "add Redis and an egress worker"
        )
    if (error.status, error.code) != (HTTPStatus.SERVICE_UNAVAILABLE, ServerErrorCode.UNAVAILABLE):
        return None
    if call == START_RECORDING:
        return NoEgressWorkerError(
            f"no egress worker of LiveKit at {address} is available: start one, or add capacity"
        )
    return LiveKitNodeUnavailableError(
        f"no node of LiveKit at {address} serves this room ({call}, {error.status})"
    )


def _no_livekit(address: str, call: str) -> LiveKitUnavailableError:
    """Another server answers, for example a proxy. It does not mean that a room is gone."""
    return LiveKitUnavailableError(f"the server at {address} is not LiveKit ({call}): check LIVEKIT_URL")


def _outage(error: Exception) -> str:
    match error:
        case TimeoutError():
            return "did not respond in time"
        case aiohttp.InvalidURL():
            return "has an invalid URL: check LIVEKIT_URL"
        case aiohttp.ClientConnectorDNSError():
            return "has a host name that does not resolve"
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError():
            return "cannot be trusted: its TLS certificate or protocol is wrong"
        case aiohttp.ClientConnectorError():
            return "cannot be reached"
        case _:
            return "closed the connection"
