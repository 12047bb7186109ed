"""The declaration of an HTTP call: routing, the check of its body and OpenAPI are derived from it."""

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from types import MethodType
from typing import Any, Final, Literal, NamedTuple, get_type_hints

from aiohttp import web

from controller.sidecar.http.body import MAX_BODY_BYTES, parse, read
from controller.sidecar.http.models import RequestBody, checked, with_query
from controller.sidecar.http.protocol import Handler
from controller.sidecar.http.response import Code, Response

ListenerName = Literal["public", "private"]

ACCESS: Final = "access-token"
INVITE: Final = "invite"
WEBHOOK: Final = "webhook"


class Parameter(NamedTuple):
    """A string outside the body. `place` is path, query or header."""

    name: str
    place: str
    description: str
    pattern: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP call. The docstring of its handler is its summary (first line) and its description.

    `path` may end in a variable, such as {id}. Without a `group` the call is not in OpenAPI.

    `handler` is a method. If it has a parameter `body`, of a model, it gets the result of accept(request) of
    its object, which is called before the body is read, and the checked body. Otherwise it gets the request,
    and may read a body of `raw_type` itself, which `raw_body` describes.

    `answer` is the model of the content, a list of that model, or the media type of a text; `status` and
    `other_statuses` have this content. `codes` are the errors of only this call: those that follow from
    its other attributes are added. `proofs` are the accepted schemes of authentication; "" is none.
    """

    method: str
    path: str
    group: str
    handler: Callable[..., Awaitable[Response]]
    answer: Any
    codes: Sequence[Code] = ()
    proofs: Sequence[str] = ("",)
    listeners: Sequence[ListenerName] = ("public", "private")
    parameters: Sequence[Parameter] = ()
    raw_body: type[RequestBody] | None = None
    raw_type: str = ""
    status: HTTPStatus = HTTPStatus.OK
    other_statuses: Sequence[HTTPStatus] = ()

    @property
    def body(self) -> type[RequestBody] | None:
        """The model of the JSON that the handler takes."""
        model: type[RequestBody] | None = get_type_hints(self.handler).get("body")
        return model

    @property
    def methods(self) -> tuple[str, ...]:
        """GET includes HEAD."""
        return ("GET", "HEAD") if self.method == "GET" else (self.method,)

    @property
    def route(self) -> str:
        """The path, up to its variable."""
        return self.path.partition("{")[0]

    @property
    def name(self) -> str:
        """The last word of the path that is not a variable, which is the reference's name."""
        return self.route.rstrip("/").rpartition("/")[2]

    @property
    def description(self) -> tuple[str, str]:
        """Summary and description."""
        summary, _, rest = (inspect.getdoc(self.handler) or "").partition("\n")
        return summary.removesuffix("."), " ".join(rest.split())

    def bound_to(self, part: Any) -> Handler:
        """The handler of the call, as a method of `part`."""
        handler, model = MethodType(self.handler, part), self.body
        if model is None:
            return handler

        async def answer(request: web.BaseRequest) -> Response:
            accepted = part.accept(request)
            content = parse(await read(request, MAX_BODY_BYTES), model.max_depth)
            if model.in_query:
                content = with_query(content, request.raw_path.partition("?")[2], model)
            response: Response = await handler(accepted, checked(model, content))
            return response

        return answer

    def is_answered_by(self, part: object) -> bool:
        """Whether the handler is a method of the object."""
        return getattr(type(part), self.handler.__name__, None) is self.handler
