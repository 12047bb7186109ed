"""How many people are inside, for `get`: from LiveKit where its settings are there and it answers in time."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

from controller.access.people import is_person
from controller.app import connection
from controller.errors import LiveKitError
from controller.live.client import ApiReader
from controller.live.ports import LiveKitReader
from controller.records.record import RoomRecord
from controller.settings import Settings

COUNT_TIMEOUT_SECONDS: Final = 3.0
"""Seconds in all: whoever asks for rooms does not wait for LiveKit."""


async def count_people(settings: Settings, records: Sequence[RoomRecord]) -> Mapping[str, int]:
    """People by room id; a room of which it is not known is absent. Never fails."""
    if not (settings.livekit_url and settings.livekit_api_key and settings.livekit_api_secret):
        return {}
    async with connection(settings, deadline=COUNT_TIMEOUT_SECONDS) as opened:
        return await count_inside(ApiReader(opened), records)


async def count_inside(reader: LiveKitReader, records: Sequence[RoomRecord]) -> Mapping[str, int]:
    """The same by an observer; ListParticipants for each live room, since ListRooms lags by seconds."""
    counts: dict[str, int] = {}

    async def count(record: RoomRecord, name: str) -> None:
        counts[record.id] = sum(is_person(person) for person in await reader.participants(name))

    with suppress(LiveKitError, TimeoutError):
        async with asyncio.timeout(COUNT_TIMEOUT_SECONDS):
            live = {room.name for room in await reader.rooms()}
            named = [(record, record.live.name) for record in records if record.live is not None]
            counts.update((r.id, 0) for r in records if r.live is None or r.live.name not in live)
            await asyncio.gather(
                *(count(record, name) for record, name in named if name in live), return_exceptions=True
            )
    return counts
