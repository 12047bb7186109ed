"""What each listener says of itself: true, complete, and fit for programs and people."""

import json
import re
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from typing import Any, Final

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from controller.room import FIELDS
from controller.sidecar.http.body import parse
from controller.sidecar.http.response import STATUS, Code
from controller.sidecar.openapi import private_document, public_document
from controller.sidecar.openapi.accept import prefers_html
from controller.sidecar.openapi.document import MEANINGS
from controller.sidecar.openapi.page import page
from controller.sidecar.openapi.types import shown_type
from controller.sidecar.rooms.bodies import (
    CountRooms,
    CreateRoom,
    ListRooms,
    RemovedId,
    RoomId,
    UpdateRoom,
    checked,
)
from tests.support.reference import EXAMPLES, PRESETS, Printed
from tests.unit.sidecar.harness import ask, serving

Json = dict[str, Any]

DOCUMENTS: Final = {"public": public_document(), "private": private_document()}
BROWSER: Final = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
ROOM_CALLS: Final[dict[str, type[Any]]] = {
    "create": CreateRoom,
    "getCount": CountRooms,
    "getAll": ListRooms,
    "getById": RoomId,
    "update": UpdateRoom,
    "start": RoomId,
    "stop": RoomId,
    "remove": RemovedId,
}

both = pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def resolved(document: Json, schema: Json) -> Json:
    """The schema on its own, so that another implementation can apply it."""
    return {**schema, "components": document["components"]}


def operation_of(document: Json, example: Printed) -> Json:
    request = example.request
    operation: Json = document["paths"][request.path][request.method.lower()]
    return operation


def shown(content: Json) -> list[Any]:
    return [each["value"] for each in content["content"]["application/json"].get("examples", {}).values()]


def in_order(value: Any) -> str:
    """With the order of its fields."""
    return json.dumps(value)


# -- the reference ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.title)
def test_the_documents_examples_are_the_references_own(example: Printed) -> None:
    operation = operation_of(private_document(), example)
    assert in_order(example.sends) in map(in_order, shown(operation["requestBody"]))
    if example not in PRESETS:
        assert in_order(example.answers) in map(in_order, shown(operation["responses"]["200"]))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.title)
def test_the_models_take_every_body_of_the_reference(example: Printed) -> None:
    model = ROOM_CALLS.get(example.request.path.rpartition("/")[2])
    content = parse(example.request.body.encode())
    if model is not None:
        assert checked(model, content).model_fields_set == {
            name for name in content if name in model.model_fields
        }
    schema = operation_of(private_document(), example)["requestBody"]["content"]["application/json"]["schema"]
    Draft202012Validator(resolved(private_document(), schema)).validate(content)


@both
def test_every_example_fits_its_schema(document: Json) -> None:
    for _, _, operation in operations(document):
        for part in [operation.get("requestBody", {}), *operation["responses"].values()]:
            for media in part.get("content", {}).values():
                validator = Draft202012Validator(resolved(document, media["schema"]))
                for each in media.get("examples", {}).values():
                    validator.validate(each["value"])


@pytest.mark.parametrize("name", ["Room", "FindAnswer", "TokenAnswer", "Count", "Done"])
def test_an_answer_has_exactly_the_references_fields(name: str) -> None:
    document = private_document()
    schema = document["components"]["schemas"][name]
    printed = [
        example.answers[0] if isinstance(example.answers, list) else example.answers
        for example in EXAMPLES
        if example.answer
    ]
    assert list(schema["properties"]) in [list(answer) for answer in printed]
    assert sorted(schema["required"]) == sorted(schema["properties"])
    assert schema["additionalProperties"] is False


# -- the documents ----------------------------------------------------------------------------------------


@both
def test_the_schemas_are_schemas(document: Json) -> None:
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


@both
def test_a_pattern_is_one_for_ecmascript(document: Json) -> None:
    patterns = re.findall(r'"pattern": "((?:[^"\\]|\\.)*)"', json.dumps(document))
    assert patterns
    for pattern in patterns:
        assert not re.search(r"\\\\[ZAz]|\(\?P|\(\?[aiLmsux]|[*+?}]\+", pattern)
        assert pattern.endswith("$")


@both
def test_each_failure_names_codes_of_its_own_status(document: Json) -> None:
    for _, _, operation in operations(document):
        for status, response in operation["responses"].items():
            match response["content"].get("application/json", {}).get("schema"):
                case {"allOf": [{"$ref": "#/components/schemas/Failure"}, only]}:
                    codes = only["properties"]["code"]["enum"]
                    assert codes
                    assert {f"{int(STATUS[Code(code)])}" for code in codes} == {status}


@both
def test_429_and_503_say_when_to_come_back(document: Json) -> None:
    for _, _, operation in operations(document):
        for status, response in operation["responses"].items():
            assert (status in ("429", "503")) == response.get("headers", {}).get("Retry-After", {}).get(
                "required", False
            )


def test_every_code_has_a_meaning() -> None:
    assert MEANINGS.keys() == set(Code)


def test_the_public_document_shows_public_calls_only() -> None:
    assert list(public_document()["paths"]) == [
        "/api/conferences-public/findLKRoomNameById",
        "/api/conferences-public/createToken",
        "/livekit/token",
        "/join/{id}",
        "/recording/template",
        "/openapi.json",
    ]
    hidden = ("/api/conferences/", "webhook", "metrics", "MANAGED_BY_MANIFEST", "Filter")
    assert not [word for word in hidden if word in json.dumps(public_document())]


def test_the_private_document_shows_all_of_its_calls() -> None:
    paths = private_document()["paths"]
    assert {
        path.rpartition("/")[2] for path in paths if path.startswith("/api/conferences/")
    } == ROOM_CALLS.keys()
    rest = [path for path in paths if not path.startswith("/api/")]
    assert rest == ["/livekit/webhook", "/healthz", "/readyz", "/metrics", "/openapi.json"]


def test_all_calls_of_rooms_need_the_access_token() -> None:
    for path, _, operation in operations(private_document()):
        if path.startswith("/api/conferences/"):
            assert operation["security"] == [{"access-token": []}]
            assert "401" in operation["responses"]


def test_a_filter_knows_every_field_that_a_caller_may_name() -> None:
    schemas = private_document()["components"]["schemas"]
    names = {"_id", "id", *FIELDS, "sid", "created", "modified"}
    assert schemas["Sort"]["properties"].keys() == names
    assert schemas["Filter"]["properties"].keys() == names | {"$and", "$or"}


def test_the_documents_are_the_same_every_time() -> None:
    assert json.dumps(public_document()) == json.dumps(public_document())
    assert json.dumps(private_document()) == json.dumps(private_document())


@both
def test_a_document_names_no_machine(document: Json) -> None:
    assert document["servers"] == [{"url": "/"}]
    assert not re.search(r"127\.0\.0|https?://(?!localhost)", json.dumps(document))


# -- the page ---------------------------------------------------------------------------------------------


class Reading(HTMLParser):
    """What a browser would make of the page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in ("meta", "wbr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@both
def test_the_page_is_whole_and_has_no_script_and_nothing_of_elsewhere(document: Json) -> None:
    read = Reading(page(document))
    assert read.open == []
    assert not {"script", "link", "img", "iframe", "form"} & set(read.tags)
    names = {name for name, _ in read.attributes}
    assert not {name for name in names if name.startswith("on")} | ({"src", "style"} & names)
    links = {value for name, value in read.attributes if name == "href"}
    assert links == {f"#{value}" for name, value in read.attributes if name == "id"}


@both
def test_the_page_shows_every_call_and_field(document: Json) -> None:
    text = unescape(page(document))
    for path, method, operation in operations(document):
        assert operation["summary"] in text
        assert method.upper() in text
        assert path in text.replace("<wbr>", "")
    for schema in document["components"]["schemas"].values():
        for name in schema.get("properties", {}):
            assert name.startswith("$") or name in text


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.title)
def test_the_page_prints_each_example_as_the_reference_does(example: Printed) -> None:
    """But for indentation, and for the access token that the public calls do not need."""
    text = re.sub(r"(?m)^ +", "", unescape(page(private_document())))
    curl = example.curl
    if "-public/" in example.request.path:
        curl = curl.replace("--header 'x-access-token: <your_api_token>' \\\n", "")
    assert f"<pre>{curl}</pre>" in text
    assert f"<pre>{example.answer}</pre>" in text or not example.answer


def test_the_page_escapes_what_it_shows() -> None:
    document = public_document()
    document["info"]["title"] = "<script>alert('x')</script>"
    assert "<script>" not in page(document)


def test_a_type_is_said_in_words() -> None:
    schemas = {"Mode": {"type": "string", "enum": ["A", "B"]}}
    limit = {"type": ["integer", "null"], "minimum": 1, "maximum": 1000, "default": 7}
    mode = {"anyOf": [{"$ref": "#/components/schemas/Mode"}, {"type": "null"}]}
    assert shown_type(schemas, limit, needed=True) == "integer, 1 to 1000, default 7, required"
    assert shown_type(schemas, mode, needed=False) == "one of A, B"
    assert shown_type(schemas, {"type": "object", "maxProperties": 0}, needed=False) == "object, empty"


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        ([], False),
        (["*/*"], False),
        (["application/json"], False),
        ([BROWSER], True),
        (["text/*"], True),
        (["text/html, application/json"], False),
        (["application/json;q=0.5, text/html;q=0.9"], True),
        (["application/json", "text/html;q=0.9"], False),
        (["text/html;q=0"], False),
        (["text/html;q=nonsense"], False),
        (["text/html;q="], False),
        ([",;,=q;;text/html"], False),
        (["TEXT/HTML"], True),
    ],
)
def test_html_is_for_who_prefers_it(accept: list[str], html: bool) -> None:
    assert prefers_html(accept) is html


async def test_each_listener_answers_its_own_document() -> None:
    async with serving() as house:
        for name, address in (("public", house.sidecar.public), ("private", house.sidecar.private)):
            reply = await ask(address, "GET", "/openapi.json")
            assert reply.status == 200
            assert reply.headers["content-type"] == "application/json"
            assert in_order(reply.json) == in_order(DOCUMENTS[name])
            head = await ask(address, "HEAD", "/openapi.json")
            assert head.body == b""
            assert head.headers["content-length"] == reply.headers["content-length"]


async def test_a_browser_gets_the_page_under_a_strict_policy() -> None:
    async with serving() as house:
        reply = await ask(house.sidecar.private, "GET", "/openapi.json", headers={"Accept": BROWSER})
        assert reply.headers["content-type"] == "text/html; charset=utf-8"
        assert reply.body.decode() == page(DOCUMENTS["private"])
        assert reply.headers["vary"] == "Accept"
        policy = reply.headers["content-security-policy"].split("; ")
        assert policy[0] == "default-src 'none'"
        assert policy[1].startswith("style-src 'sha256-")
        assert not [part for part in policy if "unsafe" in part or "http" in part]


async def test_the_public_answer_depends_on_accept_and_on_origin() -> None:
    async with serving() as house:
        reader = await ask(
            house.sidecar.public, "GET", "/openapi.json", headers={"Accept": "application/json"}
        )
        assert reader.status == 200
        assert (await ask(house.sidecar.public, "OPTIONS", "/openapi.json")).headers[
            "allow"
        ] == "GET, HEAD, OPTIONS"
        assert (await ask(house.sidecar.public, "POST", "/openapi.json")).code == "METHOD_NOT_ALLOWED"
