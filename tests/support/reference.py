"""What the API reference prints, as it prints it: its bodies, its curl commands and their answers."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from controller.room import ANSWER_ORDER, FIELDS

CREATE: Final = """{
  "name": "Main stage room",
  "user_id": "USER_ID",
  "mediaType": "MEDIA_TYPE_VIDEO_AUDIO",
  "max_participants": 50,
  "allow_webinar_mode": true,
  "allow_chat": true,
  "allow_share_screen": true,
  "record": false,
  "record_mode": "ROOM_COMPOSITE_GRID",
  "active": true
}"""
"""The reference's create body."""

ANSWER: Final = """{
"_id": "69f013c1aa11bb22cc33dd44",
"id": "69f013c1aa11bb22cc33dd44",
"name": "Main stage room",
"user_id": "69360341db559495f643de6a",
"mediaType": "MEDIA_TYPE_VIDEO_AUDIO",
"allow_webinar_mode": true,
"allow_chat": true,
"allow_share_screen": true,
"record": false,
"record_mode": "ROOM_COMPOSITE_GRID",
"max_participants": 50,
"sid": "RM_x7h6k4example",
"active": true,
"created": "2026-03-24T16:00:00.000Z",
"modified": "2026-03-24T16:00:00.000Z",
"success": true
}"""
"""The reference's answer to create."""

NEWER: Final = {name: field.default for name, field in FIELDS.items() if name not in json.loads(CREATE)}
"""The fields of a room that the reference does not know, with their defaults."""


def with_newer(printed: Any) -> Any:
    """A printed answer; a room in it has the newer fields too, in the order of roomctl's answers."""
    if isinstance(printed, list):
        return [with_newer(each) for each in printed]
    if "max_participants" in printed:
        order = ("_id", "id", *ANSWER_ORDER, "created", "modified", "success")
    elif "allow_chat" in printed:
        order = ("id", "LKRoomName", *(name for name in FIELDS if FIELDS[name].in_find), "success")
    else:
        order = tuple(printed)
    return {name: printed.get(name, NEWER.get(name)) for name in order}


@dataclass(frozen=True, slots=True)
class Request:
    """What a curl command sends."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: str


@dataclass(frozen=True, slots=True)
class Printed:
    """An example: the curl command, and the answer where one is printed under it."""

    title: str
    curl: str
    answer: str = ""

    @property
    def request(self) -> Request:
        """The command, read as a shell and curl read it."""
        program, *words = shlex.split(self.curl.replace("\\\n", " "))  # shlex joins no lines
        options = list(zip(words[::2], words[1::2], strict=True))
        assert program == "curl"
        assert {name for name, _ in options} == {"--request", "--url", "--header", "--data"}
        only = dict(options)
        headers = dict(value.split(": ", 1) for name, value in options if name == "--header")
        return Request(only["--request"], urlsplit(only["--url"]).path, headers, only["--data"])

    @property
    def sends(self) -> Any:
        """The body, parsed."""
        return json.loads(self.request.body)

    @property
    def answers(self) -> Any:
        """The printed answer, parsed, with the newer fields of a room."""
        return with_newer(json.loads(self.answer))


STANDARD_TEAM: Final = Printed(
    "Standard team room",
    r"""curl --request POST \
--url http://localhost/api/conferences/create \
--header 'x-access-token: <your_api_token>' \
--header 'Content-Type: application/json' \
--data '{
"name": "Team standup room",
"user_id": "USER_ID",
"mediaType": "MEDIA_TYPE_VIDEO_AUDIO",
"max_participants": 20,
"allow_webinar_mode": false,
"allow_chat": true,
"allow_share_screen": true,
"record": false,
"record_mode": "ROOM_COMPOSITE_GRID",
"active": true
}'""",
)
WEBINAR_READY: Final = Printed(
    "Webinar-ready room",
    r"""curl --request POST \
--url http://localhost/api/conferences/create \
--header 'x-access-token: <your_api_token>' \
--header 'Content-Type: application/json' \
--data '{
"name": "Guest webinar room",
"user_id": "USER_ID",
"mediaType": "MEDIA_TYPE_VIDEO_AUDIO",
"max_participants": 200,
"allow_webinar_mode": true,
"allow_chat": true,
"allow_share_screen": false,
"record": false,
"record_mode": "ROOM_COMPOSITE_GRID",
"active": true
}'""",
)
AUDIO_ONLY: Final = Printed(
    "Audio-only room",
    r"""curl --request POST \
--url http://localhost/api/conferences/create \
--header 'x-access-token: <your_api_token>' \
--header 'Content-Type: application/json' \
--data '{
"name": "Audio briefing room",
"user_id": "USER_ID",
"mediaType": "MEDIA_TYPE_AUDIO_ONLY",
"max_participants": 50,
"allow_webinar_mode": false,
"allow_chat": true,
"allow_share_screen": false,
"record": false,
"record_mode": "ROOM_COMPOSITE_GRID",
"active": true
}'""",
)
RECORDED_SPEAKER: Final = Printed(
    "Recorded speaker room",
    r"""curl --request POST \
--url http://localhost/api/conferences/create \
--header 'x-access-token: <your_api_token>' \
--header 'Content-Type: application/json' \
--data '{
"name": "Recorded speaker room",
"user_id": "USER_ID",
"mediaType": "MEDIA_TYPE_VIDEO_AUDIO",
"max_participants": 50,
"allow_webinar_mode": true,
"allow_chat": true,
"allow_share_screen": true,
"record": true,
"record_mode": "ROOM_COMPOSITE_SPEAKER",
"active": true
}'""",
)
CREATE_ROOM: Final = Printed(
    "Create video call",
    r"""curl --request POST \
--url http://localhost/api/conferences/create \
--header 'x-access-token: <your_api_token>' \
--header 'Content-Type: application/json' \
--data '{
"name": "Main stage room",
"user_id": "USER_ID",
"mediaType": "MEDIA_TYPE_VIDEO_AUDIO",
"max_participants": 50,
"allow_webinar_mode": true,
"allow_chat": true,
"allow_share_screen": true,
"record": false,
"record_mode": "ROOM_COMPOSITE_GRID",
"active": true
}'""",
    ANSWER,
)
COUNT: Final = Printed(
    "Get video calls count",
    r"""curl --request POST \
--url http://localhost/api/conferences/getCount \
--header 'x-access-token: <your_api_token>' \
--header 'Content-Type: application/json' \
--data '{
"filter": {
"active": true
}
}'""",
    """{
"count": 1
}""",
)
LIST: Final = Printed(
    "Get all video calls",
    r"""curl --request POST \
--url http://localhost/api/conferences/getAll \
--header 'x-access-token: <your_api_token>' \
--header 'Content-Type: application/json' \
--data '{
"limit": 10,
"skip": 0,
"sort": {
"created": 1
}
}'""",
    """[
{
"_id": "69f013c1aa11bb22cc33dd44",
"id": "69f013c1aa11bb22cc33dd44",
"name": "Main stage room",
"user_id": "69360341db559495f643de6a",
"mediaType": "MEDIA_TYPE_VIDEO_AUDIO",
"allow_webinar_mode": true,
"allow_chat": true,
"allow_share_screen": true,
"record": false,
"record_mode": "ROOM_COMPOSITE_GRID",
"max_participants": 50,
"sid": "RM_x7h6k4example",
"active": true,
"created": "2026-03-24T16:00:00.000Z",
"modified": "2026-03-24T16:00:00.000Z",
"success": true
}
]""",
)
GET: Final = Printed(
    "Get video call by id",
    r"""curl --request POST \
--url http://localhost/api/conferences/getById \
--header 'x-access-token: <your_api_token>' \
--header 'Content-Type: application/json' \
--data '{
"id": "VIDEO_CALL_ID"
}'""",
    """{
"_id": "69f013c1aa11bb22cc33dd44",
"id": "69f013c1aa11bb22cc33dd44",
"name": "Main stage room",
"user_id": "69360341db559495f643de6a",
"mediaType": "MEDIA_TYPE_VIDEO_AUDIO",
"allow_webinar_mode": true,
"allow_chat": true,
"allow_share_screen": true,
"record": false,
"record_mode": "ROOM_COMPOSITE_GRID",
"max_participants": 50,
"sid": "RM_x7h6k4example",
"active": true,
"created": "2026-03-24T16:00:00.000Z",
"modified": "2026-03-24T16:00:00.000Z",
"success": true
}""",
)
UPDATE: Final = Printed(
    "Update video call",
    r"""curl --request POST \
--url http://localhost/api/conferences/update \
--header 'x-access-token: <your_api_token>' \
--header 'Content-Type: application/json' \
--data '{
"id": "VIDEO_CALL_ID",
"name": "Main stage room",
"user_id": "USER_ID",
"mediaType": "MEDIA_TYPE_VIDEO_AUDIO",
"max_participants": 50,
"allow_webinar_mode": true,
"allow_chat": true,
"allow_share_screen": true,
"record": false,
"record_mode": "ROOM_COMPOSITE_GRID",
"active": true
}'""",
    """{
"_id": "69f013c1aa11bb22cc33dd44",
"id": "69f013c1aa11bb22cc33dd44",
"name": "Main stage room updated",
"user_id": "69360341db559495f643de6a",
"mediaType": "MEDIA_TYPE_VIDEO_AUDIO",
"allow_webinar_mode": true,
"allow_chat": true,
"allow_share_screen": true,
"record": false,
"record_mode": "ROOM_COMPOSITE_GRID",
"max_participants": 50,
"sid": "RM_x7h6k4example",
"active": false,
"created": "2026-03-24T16:00:00.000Z",
"modified": "2026-03-24T16:10:00.000Z",
"success": true
}""",
)
START: Final = Printed(
    "Start video call",
    r"""curl --request POST \
--url http://localhost/api/conferences/start \
--header 'x-access-token: <your_api_token>' \
--header 'Content-Type: application/json' \
--data '{
"id": "VIDEO_CALL_ID"
}'""",
    """{
"success": true
}""",
)
STOP: Final = Printed(
    "Stop video call",
    r"""curl --request POST \
--url http://localhost/api/conferences/stop \
--header 'x-access-token: <your_api_token>' \
--header 'Content-Type: application/json' \
--data '{
"id": "VIDEO_CALL_ID"
}'""",
    """{
"success": true
}""",
)
REMOVE: Final = Printed(
    "Remove video call",
    r"""curl --request DELETE \
--url http://localhost/api/conferences/remove \
--header 'x-access-token: <your_api_token>' \
--header 'Content-Type: application/json' \
--data '{
"id": "VIDEO_CALL_ID"
}'""",
    """{
"success": true
}""",
)
FIND: Final = Printed(
    "Find LiveKit room name by id",
    r"""curl --request POST \
--url http://localhost/api/conferences-public/findLKRoomNameById \
--header 'x-access-token: <your_api_token>' \
--header 'Content-Type: application/json' \
--data '{
"id": "VIDEO_CALL_ID"
}'""",
    """{
"id": "69f013c1aa11bb22cc33dd44",
"LKRoomName": "34d4f497-f95b-4543-8d15-fde0b77d8abc",
"allow_webinar_mode": true,
"allow_chat": true,
"allow_share_screen": true,
"record": false,
"record_mode": "ROOM_COMPOSITE_GRID",
"success": true
}""",
)
TOKEN: Final = Printed(
    "Create participant token",
    r"""curl --request POST \
--url http://localhost/api/conferences-public/createToken \
--header 'x-access-token: <your_api_token>' \
--header 'Content-Type: application/json' \
--data '{
"room_id": "VIDEO_CALL_ID",
"LKRoomName": "34d4f497-f95b-4543-8d15-fde0b77d8abc",
"participant_name": "Jane Speaker",
"participant_id": "participant-123",
"hidden": false
}'""",
    """{
"participant_token": "<livekit_participant_token>",
"LKRoomName": "34d4f497-f95b-4543-8d15-fde0b77d8abc",
"success": true
}""",
)
PRESETS: Final = (STANDARD_TEAM, WEBINAR_READY, AUDIO_ONLY, RECORDED_SPEAKER)
"""The create examples without an answer of their own: they are answered as CREATE_ROOM is."""

EXAMPLES: Final = (
    *PRESETS,
    CREATE_ROOM,
    COUNT,
    LIST,
    GET,
    UPDATE,
    START,
    STOP,
    REMOVE,
    FIND,
    TOKEN,
)
"""All fourteen."""
