"""What tests of the stand-in ask LiveKit for."""

from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from livekit import api

from tests.support.egress import RecordingStack
from tests.support.wait import until

STARTING = api.EgressStatus.EGRESS_STARTING
ACTIVE = api.EgressStatus.EGRESS_ACTIVE
ENDING = api.EgressStatus.EGRESS_ENDING
COMPLETE = api.EgressStatus.EGRESS_COMPLETE
FAILED = api.EgressStatus.EGRESS_FAILED
ABORTED = api.EgressStatus.EGRESS_ABORTED


class Asking:
    """LiveKit's own client on a stack."""

    def __init__(self, stack: RecordingStack) -> None:
        self.stack = stack

    async def __aenter__(self) -> Self:
        livekit = self.stack.livekit
        self.api = api.LiveKitAPI(livekit.url, livekit.key, livekit.secret)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.api.aclose()

    async def room(self) -> str:
        """A new one, that stays without people."""
        name = uuid4().hex
        wanted = api.CreateRoomRequest(name=name, empty_timeout=3600, departure_timeout=3600)
        await self.api.room.create_room(wanted)
        return name

    async def start(self, room: str, **asked: Any) -> api.EgressInfo:
        file = api.EncodedFileOutput(filepath=f"/recordings/{room}.mp4")
        wanted = {"layout": "grid", "file_outputs": [file]} | asked
        request = api.RoomCompositeEgressRequest(room_name=room, **wanted)
        return await self.api.egress.start_room_composite_egress(request)

    async def recording(self, room: str, **asked: Any) -> str:
        """The id of one that is ACTIVE."""
        begun = await self.start(room, **asked)
        await self.becomes(begun.egress_id, ACTIVE)
        return begun.egress_id

    async def stop(self, egress_id: str) -> api.EgressInfo:
        return await self.api.egress.stop_egress(api.StopEgressRequest(egress_id=egress_id))

    async def info(self, egress_id: str) -> api.EgressInfo:
        listed = await self.api.egress.list_egress(api.ListEgressRequest(egress_id=egress_id))
        return listed.items[0]

    async def of_room(self, room: str) -> list[api.EgressInfo]:
        listed = await self.api.egress.list_egress(api.ListEgressRequest(room_name=room))
        return list(listed.items)

    async def becomes(self, egress_id: str, status: int) -> api.EgressInfo:
        async def holds() -> bool:
            return (await self.info(egress_id)).status == status

        await until(holds)
        return await self.info(egress_id)

    async def recorders(self, room: str) -> list[api.ParticipantInfo]:
        listed = await self.api.room.list_participants(api.ListParticipantsRequest(room=room))
        return list(listed.participants)

    async def recorder(self, room: str) -> api.ParticipantInfo:
        """The one that is inside, once LiveKit lists it as connected: with Redis that is a moment later."""
        participants: list[api.ParticipantInfo] = []

        async def connected() -> bool:
            participants[:] = await self.recorders(room)
            return [one.state for one in participants] == [api.ParticipantInfo.State.ACTIVE]

        await until(connected)
        return participants[0]

    async def until_listed_as_recorded(self, room: str, wanted: bool) -> None:
        async def so() -> bool:
            listed = await self.api.room.list_rooms(api.ListRoomsRequest(names=[room]))
            return listed.rooms[0].active_recording is wanted

        await until(so)

    def file(self, name: str) -> Path:
        return self.stack.worker.file(name)
