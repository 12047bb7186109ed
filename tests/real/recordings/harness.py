"""A site on a LiveKit with Redis and an egress worker, and what a test of recordings asks there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from controller.errors import LiveKitError, StoreError
from controller.live.egress import Egress
from controller.records import open_store
from controller.records.record import RoomRecord
from controller.records.recordings import RecordingRow
from tests.support.controller import Site
from tests.support.egress import RecordingStack
from tests.support.participants import Guest, guest, token
from tests.support.ports import free_ports
from tests.support.wait import until

OUTPUT: Final = "file:///recordings/{key}/{start}-{id}.mp4"
IDLE: Final = "2"


class RecordingSite(Site):
    """A site whose rooms are recorded."""

    stack: RecordingStack

    async def egresses(self, *, ended: bool = True) -> list[Egress]:
        """All that LiveKit remembers of the recordings of this site's rooms."""
        names = [name for record in (await self.records()).values() for name in _names(record)]
        matches = [one for name in names for one in await self.reader.recordings_of(name)]
        return [one for one in matches if ended or not one.status.ended]

    async def rows(self) -> list[RecordingRow]:
        """The collection `recordings`, the latest first."""
        async with open_store(replace(self.access, read_only=True)) as store:
            await store.refresh()
            return await store.recordings.find()

    async def until_recording(self, key: str, status: str, reason: str = "", within: float = 60.0) -> str:
        """Return when the condition Recording says that; its message then."""

        def so(record: RoomRecord) -> bool:
            current = record.status.condition("Recording")
            return current is not None and current.status == status and reason in ("", current.reason)

        condition = (await self.until_record(key, so, within)).status.condition("Recording")
        assert condition is not None
        return condition.message

    async def recorded(self, key: str, within: float = 60.0) -> Egress:
        """The one egress of the room, once the condition says that it is being recorded."""
        await self.until_recording(key, "True", within=within)
        matches: list[Egress] = []

        async def noted() -> bool:
            """The condition may say so before the row does."""
            nonlocal matches
            with suppress(LiveKitError, StoreError):
                files = await self._files(key)
                matches = [one for one in await self.egresses(ended=False) if one.file in files]
                return len(matches) == 1
            return False

        await until(noted, within)
        return matches[0]

    async def _files(self, key: str) -> set[str]:
        return {row.file for row in await self.rows() if row.key == key and row.recorded_from is not None}

    async def ended(self, key: str, *states: str, within: float = 90.0) -> list[RecordingRow]:
        """The room's rows, the eldest first, once they are in these states."""
        matches: list[RecordingRow] = []

        async def so() -> bool:
            nonlocal matches
            try:
                rows = [row for row in await self.rows() if row.key == key]
            except (StoreError, LiveKitError):
                return False
            matches = sorted(rows, key=lambda row: (row.started, row.egress_id))
            return [str(row.state) for row in matches] == list(states)

        await until(so, within)
        return matches

    @asynccontextmanager
    async def person(self, key: str, identity: str = "ann", **grants: Any) -> AsyncIterator[Guest]:
        """Somebody with media in the room."""
        pass_ = token(self.livekit, await self.room_name(key), identity, can_publish=True, **grants)
        async with guest(self.livekit.ws_url, pass_) as someone:
            yield someone


def _names(record: RoomRecord) -> set[str]:
    names = {old.name for old in record.retired}
    return names | ({record.live.name} if record.live is not None else set())


@asynccontextmanager
async def recording_site(
    folder: Path, mongodb: str, *, hooks: bool = True, also_tell: str = "", **more: Any
) -> AsyncIterator[RecordingSite]:
    """Everything that it takes; `more` are settings (ROOMCTL_…) and the worker's switches.

    `also_tell` is another URL for LiveKit's webhooks.
    """
    (port,) = free_ports(1)
    hook = f"http://127.0.0.1:{port}/livekit/webhook {also_tell}" if hooks else None
    settings = {name: value for name, value in more.items() if name.isupper()}
    switches = {name: value for name, value in more.items() if not name.isupper()}
    recording = {"ROOMCTL_RECORDING_OUTPUT": OUTPUT, "ROOMCTL_RECORDING_IDLE_SECONDS": IDLE}
    async with (
        RecordingStack(folder / "stack", webhook_url=hook, **switches) as stack,
        RecordingSite(folder, stack.livekit, mongodb=mongodb, **(recording | settings)) as site,
    ):
        site.private, site.stack = port, stack
        yield site
