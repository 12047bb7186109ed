"""The OpenAPI document as a page to read: plain HTML, made once, without a script. Pure but for its style."""

import json
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any, Final

from controller.sidecar.access_tokens import ACCESS_TOKEN
from controller.sidecar.http.response import Code
from controller.sidecar.openapi.calls import ACCESS
from controller.sidecar.openapi.document import MEANINGS
from controller.sidecar.openapi.types import is_ignored, shown_type

STYLE: Final = Path(__file__).with_name("page.css").read_text(encoding="utf-8")

Json = Mapping[str, Any]


def page(document: Json) -> str:
    """The whole page."""
    info = document["info"]
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>{escape(info['title'])}</title>",
            f"<style>{STYLE}</style></head><body>",
            _header(info),
            _contents(document),
            "<main>",
            *(_call(document, *found) for found in _calls(document)),
            "</main></body></html>",
        ]
    )


def _header(info: Json) -> str:
    texts = "".join(f"<p>{escape(text)}</p>" for text in info["description"].split("\n\n"))
    return (
        f"<header><h1>{escape(info['title'])}</h1>{texts}"
        f'<p class="quiet">roomctl {escape(info["version"])} · the same as JSON: '
        "<code>curl -s …/openapi.json</code></p></header>"
    )


def _contents(document: Json) -> str:
    groups = [_group(document, tag["name"]) for tag in document["tags"]]
    return f'<nav aria-label="Calls">{"".join(groups)}</nav>'


def _group(document: Json, tag: str) -> str:
    links = (
        f'<li><a href="#{escape(operation["operationId"])}">{_method(method)} '
        f"<span>{escape(operation['summary'])}</span></a></li>"
        for _, method, operation in _calls(document)
        if tag in operation["tags"]
    )
    return f"<h2>{escape(tag)}</h2><ul>{''.join(links)}</ul>"


def _calls(document: Json) -> Iterable[tuple[str, str, Json]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _call(document: Json, path: str, method: str, operation: Json) -> str:
    name = escape(operation["operationId"])
    return "\n".join(
        [
            f'<article id="{name}"><h2>{escape(operation["summary"])}</h2>',
            f'<p class="target">{_method(method)} <code>{_breakable(path)}</code></p>',
            f"<p>{escape(operation['description'])}</p>",
            _examples(path, method, operation),
            _proofs(document, operation),
            _parameters(operation),
            _body(document, operation),
            _answers(document, operation),
            _failures(operation),
            "</article>",
        ]
    )


def _method(method: str) -> str:
    return f'<b class="{escape(method)}">{escape(method.upper())}</b>'


def _breakable(path: str) -> str:
    return escape(path).replace("/", "/<wbr>")


# -- what goes in -----------------------------------------------------------------------------------------


def _proofs(document: Json, operation: Json) -> str:
    names = [name for proof in operation["security"] for name in proof]
    schemes = document["components"]["securitySchemes"]
    rows = [_row(_header_of(schemes[name]), "header", schemes[name]["description"]) for name in names]
    need = "Proof, where one is to be given" if {} in operation["security"] else "Proof"
    return _section(need, rows)


def _header_of(scheme: Json) -> str:
    return str(scheme["name"]) if scheme["type"] == "apiKey" else "Authorization: Bearer"


def _parameters(operation: Json) -> str:
    rows = []
    for each in operation.get("parameters", ()):
        kind = shown_type({}, each["schema"], needed=each.get("required", False))
        rows.append(_row(each["name"], f"{each['in']}, {kind}", each["description"]))
    return _section("Parameters", rows)


def _body(document: Json, operation: Json) -> str:
    if "requestBody" not in operation:
        return ""
    (kind, content), *_ = operation["requestBody"]["content"].items()
    rows = _fields(document, content["schema"], sent=True)
    return _section(f"Body ({kind})", rows)


def _fields(document: Json, schema: Json, *, sent: bool) -> list[str]:
    """The fields of an object, or of the objects in an array; `sent` says which of them must be there."""
    schemas = document["components"]["schemas"]
    schema = schema.get("items", schema)
    schema = schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    fields = schema.get("properties", {})
    needed = schema.get("required", ()) if sent else ()
    rows = [
        _row(name, shown_type(schemas, field, needed=name in needed), field.get("description", ""))
        for name, field in fields.items()
        if not is_ignored(field)
    ]
    return rows + _ignored([name for name, field in fields.items() if is_ignored(field)])


def _ignored(names: list[str]) -> list[str]:
    """What may be sent back as it was read, in one row."""
    says = "Ignored: a room that was read may be sent back as it is. Its owner and its id never change."
    return [_row(", ".join(names), "", says)] if names else []


# -- what comes out ---------------------------------------------------------------------------------------


def _answers(document: Json, operation: Json) -> str:
    """The good answer's fields."""
    sections = []
    for status, response in operation["responses"].items():
        if status.startswith("2"):
            kinds = response["content"]
            rows = _fields(document, next(iter(kinds.values()))["schema"], sent=False)
            says = f"<p>{escape(response['description'])}</p>"
            sections.append(_section(f"{status} ({', '.join(kinds)})", rows, says))
    return "".join(sections)


def _failures(operation: Json) -> str:
    rows = [
        row
        for status, response in operation["responses"].items()
        if not status.startswith("2")
        for row in _failure_rows(status, response)
    ]
    return _section("Failures", rows)


def _failure_rows(status: str, response: Json) -> list[str]:
    match response["content"]:
        case {"application/json": {"schema": {"allOf": [_, {"properties": {"code": {"enum": codes}}}]}}}:
            return [_row(code, status, f"{_capital(MEANINGS[Code(code)])}.") for code in codes]
    return [_row(status, ", ".join(response["content"]), response["description"])]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _section(title: str, rows: list[str], before: str = "") -> str:
    if not rows and not before:
        return ""
    fields = f"<dl>{''.join(rows)}</dl>" if rows else ""
    return f"<h3>{escape(title)}</h3>{before}{fields}"


def _row(name: str, kind: str, says: str) -> str:
    about = f" <i>{escape(kind)}</i>" if kind else ""
    return f"<div><dt><code>{escape(name)}</code>{about}</dt><dd>{escape(says)}</dd></div>"


# -- examples ---------------------------------------------------------------------------------------------


def _examples(path: str, method: str, operation: Json) -> str:
    bodies = _values(operation.get("requestBody", {}))
    answers: dict[str, Json] = {}
    for status, response in operation["responses"].items():
        answers |= _values(response) if status.startswith("2") else {}
    return "".join(
        _example(each["summary"], curl(path, method, operation, each["value"]), answers.get(name))
        for name, each in bodies.items()
    )


def _values(content: Json) -> dict[str, Json]:
    """The examples of a request or a response."""
    kinds = content.get("content", {}).values()
    return {name: each for kind in kinds for name, each in kind.get("examples", {}).items()}


def _example(title: str, command: str, answer: Json | None) -> str:
    parts = [f"<details><summary>Example: {escape(title)}</summary><pre>{escape(command)}</pre>"]
    if answer is not None:
        parts.append(f"<pre>{escape(_pretty(answer['value']))}</pre>")
    return "".join([*parts, "</details>"])


def curl(path: str, method: str, operation: Json, body: Any) -> str:
    """The call as the reference writes it, with a token where one is needed."""
    headers = ["Content-Type: application/json"]
    if {ACCESS: []} in operation["security"] and {} not in operation["security"]:
        headers.insert(0, f"{ACCESS_TOKEN}: <your_api_token>")
    return " \\\n".join(
        [
            f"curl --request {method.upper()}",
            f"--url http://localhost{path}",
            *(f"--header '{header}'" for header in headers),
            f"--data '{_pretty(body)}'",
        ]
    )


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
