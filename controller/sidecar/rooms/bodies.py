"""Bodies of the private calls' requests and responses.

Field names are the reference's; a body with an unknown field is refused.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from pydantic import ConfigDict, Field, ValidationError, create_model

from controller.room import ANSWER_ORDER, FIELDS, OUR_FIELDS, PRESETS, RoomField, RoomSpec, problems_of
from controller.sidecar.http.body import MAX_FILTER_JSON_DEPTH, invalid
from controller.sidecar.http.models import RequestBody, ResponseBody

_IGNORED: Final = "Returned with a room, and ignored when it is sent back."

MAX_PAGE_SIZE: Final = 1_000
"""Maximum of rooms in one page; without a limit all are returned."""


def _rule(field: RoomField) -> str:
    return f"must be one of {field.rule}" if issubclass(field.kind, StrEnum) else f"must be {field.rule}"


_RULES: Final = {
    **{name: _rule(field) for name, field in FIELDS.items()},
    "sort": 'must be an object such as {"created": 1}',
    "limit": f"must be a whole number from 1 to {MAX_PAGE_SIZE}",
    "skip": "must be a whole number, 0 or more",
}
_BY_ID: Final = {"id": "VIDEO_CALL_ID"}
_MAIN_STAGE: Final = {
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
_PRESET_ROOMS: Final = (
    ("Standard team room", "Team standup room", "standard-team"),
    ("Webinar-ready room", "Guest webinar room", "guest-webinar"),
    ("Audio-only room", "Audio briefing room", "audio-briefing"),
    ("Recorded speaker room", "Recorded speaker room", "recorded-speaker"),
)
_STORED: Final = {
    **{name: field.default for name, field in FIELDS.items()},
    **_MAIN_STAGE,
    "user_id": "69360341db559495f643de6a",
    "sid": "RM_x7h6k4example",
}
_RETURNED_ROOM: Final = {
    **dict.fromkeys(("_id", "id"), "69f013c1aa11bb22cc33dd44"),
    **{name: _STORED[name] for name in ANSWER_ORDER},
    **dict.fromkeys(("created", "modified"), "2026-03-24T16:00:00.000Z"),
    "success": True,
}


class _Body(RequestBody):
    model_config = ConfigDict(extra="forbid")

    rules = _RULES


class _SentBack(_Body):
    """The fields of a returned room that are ignored when it is sent back."""

    returned_id: Any = Field(None, alias="_id", description=_IGNORED)
    sid: Any = Field(None, description=_IGNORED)
    created: Any = Field(None, description=_IGNORED)
    modified: Any = Field(None, description=_IGNORED)
    success: Any = Field(None, description=_IGNORED)
    user_id: Any = Field(
        None, description="Ignored: a room's owner is the access token's user who made it, and stays so."
    )

    @property
    def given(self) -> dict[str, Any]:
        """The fields of the room that were sent."""
        sent = self.model_fields_set - {"user_id"}
        return {
            name: FIELDS[name].default if (value := getattr(self, name)) is None else value
            for name in FIELDS
            if name in sent
        }


class _Created(_SentBack):
    examples = {
        "Main stage room": _MAIN_STAGE,
        **{
            title: {"name": name, "user_id": "USER_ID", **PRESETS[preset]}
            for title, name, preset in _PRESET_ROOMS
        },
    }

    id: Any = Field(None, description="Ignored: a new room gets an id of its own.")


class _Updated(_SentBack):
    examples = {"The whole room": {**_BY_ID, **_MAIN_STAGE}}
    clearable = OUR_FIELDS

    id: str = Field(description="Identifier of the room being updated.")


def _room_fields(*, required: bool, default: bool, **descriptions: str) -> dict[str, Any]:
    """Definitions of the room's fields for a body, without user_id, which callers cannot set.

    `required`: fields without a default are required. `default`: the others have theirs, otherwise null.
    """

    def defined(field: RoomField) -> tuple[Any, Any]:
        description = descriptions.get(field.name, field.description)
        if required and field.required:
            return field.annotation, Field(description=description)
        return field.annotation | None, Field(field.default if default else None, description=description)

    return {name: defined(field) for name, field in FIELDS.items() if name != "user_id"}


CreateRoom = create_model(
    "CreateRoom",
    __base__=_Created,
    __doc__="The body of create.",
    **_room_fields(required=True, default=True),
)

UpdateRoom = create_model(
    "UpdateRoom",
    __base__=_Updated,
    __doc__="The body of update: the room's id and the fields to change. Absent or null fields stay; "
    f"null sets {' and '.join(OUR_FIELDS)} to the default.",
    **_room_fields(required=False, default=False, active="The same intent as start (true) and stop (false)."),
)


def checked_spec(values: Mapping[str, Any]) -> RoomSpec:
    """The spec of these fields, each of which is valid by itself. ApiError if they do not fit together."""
    try:
        return RoomSpec(**values)
    except ValidationError as error:
        name, needed = next(problems_of(error))
        raise invalid(name, f"must be {needed}") from None


class RoomId(_Body):
    """The body of getById, start and stop."""

    examples = {"By id": _BY_ID}

    id: str = Field(description="Identifier of the room.")


class RemovedId(_Body):
    """The body, or the query, of remove."""

    examples = {"By id": _BY_ID}
    in_query = True

    id: str | None = Field(
        None, description="Identifier of the room, in the query, in the body, or the same in both."
    )


class CountRooms(_Body):
    """The body of getCount."""

    examples = {"Active rooms": {"filter": {"active": True}}}
    max_depth = MAX_FILTER_JSON_DEPTH

    filter: dict[str, Any] | None = Field(
        None,
        description="The room's fields to a value, or to an object of $eq, $ne, $in, $nin, $gt, $gte, $lt, "
        "$lte; $and and $or. It always applies together with the caller's own rooms.",
    )


class ListRooms(CountRooms):
    """The body of getAll."""

    examples = {"The first page": {"limit": 10, "skip": 0, "sort": {"created": 1}}}

    limit: int | None = Field(
        None, ge=1, le=MAX_PAGE_SIZE, description="Optional page size; without one, all rooms come."
    )
    skip: int | None = Field(0, ge=0, description="Optional offset for paginated listing.")
    sort: dict[str, Any] | None = Field(
        None, description='The room\'s fields to 1 or -1; by default {"created": 1}. Ties by id.'
    )


class _Returned(ResponseBody):
    examples = {
        "Main stage room": _RETURNED_ROOM,
        "Changed room": {
            **_RETURNED_ROOM,
            "name": "Main stage room updated",
            "active": False,
            "modified": "2026-03-24T16:10:00.000Z",
        },
    }


_RETURNED: Final[dict[str, Any]] = {
    **{name: (field.annotation, Field(description=field.description)) for name, field in FIELDS.items()},
    **{
        name: (
            FIELDS[name].annotation | None,
            Field(None, description=f"{FIELDS[name].description} Absent while it has its default."),
        )
        for name in OUR_FIELDS
    },
    "active": (bool, Field(description="Whether the room is meant to be live.")),
    "sid": (
        str | None,
        Field(description="The latest LiveKit sid: null until first activated, kept while inactive."),
    ),
}
Room = create_model(
    "Room",
    __base__=_Returned,
    __doc__="A room as the reference returns it.",
    returned_id=(str, Field(alias="_id", description="Mongo-style identifier of the room object.")),
    id=(str, Field(description="Convenience alias for _id.")),
    **{name: _RETURNED[name] for name in (*ANSWER_ORDER, *OUR_FIELDS)},
    created=(str, Field(description="UTC, three decimals, Z.")),
    modified=(str, Field(description="When a person last changed the room: UTC, three decimals, Z.")),
    success=(bool, Field(description="true, in every room that is returned.")),
)


class Count(ResponseBody):
    """The number of rooms."""

    examples = {"Active rooms": {"count": 1}}

    count: int = Field(description="Total number of video call rooms currently visible to the user.")
