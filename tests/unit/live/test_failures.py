"""Each foreign failure has one meaning here, and passes on none of its text."""

import socket
from typing import cast

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from google.protobuf.message import DecodeError
from livekit.api import ServerError

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
from controller.live.failures import FOREIGN, START_RECORDING, to_livekit_error

TEXT = "eyJhbGciOiJIUzI1NiJ9.a.token"
PLACE = cast("ConnectionKey", type("Place", (), {"host": TEXT, "port": 1, "is_ssl": True, "ssl": True})())


def served(status: int, code: str = "unknown") -> ServerError:
    return ServerError(code, TEXT, status=status)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (served(401), LiveKitAuthError),
        (served(401, "unauthenticated"), LiveKitAuthError),
        (served(403, "permission_denied"), LiveKitAuthError),
        (served(404, "not_found"), LiveKitNotFoundError),
        (served(404), LiveKitUnavailableError),
        (served(404, "bad_route"), LiveKitUnavailableError),
        (served(405), LiveKitUnavailableError),
        (served(400, "invalid_argument"), LiveKitRejectedError),
        (served(409, "already_exists"), LiveKitRejectedError),
        (served(412, "failed_precondition"), LiveKitRejectedError),
        (served(413), LiveKitRejectedError),
        (served(408, "deadline_exceeded"), LiveKitUnavailableError),
        (served(429, "resource_exhausted"), LiveKitUnavailableError),
        (served(500, "internal"), LiveKitUnavailableError),
        (served(500, "not_found"), LiveKitUnavailableError),
        (served(502), LiveKitUnavailableError),
        (served(503), LiveKitUnavailableError),
        (served(503, "unavailable"), LiveKitNodeUnavailableError),
        (TimeoutError(TEXT), LiveKitUnavailableError),
        (DecodeError(TEXT), LiveKitUnavailableError),
        (aiohttp.InvalidURL(TEXT), LiveKitUnavailableError),
        (aiohttp.ServerDisconnectedError(TEXT), LiveKitUnavailableError),
        (aiohttp.ClientPayloadError(TEXT), LiveKitUnavailableError),
        (aiohttp.ClientConnectorError(PLACE, OSError(111, TEXT)), LiveKitUnavailableError),
        (aiohttp.ClientConnectorDNSError(PLACE, socket.gaierror(-2, TEXT)), LiveKitUnavailableError),
        (aiohttp.ClientConnectorCertificateError(PLACE, ValueError(TEXT)), LiveKitUnavailableError),
        (ConnectionResetError(TEXT), LiveKitUnavailableError),
    ],
)
def test_a_failure_is_of_one_kind_and_names_the_address_alone(
    error: Exception, kind: type[LiveKitError]
) -> None:
    assert isinstance(error, FOREIGN)
    ours = to_livekit_error(error, "livekit.test:443", "ListRooms")
    assert type(ours) is kind
    assert "livekit.test:443" in str(ours)
    assert "ListRooms" in str(ours)
    assert TEXT not in str(ours)


@pytest.mark.parametrize(
    ("call", "error", "kind"),
    [
        (START_RECORDING, served(503, "unavailable"), NoEgressWorkerError),
        (START_RECORDING, served(503), LiveKitUnavailableError),
        (START_RECORDING, served(500, "internal"), LiveKitUnavailableError),
        (START_RECORDING, served(408, "deadline_exceeded"), LiveKitUnavailableError),
        (START_RECORDING, served(404, "not_found"), LiveKitNotFoundError),
        (START_RECORDING, served(400, "invalid_argument"), LiveKitRejectedError),
        (START_RECORDING, TimeoutError(TEXT), LiveKitUnavailableError),
        ("StopEgress", served(412, "failed_precondition"), LiveKitRejectedError),
        ("StopEgress", served(404, "not_found"), LiveKitNotFoundError),
        ("StopEgress", served(408, "deadline_exceeded"), LiveKitUnavailableError),
        ("StopEgress", served(503, "unavailable"), LiveKitUnavailableError),
        ("ListEgress", served(404, "not_found"), LiveKitNotFoundError),
    ],
)
def test_what_a_recordings_call_may_meet(call: str, error: Exception, kind: type[LiveKitError]) -> None:
    ours = to_livekit_error(error, "livekit.test:443", call)
    assert isinstance(ours, kind)
    assert TEXT not in str(ours)


@pytest.mark.parametrize("call", [START_RECORDING, "StopEgress", "ListEgress"])
@pytest.mark.parametrize("status", [500, 503])
def test_livekit_without_redis_has_no_egress_service(call: str, status: int) -> None:
    said = ServerError("internal", f"egress not connected (redis required) {TEXT}", status=status)
    ours = to_livekit_error(said, "livekit.test:443", call)
    assert type(ours) is NoEgressServiceError
    assert "Redis" in str(ours)
    assert TEXT not in str(ours)
