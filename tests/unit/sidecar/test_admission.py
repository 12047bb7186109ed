"""Who gets in and as what: every proof, every refusal, the order of the checks, and no oracle."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import jwt
import pytest

from controller.access.invites import Invite, mint_egress, mint_invite
from controller.access.policy import Role, permission_for
from controller.access.tokens import Badge, Minter
from controller.live.room import Participant, Permission
from controller.records.record import IdentityRule, LiveName
from controller.room import Join, Purpose, derive_key
from controller.settings import Settings
from controller.settings_parsers import ApiKey
from tests.unit.sidecar.harness import (
    FIND,
    JTI,
    KEY,
    NOW,
    ROOM_ID,
    ROOM_NAME,
    SECRET,
    SETTINGS,
    Harness,
    Reply,
    ask,
    person,
    record,
    serving,
    spec,
    token_claims,
)

ENDPOINT: Final = "/livekit/token"
OTHER_ID: Final = "f" * 24
SIGNING: Final = "the-secret-that-invites-are-signed-with"
INVITES, PASSES = derive_key(SIGNING, Purpose.INVITE), derive_key(SIGNING, Purpose.EGRESS)
WEBINAR: Final = spec(allow_webinar_mode=True, allow_chat=True, user_id="anna")
PROTECTED: Final = replace(SETTINGS, secret=SIGNING, livekit_public_url="wss://live.example")
Headers = Mapping[str, str]


@pytest.fixture(name="settings")
def _settings(tmp_path: Path) -> Settings:
    """With the access tokens of anna, who owns the room, of ben, and of an admin."""
    path = tmp_path / "tokens.yaml"
    entries = [
        {"token_sha256": hashlib.sha256(name.encode()).hexdigest(), "user_id": name, "admin": name == "root"}
        for name in ("anna", "ben", "root")
    ]
    path.write_text(json.dumps(entries))
    return replace(PROTECTED, access_tokens_file=path)


def invite(key: bytes = INVITES, now: int = NOW, **fields: Any) -> Headers:
    plain = Invite(ROOM_ID, Role.SPEAKER, 0, now + 3600)
    return {"Authorization": f"Bearer {mint_invite(replace(plain, **fields), key, now)}"}


def egress(room_id: str = ROOM_ID, name: str = ROOM_NAME, key: bytes = PASSES, now: int = NOW) -> str:
    return mint_egress(room_id, name, key, now)


def previous(
    identity: str = "jane", role: Role = Role.SPEAKER, room: str = ROOM_NAME, jti: str = JTI
) -> Headers:
    minter = Minter(ApiKey(KEY, SECRET), 300)
    may = permission_for(role, WEBINAR)
    token = minter.mint(room, identity, None, badge=Badge(role, jti), may=may, now=NOW)
    return {"X-Previous-Token": token}


def role(reply: Reply) -> str:
    assert reply.status in (200, 201), reply.body
    read = jwt.decode(
        reply.json["participant_token"],
        SECRET,
        algorithms=["HS256"],
        options={"verify_exp": False, "verify_nbf": False},
    )
    video, proven = read["video"], Role(read["attributes"]["role"])
    may = permission_for(proven, WEBINAR)
    assert (video["canPublish"], video["canPublishData"], video["hidden"]) == (
        may.can_publish,
        may.can_publish_data,
        may.hidden,
    )
    return str(proven)


def webinar(harness: Harness, **fields: Any) -> None:
    harness.put(record(spec=WEBINAR, **fields))


@dataclass(frozen=True)
class Way:
    """One of the two ways of asking for a token."""

    path: str
    room: str
    identity: str
    more: Mapping[str, str]

    async def asks(self, harness: Harness, headers: Headers = {}, **fields: Any) -> Reply:  # noqa: B006
        names = {"room": self.room, "identity": self.identity}
        given = {"room": ROOM_ID, "identity": "jane", **fields}
        body = {**self.more, **{names.get(name, name): value for name, value in given.items()}}
        return await harness.post(self.path, body, headers)


CREATE_TOKEN: Final = Way(
    "/api/conferences-public/createToken", "room_id", "participant_id", {"LKRoomName": ROOM_NAME}
)
SDK: Final = Way(ENDPOINT, "room_name", "participant_identity", {})


@pytest.fixture(name="way", params=[CREATE_TOKEN, SDK], ids=["createToken", "endpoint"])
def _way(request: pytest.FixtureRequest) -> Way:
    way: Way = request.param
    return way


class TestSpeakers:
    @pytest.mark.parametrize(
        ("headers", "proven"),
        [
            ({}, "guest"),
            ({"x-access-token": "anna"}, "speaker"),
            ({"x-access-token": "root"}, "speaker"),
            ({"x-access-token": "ben"}, "guest"),
            ({"x-access-token": "<your_api_token>"}, "guest"),
            (invite(), "speaker"),
            (invite(identity="jane"), "speaker"),
            ({"authorization": invite()["Authorization"].replace("Bearer ", "bEaReR  \t ")}, "speaker"),
            ({**invite(), "x-access-token": "ben"}, "speaker"),
            ({"Authorization": "Basic eDp5"}, "guest"),
            ({"Authorization": "Basic eDp5", "x-access-token": "anna"}, "speaker"),
            ({"Authorization": invite()["Authorization"].removeprefix("Bearer ")}, "guest"),
            (previous(), "guest"),
        ],
    )
    async def test_in_a_webinar_only_proof_makes_one(
        self, settings: Settings, way: Way, headers: Headers, proven: str
    ) -> None:
        async with serving(settings) as harness:
            webinar(harness)
            assert role(await way.asks(harness, headers)) == proven

    async def test_what_was_proven_is_recorded_outside_a_webinar_too(
        self, settings: Settings, way: Way
    ) -> None:
        async with serving(settings) as harness:
            harness.put(record(spec=replace_spec(allow_webinar_mode=False)))
            for headers, proven in ((invite(), "speaker"), ({}, "guest")):
                reply = await way.asks(harness, headers)
                read = jwt.decode(reply.json["participant_token"], options={"verify_signature": False})
                assert read["attributes"]["role"] == proven
                assert read["video"]["canPublish"] is True

    @pytest.mark.parametrize("field", ["invite", "role", "authorization", "x-access-token", "token"])
    async def test_no_field_of_the_body_makes_one(self, settings: Settings, way: Way, field: str) -> None:
        async with serving(settings) as harness:
            webinar(harness)
            for value in ("speaker", "anna", invite()["Authorization"]):
                fields: dict[str, Any] = {field: value}
                assert role(await way.asks(harness, **fields)) == "guest"


def replace_spec(**fields: Any) -> Any:
    return WEBINAR.model_copy(update=fields)


BAD_INVITES: Final[Mapping[str, Callable[[], Headers]]] = {
    "of another room": lambda: invite(room_id=OTHER_ID),
    "of a room that nobody has": lambda: invite(room_id="0" * 24),
    "of the epoch before": lambda: invite(epoch=4),
    "of an epoch to come": lambda: invite(epoch=6),
    "bound to another": lambda: invite(epoch=5, identity="joe"),
    "over": lambda: invite(epoch=5, now=NOW - 3600),
    "of the future": lambda: invite(epoch=5, now=NOW + 61),
    "of another key": lambda: invite(derive_key("another", Purpose.INVITE), epoch=5),
    "of another purpose": lambda: {"Authorization": f"Bearer {egress()}"},
    "a token of LiveKit's": lambda: {"Authorization": f"Bearer {previous()['X-Previous-Token']}"},
    "cut": lambda: {"Authorization": invite(epoch=5)["Authorization"][:-4]},
    "two words": lambda: {"Authorization": invite(epoch=5)["Authorization"] + " x"},
    "empty": lambda: {"Authorization": "Bearer"},
    "no text": lambda: {"Authorization": "Bearer \xff\xfe"},
    "huge": lambda: {"Authorization": "Bearer " + "a.b." * 1500},
    "behind a tab": lambda: {"Authorization": "Bearer\tx.y.z"},
    "an owner's beside it": lambda: {**invite(room_id=OTHER_ID), "x-access-token": "anna"},
}


class TestInvites:
    @pytest.mark.parametrize("kind", BAD_INVITES)
    async def test_a_bad_one_is_refused_in_the_same_words(
        self, settings: Settings, way: Way, kind: str
    ) -> None:
        async with serving(settings) as harness:
            webinar(harness, invite_epoch=5)
            harness.put(record(id=OTHER_ID, key="b", live=LiveName("other"), spec=WEBINAR))
            reply = await way.asks(harness, BAD_INVITES[kind]())
            assert (reply.status, reply.code) == (401, "PROOF_INVALID")
            assert reply.headers["www-authenticate"] == "Bearer"
            assert reply.json["error"] == (
                "The invite in Authorization is invalid, expired, revoked or for another room; get a new one."
            )
            assert role(await way.asks(harness, invite(epoch=5))) == "speaker"

    async def test_two_at_once_are_refused(self, settings: Settings) -> None:
        body = b'{"room_name": "%b"}' % ROOM_ID.encode()
        async with serving(settings) as harness:
            good = invite()["Authorization"]
            for other, status in (("Bearer x", 401), (good, 401), ("Basic x", 201)):
                headers = {"Authorization": good, "authorization": other}
                assert (await ask(harness.sidecar.public, "POST", ENDPOINT, body, headers)).status == status

    async def test_one_bound_to_an_identity_gives_it_where_none_is_asked_for(
        self, settings: Settings
    ) -> None:
        async with serving(settings) as harness:
            reply = await SDK.asks(harness, invite(identity="mary"), identity=None)
            read = jwt.decode(reply.json["participant_token"], options={"verify_signature": False})
            assert read["sub"] == "mary"


class TestHidden:
    @pytest.mark.parametrize(
        ("token", "status"),
        [
            (egress(), 200),
            (egress(now=NOW - 899), 200),
            (egress(now=NOW - 900), 403),
            (egress(now=NOW + 61), 403),
            (egress(room_id=OTHER_ID), 403),
            (egress(name="the name before"), 403),
            (egress(key=INVITES), 403),
            (invite()["Authorization"].removeprefix("Bearer "), 403),
            ("", 403),
            ("x", 403),
            (None, 403),
        ],
    )
    @pytest.mark.parametrize("everywhere", [False, True])
    async def test_needs_a_token_of_this_activation(
        self, settings: Settings, token: str | None, status: int, everywhere: bool
    ) -> None:
        async with serving(replace(settings, hidden_requires_token=everywhere)) as harness:
            harness.put(record(spec=replace_spec(allow_webinar_mode=not everywhere)))
            reply = await harness.token(hidden=True, egress_mode_token=token)
            assert reply.status == status
            assert (role(reply) if status == 200 else reply.code) in ("hidden", "HIDDEN_NOT_ALLOWED")

    @pytest.mark.parametrize("headers", [invite(), {"x-access-token": "anna"}, {"x-access-token": "root"}])
    async def test_no_other_proof_does(self, settings: Settings, headers: Headers) -> None:
        async with serving(settings) as harness:
            webinar(harness)
            assert (await harness.token(headers, hidden=True)).code == "HIDDEN_NOT_ALLOWED"
            assert role(await harness.token(headers, hidden=True, egress_mode_token=egress())) == "hidden"

    async def test_outside_a_webinar_none_is_needed_and_a_bad_one_does_no_harm(
        self, settings: Settings
    ) -> None:
        async with serving(settings) as harness:
            assert role(await harness.token(hidden=True, egress_mode_token="x")) == "hidden"

    async def test_who_is_seen_gains_nothing_by_one(self, settings: Settings) -> None:
        async with serving(settings) as harness:
            webinar(harness)
            assert role(await harness.token(egress_mode_token=egress())) == "guest"

    async def test_the_endpoint_lets_nobody_in_hidden(self, settings: Settings) -> None:
        async with serving(settings) as harness:
            webinar(harness)
            assert role(await SDK.asks(harness, hidden=True, egress_mode_token=egress())) == "guest"


class TestTakeover:
    @pytest.mark.parametrize(
        ("headers", "taken"),
        [
            ({}, False),
            (previous(), True),
            (previous(jti="of a token from before jane joined"), False),
            (previous("joe"), False),
            (previous(room="the name before"), False),
            (invite(), False),
            (invite(identity="jane"), True),
            ({**invite(), **previous()}, True),
            ({"x-access-token": "anna"}, True),
            ({"x-access-token": "root"}, True),
            ({"x-access-token": "ben"}, False),
        ],
    )
    async def test_of_somebody_inside_needs_proof_of_identity(
        self, settings: Settings, way: Way, headers: Headers, taken: bool
    ) -> None:
        async with serving(settings) as harness:
            webinar(harness)
            harness.people.inside[ROOM_NAME] = [person("jane")] * 3  # full besides: no matter then
            reply = await way.asks(harness, headers)
            if taken:
                role(reply)
            else:
                assert (reply.code, reply.headers["retry-after"]) == ("IDENTITY_IN_USE", "20")

    @pytest.mark.parametrize("headers", [{}, previous(), invite(identity="jane"), {"x-access-token": "anna"}])
    async def test_proof_is_no_place_in_a_full_room(
        self, settings: Settings, way: Way, headers: Headers
    ) -> None:
        async with serving(settings) as harness:
            webinar(harness)
            harness.people.inside[ROOM_NAME] = [Participant(f"p{n}") for n in range(3)]
            assert (await way.asks(harness, headers)).code == "ROOM_FULL"


class TestProofOfIdentity:
    async def test_token_of_a_proven_participant_keeps_its_jti(self, settings: Settings, way: Way) -> None:
        async with serving(settings) as harness:
            harness.people.inside[ROOM_NAME] = [person("jane", "hers")]
            reply = await way.asks(harness, previous(jti="hers"))
            assert token_claims(reply)["jti"] == "hers"

    async def test_previous_token_proves_nothing_while_its_identity_is_away(
        self, settings: Settings, way: Way
    ) -> None:
        async with serving(settings) as harness:
            assert token_claims(await way.asks(harness, previous()))["jti"] != JTI

    async def test_two_tokens_have_two_jtis(self, settings: Settings, way: Way) -> None:
        async with serving(settings) as harness:
            first, second = [token_claims(await way.asks(harness)) for _ in range(2)]
            assert first["jti"] != second["jti"]
            assert first["attributes"]["jti_sha256"] == hashlib.sha256(first["jti"].encode()).hexdigest()

    async def test_participant_without_our_token_is_proven_by_none(
        self, settings: Settings, way: Way
    ) -> None:
        async with serving(settings) as harness:
            harness.people.inside[ROOM_NAME] = [Participant("jane")]
            assert (await way.asks(harness, previous())).code == "IDENTITY_IN_USE"


BOUND: Final = (IdentityRule("jane", datetime.fromtimestamp(NOW + 60, UTC)),)
"""Jane has an invite of her own for a minute more."""


class TestBoundIdentity:
    @pytest.mark.parametrize("inside", [False, True])
    @pytest.mark.parametrize(
        ("headers", "is_admitted"),
        [
            ({}, False),
            (previous(), False),
            (invite(), False),
            (invite(identity="jane"), True),
            ({**invite(identity="jane"), **previous()}, True),
            ({"x-access-token": "anna"}, True),
            ({"x-access-token": "ben"}, False),
        ],
    )
    async def test_is_only_for_the_holder_of_its_invite(
        self, settings: Settings, way: Way, headers: Headers, is_admitted: bool, inside: bool
    ) -> None:
        async with serving(replace(settings, identity_takeover="allow")) as harness:
            webinar(harness, bound=BOUND)
            harness.people.inside[ROOM_NAME] = [person("jane")] if inside else []
            reply = await way.asks(harness, headers)
            if is_admitted:
                role(reply)
            else:
                assert reply.code == "IDENTITY_IN_USE"

    async def test_is_free_again_when_the_invite_ends(self, settings: Settings, way: Way) -> None:
        async with serving(settings) as harness:
            webinar(harness, bound=BOUND)
            assert (await way.asks(harness, identity="joe")).status in (200, 201)
            harness.wall.now += 60
            assert (await way.asks(harness)).status in (200, 201)


class TestKicked:
    @pytest.mark.parametrize("headers", [{}, invite(identity="jane"), {"x-access-token": "root"}])
    async def test_participant_gets_no_token_until_the_time_is_over(
        self, settings: Settings, way: Way, headers: Headers
    ) -> None:
        async with serving(settings) as harness:
            webinar(harness, kicked=BOUND)
            reply = await way.asks(harness, headers)
            assert (reply.status, reply.code) == (403, "KICKED")
            harness.wall.now += 60
            role(await way.asks(harness, headers))


class TestJoinByInvite:
    @pytest.mark.parametrize(
        ("headers", "proven"),
        [
            ({}, None),
            (previous(), None),
            ({"x-access-token": "ben"}, None),
            (invite(role=Role.GUEST), "guest"),
            (invite(role=Role.GUEST, identity="jane"), "guest"),
            (invite(), "speaker"),
            ({"x-access-token": "root"}, "speaker"),
        ],
    )
    async def test_needs_a_proof(
        self, settings: Settings, way: Way, headers: Headers, proven: str | None
    ) -> None:
        async with serving(settings) as harness:
            harness.put(record(spec=replace_spec(join=Join.INVITE)))
            harness.people.inside[ROOM_NAME] = [person("jane")] if "X-Previous-Token" in headers else []
            reply = await way.asks(harness, headers)
            if proven is None:
                assert (reply.status, reply.code) == (401, "INVITE_REQUIRED")
                assert reply.headers["www-authenticate"] == "Bearer"
            else:
                assert role(reply) == proven

    async def test_hidden_participant_needs_an_egress_token_or_an_invite(self, settings: Settings) -> None:
        async with serving(settings) as harness:
            harness.put(record(spec=replace_spec(join=Join.INVITE, allow_webinar_mode=False)))
            assert (await harness.token(hidden=True)).code == "INVITE_REQUIRED"
            assert (await harness.token(hidden=True, egress_mode_token="x")).code == "INVITE_REQUIRED"
            assert role(await harness.token(hidden=True, egress_mode_token=egress())) == "hidden"
            assert role(await harness.token(invite(), hidden=True)) == "hidden"

    async def test_is_found_as_always(self, settings: Settings) -> None:
        async with serving(settings) as harness:
            harness.put(record(spec=replace_spec(join=Join.INVITE)))
            assert (await harness.post(FIND, {"id": ROOM_ID})).status == 200


class TestReservedSeats:
    @pytest.mark.parametrize(
        ("guests", "invited", "is_free"),
        [
            (0, 0, (True, True)),
            (1, 0, (False, True)),
            (2, 0, (False, True)),
            (0, 1, (True, True)),
            (0, 2, (True, True)),
            (1, 1, (False, True)),
            (1, 2, (False, False)),
            (3, 0, (False, False)),
        ],
    )
    async def test_are_for_those_with_a_proof(
        self, settings: Settings, way: Way, guests: int, invited: int, is_free: tuple[bool, bool]
    ) -> None:
        """Of three seats two are reserved; `is_free` without a proof, and with one."""
        async with serving(settings) as harness:
            harness.put(record(spec=replace_spec(reserved_seats=2)))
            harness.people.inside[ROOM_NAME] = [
                *(person(f"guest-{number}") for number in range(guests)),
                *(person(f"invited-{number}", seat="reserved") for number in range(invited)),
            ]
            for proof, free in zip(({}, invite()), is_free, strict=True):
                reply = await way.asks(harness, proof)
                if free:
                    assert ("seat" in token_claims(reply)["attributes"]) is bool(proof)
                else:
                    assert reply.code == "ROOM_FULL"

    async def test_are_not_taken_by_who_wrote_the_attribute(self, settings: Settings, way: Way) -> None:
        async with serving(settings) as harness:
            harness.put(record(spec=replace_spec(reserved_seats=2)))
            liar = replace(person("liar", seat="reserved"), permission=Permission(can_update_metadata=True))
            harness.people.inside[ROOM_NAME] = [liar]
            assert (await way.asks(harness)).code == "ROOM_FULL"

    async def test_are_cleared_when_somebody_with_a_proof_finds_them_taken(
        self, settings: Settings, way: Way
    ) -> None:
        async with serving(settings) as harness:
            harness.put(record(spec=replace_spec(reserved_seats=2)))
            harness.people.inside[ROOM_NAME] = [person(f"guest-{number}") for number in range(3)]
            assert (await way.asks(harness)).code == "ROOM_FULL"
            assert harness.checked == []
            assert (await way.asks(harness, invite())).code == "ROOM_FULL"
            assert harness.checked == [ROOM_NAME]


class TestFairness:
    async def test_one_address_uses_a_quarter_of_a_rooms_allowance(self, settings: Settings) -> None:
        trusted = replace(settings, room_tokens_per_second=4, trusted_proxies=("127.0.0.1",))
        async with serving(trusted) as harness:
            flood = [await SDK.asks(harness, {"X-Forwarded-For": "192.0.2.1"}) for _ in range(30)]
            assert [reply.status for reply in flood].count(201) == 10
            other = [await SDK.asks(harness, {"X-Forwarded-For": f"192.0.2.{n}"}) for n in range(2, 35)]
            assert [reply.status for reply in other].count(201) == 30

    async def test_each_proof_has_an_allowance_of_its_own(self, settings: Settings) -> None:
        trusted = replace(settings, room_tokens_per_second=4, trusted_proxies=("127.0.0.1",))
        async with serving(trusted) as harness:
            for n in range(41):
                await SDK.asks(harness, {"X-Forwarded-For": f"192.0.2.{n}"})
            assert (await SDK.asks(harness, {"X-Forwarded-For": "192.0.2.99"})).code == "TOO_MANY_REQUESTS"
            for proof in (invite(), invite(identity="mary"), {"x-access-token": "root"}):
                assert [(await SDK.asks(harness, proof, identity=None)).status for _ in range(11)] == [
                    *[201] * 10,
                    429,
                ]

    async def test_a_refused_request_costs_the_room_nothing(self, settings: Settings) -> None:
        async with serving(replace(settings, room_tokens_per_second=4)) as harness:
            webinar(harness, kicked=(IdentityRule("joe", BOUND[0].until),))
            for _ in range(20):
                assert (await SDK.asks(harness, {"Authorization": "Bearer x"})).status == 401
                assert (await SDK.asks(harness, identity="joe")).status == 403
            assert (await SDK.asks(harness)).status == 201


EVERY_PROOF: Final[list[Headers]] = [
    {},
    invite(),
    invite(room_id=OTHER_ID),
    {"Authorization": "Bearer x"},
    {"x-access-token": "anna"},
    {"x-access-token": "root"},
    previous(),
]


async def test_an_unknown_room_is_the_same_404_whatever_is_proven(settings: Settings, way: Way) -> None:
    async with serving(settings) as harness:
        harness.put(record(id="a" * 24, key="a", spec=replace_spec(active=False), live=None))
        harness.put(record(id="b" * 24, key="b", spec=WEBINAR, removed_at=record().created, live=None))
        replies = [
            await way.asks(harness, headers, room=room_id)
            for headers in EVERY_PROOF
            for room_id in ("a" * 24, "b" * 24, OTHER_ID, "", "nonsense", ROOM_ID.upper(), "é")
        ]
        assert {(reply.status, reply.code, reply.body) for reply in replies} == {
            (404, "ROOM_NOT_FOUND", replies[0].body)
        }


async def test_the_endpoints_refusals_come_in_the_same_order(settings: Settings) -> None:
    """Everything is wrong at first; each step mends what was complained of."""
    async with serving(settings) as harness:
        policy = replace_spec(max_participants=1)
        harness.put(record(spec=replace_spec(active=False)))
        harness.state.live.clear()
        harness.people.inside[ROOM_NAME] = [Participant("jane")]
        bad = {"Authorization": "Bearer nonsense"}

        async def code(headers: Headers, **fields: Any) -> str:
            return (await SDK.asks(harness, headers, **fields)).code

        assert await code(bad, identity="") == "INVALID_FIELD"
        assert await code(bad) == "ROOM_NOT_FOUND"
        harness.put(record(spec=policy))
        harness.state.live.clear()
        assert await code(bad) == "ROOM_NOT_READY"
        harness.put(record(spec=policy))
        assert await code(bad) == "PROOF_INVALID"
        assert await code({}) == "IDENTITY_IN_USE"
        assert await code({}, identity="joe") == "ROOM_FULL"


class TestEndpoint:
    async def test_answers_as_the_sdks_expect(self, settings: Settings) -> None:
        async with serving(settings) as harness:
            reply = await SDK.asks(harness, participant_name="Jane\u202e")
            assert (reply.status, list(reply.json)) == (201, ["server_url", "participant_token"])
            assert reply.json["server_url"] == "wss://live.example"
            assert reply.headers["cache-control"] == "no-store"
            assert reply.headers["content-type"] == "application/json"
            read = jwt.decode(reply.json["participant_token"], options={"verify_signature": False})
            assert (read["sub"], read["name"], read["video"]["room"]) == ("jane", "Jane", ROOM_NAME)

    async def test_who_names_nobody_gets_an_identity_that_nobody_can_foretell(self) -> None:
        async with serving(PROTECTED) as harness:
            subs = set()
            for fields in ({"identity": None}, {"identity": None, "participant_name": ""}):
                reply = await SDK.asks(harness, **fields)
                read = jwt.decode(reply.json["participant_token"], options={"verify_signature": False})
                subs.add(read["sub"])
            assert len(subs) == 2
            assert all(len(bytes.fromhex(sub)) == 12 for sub in subs)

    @pytest.mark.parametrize(
        "fields",
        [
            {"room": None},
            {"room": 7},
            {"identity": ""},
            {"identity": "EG_1"},
            {"identity": 7},
            {"participant_name": {}},
            {"participant_metadata": "x"},
            {"participant_metadata": 7},
            {"participant_attributes": {"role": "speaker"}},
            {"participant_attributes": "x"},
            {"room_config": {"agents": [{"agent_name": "spy"}]}},
            {"room_config": {"max_participants": 0}},
            {"room_config": []},
        ],
    )
    async def test_what_it_does_not_take_is_named(self, fields: dict[str, Any]) -> None:
        async with serving(PROTECTED) as harness:
            reply = await SDK.asks(harness, **fields)
            assert (reply.status, reply.code) == (400, "INVALID_FIELD")
            name = next(iter(fields))
            assert {"room": SDK.room, "identity": SDK.identity}.get(name, name) in reply.json["error"]

    @pytest.mark.parametrize(
        "fields",
        [
            {"participant_metadata": "", "participant_attributes": {}, "room_config": {}},
            {"participant_metadata": None, "participant_attributes": None, "room_config": None},
            {"roomConfig": {"agents": []}, "anything": [1]},
        ],
    )
    async def test_what_is_empty_or_unknown_does_no_harm(self, fields: dict[str, Any]) -> None:
        async with serving(PROTECTED) as harness:
            assert (await SDK.asks(harness, **fields)).status == 201

    async def test_is_on_the_public_listener_alone_and_a_page_may_call_it(self) -> None:
        origin = {"Origin": "https://meet.example"}
        async with serving(replace(PROTECTED, cors_origins=("https://meet.example",))) as harness:
            assert (await ask(harness.sidecar.private, "POST", ENDPOINT, b"{}")).code == "NOT_FOUND"
            assert (await ask(harness.sidecar.public, "GET", ENDPOINT)).code == "METHOD_NOT_ALLOWED"
            preflight = await ask(harness.sidecar.public, "OPTIONS", ENDPOINT, headers=origin)
            assert preflight.status == 204
            assert "Authorization" in preflight.headers["access-control-allow-headers"]
            for reply in (await SDK.asks(harness, origin), await SDK.asks(harness, origin, room="x")):
                assert reply.headers["access-control-allow-origin"] == "https://meet.example"

    async def test_shares_the_rooms_rate_and_is_counted(self) -> None:
        async with serving(replace(PROTECTED, room_tokens_per_second=4)) as harness:
            ways = [CREATE_TOKEN, SDK] * 5
            assert [(await way.asks(harness)).status for way in ways] == [200, 201] * 5
            assert (await SDK.asks(harness)).code == "TOO_MANY_REQUESTS"
            assert b'roomctl_tokens_total{role="guest"} 10.0' in harness.metrics.text()
            assert b'roomctl_helper_seconds_count{helper="token"} 6.0' in harness.metrics.text()


async def test_what_was_signed_before_a_rotation_is_still_a_proof_and_nothing_new_is_signed_so() -> None:
    rotated = replace(
        SETTINGS,
        livekit_api_key="APInew",
        livekit_api_secret="another-secret-after-the-rotation",
        livekit_api_key_previous=KEY,
        livekit_api_secret_previous=SECRET,
        secret="another-key",
        secret_previous=SIGNING,
    )
    old_token, old_invite = previous()["X-Previous-Token"], invite()["Authorization"].removeprefix("Bearer ")
    key, *old_keys = rotated.livekit_keys
    assert Minter(key, 300, tuple(old_keys)).token_id(old_token, ROOM_NAME, "jane", NOW) == JTI
    assert Minter(key, 300).token_id(old_token, ROOM_NAME, "jane", NOW) is None
    async with serving(rotated) as harness:
        webinar(harness)
        reply = await CREATE_TOKEN.asks(harness, {"Authorization": f"Bearer {old_invite}"})
        assert reply.status == 200
        claims = jwt.decode(
            reply.json["participant_token"],
            rotated.livekit_api_secret,
            algorithms=["HS256"],
            options={"verify_exp": False, "verify_nbf": False},
        )
        assert (claims["iss"], claims["attributes"]["role"]) == ("APInew", "speaker")
        unseen = await CREATE_TOKEN.asks(harness, hidden=True, egress_mode_token=egress())
        assert unseen.status == 200
    async with serving(replace(rotated, secret_previous="")) as harness:
        webinar(harness)
        refused = await CREATE_TOKEN.asks(harness, {"Authorization": f"Bearer {old_invite}"})
        assert (refused.status, refused.code) == (401, "PROOF_INVALID")
