"""Bodies as models: a model checks what a call accepts, and OpenAPI is made from it."""

from collections.abc import Collection, Mapping
from functools import cache
from typing import Any, ClassVar, Final, Literal, TypeVar
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from controller.sidecar.http.body import MAX_JSON_DEPTH, invalid
from controller.sidecar.http.response import ApiError, Code
from controller.text import quote_excerpt, suggestion

MAX_QUERY_FIELDS: Final = 8

_SENTENCES: Final = {
    "missing": "is required",
    "string_type": "must be a string",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "dict_type": "must be an object",
    "string_too_long": "must be empty: the room's policy sets the content of tokens",
    "too_long": "must be empty: the room's policy sets the content of tokens",
}


class RequestBody(BaseModel):
    """The body of a request: 1 is not a boolean, 7 is not a string. Fields are checked in their order.

    `rules` describes the allowed values of a field; the default is its type. `examples` are shown in OpenAPI
    by title. `max_depth` limits the nesting of the JSON. `in_query`: the fields may be in the query instead.
    `clearable` fields may be null, which is not the same as absent.
    """

    model_config = ConfigDict(
        strict=True, frozen=True, extra="ignore", hide_input_in_errors=True, regex_engine="python-re"
    )

    rules: ClassVar[Mapping[str, str]] = {}
    examples: ClassVar[Mapping[str, Any]] = {}
    max_depth: ClassVar[int] = MAX_JSON_DEPTH
    in_query: ClassVar[bool] = False
    clearable: ClassVar[Collection[str]] = ()


class ResponseBody(BaseModel):
    """The body of a response. It has all of its fields, always, and no others."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", regex_engine="python-re")

    examples: ClassVar[Mapping[str, Any]] = {}


class Done(ResponseBody):
    """It is done."""

    examples = {"Done": {"success": True}}

    success: bool = Field(description="true: the room is in the requested state.")


class Failure(ResponseBody):
    """The body of every failure."""

    success: Literal[False]
    code: str = Field(description="The reason, for programs.")
    error: str = Field(description="The reason, in one sentence.")
    opens: str | None = Field(None, description="Only with ROOM_CLOSED: when it opens (UTC), null for never.")


B = TypeVar("B", bound=RequestBody)


def checked(model: type[B], content: Mapping[str, Any]) -> B:
    """The body as `model`; null in a known field is the same as an absent one, unless it is clearable.

    ApiError (INVALID_FIELD) names the first unknown field, otherwise the first invalid one.
    """
    names = set(field_names(model)).difference(model.clearable)
    try:
        return model.model_validate({k: v for k, v in content.items() if v is not None or k not in names})
    except ValidationError as error:
        raise _refusal(model, error) from None


def with_query(content: dict[str, Any], query: str, model: type[RequestBody]) -> dict[str, Any]:
    """The content of a body, and the fields in the query.

    ApiError if a field is twice in the query, or differs from the body.
    """
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=MAX_QUERY_FIELDS)
    except ValueError:
        raise ApiError(Code.BAD_REQUEST, "Invalid query string; use ?id=ROOM_ID") from None
    given: dict[str, Any] = {}
    for name, value in pairs:
        if name not in field_names(model):
            raise unknown("Unknown field", name, field_names(model))
        if name in given:
            raise invalid(name, "is in the query twice; send it once")
        if content.get(name) not in (None, value):
            raise invalid(name, f"in the query and {name} in the body differ; send only one")
        given[name] = value
    return content | given


def _refusal(model: type[RequestBody], error: ValidationError) -> ApiError:
    errors = error.errors(include_url=False, include_input=False)
    first = min(errors, key=lambda each: each["type"] != "extra_forbidden")
    name, kind = str(first["loc"][0]), first["type"]
    if kind == "extra_forbidden":
        return unknown("Unknown field", name, field_names(model))
    rule = None if kind in ("missing", "value_error") else model.rules.get(name)
    return invalid(name, rule or problem(kind, first.get("ctx", {})))


def problem(kind: str, context: Mapping[str, Any]) -> str:
    """The problem of a value, as the end of a sentence, for the type and context of pydantic's error."""
    return str(context["error"]) if kind == "value_error" else _SENTENCES[kind]


@cache
def field_names(model: type[RequestBody]) -> tuple[str, ...]:
    """The names of all known fields."""
    return tuple(info.alias or name for name, info in model.model_fields.items())


def unknown(what: str, name: str, known: tuple[str, ...]) -> ApiError:
    """`name` is unknown: the sentence begins with `what`, and ends with the nearest known name, or all."""
    hint = suggestion(name, known, f"supported: {', '.join(known)}")
    return ApiError(Code.INVALID_FIELD, f"{what} {quote_excerpt(name)}; {hint}")
