"""Takes LiveKit's webhooks, and keeps what they say: to see what anybody who receives them can read."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.support.ports import free_ports
from tests.support.wait import until


class WebhookCapture:
    """`bodies` are the texts of all webhooks so far. Give LiveKit its `url` beside the controller's."""

    def __init__(self) -> None:
        (self._port,) = free_ports(1)
        self.bodies: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/"

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Self]:
        app = web.Application()
        app.router.add_post("/", self._take)
        async with TestServer(app, port=self._port):
            yield self

    async def _take(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.text())
        return web.Response()

    def said(self, event: str, room: str, identity: str = "") -> list[dict[str, Any]]:
        """The webhooks of that kind about a LiveKit room, and about one participant."""
        documents = [json.loads(body) for body in self.bodies]
        return [
            one
            for one in documents
            if one["event"] == event
            and room in (one.get("room", {}).get("name"), one.get("egressInfo", {}).get("roomName"))
            and identity in ("", one.get("participant", {}).get("identity"))
        ]

    async def until_said(self, event: str, room: str, identity: str = "") -> dict[str, Any]:
        """The first of them, once there is one."""

        async def so() -> bool:
            return bool(self.said(event, room, identity))

        await until(so)
        return self.said(event, room, identity)[0]
