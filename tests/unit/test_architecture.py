"""What the architecture promises and the other checks do not see."""

import inspect

from controller.live.client import ApiReader, ApiWriter


def calls(face: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(face, inspect.isfunction) if not name.startswith("_")}


def test_what_observes_livekit_has_no_way_to_write() -> None:
    lists = {"rooms", "participants", "recordings", "recording", "recordings_of"}
    assert calls(ApiReader) == lists | {"is_connected"}  # it sends an update that changes nothing
    rooms = {"create_room", "delete_room", "update_metadata", "update_permission"}
    assert calls(ApiWriter) == rooms | {"start_recording", "stop_recording"}
