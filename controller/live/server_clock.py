"""How far our clock is ahead of LiveKit's, by the Date header of its responses."""

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from types import SimpleNamespace
from typing import Final

import aiohttp

MAX_DELAY_SECONDS: Final = 2.0
"""The Date of a response that took longer is too imprecise."""


class ServerClock:
    """`ahead_s` in seconds, None before the first Date. Half a second is added to its whole seconds."""

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self.ahead_s: float | None = None

    def observe(self, date: str, took: float) -> None:
        """The Date of a response that just arrived, `took` seconds after the request."""
        try:
            theirs = parsedate_to_datetime(date).timestamp() + 0.5
        except ValueError:
            return
        if took <= MAX_DELAY_SECONDS:
            self.ahead_s = self._wall() - took / 2 - theirs

    def trace(self) -> aiohttp.TraceConfig:
        """For a session of aiohttp: observes every response."""
        config = aiohttp.TraceConfig()
        config.on_request_start.append(_started)
        config.on_request_end.append(self._ended)
        return config

    async def _ended(self, _: object, context: SimpleNamespace, end: aiohttp.TraceRequestEndParams) -> None:
        if date := end.response.headers.get("Date"):
            self.observe(date, time.monotonic() - context.began)


async def _started(_: object, context: SimpleNamespace, _start: object) -> None:
    context.began = time.monotonic()
