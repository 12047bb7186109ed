"""What comes to nothing on a real `roomctl run`: operators in every field, tokens that are no proof, bodies
without end, other ways to write a path, and a thousand clients that only hold their connections.
"""

import asyncio
import hashlib
import json
import random
import statistics
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import aiohttp
import jwt
import pytest

from controller.access.invites import Invite, mint_egress, mint_invite
from controller.access.policy import Role
from controller.room import Purpose, derive_key
from controller.settings_parsers import Address
from tests.support.controller import Site
from tests.support.embedded import Server
from tests.support.livekit import LiveKitServer
from tests.support.participants import token as livekit_token
from tests.unit.sidecar.harness import (
    FIND,
    TOKEN,
    Reply,
    ask,
    private_document,
    public_document,
    raw,
)

OWNER, THIEF = "the-owner-of-rooms", "the-thief-of-rooms"
"""Access tokens; their users have the same names."""

INJECTIONS: Final[tuple[Any, ...]] = (
    {"$gt": ""},
    {"$ne": None},
    {"$ne": ""},
    {"$in": [None, ""]},
    {"$where": "return true"},
    {"$regex": ".*"},
    {"$or": [{}, {"a": "a"}]},
    {"$gt": {"$gt": ""}},
    {"$expr": {"$eq": [1, 1]}},
    ["$gt", ""],
    [{"$gt": ""}],
)
IGNORED: Final = ("_id", "sid", "created", "modified", "success", "user_id")
ROOM_CALLS: Final[Mapping[str, tuple[str, ...]]] = {
    "create": ("name", "mediaType", "max_participants", "allow_chat", "record_mode", "active"),
    "getCount": ("filter",),
    "getAll": ("filter", "sort", "limit", "skip"),
    "getById": ("id",),
    "update": ("id", "name", "mediaType", "max_participants", "allow_chat", "record_mode", "active"),
    "start": ("id",),
    "stop": ("id",),
    "remove": ("id",),
}
SLOW: Final = 1000
GUESTS: Final = 50


@dataclass(frozen=True)
class Stage:
    """A controller with a webinar of a manifest and a room of the owner's."""

    site: Site
    public: Address
    private: Address
    webinar: str
    epoch: int
    live_name: str
    owned: str

    def key(self, purpose: Purpose) -> bytes:
        return derive_key(self.site.secret, purpose)

    async def room_call(self, name: str, body: Any, token: str = THIEF) -> Reply:
        method = "DELETE" if name.startswith("remove") else "POST"
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"x-access-token": token}
        return await ask(self.private, method, f"/api/conferences/{name}", content, headers)

    async def token(self, headers: Mapping[str, str] | None = None, **fields: Any) -> Reply:
        body = {"room_id": self.webinar, "LKRoomName": self.live_name, "participant_id": "jane", **fields}
        return await ask(self.public, "POST", TOKEN, json.dumps(body).encode(), headers)

    async def owners_rooms(self) -> Any:
        return (await self.room_call("getAll", {}, OWNER)).json


@pytest.fixture(name="stage", scope="module")
async def _stage(
    tmp_path_factory: pytest.TempPathFactory, livekit: LiveKitServer, mongodb: Server
) -> AsyncIterator[Stage]:
    folder = tmp_path_factory.mktemp("abuse")
    tokens = folder / "tokens.yaml"
    tokens.write_text(
        "".join(
            f"- token_sha256: {hashlib.sha256(user.encode()).hexdigest()}\n  user_id: {user}\n"
            for user in (OWNER, THIEF)
        )
    )
    settings = {"ROOMCTL_ACCESS_TOKENS_FILE": str(tokens), "ROOMCTL_ADDRESS_REQUESTS_PER_SECOND": "0"}
    async with Site(folder / "site", livekit, mongodb=mongodb.uri, **settings) as site, site.run():
        site.write("webinar", allow_webinar_mode=True, max_participants=100)
        record = (await site.converged())["webinar"]
        assert record.live is not None
        public, private = (Address("127.0.0.1", port) for port in (site.public, site.private))
        stage = Stage(site, public, private, record.id, record.invite_epoch, record.live.name, "")
        made = await stage.room_call("create", {"name": "Vault", "max_participants": 5}, OWNER)
        await site.until_condition(f"api/{made.json['id']}", "Ready", "True")
        yield replace(stage, owned=made.json["id"])


# -- operators --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "field"), [(call, field) for call in ROOM_CALLS for field in ROOM_CALLS[call]]
)
async def test_an_operator_in_a_field_is_refused_or_finds_nothing(
    stage: Stage, call: str, field: str
) -> None:
    before = await stage.owners_rooms()
    needed = {"name": "Hall", "max_participants": 5} if call == "create" else {}
    for injection in INJECTIONS:
        reply = await stage.room_call(call, {**needed, field: injection})
        assert (reply.status, reply.code) == (400, "INVALID_FIELD"), (injection, reply)
        assert stage.owned.encode() not in reply.body
    assert await stage.owners_rooms() == before


@pytest.mark.parametrize(
    "name", ["_id", "id", "name", "user_id", "sid", "created", "active", "max_participants"]
)
async def test_a_filter_reaches_no_room_of_another(stage: Stage, name: str) -> None:
    mine = [room["_id"] for room in (await stage.room_call("getAll", {})).json]
    wide: tuple[Any, ...] = (
        *INJECTIONS,
        {"$nin": []},
        {"$gte": "", "$lte": "\uffff"},
        OWNER,
        stage.owned,
    )
    for content in [*({name: each} for each in wide), *({"$or": [{name: each}, {}]} for each in wide)]:
        reply = await stage.room_call("getAll", {"filter": content})
        assert reply.status in (200, 400), (content, reply)
        assert reply.status == 400 or {room["_id"] for room in reply.json} <= {*mine}
        count = await stage.room_call("getCount", {"filter": content})
        assert count.status == reply.status
        assert count.status == 400 or count.json["count"] <= len(mine)


@pytest.mark.parametrize("field", IGNORED)
async def test_what_is_ignored_makes_nobody_an_owner(stage: Stage, field: str) -> None:
    for injection in (*INJECTIONS, OWNER, stage.owned):
        body = {"name": "Hall", "max_participants": 5, "active": False, field: injection}
        made = await stage.room_call("create", body)
        assert made.json["user_id"] == THIEF
        assert made.json["id"] not in (stage.owned, stage.webinar)
        changed = await stage.room_call("update", {"id": made.json["id"], field: injection})
        assert changed.json["user_id"] == THIEF
        await stage.room_call("remove", {"id": made.json["id"]})


@pytest.mark.parametrize("call", ["getById", "update", "start", "stop", "remove"])
async def test_the_room_of_another_is_as_unknown_as_one_that_is_not(stage: Stage, call: str) -> None:
    before = await stage.owners_rooms()
    for room in (stage.owned, stage.webinar):
        theirs = await stage.room_call(call, {"id": room})
        none = await stage.room_call(call, {"id": "0" * 24})
        assert theirs.code == "ROOM_NOT_FOUND"
        assert (theirs.status, theirs.body) == (none.status, none.body)
    assert await stage.owners_rooms() == before


@pytest.mark.parametrize(
    "query", ["id[$ne]=", "id[]=", "id=%00", "id=*", "$where=1", "id=&id=", "id=%ff", "id=.."]
)
async def test_a_query_is_an_id_and_nothing_else(stage: Stage, query: str) -> None:
    before = await stage.owners_rooms()
    reply = await stage.room_call(f"remove?{query}", b"")
    assert reply.status in (400, 404)
    assert await stage.owners_rooms() == before


@pytest.mark.parametrize("field", ["room_id", "LKRoomName", "participant_id", "participant_name", "hidden"])
async def test_an_operator_in_a_guests_field_is_refused(stage: Stage, field: str) -> None:
    for injection in INJECTIONS:
        assert (await stage.token(**{field: injection})).code == "INVALID_FIELD"
        find = await ask(stage.public, "POST", FIND, json.dumps({"id": injection}).encode())
        assert find.code == "INVALID_FIELD"


async def test_bodies_that_are_nearly_right_break_nothing(stage: Stage) -> None:
    """A thousand bodies, each a good one with a few bytes of it changed, cut or doubled."""
    chance = random.Random(5)
    good = json.dumps({"id": stage.owned, "name": "Hall", "max_participants": 5, "filter": {"active": True}})
    targets = [(stage.private, f"/api/conferences/{call}", "POST") for call in ROOM_CALLS if call != "remove"]
    targets += [
        (stage.private, "/api/conferences/remove", "DELETE"),
        (stage.private, "/livekit/webhook", "POST"),
    ]
    targets += [(stage.public, path, "POST") for path in (FIND, TOKEN, "/livekit/token")]
    before = await stage.owners_rooms()
    for number in range(1000):
        address, path, method = targets[number % len(targets)]
        body = _damaged(good.encode(), chance)
        reply = await ask(address, method, path, body, {"x-access-token": THIEF})
        assert reply.status in (200, 400, 401, 404), (path, body, reply)
        assert reply.status == 200 or reply.code
    assert await stage.owners_rooms() == before


def _damaged(body: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(body)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(damaged))
        match chance.randrange(4):
            case 0:
                damaged[at] = chance.randrange(256)
            case 1:
                del damaged[at:]
                damaged += b"}"
            case 2:
                damaged[at:at] = damaged[at : at + 20]
            case _:
                damaged[at:at] = chance.choice(
                    [b"{", b"[", b'"', b"\\ud800", b"1e999", b"NaN", b"\x00", b"\xff"]
                )
    return bytes(damaged)


# -- tokens -----------------------------------------------------------------------------------------------


def _signed(claims: Mapping[str, Any], key: bytes, kind: str, algorithm: str = "HS256") -> str:
    return jwt.encode(dict(claims), key, algorithm=algorithm, headers={"typ": kind})


def _claims(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


def _unsigned(token: str) -> str:
    """The same claims under alg none."""
    kind = jwt.get_unverified_header(token)["typ"]
    return jwt.encode(_claims(token), None, algorithm="none", headers={"typ": kind})


def _bad_invites(stage: Stage, now: int) -> Mapping[str, str]:
    key, kind = stage.key(Purpose.INVITE), "roomctl-invite+jwt"
    good = mint_invite(Invite(stage.webinar, Role.SPEAKER, stage.epoch, now + 600), key, now)
    claims = _claims(good)
    server = stage.site.livekit
    return {
        "alg none": _unsigned(good),
        "no signature": good.rpartition(".")[0] + ".",
        "another algorithm": _signed(claims, key * 2, kind, "HS512"),
        "another key": _signed(claims, b"k" * 32, kind),
        "LiveKit's key": _signed(claims, server.secret.encode(), kind),
        "the secret itself": _signed(claims, stage.site.secret.encode(), kind),
        "the key of ids": _signed(claims, stage.key(Purpose.ROOM_ID), kind),
        "another room": mint_invite(Invite("0" * 24, Role.SPEAKER, stage.epoch, now + 600), key, now),
        "another epoch": mint_invite(
            Invite(stage.webinar, Role.SPEAKER, stage.epoch + 1, now + 600), key, now
        ),
        "for somebody else": mint_invite(
            Invite(stage.webinar, Role.SPEAKER, stage.epoch, now + 600, "joe"), key, now
        ),
        "expired": _signed({**claims, "iat": now - 600, "exp": now - 1}, key, kind),
        "of the future": _signed({**claims, "iat": now + 3600, "exp": now + 7200}, key, kind),
        "good for ever": _signed({**claims, "exp": now + 10**9}, key, kind),
        "without an end": _signed({k: v for k, v in claims.items() if k != "exp"}, key, kind),
        "another role": _signed({**claims, "role": "hidden"}, key, kind),
        "another audience": _signed({**claims, "aud": "roomctl/egress"}, key, kind),
        "a token to join": livekit_token(server, stage.live_name, "jane"),
        "an egress token": mint_egress(stage.webinar, stage.live_name, stage.key(Purpose.EGRESS), now),
        "an egress token by the invites' key": mint_egress(stage.webinar, stage.live_name, key, now),
        "an access token": OWNER,
        "nothing": "",
        "nonsense": "..",
    }


async def test_what_is_no_invite_for_this_room_makes_no_speaker(stage: Stage) -> None:
    now = int(time.time())
    for what, token in _bad_invites(stage, now).items():
        for path_reply in (
            await stage.token({"Authorization": f"Bearer {token}"}),
            await ask(
                stage.public,
                "POST",
                "/livekit/token",
                json.dumps({"room_name": stage.webinar, "participant_identity": "jane"}).encode(),
                {"Authorization": f"Bearer {token}"},
            ),
        ):
            assert (path_reply.status, path_reply.code) == (401, "PROOF_INVALID"), what


async def test_the_invite_that_they_were_made_from_makes_one(stage: Stage) -> None:
    """Else none of those above need be wrong."""
    now = int(time.time())
    good = mint_invite(
        Invite(stage.webinar, Role.SPEAKER, stage.epoch, now + 600), stage.key(Purpose.INVITE), now
    )
    reply = await stage.token({"Authorization": f"Bearer {good}"})
    assert _claims(reply.json["participant_token"])["attributes"]["role"] == "speaker"


async def test_what_is_no_egress_token_for_this_room_hides_nobody(stage: Stage) -> None:
    now, key = int(time.time()), stage.key(Purpose.EGRESS)
    good = mint_egress(stage.webinar, stage.live_name, key, now)
    claims, kind = _claims(good), "roomctl-egress+jwt"
    invite = mint_invite(
        Invite(stage.webinar, Role.SPEAKER, stage.epoch, now + 600), stage.key(Purpose.INVITE), now
    )
    bad = {
        "alg none": _unsigned(good),
        "another key": _signed(claims, b"k" * 32, kind),
        "another room": mint_egress("0" * 24, stage.live_name, key, now),
        "another activation": mint_egress(stage.webinar, "34d4f497-f95b-4543-8d15-fde0b77d8abc", key, now),
        "expired": mint_egress(stage.webinar, stage.live_name, key, now - 3600),
        "of the future": mint_egress(stage.webinar, stage.live_name, key, now + 3600),
        "too long": _signed({**claims, "exp": now + 10**6}, key, kind),
        "an invite": invite,
        "an invite by the egress key": _signed(_claims(invite), key, "roomctl-invite+jwt"),
        "a token to join": livekit_token(stage.site.livekit, stage.live_name, "jane", hidden=True),
        "nothing": "",
    }
    for what, token in bad.items():
        reply = await stage.token(hidden=True, egress_mode_token=token)
        assert (reply.status, reply.code) == (403, "HIDDEN_NOT_ALLOWED"), what
    reply = await stage.token(hidden=True, egress_mode_token=good)
    assert _claims(reply.json["participant_token"])["video"]["hidden"] is True


async def test_a_token_of_ours_signs_no_webhook(stage: Stage) -> None:
    now = int(time.time())
    for what, token in _bad_invites(stage, now).items():
        reply = await ask(stage.private, "POST", "/livekit/webhook", b"{}", {"Authorization": token})
        assert (reply.status, reply.code) == (401, "UNAUTHORIZED"), what


# -- bodies and paths -------------------------------------------------------------------------------------


async def test_a_body_that_is_too_long_is_cut_off_however_it_comes(stage: Stage) -> None:
    for address, path in ((stage.public, FIND), (stage.private, "/api/conferences/create")):
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nx-access-token: {THIEF}\r\n"
        announced = await raw(address, f"{head}Content-Length: {10**12}\r\n\r\n{{".encode())
        assert announced.code == "PAYLOAD_TOO_LARGE"
        whole = await ask(address, "POST", path, b" " * (64 * 1024 + 1), {"x-access-token": THIEF})
        assert whole.code == "PAYLOAD_TOO_LARGE"
        assert b" 413 " in await _endless(address, f"{head}Transfer-Encoding: chunked\r\n\r\n")


async def _endless(address: Address, head: str) -> bytes:
    """Send chunks until the other side has had enough; the first line of what it said meanwhile."""
    reader, writer = await asyncio.open_connection(address.host, address.port)
    said = asyncio.create_task(reader.readline())
    writer.write(head.encode())
    try:
        while True:  # it hangs up, or this test never ends
            writer.write(b"8000\r\n" + b" " * 0x8000 + b"\r\n")
            await writer.drain()
            await asyncio.sleep(0)
    except ConnectionError:
        writer.close()
    return await said


def _tricks(path: str) -> list[str]:
    head, _, tail = path.rpartition("/")
    return [
        f"/{path}",
        f"{path}/",
        f"{path}/.",
        f"/.{path}",
        f"/x/..{path}",
        f"{head}//{tail}",
        f"{head}/%2e/{tail}",
        f"{head}%2f{tail}",
        f"/%2e%2e{path}",
        f"{path}%00",
        f"{path};x",
        f"{path}%20",
        f"{path}.json",
        path.upper() if path != path.upper() else f"{path}x",
        path.replace("/", "\\"),
        f"{head}/%{ord(tail[0]):02x}{tail[1:]}",
    ]


@pytest.mark.parametrize("listener", ["public", "private"])
async def test_no_other_way_of_writing_a_path_is_that_path(stage: Stage, listener: str) -> None:
    document = public_document() if listener == "public" else private_document()
    address = stage.public if listener == "public" else stage.private
    for path in document["paths"]:
        if path.startswith("/join/"):
            continue
        for trick in _tricks(path):
            for method in ("GET", "POST"):
                reply = await ask(address, method, trick, headers={"x-access-token": OWNER})
                assert (reply.status, reply.code) in ((404, "NOT_FOUND"), (400, "BAD_REQUEST")), trick


async def test_nothing_private_is_to_be_had_in_public(stage: Stage) -> None:
    private = private_document()["paths"].keys() - public_document()["paths"].keys()
    assert len(private) == 12
    for path in private:
        for target in (path, *_tricks(path), f"http://{stage.private.host}:{stage.private.port}{path}"):
            for method in ("GET", "POST", "DELETE", "OPTIONS", "HEAD"):
                reply = await ask(stage.public, method, target, headers={"x-access-token": OWNER})
                assert reply.status in (400, 404), (method, target)


# -- slow clients -----------------------------------------------------------------------------------------


async def test_a_thousand_slow_clients_keep_no_guest_waiting(stage: Stage) -> None:
    """Each holds a connection and half a request; the guests' times are printed (pytest -s), not asserted."""
    held: list[asyncio.StreamWriter] = []
    try:
        for _ in range(SLOW):
            _, writer = await asyncio.open_connection(stage.public.host, stage.public.port)
            writer.write(f"POST {FIND} HTTP/1.1\r\nHost: x\r\nContent-Length: 60\r\n\r\n{{".encode())
            held.append(writer)
        seconds = [await _guest(stage) for _ in range(GUESTS)]
        assert not [writer for writer in held if writer.is_closing()]
    finally:
        for writer in held:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in held), return_exceptions=True)
    median, slowest = (1000 * each for each in (statistics.median(seconds), max(seconds)))
    print(f"beside {SLOW} slow clients both helpers took {median:.0f} ms, {slowest:.0f} at worst")  # noqa: T201


async def _guest(stage: Stage) -> float:
    """Both helpers, over a connection of their own; how long that took."""
    began = time.perf_counter()
    async with aiohttp.ClientSession() as http:
        base = f"http://{stage.public.host}:{stage.public.port}"
        async with http.post(f"{base}{FIND}", json={"id": stage.webinar}) as answer:
            assert answer.status == 200
            name = (await answer.json())["LKRoomName"]
        body = {"room_id": stage.webinar, "LKRoomName": name, "participant_id": "jane"}
        async with http.post(f"{base}{TOKEN}", json=body) as given:
            assert given.status == 200
    return time.perf_counter() - began
