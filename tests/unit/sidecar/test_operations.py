"""The private listener: webhooks, health, readiness, metrics."""

import base64
import hashlib
import json
from typing import Any

import jwt
import pytest

from controller.live.webhook import WebhookEvent
from tests.unit.sidecar.harness import FIND, KEY, NOW, SECRET, Harness, ask, raw, serving

EVENT = {"event": "room_finished", "id": "EV_1", "room": {"name": "a-room", "sid": "RM_9"}}
BODY = json.dumps(EVENT).encode()


def signed(body: bytes, *, key: str = KEY, secret: str = SECRET, **claims: Any) -> dict[str, str]:
    """The headers LiveKit sends with `body`."""
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    token = jwt.encode({"iss": key, "exp": NOW + 300, "sha256": digest, **claims}, secret, "HS256")
    return {"Authorization": token, "Content-Type": "application/webhook+json"}


async def hook(harness: Harness, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    answer = await ask(harness.sidecar.private, "POST", "/livekit/webhook", body, headers)
    return answer.status, "" if answer.status == 200 else answer.code


async def test_a_webhook_of_livekit_is_handed_on_as_a_hint() -> None:
    async with serving() as harness:
        assert await hook(harness, BODY, signed(BODY)) == (200, "")
        assert harness.hints == [WebhookEvent("room_finished", id="EV_1", room="a-room", sid="RM_9")]
        assert (
            b'roomctl_webhooks_total{event="room_finished",outcome="taken",reason=""} 1.0'
            in harness.metrics.text()
        )


_KEY = "The webhook is not signed with LIVEKIT_API_KEY and its secret; "
_BODY = "The body of the webhook is not the one that was signed; "
_TIME = "The webhook's token is expired or not valid yet; "


@pytest.mark.parametrize(
    ("headers", "reason", "sentence"),
    [
        ({}, "key", _KEY),
        ({"Authorization": "nonsense"}, "key", _KEY),
        ({"Authorization": "a.b.c"}, "key", _KEY),
        ({"Authorization": "caf\xe9"}, "key", _KEY),
        (signed(BODY + b" "), "body", _BODY),
        (signed(BODY, key="other"), "key", _KEY),
        (signed(BODY, secret=SECRET[::-1]), "key", _KEY),
        (signed(BODY, exp=NOW - 3600), "time", _TIME),
        ({"Authorization": "Bearer " + signed(BODY)["Authorization"]}, "key", _KEY),
    ],
)
async def test_any_other_is_refused_with_the_reason_and_hints_at_nothing(
    headers: dict[str, str], reason: str, sentence: str
) -> None:
    async with serving() as harness:
        answer = await ask(harness.sidecar.private, "POST", "/livekit/webhook", BODY, headers)
        assert (answer.status, answer.code) == (401, "UNAUTHORIZED")
        assert answer.json["error"].startswith(sentence)
        assert harness.hints == []
        counted = f'roomctl_webhooks_total{{event="unknown",outcome="refused",reason="{reason}"}} 1.0'
        assert counted in harness.metrics.text().decode()


async def test_a_webhook_may_be_a_mebibyte() -> None:
    async with serving() as harness:
        for size, status in ((1024 * 1024, 200), (1024 * 1024 + 1, 413)):
            body = BODY + b" " * (size - len(BODY))
            assert (await hook(harness, body, signed(body)))[0] == status


async def test_no_body_is_waited_for_that_nobody_signed() -> None:
    head = b"POST /livekit/webhook HTTP/1.1\r\nHost: test\r\n"
    async with serving() as harness:
        for length in (b"Content-Length: 1048576", b"Transfer-Encoding: chunked"):
            answer = await raw(harness.sidecar.private, head + length + b"\r\n\r\n")
            assert (answer.status, answer.code) == (401, "UNAUTHORIZED")
        too_long = await raw(harness.sidecar.private, head + b"Content-Length: 1048577\r\n\r\n")
        assert (too_long.status, too_long.code) == (413, "PAYLOAD_TOO_LARGE")


async def test_a_webhook_is_taken_before_anything_is_known() -> None:
    async with serving() as harness:
        harness.state.livekit.seen = None
        assert await hook(harness, BODY, signed(BODY)) == (200, "")


async def test_health_is_a_loop_that_turns() -> None:
    async with serving() as harness:

        async def status() -> int:
            return (await ask(harness.sidecar.private, "GET", "/healthz")).status

        assert await status() == 200
        harness.clock.now += 61
        assert await status() == 503
        harness.state.record_pass(harness.clock())
        assert await status() == 200
        harness.clock.now += 60
        assert await status() == 200
        harness.clock.now += 1
        assert await status() == 503


async def test_readiness_says_what_is_away() -> None:
    async with serving() as harness:

        async def ready() -> tuple[int, Any]:
            answer = await ask(harness.sidecar.private, "GET", "/readyz")
            return answer.status, answer.json

        harness.state.record_leading(True)
        all_is_well = {"ready": True, "leader": True, "livekit": True, "mongodb": True, "clock": True}
        assert await ready() == (200, all_is_well)
        harness.state.mongodb.record_failure(OSError("it is away"))
        assert await ready() == (200, {**all_is_well, "mongodb": False})
        harness.clock.now += 301
        assert await ready() == (503, {**all_is_well, "ready": False, "mongodb": False})
        harness.state.livekit.seen = None
        harness.state.record_leading(False)
        status, content = await ready()
        assert (status, content["ready"], content["leader"]) == (503, False, False)


async def test_metrics_say_what_happened() -> None:
    async with serving() as harness:
        await harness.token()
        await harness.post(FIND, {"id": "unknown"})
        harness.state.mongodb.record_failure(OSError("it is away"))
        harness.clock.now += 7
        seen_at = harness.wall() - 7
        answer = await ask(harness.sidecar.private, "GET", "/metrics")
        assert (answer.status, answer.headers["content-type"].partition(";")[0]) == (200, "text/plain")
        lines = answer.body.decode().splitlines()
        assert {
            'roomctl_tokens_total{role="guest"} 1.0',
            'roomctl_refusals_total{code="ROOM_NOT_FOUND"} 1.0',
            'roomctl_helper_seconds_count{helper="createToken"} 1.0',
            'roomctl_dependency_up{dependency="livekit"} 1.0',
            'roomctl_dependency_up{dependency="mongodb"} 0.0',
            "roomctl_leader 0.0",
        } <= set(lines)
        assert all(line.startswith(("roomctl_", "# ")) for line in lines)
        seen = dict(line.rsplit(" ", 1) for line in lines)
        name = 'roomctl_dependency_last_success_timestamp_seconds{dependency="mongodb"}'
        assert float(seen[name]) == seen_at


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_these_are_read_only(path: str) -> None:
    async with serving() as harness:
        private = harness.sidecar.private
        assert (await ask(private, "HEAD", path)).body == b""
        answer = await ask(private, "POST", path)
        assert (answer.status, answer.code, answer.headers["allow"]) == (
            405,
            "METHOD_NOT_ALLOWED",
            "GET, HEAD",
        )


@pytest.mark.parametrize(
    "target",
    ["/", "//healthz", "/healthz/", "/x/../metrics", "/%68ealthz", "/livekit/webhook/", "/livekit//webhook"],
)
async def test_everything_else_on_the_private_listener_is_one_404(target: str) -> None:
    async with serving() as harness:
        for method in ("GET", "POST"):
            answer = await ask(harness.sidecar.private, method, target)
            assert (answer.status, answer.code) == (404, "NOT_FOUND")
