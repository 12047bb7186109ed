"""How far our clock is ahead of LiveKit's, by the Date of its answers."""

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from types import SimpleNamespace
from typing import Final

import aiohttp

MAX_DELAY_SECONDS: Final = 2.0
"""An answer that took longer says too little about the time at which it was written."""


class ServerClock:
    """`ahead_s` in seconds, None while no answer had a Date. To whole seconds half of one is added."""

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self.ahead_s: float | None = None

    def observe(self, date: str, took: float) -> None:
        """The Date of an answer that came just now, `took` seconds after it was asked for."""
        try:
            theirs = parsedate_to_datetime(date).timestamp() + 0.5
        except ValueError:
            return
        if took <= MAX_DELAY_SECONDS:
            self.ahead_s = self._wall() - took / 2 - theirs

    def trace(self) -> aiohttp.TraceConfig:
        """For a session of aiohttp: every answer is observed."""
        config = aiohttp.TraceConfig()
        config.on_request_start.append(_started)
        config.on_request_end.append(self._ended)
        return config

    async def _ended(self, _: object, context: SimpleNamespace, end: aiohttp.TraceRequestEndParams) -> None:
        if date := end.response.headers.get("Date"):
            self.observe(date, time.monotonic() - context.began)


async def _started(_: object, context: SimpleNamespace, _start: object) -> None:
    context.began = time.monotonic()
