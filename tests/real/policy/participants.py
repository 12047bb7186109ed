"""People who try everything in a room, and one who notes what of it reaches the others."""

import asyncio
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import Final

from livekit import rtc

from tests.real.policy.table import CAMERA, DATA, MICROPHONE, SCREEN, SCREEN_AUDIO
from tests.support.participants import Guest

SOURCES: Final = {
    CAMERA: rtc.TrackSource.SOURCE_CAMERA,
    MICROPHONE: rtc.TrackSource.SOURCE_MICROPHONE,
    SCREEN: rtc.TrackSource.SOURCE_SCREENSHARE,
    SCREEN_AUDIO: rtc.TrackSource.SOURCE_SCREENSHARE_AUDIO,
}
PICTURES: Final = (CAMERA, SCREEN)
END: Final = "end"
ASK_AGAIN: Final = 10.0
"""Seconds: LiveKit's client gives a track up for good whose name comes more than five after it (measured)."""


class Witness:
    """What somebody inside is shown: `seen` holds the names of tracks and the texts of data packets."""

    def __init__(self, person: Guest) -> None:
        self.person = person
        self.seen: set[str] = set()
        self.renamed: set[str] = set()
        self._news = asyncio.Condition()
        self._telling: set[asyncio.Task[None]] = set()
        room = person.room
        room.on("track_subscribed", lambda _, publication, __: self._note(self.seen, publication.name))
        room.on("data_received", lambda packet: self._note(self.seen, packet.data.decode()))
        room.on("participant_metadata_changed", lambda them, *_: self._note(self.renamed, them.identity))
        room.on("participant_name_changed", lambda them, *_: self._note(self.renamed, them.identity))
        room.on("participant_attributes_changed", lambda _, them: self._note(self.renamed, them.identity))

    def _note(self, where: set[str], what: str) -> None:
        where.add(what)
        task = asyncio.create_task(self._tell())
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    async def until(self, wanted: AbstractSet[str]) -> None:
        """Return when all of `wanted` was seen."""
        while not wanted <= self.seen:
            with suppress(TimeoutError):
                async with asyncio.timeout(ASK_AGAIN), self._news:
                    await self._news.wait_for(lambda: wanted <= self.seen)
                return
            self.ask_again()

    def ask_again(self) -> None:
        """For what others publish, and was not shown."""
        for someone in self.person.room.remote_participants.values():
            for publication in someone.track_publications.values():
                if publication.name not in self.seen:
                    publication.set_subscribed(False)
                    publication.set_subscribed(True)


class Actress:
    """Somebody who tries to send everything; `accepted` is what the server has said yes to."""

    def __init__(self, role: str, person: Guest) -> None:
        self.role, self.person = role, person
        self._tries: dict[str, asyncio.Task[rtc.LocalTrackPublication]] = {}

    def called(self, what: str) -> str:
        """The name under which others see it."""
        return f"{self.role}: {what}"

    @property
    def accepted(self) -> set[str]:
        return {what for what, task in self._tries.items() if task.done() and task.exception() is None} - {
            END
        }

    async def try_all(self) -> None:
        """Publish each source, send data, write about herself. One who may not is told nothing."""
        for what, source in SOURCES.items():
            self._tries[what] = asyncio.create_task(self._publish(what, source))
        await self.person.say(self.called(DATA).encode())
        me = self.person.room.local_participant
        await asyncio.gather(
            me.set_metadata("mine"), me.set_name("somebody else"), me.set_attributes({"role": "speaker"})
        )

    async def end(self) -> None:
        """Once she may do everything: the answers to this come after those to all that she tried before."""
        everything = sorted(SOURCES.values())
        await self.person.until(can_publish=True, can_publish_data=True, can_publish_sources=everything)
        self._tries[END] = asyncio.create_task(self._publish(END, SOURCES[MICROPHONE]))
        await self.person.say(self.called(END).encode())
        await self._tries[END]

    async def has_sent(self, whats: AbstractSet[str]) -> None:
        """Return when the client knows, too, that the server has said yes to these."""
        await asyncio.gather(*(self._tries[what] for what in whats))

    async def _publish(self, what: str, source: rtc.TrackSource.ValueType) -> rtc.LocalTrackPublication:
        options = rtc.TrackPublishOptions(source=source)
        me = self.person.room.local_participant
        if what not in PICTURES:
            sound = rtc.LocalAudioTrack.create_audio_track(self.called(what), rtc.AudioSource(48_000, 1))
            return await me.publish_track(sound, options)
        frames = rtc.VideoSource(64, 48)
        picture = rtc.LocalVideoTrack.create_video_track(self.called(what), frames)
        published = await me.publish_track(picture, options)
        frames.capture_frame(rtc.VideoFrame(64, 48, rtc.VideoBufferType.RGBA, bytes(64 * 48 * 4)))
        return published

    async def give_up(self) -> None:
        """The client itself would wait ten seconds for each answer that never comes."""
        for task in self._tries.values():
            task.cancel()
        await asyncio.gather(*self._tries.values(), return_exceptions=True)
