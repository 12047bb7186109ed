"""What the listeners of a real `roomctl run` say of themselves holds: Schemathesis makes requests from it.

Right and wrong ones by the schema, always the same: nothing breaks, every answer has a status, a content
type, headers and a body that the document has for it, what is right is taken and what is wrong refused.
"""

import hashlib
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import aiohttp
import pytest
import requests
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import positive_data_acceptance

from controller.room import HOURS
from controller.sidecar.http.body import MAX_FILTER_JSON_DEPTH
from controller.sidecar.rooms.query import LOGICAL, MAX_FILTER_DEPTH, MAX_FILTER_TERMS
from tests.support.controller import Site
from tests.support.embedded import Server
from tests.support.livekit import LiveKitServer
from tests.unit.sidecar.harness import private_document, public_document

API_TOKEN: Final = "the-token-of-schemathesis"
TOKEN_HEADER: Final = {"x-access-token": API_TOKEN}
EXAMPLES_EACH: Final = 12

OPEN_HOURS: Final = frozenset(HOURS)
"""No schema describes dates, zones and rules in full, and which of them go together."""

CONFIG: Final[Mapping[str, Any]] = {
    "generation": {"deterministic": True, "max-examples": EXAMPLES_EACH, "database": "none"},
    "checks": {"not_a_server_error": {"expected-statuses": ["2xx", "3xx", "4xx", "503"]}},
    "operations": [
        # thousands of filters go through getAll
        {"include-path": "/api/conferences/getCount", "phases": {"coverage": {"enabled": False}}}
    ],
}


Case: TypeAlias = schemathesis.Case[Any]


@dataclass(frozen=True)
class Listeners:
    """A controller's two listeners, and the rooms behind them: a manifest's, and one made over the API."""

    public: str
    private: str
    manifest_id: str
    live_name: str
    api_id: str
    http: requests.Session


@pytest.fixture(name="listeners", scope="module")
async def _listeners(
    tmp_path_factory: pytest.TempPathFactory, livekit: LiveKitServer, mongodb: Server
) -> AsyncIterator[Listeners]:
    folder = tmp_path_factory.mktemp("schema")
    tokens = folder / "tokens.yaml"
    hashed = hashlib.sha256(API_TOKEN.encode()).hexdigest()
    tokens.write_text(f"- token_sha256: {hashed}\n  user_id: schemathesis\n  admin: true\n")
    settings = {"ROOMCTL_ACCESS_TOKENS_FILE": str(tokens)}
    async with Site(folder / "site", livekit, mongodb=mongodb.uri, **settings) as site, site.run():
        site.write("team", max_participants=100)
        record = (await site.converged())["team"]
        assert record.live is not None
        public, private = (f"http://127.0.0.1:{port}" for port in (site.public, site.private))
        made = await _create(f"{private}/api/conferences/create")
        with requests.Session() as http:
            http.trust_env = False  # which else is read anew for each request
            yield Listeners(public, private, record.id, record.live.name, made, http)


async def _create(url: str) -> str:
    """A room made over the API; its id."""
    body = {"name": "For Schemathesis", "max_participants": 5}
    async with aiohttp.ClientSession(headers=TOKEN_HEADER) as http, http.post(url, json=body) as answer:
        assert answer.status == 200
        return str((await answer.json())["id"])


def with_real_ids(case: Case, listeners: Listeners) -> None:
    """Most right requests are about a room that there is: no generator would guess its id."""
    body, path = case.body, case.path_parameters or {}
    if not _is_right(case) or len(f"{path}{body}" if isinstance(body, dict) else f"{path}") % 3 == 0:
        return
    if "id" in path:
        case.path_parameters = {"id": listeners.manifest_id}
    if isinstance(body, dict):
        by_api = case.path.rpartition("/")[2] in ("update", "start", "stop", "remove")
        room = listeners.api_id if by_api else listeners.manifest_id
        case.body = body = dict(body)  # it may be the document's own example
        body |= {name: room for name in ("id", "room_id", "room_name") if isinstance(body.get(name), str)}
        body |= {"LKRoomName": listeners.live_name} if "LKRoomName" in body else {}


def left_out(case: Case) -> list[Any]:
    """The checks that do not apply: that what is right is taken, where a schema cannot say all of what is."""
    return [positive_data_acceptance] if _is_right(case) and _beyond_schemas(case) else []


def _is_right(case: Case) -> bool:
    return case.meta is not None and case.meta.generation.mode.is_positive


def _beyond_schemas(case: Case) -> bool:
    body: Any = case.body
    content = body if isinstance(body, dict) else {}
    meant = content.get("filter") or {}
    if case.path.endswith("/remove"):
        return len({content.get("id"), (case.query or {}).get("id")} - {None}) != 1
    return (
        not OPEN_HOURS.isdisjoint(content)
        or bool(content.get("agents"))  # each name once, of printable characters
        or _takes_all_seats(content)
        or _unsaid(content)
        or _terms(meant) > MAX_FILTER_TERMS
        or _depth(meant) > MAX_FILTER_DEPTH
    )


def _takes_all_seats(content: Mapping[str, Any]) -> bool:
    """No schema compares two fields; where max_participants is not sent, the room's own is not known here."""
    seats, limit = content.get("reserved_seats"), content.get("max_participants")
    return isinstance(seats, int) and seats >= (limit if isinstance(limit, int) else 1)


def _unsaid(value: Any, depth: int = 1) -> bool:
    """Beyond what a body may hold anywhere; and 1.0 is an integer to JSON Schema, and none to us."""
    if isinstance(value, dict | list):
        inside = value.values() if isinstance(value, dict) else value
        return depth > MAX_FILTER_JSON_DEPTH or any(_unsaid(each, depth + 1) for each in inside)
    if isinstance(value, float):
        return value.is_integer()
    return isinstance(value, int) and not -(2**63) <= value < 2**63


def _terms(part: Mapping[str, Any]) -> int:
    return sum(map(_terms_of, part, part.values())) or 1


def _terms_of(name: str, value: Any) -> int:
    if name in LOGICAL:
        return sum(map(_terms, value))
    return len(value) if isinstance(value, dict) else 1


def _depth(part: Mapping[str, Any]) -> int:
    branches = [each for name in LOGICAL for each in part.get(name, ())]
    return 1 + max(map(_depth, branches)) if branches else 0


async def test_the_documents_below_are_the_ones_that_are_served(listeners: Listeners) -> None:
    async with aiohttp.ClientSession() as http:
        for base, document in (
            (listeners.public, public_document()),
            (listeners.private, private_document()),
        ):
            async with http.get(f"{base}/openapi.json") as answer:
                assert await answer.json() == document


def _holds(document: Any, path: str, listener: str, headers: Mapping[str, str]) -> Any:
    """A test of one call at one listener."""
    alone = {**document, "paths": {path: document["paths"][path]}}
    schema = schemathesis.openapi.from_dict(alone, config=SchemathesisConfig.from_dict(dict(CONFIG)))

    @schema.parametrize()
    def holds(case: Case, listeners: Listeners) -> None:
        with_real_ids(case, listeners)
        base = str(getattr(listeners, listener))
        case.call_and_validate(
            base_url=base, session=listeners.http, headers=dict(headers), excluded_checks=left_out(case)
        )

    return holds


# A name for each: Schemathesis gives all calls of a schema one, and of equal names xdist runs but one.
for _path in public_document()["paths"]:
    globals()[f"test_public{re.sub(r'[^A-Za-z]+', '_', _path)}"] = _holds(
        public_document(), _path, "public", {}
    )
for _path in private_document()["paths"]:
    globals()[f"test_private{re.sub(r'[^A-Za-z]+', '_', _path)}"] = _holds(
        private_document(), _path, "private", TOKEN_HEADER
    )
