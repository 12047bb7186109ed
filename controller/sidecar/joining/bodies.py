"""Bodies of the public calls' requests and responses. Unknown keys are ignored."""

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, WithJsonSchema, create_model

from controller.access.identity import IDENTITY_PATTERN, MAX_NAME_LENGTH, display_name, identity_problem
from controller.room import FIELDS
from controller.sidecar.http.models import RequestBody, ResponseBody

_LIVEKIT_NAME: Final = "34d4f497-f95b-4543-8d15-fde0b77d8abc"


def _identity(text: str) -> str:
    if problem := identity_problem(text):
        raise ValueError(problem)
    return text


Identity = Annotated[
    str, AfterValidator(_identity), WithJsonSchema({"type": "string", "pattern": IDENTITY_PATTERN})
]
ShownName = Annotated[
    str,
    AfterValidator(display_name),
    WithJsonSchema(
        {"type": "string", "description": f"Cut to {MAX_NAME_LENGTH} characters, without control characters."}
    ),
]
EmptyText = Annotated[str, Field(max_length=0)]
EmptyObject = Annotated[dict[str, Any], Field(max_length=0)]


class FindBody(RequestBody):
    """findLKRoomNameById."""

    examples = {"Find": {"id": "VIDEO_CALL_ID"}}

    id: Annotated[str, Field(description="The room's id.")]


class TokenBody(RequestBody):
    """createToken."""

    examples = {
        "A speaker's token": {
            "room_id": "VIDEO_CALL_ID",
            "LKRoomName": _LIVEKIT_NAME,
            "participant_name": "Jane Speaker",
            "participant_id": "participant-123",
            "hidden": False,
        }
    }

    room_id: Annotated[str, Field(description="The room's id.")]
    LKRoomName: Annotated[str, Field(description="The name that findLKRoomNameById returns.")]
    participant_id: Annotated[Identity, Field(description="The participant's identity in this room.")]
    participant_name: ShownName | None = None
    egress_mode_token: Annotated[str | None, Field(description="Proof for a hidden participant.")] = None
    hidden: Annotated[bool | None, Field(description="Join invisibly; null means false.")] = None


class EndpointBody(RequestBody):
    """The token endpoint of LiveKit's SDKs; `room_name` is the room's id."""

    examples = {"LiveKit's SDK": {"room_name": "VIDEO_CALL_ID", "participant_name": "Jane Speaker"}}

    room_name: Annotated[str, Field(description="The room's id.")]
    participant_identity: Annotated[Identity | None, Field(description="The identity; random if absent.")] = (
        None
    )
    participant_name: ShownName | None = None
    participant_metadata: EmptyText | None = None
    participant_attributes: EmptyObject | None = None
    room_config: EmptyObject | None = None


_FOUND: Final[dict[str, Any]] = {
    name: (field.kind, Field(description=field.description))
    for name, field in FIELDS.items()
    if field.in_find
}


class _Found(ResponseBody):
    examples = {
        "Find": {
            "id": "69f013c1aa11bb22cc33dd44",
            "LKRoomName": _LIVEKIT_NAME,
            **{name: field.default for name, field in FIELDS.items() if field.in_find},
            "allow_webinar_mode": True,
            "allow_chat": True,
            "allow_share_screen": True,
            "success": True,
        }
    }


FindAnswer = create_model(
    "FindAnswer",
    __base__=_Found,
    __doc__="The room's LiveKit name, and the settings that the page needs.",
    id=(str, ...),
    LKRoomName=(str, ...),
    **_FOUND,
    success=(Literal[True], ...),
)


class TokenAnswer(ResponseBody):
    """A token for this room, valid for minutes."""

    examples = {
        "A speaker's token": {
            "participant_token": "<livekit_participant_token>",
            "LKRoomName": _LIVEKIT_NAME,
            "success": True,
        }
    }

    participant_token: str
    LKRoomName: str
    success: Literal[True]


class EndpointAnswer(ResponseBody):
    """Where to connect, and the token."""

    examples = {
        "LiveKit's SDK": {
            "server_url": "ws://localhost:7880",
            "participant_token": "<livekit_participant_token>",
        }
    }

    server_url: Annotated[str, Field(description="The LiveKit that the token is for.")]
    participant_token: str
