"""The reference's examples: what it sends to each call, and what it gets back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from controller.room import PRESETS

ROOM_ID: Final = "69f013c1aa11bb22cc33dd44"
LK_ROOM_NAME: Final = "34d4f497-f95b-4543-8d15-fde0b77d8abc"


@dataclass(frozen=True, slots=True)
class Example:
    """A request's body, and the answer to it where the reference prints one."""

    title: str
    body: Mapping[str, Any]
    answer: Any = None


_MAIN_STAGE: Final[Mapping[str, Any]] = {
    "name": "Main stage room",
    "user_id": "USER_ID",
    "mediaType": "MEDIA_TYPE_VIDEO_AUDIO",
    "max_participants": 50,
    "allow_webinar_mode": True,
    "allow_chat": True,
    "allow_share_screen": True,
    "record": False,
    "record_mode": "ROOM_COMPOSITE_GRID",
    "active": True,
}
_ROOM: Final[Mapping[str, Any]] = {
    "_id": ROOM_ID,
    "id": ROOM_ID,
    "name": "Main stage room",
    "user_id": "69360341db559495f643de6a",
    "mediaType": "MEDIA_TYPE_VIDEO_AUDIO",
    "allow_webinar_mode": True,
    "allow_chat": True,
    "allow_share_screen": True,
    "record": False,
    "record_mode": "ROOM_COMPOSITE_GRID",
    "max_participants": 50,
    "sid": "RM_x7h6k4example",
    "active": True,
    "created": "2026-03-24T16:00:00.000Z",
    "modified": "2026-03-24T16:00:00.000Z",
    "success": True,
}
_UPDATED: Final[Mapping[str, Any]] = {
    **_ROOM,
    "name": "Main stage room updated",
    "active": False,
    "modified": "2026-03-24T16:10:00.000Z",
}
_BY_ID: Final[Mapping[str, Any]] = {"id": "VIDEO_CALL_ID"}
_DONE: Final[Mapping[str, Any]] = {"success": True}


def _preset(title: str, name: str, preset: str) -> Example:
    return Example(title, {"name": name, "user_id": "USER_ID", **PRESETS[preset]})


CREATE: Final = (
    Example("Main stage room", _MAIN_STAGE, _ROOM),
    _preset("Standard team room", "Team standup room", "standard-team"),
    _preset("Webinar-ready room", "Guest webinar room", "guest-webinar"),
    _preset("Audio-only room", "Audio briefing room", "audio-briefing"),
    _preset("Recorded speaker room", "Recorded speaker room", "recorded-speaker"),
)
COUNT: Final = (Example("Active rooms", {"filter": {"active": True}}, {"count": 1}),)
LIST: Final = (Example("The first page", {"limit": 10, "skip": 0, "sort": {"created": 1}}, [_ROOM]),)
GET: Final = (Example("One room", _BY_ID, _ROOM),)
UPDATE: Final = (Example("The whole room", {**_BY_ID, **_MAIN_STAGE}, _UPDATED),)
START: Final = (Example("Start", _BY_ID, _DONE),)
STOP: Final = (Example("Stop", _BY_ID, _DONE),)
REMOVE: Final = (Example("Remove", _BY_ID, _DONE),)
FIND: Final = (
    Example(
        "Find",
        _BY_ID,
        {
            "id": ROOM_ID,
            "LKRoomName": LK_ROOM_NAME,
            "allow_webinar_mode": True,
            "allow_chat": True,
            "allow_share_screen": True,
            "record": False,
            "record_mode": "ROOM_COMPOSITE_GRID",
            "success": True,
        },
    ),
)
TOKEN: Final = (
    Example(
        "A speaker's token",
        {
            "room_id": "VIDEO_CALL_ID",
            "LKRoomName": LK_ROOM_NAME,
            "participant_name": "Jane Speaker",
            "participant_id": "participant-123",
            "hidden": False,
        },
        {"participant_token": "<livekit_participant_token>", "LKRoomName": LK_ROOM_NAME, "success": True},
    ),
)
ENDPOINT: Final = (
    Example(
        "LiveKit's SDK",
        {"room_name": "VIDEO_CALL_ID", "participant_name": "Jane Speaker"},
        {"server_url": "ws://localhost:7880", "participant_token": "<livekit_participant_token>"},
    ),
)
