"""Every example of the reference on a real `roomctl run`, text in and text out.

Its curl commands are sent as printed, only what the reference itself writes as a placeholder is replaced; the
answers are compared with the printed ones.
"""

import hashlib
import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
import jwt
import pytest

from tests.support.controller import Site
from tests.support.embedded import Server
from tests.support.livekit import LiveKitServer
from tests.support.reference import (
    COUNT,
    CREATE_ROOM,
    EXAMPLES,
    FIND,
    GET,
    LIST,
    PRESETS,
    REMOVE,
    START,
    STOP,
    TOKEN,
    UPDATE,
    Printed,
)

USER: Final = str(CREATE_ROOM.answers["user_id"])
API_TOKEN: Final = "the-token-of-the-one-who-reads-the-reference"
PRINTED_NAME: Final = str(TOKEN.sends["LKRoomName"])

ID: Final = re.compile(r"[0-9a-f]{24}")
TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
UUID4: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
OWN: Final[Mapping[str, re.Pattern[str]]] = {
    "_id": ID,
    "id": ID,
    "sid": re.compile(r"RM_\w+"),
    "created": TIME,
    "modified": TIME,
    "LKRoomName": UUID4,
    "participant_token": re.compile(r"[\w-]+\.[\w-]+\.[\w-]+"),
}
"""The values that cannot be those printed, and what they look like."""


@dataclass
class Reader:
    """Somebody who follows the reference: they put their own values where it has placeholders."""

    site: Site
    http: aiohttp.ClientSession
    mine: dict[str, str] = field(default_factory=lambda: {"<your_api_token>": API_TOKEN})

    async def send(self, example: Printed) -> tuple[int, str]:
        """The command as printed, but for the placeholders."""
        request = example.request
        port = self.site.public if "-public/" in request.path else self.site.private
        headers = {name: self._filled(value) for name, value in request.headers.items()}
        async with self.http.request(
            request.method,
            f"http://127.0.0.1:{port}{request.path}",
            data=self._filled(request.body).encode(),
            headers=headers,
        ) as answer:
            assert answer.content_type == "application/json"
            return answer.status, await answer.text()

    async def follow(self, example: Printed, **differ: Any) -> Any:
        """Send it; the answer, once it has been compared with the printed one, but for `differ`."""
        status, text = await self.send(example)
        assert status == 200, (example.title, text, self.site.tail())
        answer = json.loads(text)
        assert_as_printed(answer, example.answers, differ)
        return answer

    async def create(self, example: Printed = CREATE_ROOM, **differ: Any) -> Any:
        """A room, which VIDEO_CALL_ID is from now on."""
        status, text = await self.send(example)
        assert status == 200, (example.title, text, self.site.tail())
        room = json.loads(text)
        assert_as_printed(room, CREATE_ROOM.answers, differ)
        self.mine["VIDEO_CALL_ID"] = room["id"]
        return room

    def _filled(self, text: str) -> str:
        for placeholder, value in self.mine.items():
            text = text.replace(placeholder, value)
        return text


def assert_as_printed(answer: Any, printed: Any, differ: Mapping[str, Any]) -> None:
    """Field for field: the same names in the same order, of the same types, with the same values."""
    assert type(answer) is type(printed)
    if isinstance(printed, list):
        assert len(answer) == len(printed)
        for one, shown in zip(answer, printed, strict=True):
            assert_as_printed(one, shown, differ)
        return
    assert list(answer) == list(printed)
    for name, shown in printed.items():
        value = answer[name]
        assert type(value) is type(shown), name
        if name in OWN:
            assert OWN[name].fullmatch(value), (name, value)
        else:
            assert value == differ.get(name, shown), name


@pytest.fixture(name="reader")
async def _reader(tmp_path: Path, livekit: LiveKitServer, mongodb: Server) -> AsyncIterator[Reader]:
    tokens = tmp_path / "tokens.yaml"
    hashed = hashlib.sha256(API_TOKEN.encode()).hexdigest()
    tokens.write_text(f"- token_sha256: {hashed}\n  user_id: {USER}\n")
    settings = {"ROOMCTL_ACCESS_TOKENS_FILE": str(tokens)}
    async with (
        Site(tmp_path / "site", livekit, mongodb=mongodb.uri, **settings) as site,
        site.run(),
        aiohttp.ClientSession() as http,
    ):
        yield Reader(site, http)


async def test_the_examples_in_the_order_of_the_reference(reader: Reader) -> None:
    room = await reader.create()
    assert room["_id"] == room["id"]
    assert room["created"] == room["modified"]
    assert await reader.follow(COUNT) == {"count": 1}
    assert await reader.follow(LIST) == [room]
    assert await reader.follow(GET) == room
    assert await reader.follow(START) == {"success": True}
    assert await reader.follow(GET) == room  # it was live, so nothing has changed
    assert await reader.follow(STOP) == {"success": True}
    stopped = await reader.follow(GET, active=False)
    assert stopped["sid"] == room["sid"]
    assert await reader.follow(REMOVE) == {"success": True}
    assert (await reader.send(GET))[0] == 404
    assert await reader.follow(COUNT, count=0) == {"count": 0}


async def test_the_answer_to_update_shows_the_room_as_it_was_sent(reader: Reader) -> None:
    """The printed answer shows another name and active than the printed body sends: what is sent counts."""
    before = await reader.create()
    await reader.follow(STOP)
    sent = UPDATE.sends
    after = await reader.follow(UPDATE, name=sent["name"], active=sent["active"])
    assert after["id"] == before["id"]
    assert after["created"] == before["created"]
    assert after["modified"] > before["modified"]


@pytest.mark.parametrize("example", PRESETS, ids=lambda example: example.title)
async def test_each_preset_makes_its_room(reader: Reader, example: Printed) -> None:
    sent = example.sends
    del sent["user_id"]  # the access token's user owns it, whatever the body says
    room = await reader.create(example, **sent)
    live = (await reader.site.listed())[(await reader.site.find(room["id"])).body["LKRoomName"]]
    assert live.sid == room["sid"]
    assert live.max_participants == sent["max_participants"]


async def test_the_helpers_answer_a_guest_whatever_token_the_example_shows(reader: Reader) -> None:
    """The placeholder is sent as it is printed: it proves nothing, and is ignored."""
    room = await reader.create()
    del reader.mine["<your_api_token>"]
    answer = await reader.follow(FIND)
    assert answer["id"] == room["id"]
    reader.mine[PRINTED_NAME] = answer["LKRoomName"]
    given = await reader.follow(TOKEN)
    assert given["LKRoomName"] == answer["LKRoomName"]
    claims = jwt.decode(given["participant_token"], options={"verify_signature": False})
    assert claims["sub"] == TOKEN.sends["participant_id"]
    assert claims["name"] == TOKEN.sends["participant_name"]
    assert claims["video"]["room"] == answer["LKRoomName"]
    assert claims["attributes"]["role"] == "guest"


async def test_start_brings_a_stopped_room_back_under_the_same_id(reader: Reader) -> None:
    first = await reader.create()
    await reader.follow(STOP)
    assert (await reader.send(FIND))[0] == 404
    await reader.follow(START)
    again = await reader.follow(GET)
    assert again["id"] == first["id"]
    assert again["sid"] != first["sid"]
    assert (await reader.send(FIND))[0] == 200


def test_there_are_fourteen_examples_for_ten_calls() -> None:
    assert len(EXAMPLES) == 14
    assert len({(example.request.method, example.request.path) for example in EXAMPLES}) == 10
