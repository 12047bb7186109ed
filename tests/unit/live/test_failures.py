"""Each foreign failure has one meaning here, and passes on none of its text."""

import socket
from typing import cast

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from google.protobuf.message import DecodeError
from livekit.api import ServerError

from controller.errors import (
    LiveAway,
    LiveDenied,
    LiveError,
    LiveNotFound,
    LiveRejected,
    NodeAway,
    NoEgressService,
    NoEgressWorker,
)
from controller.live.failures import FOREIGN, START_RECORDING, translated

TEXT = "eyJhbGciOiJIUzI1NiJ9.a.token"
PLACE = cast("ConnectionKey", type("Place", (), {"host": TEXT, "port": 1, "is_ssl": True, "ssl": True})())


def served(status: int, code: str = "unknown") -> ServerError:
    return ServerError(code, TEXT, status=status)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (served(401), LiveDenied),
        (served(401, "unauthenticated"), LiveDenied),
        (served(403, "permission_denied"), LiveDenied),
        (served(404, "not_found"), LiveNotFound),
        (served(404), LiveAway),
        (served(404, "bad_route"), LiveAway),
        (served(405), LiveAway),
        (served(400, "invalid_argument"), LiveRejected),
        (served(409, "already_exists"), LiveRejected),
        (served(412, "failed_precondition"), LiveRejected),
        (served(413), LiveRejected),
        (served(408, "deadline_exceeded"), LiveAway),
        (served(429, "resource_exhausted"), LiveAway),
        (served(500, "internal"), LiveAway),
        (served(500, "not_found"), LiveAway),
        (served(502), LiveAway),
        (served(503), LiveAway),
        (served(503, "unavailable"), NodeAway),
        (TimeoutError(TEXT), LiveAway),
        (DecodeError(TEXT), LiveAway),
        (aiohttp.InvalidURL(TEXT), LiveAway),
        (aiohttp.ServerDisconnectedError(TEXT), LiveAway),
        (aiohttp.ClientPayloadError(TEXT), LiveAway),
        (aiohttp.ClientConnectorError(PLACE, OSError(111, TEXT)), LiveAway),
        (aiohttp.ClientConnectorDNSError(PLACE, socket.gaierror(-2, TEXT)), LiveAway),
        (aiohttp.ClientConnectorCertificateError(PLACE, ValueError(TEXT)), LiveAway),
        (ConnectionResetError(TEXT), LiveAway),
    ],
)
def test_a_failure_is_of_one_kind_and_names_the_address_alone(
    error: Exception, kind: type[LiveError]
) -> None:
    assert isinstance(error, FOREIGN)
    ours = translated(error, "livekit.test:443", "ListRooms")
    assert type(ours) is kind
    assert "livekit.test:443" in str(ours)
    assert "ListRooms" in str(ours)
    assert TEXT not in str(ours)


@pytest.mark.parametrize(
    ("call", "error", "kind"),
    [
        (START_RECORDING, served(503, "unavailable"), NoEgressWorker),
        (START_RECORDING, served(503), LiveAway),
        (START_RECORDING, served(500, "internal"), LiveAway),
        (START_RECORDING, served(408, "deadline_exceeded"), LiveAway),
        (START_RECORDING, served(404, "not_found"), LiveNotFound),
        (START_RECORDING, served(400, "invalid_argument"), LiveRejected),
        (START_RECORDING, TimeoutError(TEXT), LiveAway),
        ("StopEgress", served(412, "failed_precondition"), LiveRejected),
        ("StopEgress", served(404, "not_found"), LiveNotFound),
        ("StopEgress", served(408, "deadline_exceeded"), LiveAway),
        ("StopEgress", served(503, "unavailable"), LiveAway),
        ("ListEgress", served(404, "not_found"), LiveNotFound),
    ],
)
def test_what_a_recordings_call_may_meet(call: str, error: Exception, kind: type[LiveError]) -> None:
    ours = translated(error, "livekit.test:443", call)
    assert isinstance(ours, kind)
    assert TEXT not in str(ours)


@pytest.mark.parametrize("call", [START_RECORDING, "StopEgress", "ListEgress"])
@pytest.mark.parametrize("status", [500, 503])
def test_livekit_without_redis_has_no_egress_service(call: str, status: int) -> None:
    said = ServerError("internal", f"egress not connected (redis required) {TEXT}", status=status)
    ours = translated(said, "livekit.test:443", call)
    assert type(ours) is NoEgressService
    assert "Redis" in str(ours)
    assert TEXT not in str(ours)
