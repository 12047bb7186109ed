"""What each listener says of itself: true, complete, and fit for programs and people."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp.test_utils import make_mocked_request
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from controller.room import OUR_FIELDS, REFERENCE_FIELDS
from controller.sidecar.calls import CALLS
from controller.sidecar.http.accept import prefers_html
from controller.sidecar.http.body import parse
from controller.sidecar.http.call import Call
from controller.sidecar.http.models import checked
from controller.sidecar.http.response import Code
from controller.sidecar.pages.assets import FOLDER, PACKAGES
from controller.sidecar.pages.openapi_page import OpenApiPage
from controller.sidecar.rooms.bodies import (
    CountRooms,
    CreateRoom,
    ListRooms,
    RemovedId,
    RoomId,
    UpdateRoom,
)
from tests.support.reference import EXAMPLES, PRESETS, Printed
from tests.unit.sidecar.harness import Harness, ask, private_document, public_document, serving

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
    ours = OUR_FIELDS if name == "Room" else ()
    fields = [field for field in schema["properties"] if field not in ours]
    assert fields in [list(answer) for answer in printed]
    assert sorted(schema["required"]) == sorted(fields)
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
                    assert {f"{int(Code[code].status)}" for code in codes} == {status}


@pytest.mark.parametrize("code", Code)
def test_what_a_code_means_is_no_markdown(code: Code) -> None:
    assert not set(code.meaning) & set("`*[<#")


@both
def test_429_and_503_say_when_to_come_back(document: Json) -> None:
    for _, _, operation in operations(document):
        for status, response in operation["responses"].items():
            assert (status in ("429", "503")) == response.get("headers", {}).get("Retry-After", {}).get(
                "required", False
            )


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
    assert {*rest} >= {"/livekit/webhook", "/healthz", "/readyz", "/metrics"}
    assert paths.keys() == {call.path for call in CALLS if call.group and "private" in call.listeners}


def test_every_route_is_a_call_of_the_table_and_every_call_is_routed() -> None:
    sidecar = Harness().sidecar
    for listener, router in (("public", sidecar._public_router), ("private", sidecar._private_router)):
        routed = {(path, method) for path, methods in router._routes.items() for method in methods}
        assert {(path, method) for path, method in routed if method != "OPTIONS"} == {
            (call.route, method) for call in CALLS if listener in call.listeners for method in call.methods
        }


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.path)
def test_every_call_is_described_by_its_handler(call: Call) -> None:
    assert all(call.description) or not call.group


def test_all_calls_of_rooms_need_the_access_token() -> None:
    for path, _, operation in operations(private_document()):
        if path.startswith("/api/conferences/"):
            assert operation["security"] == [{"access-token": []}]
            assert "401" in operation["responses"]


def test_a_filter_knows_every_field_that_a_caller_may_name() -> None:
    schemas = private_document()["components"]["schemas"]
    names = {"_id", "id", *REFERENCE_FIELDS, "sid", "created", "modified"}
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
    async with serving() as harness:
        for name, address in (("public", harness.sidecar.public), ("private", harness.sidecar.private)):
            reply = await ask(address, "GET", "/openapi.json")
            assert reply.status == 200
            assert reply.headers["content-type"] == "application/json"
            assert in_order(reply.json) == in_order(DOCUMENTS[name])
            head = await ask(address, "HEAD", "/openapi.json")
            assert head.body == b""
            assert head.headers["content-length"] == reply.headers["content-length"]


async def test_a_browser_gets_a_page_that_allows_nothing_inline_and_no_other_origin() -> None:
    async with serving() as harness:
        reply = await ask(harness.sidecar.private, "GET", "/openapi.json", headers={"Accept": BROWSER})
        assert reply.headers["content-type"] == "text/html; charset=utf-8"
        assert "<title>roomctl: the private listener</title>" in reply.body.decode()
        assert reply.headers["vary"] == "Accept"
        policy = dict(part.split(" ", 1) for part in reply.headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert policy["img-src"] == "'self' data:"
        assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son[a-z]+=|//", reply.body.decode())


async def test_the_page_escapes_its_title() -> None:
    request = make_mocked_request("GET", "/openapi.json", headers={"Accept": BROWSER})
    reply = await OpenApiPage({"info": {"title": "<b> &"}}).answer(request)
    assert b"<title>&lt;b&gt; &amp;" in reply.content


@pytest.fixture
def swagger_ui(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Where Swagger UI would be installed."""
    files = (tmp_path / "swagger-ui-bundle.js", tmp_path / "swagger-ui.css")
    monkeypatch.setitem(PACKAGES, "swagger-ui-dist", files)
    return files


async def test_every_asset_of_the_page_is_on_both_listeners_and_kept_for_ever(
    swagger_ui: tuple[Path, Path],
) -> None:
    for path in swagger_ui:
        path.write_text(path.name)
    async with serving() as harness:
        for address in (harness.sidecar.public, harness.sidecar.private):
            page = (await ask(address, "GET", "/openapi.json", headers={"Accept": BROWSER})).body.decode()
            urls = re.findall(r'(?:href|src)="(openapi/assets/[^"]+)"', page)
            names = {url.partition("?v=")[0].rpartition("/")[2] for url in urls}
            assert names == {"icon.svg", "page.css", "page.js", "swagger-ui-bundle.js", "swagger-ui.css"}
            for url in urls:
                asset = await ask(address, "GET", f"/{url}")
                assert asset.status == 200
                assert "immutable" in asset.headers["cache-control"]


@pytest.mark.parametrize(
    "target", ["/openapi", "/openapi/assets/", "/openapi/assets/page.html", "/openapi/assets/main.js"]
)
async def test_nothing_else_is_an_asset_of_the_page(target: str) -> None:
    async with serving() as harness:
        for address in (harness.sidecar.public, harness.sidecar.private):
            assert (await ask(address, "GET", target)).code == "NOT_FOUND"


async def test_without_swagger_ui_the_json_is_served_and_the_page_says_what_to_install(
    swagger_ui: tuple[Path, Path],
) -> None:
    async with serving() as harness:
        assert (await ask(harness.sidecar.public, "GET", "/openapi.json")).json["openapi"] == "3.1.0"
        page = await ask(harness.sidecar.public, "GET", "/openapi.json", headers={"Accept": BROWSER})
        assert page.status == 200
        assert "Swagger UI is not installed" in page.body.decode()
        assert "npm ci" in page.body.decode()
        for path in swagger_ui:
            asset = await ask(harness.sidecar.public, "GET", f"/openapi/assets/{path.name}")
            assert asset.code == "NOT_FOUND"
            assert "npm ci" in asset.json["error"]
            assert str(FOLDER) not in asset.json["error"]


async def test_the_public_answer_depends_on_accept_and_on_origin() -> None:
    async with serving() as harness:
        reader = await ask(
            harness.sidecar.public, "GET", "/openapi.json", headers={"Accept": "application/json"}
        )
        assert reader.status == 200
        assert (await ask(harness.sidecar.public, "OPTIONS", "/openapi.json")).headers[
            "allow"
        ] == "GET, HEAD, OPTIONS"
        assert (await ask(harness.sidecar.public, "POST", "/openapi.json")).code == "METHOD_NOT_ALLOWED"
