"""A receiver of events, which checks signatures as the library of Standard Webhooks does."""

import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from aiohttp import web
from aiohttp.test_utils import TestServer
from standardwebhooks import Webhook

from tests.support.ports import free_ports

KEY: Final = bytes(range(32))
SECRET: Final = f"whsec_{base64.b64encode(KEY).decode()}"
BODY: Final = "a body that nobody reads"

Answer = Callable[[dict[str, Any]], Awaitable[int]]


async def take(_: dict[str, Any]) -> int:
    """Every event is received."""
    return 204


class EventReceiver:
    """`answer` makes the status for each document; those that got a 2xx are in `received`, all in `requests`.

    `checks_time`: a request that was not signed just now fails; off where clocks are moved by hand.
    """

    def __init__(self, *, checks_time: bool = True) -> None:
        (self.port,) = free_ports(1)
        self.requests: list[dict[str, Any]] = []
        self.received: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.answer: Answer = take
        self._checks_time = checks_time

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook/?tenant=7"

    def ids(self) -> list[str]:
        """The ids of all requests."""
        return [document["id"] for document in self.requests]

    def types(self) -> list[str]:
        """What was received, each event once."""
        return list({document["id"]: document["type"] for document in self.received}.values())

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["EventReceiver"]:
        app = web.Application()
        app.router.add_post("/hook/", self._take)
        async with TestServer(app, port=self.port):
            yield self

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        assert request.query_string == "tenant=7"
        document = json.loads(body)
        if self._checks_time:
            assert Webhook(SECRET).verify(body, dict(request.headers)) == document
        self.requests.append(document)
        self.headers.append(dict(request.headers))
        status = await self.answer(document)
        if 200 <= status < 300:
            self.received.append(document)
        headers = {"Location": "/hook/"} if 300 <= status < 400 else {}
        return web.Response(status=status, text=BODY, headers=headers)
