"""How many people are inside, for `get`: from LiveKit where its settings are there and it answers in time."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

from controller.app import connection
from controller.errors import LiveError
from controller.live.client import Observer
from controller.live.ports import LiveObserver
from controller.records.record import RoomRecord
from controller.settings import Settings

WITHIN: Final = 3.0
"""Seconds in all: whoever asks for rooms does not wait for LiveKit."""


async def count_people(settings: Settings, records: Sequence[RoomRecord]) -> Mapping[str, int]:
    """People by room id; a room of which it is not known is absent. Never fails."""
    if not (settings.livekit_url and settings.livekit_api_key and settings.livekit_api_secret):
        return {}
    async with connection(settings, deadline=WITHIN) as opened:
        return await count_inside(Observer(opened), records)


async def count_inside(observer: LiveObserver, records: Sequence[RoomRecord]) -> Mapping[str, int]:
    """The same by an observer; ListParticipants for each live room, since ListRooms lags by seconds."""
    counted: dict[str, int] = {}

    async def count(record: RoomRecord, name: str) -> None:
        counted[record.id] = sum(person.is_person for person in await observer.participants(name))

    with suppress(LiveError, TimeoutError):
        async with asyncio.timeout(WITHIN):
            live = {room.name for room in await observer.rooms()}
            named = [(record, record.live.name) for record in records if record.live is not None]
            counted.update((r.id, 0) for r in records if r.live is None or r.live.name not in live)
            await asyncio.gather(
                *(count(record, name) for record, name in named if name in live), return_exceptions=True
            )
    return counted
