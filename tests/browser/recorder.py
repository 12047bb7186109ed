"""LiveKit's egress worker as far as the page that it records can tell: a browser with a recorder's token."""

import asyncio
from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from math import sin, tau
from typing import Final
from urllib.parse import urlencode

from livekit import rtc
from livekit.api import AccessToken, VideoGrants
from playwright.async_api import ConsoleMessage, Page

from tests.browser.visitor import Visitor
from tests.support.controller import Site
from tests.support.livekit import LiveKitServer
from tests.support.participants import Guest
from tests.support.wait import until

IDENTITY: Final = "EG_recorder"
RATE: Final = 48_000
"""Samples of sound a second."""
START, END = "START_RECORDING", "END_RECORDING"


def recorder_token(livekit: LiveKitServer, room: str) -> str:
    """As the worker mints it for itself."""
    grants = VideoGrants(
        room_join=True,
        room=room,
        can_subscribe=True,
        can_publish=False,
        can_publish_data=False,
        hidden=True,
        recorder=True,
    )
    minted = AccessToken(livekit.key, livekit.secret).with_identity(IDENTITY).with_kind("egress")
    return minted.with_grants(grants).to_jwt()


@asynccontextmanager
async def speaking(someone: Guest) -> AsyncIterator[None]:
    """They say something, without a pause."""
    source = rtc.AudioSource(RATE, 1)
    track = rtc.LocalAudioTrack.create_audio_track("voice", source)
    options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
    await someone.room.local_participant.publish_track(track, options)
    sound = array("h", (int(12_000 * sin(n * 440 * tau / RATE)) for n in range(RATE // 10))).tobytes()

    async def speak() -> None:
        while True:
            await source.capture_frame(rtc.AudioFrame(sound, RATE, 1, RATE // 10))

    task = asyncio.create_task(speak())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@dataclass
class Recorder:
    """The page, and what its scripts have written on the console."""

    visitor: Visitor
    said: list[str] = field(default_factory=list)

    @classmethod
    async def on(cls, visitor: Visitor) -> "Recorder":
        recorder = cls(visitor)
        await visitor.page.set_viewport_size({"width": 1280, "height": 720})
        visitor.page.on("console", recorder._note)
        return recorder

    @property
    def page(self) -> Page:
        return self.visitor.page

    def _note(self, message: ConsoleMessage) -> None:
        if message.args:  # the browser's own lines have none
            self.said.append(message.text)

    async def open(self, **query: str) -> None:
        """The page with that query."""
        await self.page.goto(f"{self.visitor.base}/recording/template?{urlencode(query)}")

    async def record(self, house: Site, livekit: LiveKitServer, key: str) -> None:
        """Open the page as the worker does for the room of `key`, and return when it is to record."""
        token = recorder_token(livekit, await house.room_name(key))
        await self.open(layout="grid", url=livekit.ws_url, token=token)
        await self.until_printed(START)

    async def until_printed(self, word: str) -> None:
        """Return when the worker was told."""

        async def is_logged() -> bool:
            return word in self.said

        await until(is_logged)

    async def fault(self) -> str:
        """What the worker finds in the page when it has loaded."""
        return str(await self.page.evaluate("document.querySelector('div.error')?.innerText ?? ''"))
