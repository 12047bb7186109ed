"""The private calls' bodies, and the rooms that answer them, as models that validate and that OpenAPI shows.

Field names are the reference's. A fault is refused with one sentence that names the field.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from controller.room import ANSWER_ORDER, FIELDS, RoomField
from controller.sidecar.http.body import invalid
from controller.sidecar.http.response import ApiError, Code
from controller.text import closest_match, quote_excerpt

_IGNORED: Final = "Returned with a room, and ignored when it is sent back."

MAX_PAGE_SIZE: Final = 1_000
"""Rooms in one page at most; without a limit all come."""


class _Body(BaseModel):
    """Strict, and nothing unknown. Never null here: an optional field that is null was taken out before."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", hide_input_in_errors=True, regex_engine="python-re"
    )


class _SentBack(_Body):
    """What a room carries that was read over the API."""

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
        return {name: getattr(self, name) for name in FIELDS if name in sent}


class _Identified(_SentBack):
    id: str = Field(description="Identifier of the room being updated.")


def _room_fields(*, required: bool, default: bool, **descriptions: str) -> dict[str, Any]:
    """Definitions of the room's fields for a body; user_id aside, which no caller sets.

    `required`: fields without a default must be given. `default`: the others have theirs, else null.
    """

    def defined(field: RoomField) -> tuple[Any, Any]:
        description = descriptions.get(field.name, field.description)
        if required and field.required:
            return field.annotation, Field(description=description)
        return field.annotation | None, Field(field.default if default else None, description=description)

    return {name: defined(field) for name, field in FIELDS.items() if name != "user_id"}


CreateRoom = create_model(
    "CreateRoom",
    __base__=_SentBack,
    __doc__="The body of create.",
    id=(Any, Field(None, description="Ignored: a new room gets an id of its own.")),
    **_room_fields(required=True, default=True),
)

UpdateRoom = create_model(
    "UpdateRoom",
    __base__=_Identified,
    __doc__="The body of update: the room's id, and what shall change. What is not given, or null, stays.",
    **_room_fields(required=False, default=False, active="The same intent as start (true) and stop (false)."),
)


class RoomId(_Body):
    """The body of getById, start and stop."""

    id: str = Field(description="Identifier of the room.")


class RemovedId(_Body):
    """The body, or the query, of remove: the id stands in one of them, or the same in both."""

    id: str | None = Field(None, description="Identifier of the room to delete.")


class CountRooms(_Body):
    """The body of getCount."""

    filter: dict[str, Any] | None = Field(
        None,
        description="The room's fields to a value, or to an object of $eq, $ne, $in, $nin, $gt, $gte, $lt, "
        "$lte; $and and $or. It always applies together with the caller's own rooms.",
    )


class ListRooms(CountRooms):
    """The body of getAll."""

    limit: int | None = Field(
        None, ge=1, le=MAX_PAGE_SIZE, description="Optional page size; without one, all rooms come."
    )
    skip: int | None = Field(0, ge=0, description="Optional offset for paginated listing.")
    sort: dict[str, Any] | None = Field(
        None, description='The room\'s fields to 1 or -1; by default {"created": 1}. Ties by id.'
    )


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", regex_engine="python-re")


_RETURNED: Final[dict[str, Any]] = {
    **{name: (field.annotation, Field(description=field.description)) for name, field in FIELDS.items()},
    "active": (bool, Field(description="Whether the room is meant to be live.")),
    "sid": (
        str | None,
        Field(description="The latest LiveKit sid: null until first activated, kept while inactive."),
    ),
}
Room = create_model(
    "Room",
    __base__=_Answer,
    __doc__="A room as the reference returns it.",
    returned_id=(str, Field(alias="_id", description="Mongo-style identifier of the room object.")),
    id=(str, Field(description="Convenience alias for _id.")),
    **{name: _RETURNED[name] for name in ANSWER_ORDER},
    created=(str, Field(description="UTC, three decimals, Z.")),
    modified=(str, Field(description="When a person last changed the room: UTC, three decimals, Z.")),
    success=(bool, Field(description="true, in every room that is returned.")),
)


class Count(BaseModel):
    """The answer of getCount."""

    count: int = Field(description="Total number of video call rooms currently visible to the user.")


class Done(BaseModel):
    """The answer of start, stop and remove."""

    success: bool = Field(description="true once the room is so.")


def _rule(field: RoomField) -> str:
    return f"must be one of {field.rule}" if issubclass(field.kind, StrEnum) else f"must be {field.rule}"


_RULES: Final[Mapping[str, str]] = {
    **{name: _rule(field) for name, field in FIELDS.items()},
    "id": "must be a string",
    "filter": "must be an object",
    "sort": 'must be an object such as {"created": 1}',
    "limit": f"must be a whole number from 1 to {MAX_PAGE_SIZE}",
    "skip": "must be a whole number, 0 or more",
}

B = TypeVar("B", bound=_Body)


def checked(model: type[B], content: Mapping[str, Any]) -> B:
    """The body as `model`; null in a known field is absent. Refusal (INVALID_FIELD): the first fault."""
    fields = field_names(model)
    try:
        return model.model_validate({k: v for k, v in content.items() if v is not None or k not in fields})
    except ValidationError as wrong:
        raise _refusal(model, wrong) from None


def _refusal(model: type[_Body], wrong: ValidationError) -> ApiError:
    errors = wrong.errors(include_url=False, include_context=False, include_input=False)
    error, name = errors[0], str(errors[0]["loc"][0])
    if error["type"] == "extra_forbidden":
        return unknown(name, field_names(model))
    return invalid(name, "is required" if error["type"] == "missing" else _RULES[name])


def field_names(model: type[_Body]) -> tuple[str, ...]:
    """The fields that the call knows, as they are written."""
    return tuple(info.alias or name for name, info in model.model_fields.items())


def unknown(name: str, names: tuple[str, ...]) -> ApiError:
    """A field that the call does not have, with the nearest that it has."""
    meant = closest_match(name, names)
    instead = f"write {meant}" if meant else f"this call takes {', '.join(names)}"
    return ApiError(Code.INVALID_FIELD, f"unknown field {quote_excerpt(name)}; {instead}")
