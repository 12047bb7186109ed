"""What the public calls take and answer: the one description that validates, and that OpenAPI is made of.

A model's fields come in the order in which they are checked. Unknown keys are ignored; null is absent.
"""

from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    create_model,
)
from pydantic_core import ErrorDetails

from controller.access.identity import IDENTITY_PATTERN, MAX_NAME_LENGTH, display_name, identity_problem
from controller.room import FIELDS
from controller.sidecar.http.body import invalid
from controller.sidecar.http.response import ApiError

_SENTENCES: Final = {
    "missing": "is required",
    "string_type": "must be a string",
    "bool_type": "must be true or false",
    "dict_type": "must be an object",
    "string_too_long": "must be empty: what is in a token follows from the room alone",
    "too_long": "must be empty: what is in a token follows from the room alone",
}


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


class RequestBody(BaseModel):
    """A body as it arrives: 1 is no boolean, 7 is no string."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", hide_input_in_errors=True)


class FindBody(RequestBody):
    """findLKRoomNameById."""

    id: Annotated[str, Field(description="The room's id.")]


class TokenBody(RequestBody):
    """createToken."""

    room_id: Annotated[str, Field(description="The room's id.")]
    LKRoomName: Annotated[str, Field(description="The room's current name, as findLKRoomNameById says it.")]
    participant_id: Annotated[Identity, Field(description="Who joins, as this room is to know them.")]
    participant_name: ShownName | None = None
    egress_mode_token: Annotated[str | None, Field(description="Proves that one may join hidden.")] = None
    hidden: Annotated[bool | None, Field(description="Join unseen; null is false.")] = None


class EndpointBody(RequestBody):
    """The token endpoint of LiveKit's SDKs; `room_name` is the room's id."""

    room_name: Annotated[str, Field(description="The room's id.")]
    participant_identity: Annotated[Identity | None, Field(description="Who joins; else random.")] = None
    participant_name: ShownName | None = None
    participant_metadata: EmptyText | None = None
    participant_attributes: EmptyObject | None = None
    room_config: EmptyObject | None = None


class ResponseBody(BaseModel):
    """A body as it leaves."""

    model_config = ConfigDict(frozen=True, extra="forbid")


_FOUND: Final[dict[str, Any]] = {
    name: (field.kind, Field(description=field.description))
    for name, field in FIELDS.items()
    if field.in_find
}
FindAnswer = create_model(
    "FindAnswer",
    __base__=ResponseBody,
    __doc__="findLKRoomNameById.",
    id=(str, ...),
    LKRoomName=(str, ...),
    **_FOUND,
    success=(Literal[True], True),
)


class TokenAnswer(ResponseBody):
    """createToken."""

    participant_token: str
    LKRoomName: str
    success: Literal[True] = True


class EndpointAnswer(ResponseBody):
    """The token endpoint."""

    server_url: Annotated[str, Field(description="The LiveKit that the token is for.")]
    participant_token: str


B = TypeVar("B", bound=RequestBody)


def checked(body: type[B], content: dict[str, Any]) -> B:
    """The body that `content` is. Refusal (INVALID_FIELD) that names the first field that is wrong."""
    try:
        return body.model_validate(content)
    except ValidationError as error:
        raise _refusal(error.errors(include_url=False)[0]) from None


def _refusal(wrong: ErrorDetails) -> ApiError:
    field, kind = str(wrong["loc"][0]), "missing" if wrong["input"] is None else wrong["type"]
    return invalid(field, str(wrong["ctx"]["error"]) if kind == "value_error" else _SENTENCES[kind])
