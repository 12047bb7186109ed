"""The Host header of the private listener: which names it answers to."""

from dataclasses import replace

import pytest

from controller.settings_parsers import Address
from tests.unit.sidecar.harness import SETTINGS, Harness, raw, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

EVERYWHERE = Address("0.0.0.0", 0)  # noqa: S104 - as in a container


async def status(harness: Harness, host: str | None, path: str = "/healthz", method: str = "GET") -> int:
    """Without a host by HTTP/1.0, which has none."""
    version, line = ("1.0", "") if host is None else ("1.1", f"Host: {host}\r\n")
    lines = f"{method} {path} HTTP/{version}\r\nConnection: close\r\n{line}"
    answer = await raw(Address("127.0.0.1", harness.sidecar.private.port), f"{lines}\r\n".encode())
    assert answer.status != 404 or answer.code == "NOT_FOUND"
    return answer.status


@pytest.mark.parametrize("listen", [Address("127.0.0.1", 0), Address("localhost", 0)], ids=str)
async def test_loopback_listener_answers_to_addresses_and_localhost_alone(listen: Address) -> None:
    async with serving(replace(SETTINGS, private_listen=listen)) as harness:
        for host in (
            "127.0.0.1",
            "127.0.0.1:8081",
            "[::1]:8081",
            "192.0.2.7",
            "localhost",
            "LocalHost.:8081",
        ):
            assert await status(harness, host) == 200, host
        for host in (
            "evil.example",
            "evil.example:8081",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "",
        ):
            assert await status(harness, host) == 404, host
        assert await status(harness, "evil.example", "/healthz", "PUT") == 404, (
            "what exists is not said either"
        )
        assert await status(harness, None) == 200


async def test_one_wrong_host_of_two_is_enough() -> None:
    async with serving() as harness:
        assert await status(harness, "127.0.0.1\r\nHost: evil.example") in (400, 404)


async def test_named_hosts_are_answered() -> None:
    async with serving(replace(SETTINGS, private_hosts=("rooms.internal",))) as harness:
        assert await status(harness, "rooms.internal:8081") == 200
        assert await status(harness, "Rooms.Internal") == 200
        assert await status(harness, "localhost") == 200
        assert await status(harness, "x.rooms.internal") == 404


@pytest.mark.parametrize(("names", "expected"), [((), 200), (("rooms.internal",), 404)])
async def test_other_listener_is_checked_only_if_names_are_set(names: tuple[str, ...], expected: int) -> None:
    settings = replace(SETTINGS, private_listen=EVERYWHERE, private_hosts=names)
    async with serving(settings) as harness:
        assert await status(harness, "roomctl-private.roomctl.svc") == expected
        assert await status(harness, "10.0.0.7:8081") == 200


async def test_webhook_is_exempt_because_it_is_signed() -> None:
    async with serving() as harness:
        assert await status(harness, "controller:8081", "/livekit/webhook", "POST") == 401
        assert await status(harness, "controller:8081", "/livekit/webhook/", "POST") == 404
        assert await status(harness, "controller:8081", "/livekit/../healthz") == 404


async def test_public_listener_answers_to_any_name() -> None:
    async with serving(replace(SETTINGS, private_hosts=("rooms.internal",))) as harness:
        answer = await raw(
            harness.sidecar.public, b"GET /openapi.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        assert answer.status == 200
