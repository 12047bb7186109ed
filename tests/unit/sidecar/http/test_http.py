"""The edge: bodies, paths, methods, origins, slow and many clients, and the end."""

import ast
import asyncio
import gzip
import inspect
import json
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import base_protocol, web_protocol, web_request, web_response, web_server
from hypothesis import given
from hypothesis import strategies as st

from controller.errors import RoomctlError
from controller.settings_parsers import Address
from controller.sidecar.http import protocol
from controller.sidecar.http.response import Response
from tests.unit.sidecar.harness import (
    FIND,
    ROOM_ID,
    ROOM_NAME,
    SETTINGS,
    TOKEN,
    Harness,
    ask,
    raw,
    reply,
    serving,
)
from tests.unit.sidecar.http.test_body import JSON_VALUES

pytestmark = pytest.mark.asyncio(loop_scope="module")

GOOD = json.dumps({"id": ROOM_ID}).encode()
ORIGIN = "https://meet.example"


class TestBodies:
    @pytest.mark.parametrize(
        "body",
        [
            b"[]",
            b"null",
            b'"text"',
            b"7",
            b" ",
            b"{",
            b'{"id": "a",}',
            b"{'id': 'a'}",
            b'{"id": "a"} x',
            b'{"id": NaN}',
            b'{"x": -Infinity}',
            b'{"x": 1e999}',
            b'{"id": "a", "id": "a"}',
            b'{"x": {"a": 1, "a": 2}}',
            b'{"id": "\\ud800"}',
            b'{"\\udfff": 1}',
            b'{"id": "\xff"}',
            b'{"id": "\xed\xa0\x80"}',
            b"\xef\xbb\xbf{}",
            b'{"x": 9223372036854775808}',
            b'{"x": -9223372036854775809}',
            b'{"x": ' + b"9" * 5000 + b"}",
            b'{"x": ' + b"[" * 8 + b"]" * 8 + b"}",
            b"[" * 60_000,
            b'{"x": [[[[[[[[["' + b'\\"' * 32_000,
            b'{"x": "\t"}',
            "{}".encode("utf-16"),
        ],
    )
    async def test_what_is_no_plain_object_is_a_bad_request(self, body: bytes) -> None:
        async with serving() as harness:
            for path in (FIND, TOKEN):
                answer = await ask(harness.sidecar.public, "POST", path, body)
                assert (answer.status, answer.code) == (400, "BAD_REQUEST")

    @pytest.mark.parametrize(
        "extra",
        [
            '"x": 9223372036854775807',
            '"x": -9223372036854775808',
            '"x": [[[[[[[1]]]]]]]',
            '"x": "[[[[[[[[[[[[[[\\"[[[[[["',
            '"x": "\\ud83d\\ude00"',
            '"x": null',
            '"x": 1.5e3',
        ],
    )
    async def test_unknown_keys_are_ignored(self, extra: str) -> None:
        async with serving() as harness:
            body = f'{{"id": "{ROOM_ID}", {extra}}}'.encode()
            assert (await ask(harness.sidecar.public, "POST", FIND, body)).status == 200

    async def test_an_empty_body_is_an_empty_object(self) -> None:
        async with serving() as harness:
            assert (await ask(harness.sidecar.public, "POST", FIND)).code == "INVALID_FIELD"

    async def test_64_kib_are_the_most(self) -> None:
        async with serving() as harness:
            for size, status in ((64 * 1024, 200), (64 * 1024 + 1, 413)):
                body = GOOD + b" " * (size - len(GOOD))
                chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
                head = f"POST {FIND} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n".encode()
                plain = await ask(harness.sidecar.public, "POST", FIND, body)
                streamed = await raw(
                    harness.sidecar.public, head + b"Transfer-Encoding: chunked\r\n\r\n" + chunked
                )
                assert [plain.status, streamed.status] == [status, status]
                assert status == 200 or plain.code == streamed.code == "PAYLOAD_TOO_LARGE"

    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({}, 200),
            ({"Content-Type": "application/json"}, 200),
            ({"Content-Type": "application/json; charset=utf-8"}, 200),
            ({"Content-Type": 'Application/JSON;charset="UTF-8"'}, 200),
            ({"Content-Type": "application/json; charset=latin-1"}, 415),
            ({"Content-Type": "text/plain"}, 415),
            ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
            ({"Content-Encoding": "identity"}, 415),
            ({"Content-Encoding": "gzip"}, 415),
        ],
    )
    async def test_only_plain_json_is_taken(self, headers: dict[str, str], status: int) -> None:
        async with serving() as harness:
            body = gzip.compress(GOOD) if headers.get("Content-Encoding") == "gzip" else GOOD
            answer = await ask(harness.sidecar.public, "POST", FIND, body, headers)
            assert answer.status == status
            assert status == 200 or answer.code == "UNSUPPORTED_MEDIA_TYPE"

    async def test_who_waits_for_100_continue_gets_it(self) -> None:
        async with serving() as harness:
            address = harness.sidecar.public
            reader, writer = await asyncio.open_connection(address.host, address.port)
            head = f"POST {FIND} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\n"
            writer.write(f"{head}Content-Length: {len(GOOD)}\r\n\r\n".encode())
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(GOOD)
            assert reply(await reader.read()).status == 200
            writer.close()
            await writer.wait_closed()


FIELDS = st.sampled_from(
    ["room_id", "LKRoomName", "participant_id", "participant_name", "hidden", "egress_mode_token", "id", "x"]
)
NEARLY_RIGHT = st.sampled_from([ROOM_ID, ROOM_NAME, "jane", True, False, None])


@pytest_asyncio.fixture(scope="module", loop_scope="module", name="shared")
async def _shared() -> AsyncIterator[Harness]:
    async with serving() as harness:
        yield harness


@given(content=st.dictionaries(FIELDS, NEARLY_RIGHT | JSON_VALUES))
async def test_no_body_is_ever_our_fault(shared: Harness, content: dict[str, Any]) -> None:
    for path in (FIND, TOKEN):
        answer = await shared.post(path, content)
        assert answer.status in (200, 400, 404, 409)
        assert answer.status == 200 or answer.code


class TestTargets:
    @pytest.mark.parametrize(
        "target",
        [
            "/",
            "//",
            "/" + FIND,
            FIND + "/",
            FIND.replace("/api", "//api"),
            FIND.replace("/api", "/api/."),
            "/x/.." + FIND,
            FIND.replace("findLK", "%66indLK"),
            FIND.replace("public/", "public%2f"),
            FIND.lower(),
            FIND + "%00",
            FIND + ";x",
            "http://test" + FIND,
            "/livekit/webhook",
            "/healthz",
            "/readyz",
            "/metrics",
            "/api/conferences/create",
            "/\\..\\healthz",
            "/public/../healthz",
            "/%2e%2e/healthz",
        ],
    )
    async def test_everything_else_on_the_public_listener_is_one_404(self, target: str) -> None:
        async with serving() as harness:
            for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
                answer = await ask(harness.sidecar.public, method, target)
                assert (answer.status, answer.code) == (404, "NOT_FOUND")

    @pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "TRACE"])
    async def test_other_methods_are_told_what_is_allowed(self, method: str) -> None:
        async with serving() as harness:
            for address, allowed in (
                (harness.sidecar.public, "POST, OPTIONS"),
                (harness.sidecar.private, "POST"),
            ):
                answer = await ask(address, method, TOKEN)
                assert (answer.status, answer.code) == (405, "METHOD_NOT_ALLOWED")
                assert answer.headers["allow"] == allowed

    async def test_a_head_has_no_body(self) -> None:
        async with serving() as harness:
            answer = await ask(harness.sidecar.public, "HEAD", TOKEN)
            assert (answer.status, answer.body) == (405, b"")

    async def test_a_query_changes_nothing(self) -> None:
        async with serving() as harness:
            assert (await ask(harness.sidecar.public, "POST", FIND + "?id=x", GOOD)).status == 200

    @pytest.mark.parametrize(
        "data",
        [
            b"nonsense\r\n\r\n",
            b"GET / HTTP/9\r\n\r\n",
            b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
            b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"GET / HTTP/1.1\r\nX: " + b"y" * 20_000 + b"\r\n\r\n",
            b"GET /" + b"y" * 20_000 + b" HTTP/1.1\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        ],
    )
    async def test_what_is_no_http_is_a_bad_request_in_our_form(self, data: bytes) -> None:
        async with serving() as harness:
            answer = await raw(harness.sidecar.public, data)
            assert (answer.status, answer.code) == (400, "BAD_REQUEST")

    async def test_a_broken_chunk_is_a_bad_request(self) -> None:
        async with serving() as harness:
            head = f"POST {FIND} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
            answer = await raw(harness.sidecar.public, head + b"zz\r\n")
            assert (answer.status, answer.code) == (400, "BAD_REQUEST")


class TestOrigins:
    async def test_by_default_no_page_of_another_origin_may_read(self) -> None:
        async with serving() as harness:
            answer = await harness.post(FIND, {"id": ROOM_ID}, {"Origin": ORIGIN})
            assert answer.status == 200
            assert not [name for name in answer.headers if name.startswith("access-control")]

    @pytest.mark.parametrize(
        ("allowed", "origin", "expected"),
        [
            ((ORIGIN,), ORIGIN, ORIGIN),
            ((ORIGIN,), "https://evil.example", None),
            ((ORIGIN,), "null", None),
            ((ORIGIN,), ORIGIN + ".evil.example", None),
            (("*",), "https://any.example", "*"),
        ],
    )
    async def test_exact_origins_may_call_and_read_errors_too(
        self, allowed: tuple[str, ...], origin: str, expected: str | None
    ) -> None:
        async with serving(replace(SETTINGS, cors_origins=allowed)) as harness:
            for path, body in ((FIND, {"id": ROOM_ID}), (FIND, {}), ("/x", {}), (TOKEN, {"x": 1})):
                answer = await harness.post(path, body, {"Origin": origin})
                assert answer.headers.get("access-control-allow-origin") == expected
                assert answer.headers["vary"] == "Origin"
                assert "access-control-allow-credentials" not in answer.headers

    async def test_a_preflight_names_what_a_page_may_send(self) -> None:
        async with serving(replace(SETTINGS, cors_origins=(ORIGIN,))) as harness:
            asked = {
                "Origin": ORIGIN,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "content-type,x-access-token",
            }
            answer = await ask(harness.sidecar.public, "OPTIONS", TOKEN, headers=asked)
            assert (answer.status, answer.body) == (204, b"")
            assert answer.headers["access-control-allow-methods"] == "POST"
            allowed = answer.headers["access-control-allow-headers"]
            assert allowed == "Content-Type, Authorization, X-Previous-Token"
            assert answer.headers["access-control-allow-origin"] == ORIGIN
            assert answer.headers["vary"] == "Origin"

    async def test_the_private_listener_is_for_no_page(self) -> None:
        async with serving(replace(SETTINGS, cors_origins=("*",))) as harness:
            answer = await ask(harness.sidecar.private, "POST", FIND, GOOD, {"Origin": ORIGIN})
            assert "access-control-allow-origin" not in answer.headers
            assert (
                await ask(harness.sidecar.private, "OPTIONS", FIND, headers={"Origin": ORIGIN})
            ).status == 405


class TestConnections:
    async def test_requests_follow_each_other_on_one_connection(self) -> None:
        async with serving() as harness:
            address = harness.sidecar.public
            reader, writer = await asyncio.open_connection(address.host, address.port)
            head = f"POST {FIND} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(GOOD)}\r\n"
            one, last = f"{head}\r\n".encode() + GOOD, f"{head}Connection: close\r\n\r\n".encode() + GOOD
            writer.write(one + one + last)
            assert (await reader.read()).count(b"HTTP/1.1 200 OK") == 3
            writer.close()
            await writer.wait_closed()

    async def test_half_closed_connection_is_closed_without_an_answer(self) -> None:
        """The request under way ends all the same, and others are served."""
        async with serving() as harness, asyncio.timeout(20):
            harness.people.held = asyncio.Event()
            address = harness.sidecar.public
            reader, writer = await asyncio.open_connection(address.host, address.port)
            body = json.dumps({"room_id": ROOM_ID, "LKRoomName": ROOM_NAME, "participant_id": "jane"})
            writer.write(
                f"POST {TOKEN} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
            )
            await harness.people.asked.wait()
            writer.write_eof()
            assert await reader.read() == b""
            harness.people.held.set()
            assert (await harness.token()).status == 200
            writer.close()
            await writer.wait_closed()

    @pytest.mark.parametrize("answered", [True, False])
    async def test_who_sends_no_more_and_waits_for_nothing_is_let_go(self, answered: bool) -> None:
        async with serving() as harness, asyncio.timeout(20):
            address = harness.sidecar.public
            reader, writer = await asyncio.open_connection(address.host, address.port)
            if answered:
                writer.write(f"POST {FIND} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                await reader.readuntil(b"}")
            writer.write_eof()
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()

    @pytest.mark.parametrize(
        "data",
        [b"POST ", f"POST {FIND} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{{".encode()],
    )
    async def test_a_request_that_does_not_arrive_is_ended(
        self, data: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(protocol, "READ_SECONDS", 0.05)
        async with serving() as harness:
            answer = await raw(harness.sidecar.public, data)
            assert (answer.status, answer.code) == (400, "BAD_REQUEST")

    async def test_an_idle_connection_is_closed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(protocol, "IDLE_SECONDS", 0.05)
        async with serving() as harness, connected(harness.sidecar.public) as reader:
            assert await reader.read() == b""

    async def test_a_body_that_nobody_read_ends_the_connection(self) -> None:
        """What comes after it would be taken for a request."""
        async with serving() as harness:
            address = harness.sidecar.public
            reader, writer = await asyncio.open_connection(address.host, address.port)
            writer.write(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
            answer = await reader.readuntil(b"}")
            assert b"Connection: close" in answer
            writer.write(b"hello")
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()

    async def test_a_client_that_takes_no_answers_is_cut_off(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(protocol, "WRITE_TIMEOUT_SECONDS", 0.05)
        async with serving(replace(SETTINGS, address_requests_per_second=0)) as harness:
            address = harness.sidecar.public
            reader, writer = await asyncio.open_connection(address.host, address.port, limit=1)
            with pytest.raises(ConnectionError):
                await ask_for_ever(writer)
            assert reader.exception() is not None
            assert (await harness.token()).status == 200

    async def test_the_end_waits_for_nobody(self) -> None:
        """Neither for an idle connection, nor for a body that does not come."""
        harness = Harness()
        idle = f"POST {FIND} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(GOOD)}\r\n\r\n".encode() + GOOD
        async with asyncio.timeout(20):
            async with harness.sidecar.listening() as sidecar:
                address = sidecar.public
                first, second = [await asyncio.open_connection(address.host, address.port) for _ in "12"]
                first[1].write(idle)
                assert b"200 OK" in await first[0].readuntil(b"}")
                second[1].write(idle[:-1])
                await second[1].drain()
                await harness.token()
            assert await first[0].read() == b""
            for _, writer in (first, second):
                writer.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(address.host, address.port)


class TestAddresses:
    async def test_one_that_is_taken_is_named_with_its_setting(self) -> None:
        async with serving() as harness:
            taken = harness.sidecar.private
            second = Harness(replace(SETTINGS, private_listen=taken))
            with pytest.raises(RoomctlError, match=f"{taken.port} .ROOMCTL_PRIVATE_LISTEN"):
                async with second.sidecar.listening():
                    pass
            with pytest.raises(OSError, match=r"."):
                await ask(second.sidecar.public, "GET", "/")

    async def test_one_that_is_not_ours_is_named_too(self) -> None:
        harness = Harness(replace(SETTINGS, public_listen=Address("203.0.113.7", 0)))
        with pytest.raises(RoomctlError, match=r"203\.0\.113\.7:0 .ROOMCTL_PUBLIC_LISTEN"):
            async with harness.sidecar.listening():
                pass


async def test_what_breaks_inside_is_an_internal_error_without_its_words(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serving() as harness:
        harness.people.error = ZeroDivisionError("jane-secret")
        with caplog.at_level(logging.DEBUG):
            answer = await harness.token({"X-Previous-Token": "token-secret"})
        assert (answer.status, answer.code) == (500, "INTERNAL")
        seen = capsys.readouterr()
        assert "request failed" in seen.out + seen.err
        assert "secret" not in answer.json["error"] + caplog.text + seen.out + seen.err


class Wire:
    """A transport that keeps what it is handed."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def is_closing(self) -> bool:
        return False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def writelines(self, data: list[bytes]) -> None:
        self.written += data


async def test_what_is_long_is_not_copied_for_each_client_who_does_not_read() -> None:
    wire, content = Wire(), b"x" * 600_000
    asked: Any = SimpleNamespace(transport=wire, writer=None, method="GET", keep_alive=True)
    await Response(content).prepare(asked)
    head, sent = wire.written
    assert head.endswith(b"\r\n\r\n")
    assert sent is content


async def ask_for_ever(writer: asyncio.StreamWriter) -> None:
    """Requests without end, and no answer is ever read."""
    while True:
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 1000)
        await writer.drain()


@asynccontextmanager
async def connected(address: Address) -> AsyncIterator[asyncio.StreamReader]:
    reader, writer = await asyncio.open_connection(address.host, address.port)
    try:
        yield reader
    finally:
        writer.close()
        await writer.wait_closed()


async def test_no_private_name_of_aiohttp_is_used() -> None:
    """A release of aiohttp may change one without notice, and a subclass may hide one by accident."""
    private = {
        name
        for module in (base_protocol, web_protocol, web_request, web_response, web_server)
        for name in re.findall(r"\bself\.(_\w+)", inspect.getsource(module))
    }
    assert "_manager" in private
    used = {
        node.attr
        for file in Path(protocol.__file__).parent.glob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute)
    }
    assert not used & private
