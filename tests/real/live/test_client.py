"""What the client promises, on a real livekit-server."""

import uuid

from controller.live.client import Actor, Observer
from controller.live.room import STAY_SECONDS


async def test_a_room_is_made_listed_and_deleted(observer: Observer, actor: Actor) -> None:
    name = str(uuid.uuid4())
    made = await actor.create_room(name, "first", 5)
    listed = {room.name: room for room in await observer.rooms()}
    assert listed[name] == made
    assert made.sid.startswith("RM_")
    assert (made.metadata, made.max_participants) == ("first", 5)
    assert made.empty_timeout == made.departure_timeout == STAY_SECONDS
    assert made.created_at > 1_600_000_000_000
    await actor.delete_room(name)
    assert name not in {room.name for room in await observer.rooms()}
