"""What the architecture promises and the other checks do not see."""

import inspect

from controller.live.client import Actor, Observer


def calls(face: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(face, inspect.isfunction) if not name.startswith("_")}


def test_what_observes_livekit_has_no_way_to_write() -> None:
    lists = {"rooms", "participants", "recordings", "recording", "recordings_of"}
    assert calls(Observer) == lists | {"stands"}  # it sends an update that changes nothing
    rooms = {"create_room", "delete_room", "update_metadata", "update_permission"}
    assert calls(Actor) == rooms | {"start_recording", "stop_recording"}
